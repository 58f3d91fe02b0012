//! The log line of the framework, written by hand: the same fields, the same format, the same sink.

use std::fmt;

use http::Method;
use tracing::Span;
use uuid::Uuid;

/// JSON lines to standard output, from `info`.
pub(crate) fn to_stdout() {
    let filter = tracing_subscriber::EnvFilter::new("info");
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(true);
    let _ = log.json().flatten_event(true).with_span_list(false).try_init();
}

/// A new id of a request or a trace.
pub(crate) fn id() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid()
}

/// What every line of one request carries.
pub(crate) fn span(request_id: &str, trace_id: impl fmt::Display) -> Span {
    tracing::info_span!("request", %request_id, %trace_id)
}

/// One answered request.
pub(crate) struct Line<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) route: &'a str,
    pub(crate) status: u16,
    pub(crate) millis: f64,
    pub(crate) bytes: Option<u64>,
    pub(crate) parts: &'a str,
}

impl Line<'_> {
    /// Writes it.
    pub(crate) fn write(self) {
        let Self { method, path, route, status, millis, bytes, parts } = self;
        tracing::info!(target: "access", %method, path, %route, status, millis, bytes, degraded = false, parts);
    }
}
