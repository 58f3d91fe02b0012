//! `[upstreams.<name>]`: one backend, and how long we wait for it.

use std::time::Duration;

use bytesize::ByteSize;
use http::HeaderName;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::cache::Overrides;
use crate::settings::{Check, Mistakes};

/// One backend.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamSettings {
    /// Where it is, with a path in front of all its paths if need be. No default.
    pub url: String,
    /// Who to call when it fails; in logs and metrics. Default: nobody.
    pub owner: String,
    /// How long a call may take, with everything that is done to make it succeed. Default 500 ms.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How long one attempt may take. Shorter than `timeout`. Default 400 ms.
    #[serde(with = "humantime_serde")]
    pub attempt_timeout: Duration,
    /// How long a connection may take to come about. Default 100 ms.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// The largest answer that is read, after decoding. Default 1 MiB.
    pub response_limit: ByteSize,
    /// Headers of the client's request that are passed on, hence part of the cache key and of the answer's `Vary`.
    /// Default: none. Identity headers and `Cookie` cannot be listed: the first are made here, the second never travels.
    pub forward: Vec<String>,
    /// Speaks HTTP/2 without asking first (h2c or TLS with prior knowledge). Default: no.
    pub http2: bool,
    /// Asks for compressed answers. Default: no, because backends are near.
    pub compressed: bool,
    /// What holds where its answers do not say how long they may be kept.
    pub cache: Overrides,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            owner: String::new(),
            timeout: Duration::from_millis(500),
            attempt_timeout: Duration::from_millis(400),
            connect_timeout: Duration::from_millis(100),
            response_limit: ByteSize::mib(1),
            forward: Vec::new(),
            http2: false,
            compressed: false,
            cache: Overrides::default(),
        }
    }
}

/// Headers that no configuration can forward: they are made here, belong to one connection, are secret, or ask for an
/// answer that would not be the whole one.
const NEVER_FORWARDED: [&str; 24] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "request-timeout",
    "traceparent",
    "content-type",
    "idempotency-key",
    "accept",
    "accept-encoding",
    "expect",
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
];

impl UpstreamSettings {
    /// The headers to pass on; names that are none are left out (and reported by `check`).
    #[must_use]
    pub fn forwarded(&self) -> Vec<HeaderName> {
        let mut names: Vec<HeaderName> = self.forward.iter().filter_map(|name| name.parse().ok()).collect();
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        names
    }

    fn check_url(&self, mistakes: &mut Mistakes) {
        const REMEDY: &str = "write http://host:port or https://host, with a path if need be";
        if self.url.is_empty() {
            return mistakes.note("url", "is missing", REMEDY);
        }
        match Url::parse(&self.url) {
            Err(error) => mistakes.note("url", format!("{:?} is no URL ({error})", self.url), REMEDY),
            Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                mistakes.note("url", format!("the scheme {:?} is not spoken", url.scheme()), REMEDY);
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                mistakes.note("url", "holds a user or a password", "take them out of the URL");
            }
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                mistakes.note("url", format!("{:?} has a query or a fragment", self.url), REMEDY);
            }
            Ok(_) => {}
        }
    }
}

impl Check for UpstreamSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        self.check_url(mistakes);
        for (key, time) in [
            ("timeout", self.timeout),
            ("attempt_timeout", self.attempt_timeout),
            ("connect_timeout", self.connect_timeout),
        ] {
            if time.is_zero() {
                mistakes.note(key, "0 leaves no time for a call", "give a time above 0, such as \"300ms\"");
            }
        }
        if self.attempt_timeout >= self.timeout {
            let problem = format!(
                "an attempt may take {}, the whole call only {}",
                humantime::format_duration(self.attempt_timeout),
                humantime::format_duration(self.timeout)
            );
            mistakes.note("attempt_timeout", problem, "make it shorter than timeout");
        }
        if self.response_limit.as_u64() == 0 {
            mistakes.note("response_limit", "0 refuses every answer", "give a size such as \"1 MiB\"");
        }
        for name in &self.forward {
            let lower = name.to_ascii_lowercase();
            if name.parse::<HeaderName>().is_err() {
                mistakes.note(
                    "forward",
                    format!("{name:?} is no header name"),
                    "use names such as \"accept-language\"",
                );
            } else if NEVER_FORWARDED.contains(&lower.as_str())
                || lower.starts_with("x-user-")
                || lower == "x-client-id"
            {
                mistakes.note("forward", format!("{name:?} is never passed on from a client"), "take it out");
            }
        }
    }
}
