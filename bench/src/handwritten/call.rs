//! One call of a backend, within its limits.

use std::net::SocketAddr;
use std::time::Duration;

use bff_core::clock;
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::answer::{Problem, Reason};
use super::observe::TraceId;
use crate::Result;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_millis(400);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(200);
/// The largest answer that is read.
const LIMIT: usize = 1024 * 1024;
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) struct Backend {
    client: reqwest::Client,
    url: String,
}

impl Backend {
    pub(super) fn new(address: SocketAddr) -> Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .retry(reqwest::retry::never())
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .pool_max_idle_per_host(512)
            .gzip(false)
            .brotli(false)
            .zstd(false)
            .build()?;
        Ok(Self { client, url: format!("http://{address}") })
    }

    /// The value, and how long it took.
    pub(super) async fn fetch<T: DeserializeOwned>(
        &self,
        part: &'static str,
        path: &str,
        id: &str,
        trace: TraceId,
    ) -> Result<(T, Duration), Problem> {
        let started = clock::now();
        let url = format!("{}{path}{}", self.url, utf8_percent_encode(id, RESERVED));
        let body = self.get(&url, Some(trace)).await.map_err(|reason| Problem::upstream(reason, Some(part)))?;
        let value = serde_json::from_slice(&body).map_err(|error| {
            tracing::warn!(%error, part, "an answer that cannot be read");
            Problem::upstream(Reason::InvalidResponse, Some(part))
        })?;
        Ok((value, clock::now() - started))
    }

    /// The key set of the issuer.
    pub(super) async fn keys(&self) -> Result<Bytes> {
        let keys = self.get(&format!("{}/keys", self.url), None).await;
        keys.map_err(|_| "the issuer's keys cannot be had".into())
    }

    async fn get(&self, url: &str, trace: Option<TraceId>) -> Result<Bytes, Reason> {
        let mut request = self.client.get(url).header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(trace) = trace {
            request = request.header("traceparent", trace.parent());
        }
        let mut response = request.send().await.map_err(|error| Reason::of(&error))?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::NOT_FOUND => return Err(Reason::NotFound),
            _ => return Err(Reason::UpstreamError),
        }
        let is_json = |kind: &HeaderValue| kind.to_str().is_ok_and(|kind| kind.starts_with("application/json"));
        if !response.headers().get(CONTENT_TYPE).is_some_and(is_json) {
            return Err(Reason::InvalidResponse);
        }
        if response.content_length().is_some_and(|length| length > LIMIT as u64) {
            return Err(Reason::InvalidResponse);
        }
        let first = response.chunk().await.map_err(|error| Reason::of(&error))?.unwrap_or_default();
        let Some(second) = response.chunk().await.map_err(|error| Reason::of(&error))? else {
            return Ok(first);
        };
        let mut body = BytesMut::from(&first[..]);
        body.extend_from_slice(&second);
        while let Some(chunk) = response.chunk().await.map_err(|error| Reason::of(&error))? {
            if body.len() + chunk.len() > LIMIT {
                return Err(Reason::InvalidResponse);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}
