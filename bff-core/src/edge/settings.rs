//! `[edge]`: what a client may send, and what it is told.

use bytesize::ByteSize;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::resilience::ShedSettings;
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
    /// Everything comes by way of a proxy of ours, so that what a request says of its way so far (`X-Forwarded-For`,
    /// `-Proto`, `-Host`, `Forwarded`) is true and is passed on. Default: no; anybody can write such headers.
    pub behind_proxy: bool,
    /// How many requests are served at once.
    pub shed: ShedSettings,
}

impl Default for EdgeSettings {
    fn default() -> Self {
        Self {
            body_limit: ByteSize::kib(64),
            target_limit: ByteSize::kib(8),
            cors_origins: Vec::new(),
            server_timing: false,
            hsts: false,
            behind_proxy: false,
            shed: ShedSettings::default(),
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
        mistakes.within("shed", |mistakes| self.shed.check(mistakes));
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
