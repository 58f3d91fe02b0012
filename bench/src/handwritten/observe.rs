//! Request id, trace, log line and security headers of every answer.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use bff_core::clock;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};
use http_body::Body as _;
use tracing::Instrument;

use crate::log::{self, Line};

/// The id of a request: the client's own, or one made here.
#[derive(Clone)]
pub(super) struct RequestId(pub(super) Arc<str>);

/// The trace that a request belongs to.
#[derive(Clone, Copy)]
pub(super) struct TraceId(u128);

/// What became of the parts, for the log line.
#[derive(Clone)]
pub(super) struct PartTable(String);

impl PartTable {
    pub(super) fn of(parts: &[(&str, Duration)]) -> Self {
        let mut table = String::with_capacity(parts.len() * 24);
        for (name, took) in parts {
            if !table.is_empty() {
                table.push(' ');
            }
            let _ = write!(table, "{name}=live:{}ms", took.as_millis());
        }
        Self(table)
    }
}

impl TraceId {
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get("traceparent").and_then(|given| given.to_str().ok());
        let given = given.and_then(|given| u128::from_str_radix(given.split('-').nth(1)?, 16).ok());
        Self(given.filter(|&trace| trace != 0).unwrap_or_else(|| fastrand::u128(1..)))
    }

    /// As the parent of a call.
    pub(super) fn parent(self) -> String {
        format!("00-{:032x}-{:016x}-00", self.0, fastrand::u64(1..))
    }
}

pub(super) async fn observe(mut request: Request, next: Next) -> Response {
    let started = clock::now();
    let given = request.headers().get("x-request-id").and_then(well_formed);
    let request_id: Arc<str> = given.map_or_else(|| log::id().to_string().into(), Arc::from);
    let trace = TraceId::of(request.headers());
    request.extensions_mut().insert(RequestId(request_id.clone()));
    request.extensions_mut().insert(trace);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let span = log::span(&request_id, format_args!("{:032x}", trace.0));

    let mut response = next.run(request).instrument(span.clone()).await;

    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert("x-request-id", id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'"));
    let _entered = span.enter();
    let line = Line {
        method: &method,
        path: &path,
        route: route.as_ref().map_or("", MatchedPath::as_str),
        status: response.status().as_u16(),
        millis: (clock::now() - started).as_secs_f64() * 1000.0,
        bytes: response.body().size_hint().exact(),
        parts: response.extensions().get::<PartTable>().map_or("", |table| &table.0),
    };
    line.write();
    response
}

fn well_formed(id: &HeaderValue) -> Option<&str> {
    let id = id.to_str().ok()?;
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    (!id.is_empty() && id.len() <= 128 && plain).then_some(id)
}
