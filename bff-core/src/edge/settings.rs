//! `[edge]`: what a client may send, and what it is told.

use bytesize::ByteSize;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::context::TrustedProxies;
use crate::resilience::{BodySettings, ShedSettings};
use crate::settings::{Check, Mistakes};

/// What a client may send, and what it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct EdgeSettings {
    /// The largest request body. Default 64 KiB.
    pub body_limit: ByteSize,
    /// The longest path and query, in bytes; longer is a 414. Default 8 KiB.
    pub target_limit: ByteSize,
    /// Web pages that may call this BFF, as exact origins (`https://www.example.com`). Default: none, hence no CORS.
    pub cors_origins: Vec<String>,
    /// Tells every client how long each part took (`Server-Timing`). Default: no.
    pub server_timing: bool,
    /// Says that this host is to be called by TLS only (`Strict-Transport-Security`, two years). Default: no; set it
    /// where TLS ends here or at a balancer in front.
    pub hsts: bool,
    /// The networks in which proxies of ours stand (`10.0.0.0/8`, or an address alone). What a request that comes from one
    /// says of its way so far (`X-Forwarded-For`, `-Proto`, `-Host`, `Forwarded`) is true, and routes pass it on; its client is
    /// the last address in that row that is none of these. Default: none; anybody can write such headers.
    pub trusted_proxies: Vec<String>,
    /// How many requests are worked on at once.
    pub shed: ShedSettings,
    /// How many bodies are on their way at once.
    pub bodies: BodySettings,
}

impl Default for EdgeSettings {
    fn default() -> Self {
        Self {
            body_limit: ByteSize::kib(64),
            target_limit: ByteSize::kib(8),
            cors_origins: Vec::new(),
            server_timing: false,
            hsts: false,
            trusted_proxies: Vec::new(),
            shed: ShedSettings::default(),
            bodies: BodySettings::default(),
        }
    }
}

impl EdgeSettings {
    /// The origins as header values; those that are none are left out (and reported by `check`).
    #[must_use]
    pub fn origins(&self) -> Vec<HeaderValue> {
        self.cors_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect()
    }
}

impl Check for EdgeSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.target_limit.as_u64() < 64 {
            mistakes.note(
                "target_limit",
                format!("{} refuses every request", self.target_limit),
                "give at least 64 bytes",
            );
        }
        for network in &self.trusted_proxies {
            if TrustedProxies::network(network).is_none() {
                let remedy = "write a network such as \"10.0.0.0/8\" or \"2001:db8::/32\", or one address";
                mistakes.note("trusted_proxies", format!("{network:?} is no network"), remedy);
            }
        }
        mistakes.within("shed", |mistakes| self.shed.check(mistakes));
        mistakes.within("bodies", |mistakes| self.bodies.check(mistakes));
        for origin in &self.cors_origins {
            let exact = Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
            if !exact {
                mistakes.note(
                    "cors_origins",
                    format!("{origin:?} is no origin"),
                    "write scheme://host or scheme://host:port, without a path, a star or a default port",
                );
            }
        }
    }
}
