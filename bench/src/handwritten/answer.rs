//! The page as an answer, and problems (RFC 9457).

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use super::observe::PartTable;

/// A page as JSON with its tag, or 304.
pub(super) fn page(page: &impl Serialize, asked: &HeaderMap, table: PartTable) -> Response {
    let mut body = Vec::with_capacity(2048);
    if serde_json::to_writer(&mut body, page).is_err() {
        return Problem::internal().into_response();
    }
    let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&digest(&SHA256, &body).as_ref()[..16]));
    let known = asked.get(IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response.extensions_mut().insert(table);
    response
}

/// Why a part is not there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    Timeout,
    Deadline,
    Unreachable,
    UpstreamError,
    InvalidResponse,
    NotFound,
}

impl Reason {
    pub(super) fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() { Self::Timeout } else { Self::Unreachable }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Deadline => "deadline",
            Self::Unreachable => "unreachable",
            Self::UpstreamError => "upstream_error",
            Self::InvalidResponse => "invalid_response",
            Self::NotFound => "not_found",
        }
    }
}

/// Why there is no page.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl Problem {
    fn new(status: u16, kind: &'static str, title: &'static str, detail: &'static str) -> Self {
        Self { kind, title, status, detail, request_id: String::new(), part: None, reason: None }
    }

    pub(super) fn internal() -> Self {
        Self::new(500, "/problems/internal", "A defect of ours", "It is logged under the request id.")
    }

    pub(super) fn unauthenticated(detail: &'static str) -> Self {
        Self::new(401, "/problems/unauthenticated", "Credentials are needed", detail)
    }

    pub(super) fn upstream(reason: Reason, part: Option<&'static str>) -> Self {
        let problem = match reason {
            Reason::Timeout | Reason::Deadline => {
                Self::new(504, "/problems/timeout", "It took too long", "The part did not come in time.")
            }
            _ => Self::new(502, "/problems/upstream-failed", "A service behind us failed", "The part cannot be had."),
        };
        Self { part, reason: Some(reason.as_str()), ..problem }
    }

    /// The same, naming the request.
    pub(super) fn of(self, request_id: &str) -> Self {
        Self { request_id: request_id.to_owned(), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, serde_json::to_vec(&self).unwrap_or_default()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
