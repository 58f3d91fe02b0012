//! An answer is an open body until its client has read it: bounded in number and in bytes, apart from the work of making it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Version, header};
use http_body::Body as _;
use tower::Service;

use super::receive::Counted;
use super::shed::busy;
use super::{Door, PassedOn};
use crate::context::Context;
use crate::resilience::STREAMING;

/// An answer of this size or less goes to an HTTP/1 connection in one piece, which has room for it. HTTP/2 has many streams,
/// each of which may hold one back.
const AT_ONCE: u64 = 64 * 1024;
/// So much is counted for an event stream: its events are small, and there may be many such streams.
const EVENTS: u64 = 16 * 1024;

pub(super) async fn open<Inner>(door: Arc<Door>, request: Request, mut inner: Inner) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    let Some(context) = request.extensions().get::<Arc<Context>>().filter(|context| !context.survey).cloned() else {
        return inner.call(request).await;
    };
    if !door.bodies.admit(context.holder()) {
        door.metrics.shed(&door.terms.endpoint);
        return Ok(busy().into_response());
    }
    let is_http2 = request.version() == Version::HTTP_2;
    let response = inner.call(request).await?;
    let Some(bytes) = held(&response, is_http2) else { return Ok(response) };
    let open = door.bodies.begin(context.holder(), bytes);
    Ok(response.map(|body| Body::new(Counted { body, _open: open })))
}

/// What an answer may hold in memory while its client reads it; `None` for one that is gone at once.
fn held(response: &Response, is_http2: bool) -> Option<u64> {
    let body = response.body();
    if body.is_end_stream() {
        return None;
    }
    let hint = body.size_hint();
    let size = hint.upper();
    if is_events(response.headers()) {
        return Some(EVENTS);
    }
    match size {
        Some(size) if size <= AT_ONCE => is_http2.then_some(size),
        // What is passed on is here a piece at a time.
        Some(size) if response.extensions().get::<PassedOn>().is_none() => Some(size),
        _ => Some(STREAMING),
    }
}

fn is_events(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}
