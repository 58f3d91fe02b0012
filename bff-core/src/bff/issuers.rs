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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::{Request, Response};
    use tower::service_fn;
    use tower::util::BoxCloneSyncService;

    use super::*;
    use crate::auth::IssuerSettings;
    use crate::body::Body;
    use crate::clock;
    use crate::upstream::{Location, Transport};

    /// An issuer that takes its time, and what its stack was told.
    struct Slow(Duration, Mutex<Vec<UpstreamSettings>>);

    impl Network for Slow {
        fn transport(&self, _: &str, own: &UpstreamSettings, _: &Location) -> Result<Transport> {
            self.1.lock().unwrap().push(own.clone());
            let takes = self.0;
            Ok(BoxCloneSyncService::new(service_fn(move |_: Request<Body>| async move {
                tokio::time::sleep(takes).await;
                Ok(Response::new(Body::from(b"{}".to_vec())))
            })))
        }
    }

    fn issuer(seconds: u64, kib: u64) -> IssuerSettings {
        IssuerSettings {
            jwks_url: "https://id.test/keys".to_owned(),
            fetch_timeout: Duration::from_secs(seconds),
            max_document: bytesize::ByteSize::kib(kib),
            ..IssuerSettings::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_may_take_as_long_as_is_written() {
        for (written, takes, arrives) in [(5, 4, true), (20, 19, true), (1, 2, false)] {
            let mut settings = Settings::default();
            settings.auth.issuers.insert("main".to_owned(), issuer(written, 256));
            let network = Slow(Duration::from_secs(takes), Mutex::default());
            let issuers = Issuers::new(&settings, &Arc::default(), &network).unwrap();
            let begun = clock::now();
            let fetched = issuers.fetch("https://id.test/keys").await;
            assert_eq!(fetched.is_ok(), arrives, "{written} s, {fetched:?}");
            assert_eq!(clock::now() - begun, Duration::from_secs(takes.min(written)));
        }
    }

    #[tokio::test]
    async fn whoever_shares_a_key_set_gets_what_is_its_own() {
        let mut settings = Settings::default();
        settings.auth.issuers.insert("one".to_owned(), issuer(2, 2048));
        settings.auth.issuers.insert("two".to_owned(), issuer(7, 64));
        let network = Slow(Duration::ZERO, Mutex::default());
        Issuers::new(&settings, &Arc::default(), &network).unwrap();
        for own in network.1.lock().unwrap().iter() {
            assert_eq!((own.attempt_timeout, own.connect_timeout), (Duration::from_secs(7), Duration::from_secs(7)));
            assert_eq!(own.response_limit, bytesize::ByteSize::mib(2));
        }
    }
}
