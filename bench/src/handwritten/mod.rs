//! The same page, as a careful team writes it with axum and reqwest.
//!
//! What it has: typed answers, all three calls at once (`try_join!`), a limit on the time of each call, of connecting,
//! and of the whole request, a limit on the size of each answer, its content type checked; a request id (taken if
//! well-formed, else made) and a W3C trace that is passed on; the framework's log line with its part table; problems
//! (RFC 9457) for every failure, panics included; an `ETag` (128 bits of SHA-256) with 304; `Cache-Control`, `Vary` and
//! the security headers; compression for those who ask for it; limits on heads, on their time and on connections. With
//! `--auth`: ES256 tokens, checked with the issuer's key for each request.
//!
//! What it does not have, and the framework does: metrics, a store, shared flights, the upstreams' `Cache-Control` read,
//! optional parts and stand-ins, identity for upstreams, remaining time told to upstreams, a graceful end.

mod answer;
mod auth;
mod call;
mod observe;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::HeaderMap;
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::page::{PriceView, Product, ProductView, Quote, Reviews, ReviewsView};
use crate::{Result, Server, listen, log};
use answer::{Problem, Reason};
use call::Backend;
use observe::{PartTable, RequestId, TraceId};

/// The whole time of a request.
const BUDGET: Duration = Duration::from_secs(1);

struct App {
    backend: Backend,
    tokens: Option<auth::Tokens>,
}

#[derive(Serialize)]
struct ProductPage {
    product: ProductView,
    price: PriceView,
    reviews: ReviewsView,
    meta: Meta,
}

#[derive(Serialize)]
struct Meta {
    degraded: bool,
    parts: [(); 0],
}

/// Listens until it is killed.
pub(crate) async fn run(server: Server) -> Result<()> {
    log::to_stdout();
    let backend = Backend::new(server.backend)?;
    let tokens = if server.auth { Some(auth::Tokens::fetch(&backend).await?) } else { None };
    let app = Router::new()
        .route("/product-page/{id}", get(product_page))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(|_| Problem::internal().into_response()))
        .layer(middleware::from_fn(observe::observe))
        .with_state(Arc::new(App { backend, tokens }));
    listen::serve(server.listen, app).await
}

async fn product_page(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    Extension(trace): Extension<TraceId>,
    headers: HeaderMap,
    _: Request,
) -> Response {
    if let Some(tokens) = &app.tokens
        && let Err(refusal) = tokens.check(&headers)
    {
        return refusal.of(&request_id).into_response();
    }
    match tokio::time::timeout(BUDGET, build(&app, &id, trace)).await {
        Ok(Ok((page, table))) => answer::page(&page, &headers, table),
        Ok(Err(problem)) => problem.of(&request_id).into_response(),
        Err(_) => Problem::upstream(Reason::Deadline, None).of(&request_id).into_response(),
    }
}

async fn build(app: &App, id: &str, trace: TraceId) -> Result<(ProductPage, PartTable), Problem> {
    let backend = &app.backend;
    let (product, price, reviews) = tokio::try_join!(
        backend.fetch::<Product>("product", "/products/", id, trace),
        backend.fetch::<Quote>("price", "/prices/", id, trace),
        backend.fetch::<Reviews>("reviews", "/reviews/", id, trace),
    )?;
    let table = PartTable::of(&[("product", product.1), ("price", price.1), ("reviews", reviews.1)]);
    let page = ProductPage {
        product: product.0.into(),
        price: price.0.into(),
        reviews: reviews.0.into(),
        meta: Meta { degraded: false, parts: [] },
    };
    Ok((page, table))
}
