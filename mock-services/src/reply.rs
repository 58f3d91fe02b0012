//! What a backend answers: a reply, or a problem that becomes one.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use serde::Serialize;

/// One answer of a backend, before faults are applied to it.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers; `Content-Length` is added when the answer is sent.
    pub headers: HeaderMap,
    /// The body; left out when the request was a HEAD.
    pub body: Bytes,
    /// How long to wait before the answer is sent. Default: not at all.
    pub delay: Duration,
}

impl Reply {
    /// A reply with this status and body, and no header at all.
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, headers: HeaderMap::new(), body: body.into(), delay: Duration::ZERO }
    }

    /// A 200 with this JSON text.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, body).with(header::CONTENT_TYPE, "application/json")
    }

    /// The same reply with one header set. A value that is not a valid header value is left out.
    #[must_use]
    pub fn with(mut self, name: impl Into<HeaderName>, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name.into(), value);
        }
        self
    }

    /// The same reply, sent after this long.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// A 200 with `value` as JSON and this `Cache-Control`.
    pub(crate) fn cached<T: Serialize>(value: &T, cache_control: &str) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::json(body).with(header::CACHE_CONTROL, cache_control),
            Err(error) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into(),
        }
    }

    /// A strong `ETag` on a 200 to GET or HEAD, and a 304 where the caller has that version already.
    pub(crate) fn conditional<B>(self, request: &Request<B>) -> Self {
        let safe = matches!(request.method().as_str(), "GET" | "HEAD");
        if !safe || self.status != StatusCode::OK {
            return self;
        }
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.body);
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest.as_ref()[..12]));
        let known = request.headers().get_all(header::IF_NONE_MATCH).iter().any(|sent| {
            sent.to_str()
                .is_ok_and(|sent| sent.split(',').map(str::trim).any(|t| t == "*" || t.trim_start_matches("W/") == tag))
        });
        let mut reply = self.with(header::ETAG, &tag);
        if known {
            reply.status = StatusCode::NOT_MODIFIED;
            reply.body = Bytes::new();
            reply.headers.remove(header::CONTENT_TYPE);
        }
        reply
    }
}

/// An error answer in the problem format of RFC 9457.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    allow: Option<&'static str>,
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), allow: None }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// A 405 that says in `Allow` what would have worked.
    pub(crate) fn wrong_method(allow: &'static str) -> Self {
        let mut problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("this path answers to {allow}"));
        problem.allow = Some(allow);
        problem
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let body = ProblemBody {
            r#type: "about:blank",
            title: problem.status.canonical_reason().unwrap_or("Error"),
            status: problem.status.as_u16(),
            detail: &problem.detail,
        };
        let reply = Self::new(problem.status, serde_json::to_vec(&body).unwrap_or_default())
            .with(header::CONTENT_TYPE, "application/problem+json")
            .with(header::CACHE_CONTROL, "no-store");
        match problem.allow {
            Some(allow) => reply.with(header::ALLOW, allow),
            None => reply,
        }
    }
}
