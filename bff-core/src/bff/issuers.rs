//! How key sets are fetched: by the same outbound stack as everything else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use url::{Position, Url};

use crate::auth::FetchKeys;
use crate::cache::CacheSettings;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::telemetry::Metrics;
use crate::upstream::{Client, Network, Path, Shared, UpstreamSettings};

/// So much longer may a call take than its one attempt.
const MARGIN: Duration = Duration::from_millis(100);

/// Fetches key sets by an outbound stack of its own, which keeps nothing: how long a key set is held is not for
/// HTTP caching to say.
pub(super) struct Issuers(HashMap<String, (Client, String)>);

impl Issuers {
    pub(super) fn new(settings: &Settings, metrics: &Arc<Metrics>, network: &dyn Network) -> Result<Self> {
        let nothing_kept = CacheSettings { capacity: bytesize::ByteSize::b(0), ..CacheSettings::default() };
        let mut issuers: HashMap<String, (Client, String)> = HashMap::new();
        for issuer in settings.auth.issuers.values() {
            let address = issuer.jwks_url.to_string();
            let url = Url::parse(&address).map_err(Error::internal)?;
            // Who shares a key set with another is bounded by what is its own where that is read.
            let alike = || settings.auth.issuers.values().filter(|other| other.jwks_url == address);
            let longest = alike().map(|other| other.fetch_timeout).max().unwrap_or(issuer.fetch_timeout);
            let largest = alike().map(|other| other.max_document).max().unwrap_or(issuer.max_document);
            let mut own = UpstreamSettings {
                url: url.origin().ascii_serialization(),
                // Ended by who fetches, at the time that is written; an attempt and a connection may take all of it.
                timeout: longest + MARGIN,
                attempt_timeout: longest,
                connect_timeout: longest,
                response_limit: largest,
                ..UpstreamSettings::default()
            };
            // Who fetches has pauses of its own, and a key set that is back must be had at once.
            own.retry.tries = 0;
            own.breaker.enabled = false;
            own.bulkhead.enabled = false;
            // Each its own flights: two issuers may have their keys at the same path.
            let shared = Shared::new(&nothing_kept, metrics.clone())?;
            let client = Client::new("issuer", own, shared, network)?;
            issuers.insert(address, (client, url[Position::BeforePath..Position::AfterQuery].to_owned()));
        }
        Ok(Self(issuers))
    }
}

impl FetchKeys for Issuers {
    fn fetch(&self, url: &str) -> BoxFuture<'static, Result<Bytes>> {
        let known = self.0.get(url).cloned();
        async move {
            let (client, path) = known.ok_or_else(|| Error::internal("a key set of no configured issuer"))?;
            client.get(Path::fill(&path, &[])).document().await
        }
        .boxed()
    }
}
