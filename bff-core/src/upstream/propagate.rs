//! Tells the upstream to which trace a call belongs and how much time it has.

use std::io::Write;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, Response};
use tower::Service;

use super::call::call_of;
use crate::body::Body;
use crate::clock;
use crate::context::{TRACEPARENT, TRACESTATE};
use crate::error::{Error, Result};

/// Seconds with a fraction, as in draft-thomson-httpapi-request-timeout.
const REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("request-timeout");
/// The share of the time that the way there and back may take; the upstream is told the rest.
const MARGIN: f64 = 0.05;

pub(super) async fn propagate<Inner>((): (), mut request: Request<Body>, mut inner: Inner) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let call = call_of(&request)?;
    let (trace, state) = (call.trace.child().header(), call.trace_state.clone());
    // The time limit of a route ends with the head: an upstream that took it for the whole answer would cut its stream.
    let deadline = call.deadline.filter(|_| call.passed().is_none());
    let now = clock::now();
    // A write goes on after its caller's time, and then has its own.
    let patience = call.patience.filter(|patience| *patience > now);
    let deadline = deadline.map(|own| patience.map_or(own, |patience| own.min(patience)));
    let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
    let headers = request.headers_mut();
    headers.insert(TRACEPARENT, trace);
    match state {
        Some(state) => drop(headers.insert(TRACESTATE, state)),
        // The client's own, where its trace is not followed.
        None => drop(headers.remove(TRACESTATE)),
    }
    if let Some(seconds) = left.and_then(seconds) {
        headers.insert(REQUEST_TIMEOUT, seconds);
    }
    inner.call(request).await
}

fn seconds(left: Duration) -> Option<HeaderValue> {
    let millis = left.mul_f64(1.0 - MARGIN).as_millis();
    let mut text = [0; 24];
    let mut rest = text.as_mut_slice();
    write!(rest, "{}.{:03}", millis / 1000, millis % 1000).ok()?;
    let length = 24 - rest.len();
    HeaderValue::from_bytes(&text[..length]).ok()
}
