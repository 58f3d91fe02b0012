//! Endpoints whose answers stream, on paused time.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use crate::clock::{self, Millis};
use crate::fetched::Fetched;
use crate::testing::{Builder, Reply, TestBff};
use crate::upstream::Client;
use crate::{Bff, Policy, Result, path, routes};

#[derive(Clone, Debug)]
struct Tides(Client);

impl From<Client> for Tides {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

crate::upstreams! {
    struct Upstreams {
        tides: Tides,
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// One event a second, each of them asked for when it is due.
#[utoipa::path(get, path = "/events", responses((status = OK, body = String, content_type = "text/event-stream")))]
async fn events(up: Upstreams) -> Result<Response> {
    let body = stream::unfold((0, up), |(number, up)| async move {
        if number > 0 {
            tokio::time::sleep(SECOND).await;
        }
        let tide: Result<Fetched<String>> = up.tides.0.get(path!("/{}", number)).shared().await;
        let event = format!("data: {number} {}\n\n", tide.map_or_else(|error| error.to_string(), Fetched::into_inner));
        (number < 5).then_some((Ok::<_, Infallible>(event), (number + 1, up)))
    });
    Ok(Response::new(Body::from_stream(body)))
}

/// How many pieces of the export have been made.
static MADE: AtomicUsize = AtomicUsize::new(0);
const PIECES: usize = 300;

#[utoipa::path(get, path = "/export", responses((status = OK, body = String, content_type = "text/csv")))]
async fn export() -> Result<Response> {
    let pieces = stream::iter(0..PIECES).map(|_| {
        MADE.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Infallible>(vec![b'x'; 1 << 20])
    });
    Ok(Response::new(Body::from_stream(pieces)))
}

/// Says how long it is going to be, and never gets there.
struct Silent(u64);

impl http_body::Body for Silent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

#[utoipa::path(get, path = "/silent", responses((status = OK, body = String, content_type = "text/plain")))]
async fn silent() -> Result<Response> {
    Ok(Response::new(Body::new(Silent(10))))
}

#[utoipa::path(get, path = "/endless", responses((status = OK, body = String, content_type = "text/plain")))]
async fn endless() -> Result<Response> {
    Ok(Response::new(Body::new(Silent(1 << 40))))
}

async fn bff() -> (Arc<std::sync::Mutex<Vec<String>>>, TestBff) {
    let ids = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = ids.clone();
    let bff = Bff::new("coast", "1.0.0")
        .page(routes!(events), Policy::public().budget(2500.ms()))
        .page(routes!(export), Policy::public())
        .page(routes!(silent), Policy::public().budget(700.ms()).cached())
        .page(routes!(endless), Policy::public().budget(700.ms()).cached());
    let builder = Builder::new(bff).unwrap().upstream("tides", move |request| {
        let id = request.headers().get("x-request-id").map(|id| id.to_str().unwrap().to_owned());
        told.lock().unwrap().extend(id);
        std::future::ready(Reply::json(&json!("high")).header("cache-control", "no-store"))
    });
    (ids, builder.build().await.unwrap())
}

async fn ask(bff: &TestBff, path: &str) -> Response {
    let request = Request::builder().uri(path).header(header::HOST, "bff.test").header("x-request-id", "mine");
    let request = request.header(header::ACCEPT_ENCODING, "gzip").body(Body::empty()).unwrap();
    let Ok(response) = bff.app.public.clone().oneshot(request).await;
    response
}

#[tokio::test(start_paused = true)]
async fn events_leave_as_they_are_made_and_end_with_the_budget() {
    let (ids, bff) = bff().await;
    let started = clock::now();
    let response = ask(&bff, "/events").await;
    assert_eq!((response.status(), clock::now() - started), (StatusCode::OK, Duration::ZERO));
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    for absent in [header::ETAG, header::CONTENT_ENCODING, header::CONTENT_LENGTH] {
        assert!(!response.headers().contains_key(&absent), "{absent}");
    }
    let mut body = response.into_body();
    for number in 0..3_u32 {
        let event = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(event, format!("data: {number} high\n\n"), "its calls are part of the request");
        assert_eq!(clock::now() - started, SECOND * number);
    }
    assert!(body.frame().await.unwrap().is_err(), "cut, so that nobody takes it for the whole");
    assert_eq!(clock::now() - started, Duration::from_millis(2500));
    assert!(body.frame().await.is_none());
    assert_eq!(*ids.lock().unwrap(), ["mine", "mine", "mine"]);
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_is_never_held_as_a_whole() {
    let (_, bff) = bff().await;
    let mut body = ask(&bff, "/export").await.into_body();
    assert_eq!(MADE.load(Ordering::SeqCst), 0, "the head leaves first");
    let mut length = 0;
    for taken in 1..=PIECES {
        length += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
        assert!(MADE.load(Ordering::SeqCst) <= taken + 1, "made {} to give {taken}", MADE.load(Ordering::SeqCst));
    }
    assert_eq!((length, body.frame().await.is_none()), (PIECES << 20, true));
}

#[tokio::test(start_paused = true)]
async fn what_says_how_long_it_is_has_no_more_time() {
    let (_, bff) = bff().await;
    let started = clock::now();
    let short = ask(&bff, "/silent").await;
    let late = Duration::from_millis(700);
    assert_eq!((short.status(), clock::now() - started), (StatusCode::GATEWAY_TIMEOUT, late));
    let long = ask(&bff, "/endless").await;
    assert_eq!((long.status(), clock::now() - started), (StatusCode::OK, late));
    assert!(long.into_body().frame().await.unwrap().is_err());
    assert_eq!(clock::now() - started, late * 2);
}
