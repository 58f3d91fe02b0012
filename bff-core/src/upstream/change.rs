//! What a request that may change something makes old (RFC 9111 §4.4), and the origin by which kept answers are told apart.

use http::header::{CONTENT_LOCATION, HOST, LOCATION};
use http::{HeaderMap, HeaderName, Request, Response, Uri};

use super::{Client, Passing};
use crate::body::Body;
use crate::cache::Key;

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A request that may change something, and what its target is.
pub(super) struct Change<'a> {
    client: &'a Client,
    how: &'a Passing,
    origin: String,
    target: Uri,
}

impl<'a> Change<'a> {
    /// `None` for a safe request.
    pub(super) fn of(client: &'a Client, request: &Request<Body>, how: &'a Passing) -> Option<Self> {
        if request.method().is_safe() {
            return None;
        }
        Some(Self { client, how, origin: origin(request.headers()), target: request.uri().clone() })
    }

    /// RFC 9111 §4.4: an answer that is no error makes its target old, and what it names in `Location` and
    /// `Content-Location`, unless that is another origin's.
    pub(super) fn happened(self, response: &Response<Body>) {
        if !(response.status().is_success() || response.status().is_redirection()) {
            return;
        }
        self.write_over(self.target.path_and_query().map_or("/", |target| target.as_str()));
        for name in [LOCATION, CONTENT_LOCATION] {
            let named = response.headers().get(name).and_then(|value| self.resolve(value.to_str().ok()?));
            if let Some(named) = named {
                self.write_over(&named);
            }
        }
    }

    fn write_over(&self, target: &str) {
        let Client { upstream, .. } = self.client;
        let versions = upstream.variants.iter().filter_map(|target| target.variant.as_deref());
        let flavour = Some(&*self.how.flavour).filter(|flavour| !flavour.is_empty());
        for identity in [None].into_iter().chain(self.how.identity.as_deref().map(Some)) {
            let key = Key::passed(identity, &upstream.name, &self.origin, target);
            let flavoured = flavour.map(|flavour| key.clone().of_variant(flavour));
            for key in [key].into_iter().chain(flavoured) {
                for version in versions.clone() {
                    upstream.shared.store.write_over(&key.clone().of_variant(version));
                }
                upstream.shared.store.write_over(&key);
            }
        }
    }

    /// The path and query of a reference, if it names something of the same origin (RFC 3986 §5.2).
    fn resolve(&self, reference: &str) -> Option<String> {
        let base = url::Url::parse(&format!("{}{}", self.origin, self.target.path_and_query()?)).ok()?;
        let named = base.join(reference).ok()?;
        let own = (base.host_str(), base.port()) == (named.host_str(), named.port());
        own.then(|| named[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
    }
}

/// Scheme and host as the upstream is told that the client named them: whatever it may make of them is in the key.
pub(super) fn origin(headers: &HeaderMap) -> String {
    let said = |name| {
        let lines = headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
        lines.collect::<Vec<_>>().join(", ")
    };
    let (scheme, host) = (said(X_FORWARDED_PROTO), said(X_FORWARDED_HOST));
    let host = if host.is_empty() { said(HOST) } else { host };
    format!("{}://{host}", if scheme.is_empty() { "http" } else { &scheme })
}
