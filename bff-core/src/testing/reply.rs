//! What a faked upstream answers.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use serde_json::Value;

use crate::body::Body;
use crate::upstream::Verdict;

/// What a faked upstream answers.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status. Default 200.
    pub status: StatusCode,
    /// Beside the content type.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long it takes, on tokio's clock. Default: nothing.
    pub delay: Duration,
}

impl Reply {
    /// A 200 with this JSON.
    #[must_use]
    pub fn json(value: &Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        Self { status: StatusCode::OK, headers, body: value.to_string().into(), delay: Duration::ZERO }
    }

    /// An empty answer with this status.
    #[must_use]
    pub fn status(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), delay: Duration::ZERO }
    }

    /// The same with one more header; one that cannot be written is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = value.parse() {
            self.headers.append(name, value);
        }
        self
    }

    /// The same, later.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

impl Reply {
    /// As the network would hand it over.
    pub(super) fn into_response(self) -> Response<Body> {
        let verdict = match self.status.as_u16() {
            429 => Verdict::Overloaded,
            500.. => Verdict::UpstreamFault,
            400.. => Verdict::ClientFault,
            _ => Verdict::Fine,
        };
        let mut response = Response::new(Body::Bytes(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response.extensions_mut().insert(verdict);
        response
    }
}
