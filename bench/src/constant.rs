//! A handler that returns a constant, and writes the same log line.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bff_core::clock;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

use crate::Result;
use crate::log::{self, Line};

/// As long as the page.
const BODY: &str = concat!(
    r#"{"product":{"id":"42","name":"Gooseneck Kettle 0.9 l","brand":"Hearthline","description":"A slow, thin stream for coffee by hand. The base holds the temperature for half an hour, and the handle stays cool. Boils 0.9 l in under four minutes.","#,
    r#""attributes":[{"name":"volume","value":"0.9 l"},{"name":"power","value":"1200 W"},{"name":"material","value":"stainless steel"},{"name":"colour","value":"black"}],"image":"https://images.example/42/1.jpg"},"price":{"amount_minor":4900,"currency":"EUR"},"#,
    r#""reviews":{"average":4.3,"count":27,"latest":[{"author":"Grace","stars":5,"title":"Just right","text":"Pours exactly where I want it, and keeps warm."},{"author":"Linus","stars":4,"title":"Good","text":"The lid could sit tighter, otherwise very good."},"#,
    r#"{"author":"Edsger","stars":4,"title":"Considered","text":"Does one thing, and does it well."}]},"meta":{"degraded":false,"parts":[]}}"#
);

/// Listens until it is killed.
pub(crate) async fn run(address: SocketAddr) -> Result<()> {
    log::to_stdout();
    let app = Router::new().route("/product-page/{id}", get(page));
    axum::serve(TcpListener::bind(address).await?, app).await?;
    Ok(())
}

async fn page(request: Request) -> Response {
    let started = clock::now();
    let request_id = log::id().to_string();
    let _span = log::span(&request_id, log::id().simple()).entered();
    let response = ([(CONTENT_TYPE, "application/json")], BODY).into_response();
    let line = Line {
        method: request.method(),
        path: request.uri().path(),
        route: "/product-page/{id}",
        status: response.status().as_u16(),
        millis: (clock::now() - started).as_secs_f64() * 1000.0,
        bytes: Some(BODY.len() as u64),
        parts: "product=hit:0ms price=hit:0ms reviews=hit:0ms",
    };
    line.write();
    response
}
