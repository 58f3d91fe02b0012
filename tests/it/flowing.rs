//! An answer that streams, over a connection: it leaves as it is made, and whoever reads it learns that it was cut.

use std::convert::Infallible;
use std::time::Duration;

use bff_core::axum::body::Body;
use bff_core::axum::response::Response;
use bff_core::config::Settings;
use bff_core::upstream::{Client, Clients};
use bff_core::{Bff, Policy, Result, routes};
use bytes::Bytes;
use futures::{StreamExt, stream};

use crate::world::{Served, client, h2_client, within};

/// A BFF with nothing behind it.
#[derive(Clone)]
struct Nothing;

impl Clients for Nothing {
    const NAMES: &'static [&'static str] = &[];

    fn build(_: &mut dyn FnMut(&'static str) -> Option<Client>) -> Option<Self> {
        Some(Self)
    }
}

/// One event, and then none for ever.
#[utoipa::path(get, path = "/events", responses((status = OK, body = String, content_type = "text/event-stream")))]
async fn events() -> Result<Response> {
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"data: one\n\n"))]);
    Ok(Response::new(Body::from_stream(first.chain(stream::pending()))))
}

#[tokio::test]
async fn an_answer_that_streams_arrives_as_it_is_made_and_is_cut() {
    let policy = Policy::public().without_meta().budget(Duration::from_secs(1));
    let bff = Bff::<Nothing>::new("mobile", "1").page(routes!(events), policy);
    let served = Served::start(&bff, Settings::default()).await;
    for client in [client(), h2_client()] {
        let asked = client.get(format!("http://{}/events", served.address)).send();
        let mut answer = within(asked).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(within(answer.chunk()).await.unwrap().unwrap(), "data: one\n\n");
        let end = within(answer.chunk()).await;
        assert!(end.is_err(), "cut, so that nobody takes it for the whole: {end:?}");
    }
}
