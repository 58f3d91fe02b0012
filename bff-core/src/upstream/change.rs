//! What a request that may change something makes old (RFC 9111 §4.4), and the origin by which kept answers are told apart.

use std::fmt::Write;

use http::header::{CONTENT_LOCATION, FORWARDED, HOST, LOCATION};
use http::{HeaderMap, HeaderName, Request, Response, Uri};
use url::{Position, Url};

use super::{Client, Passing};
use crate::body::Body;
use crate::cache::Key;

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A request that may change something, and what its target is. Makes that old when its answer says that it happened, and
/// when nobody knows whether it did.
pub(super) struct Change<'a> {
    client: &'a Client,
    how: &'a Passing,
    origin: String,
    base: Option<String>,
    target: Uri,
    is_settled: bool,
}

impl<'a> Change<'a> {
    /// `None` for a safe request, and where no route to this upstream keeps anything.
    pub(super) fn of(client: &'a Client, request: &Request<Body>, how: &'a Passing) -> Option<Self> {
        if request.method().is_safe() || client.upstream.flavours.load().is_empty() {
            return None;
        }
        let headers = request.headers();
        let (origin, base, target) = (origin(headers), base(headers), request.uri().clone());
        Some(Self { client, how, origin, base, target, is_settled: false })
    }

    /// RFC 9111 §4.4: an answer that is no error makes its target old, and what it names in `Location` and
    /// `Content-Location`, unless that is another origin's.
    pub(super) fn answered(mut self, response: &Response<Body>) {
        self.is_settled = true;
        if !(response.status().is_success() || response.status().is_redirection()) {
            return;
        }
        self.write_over(self.target());
        for name in [LOCATION, CONTENT_LOCATION] {
            let named = response.headers().get(name).and_then(|value| self.resolve(value.to_str().ok()?));
            if let Some(named) = named {
                self.write_over(&named);
            }
        }
    }

    fn target(&self) -> &str {
        self.target.path_and_query().map_or("/", |target| target.as_str())
    }

    fn write_over(&self, target: &str) {
        let Client { upstream, .. } = self.client;
        let versions = upstream.variants.iter().filter_map(|target| target.variant.as_deref());
        for identity in [None].into_iter().chain(self.how.identity.as_deref().map(Some)) {
            for flavour in upstream.flavours.load().iter() {
                let key = Key::passed(identity, &upstream.name, &self.origin, target).of_flavour(flavour);
                for version in versions.clone() {
                    upstream.shared.store.write_over(&key.clone().of_variant(version));
                }
                upstream.shared.store.write_over(&key);
            }
        }
    }

    /// The path and query of a reference, if it names something of the same origin (RFC 3986 §5.2).
    fn resolve(&self, reference: &str) -> Option<String> {
        let base = Url::parse(&format!("{}{}", self.base.as_ref()?, self.target())).ok()?;
        let named = base.join(reference).ok()?;
        let own = (base.host_str(), base.port()) == (named.host_str(), named.port());
        own.then(|| named[Position::BeforePath..Position::AfterQuery].to_owned())
    }
}

impl Drop for Change<'_> {
    /// It was sent, and its client left, or no answer came: it may have happened.
    fn drop(&mut self) {
        if !self.is_settled {
            self.write_over(self.target());
        }
    }
}

/// The origin that a client named, with all that the upstream is told of it: what is not in the key of an answer must not
/// change it.
pub(super) fn origin(headers: &HeaderMap) -> String {
    let mut said = String::with_capacity(64);
    for name in [X_FORWARDED_PROTO, X_FORWARDED_HOST, HOST] {
        say(&mut said, headers, &name);
    }
    // Behind a proxy of ours there may be more; for whom it is passed on is no part of where.
    if headers.keys().any(is_further) {
        let mut further: Vec<&HeaderName> = headers.keys().filter(|name| is_further(name)).collect();
        further.sort_unstable_by_key(|name| name.as_str());
        for name in further {
            say(&mut said, headers, name);
        }
    }
    let pairs = headers.get_all(FORWARDED).iter().flat_map(|line| line.as_bytes().split(|byte| b";,".contains(byte)));
    for pair in pairs.map(<[u8]>::trim_ascii) {
        let is_where = |name: &[u8]| pair.get(..name.len()).is_some_and(|own| own.eq_ignore_ascii_case(name));
        if is_where(b"host=") || is_where(b"proto=") {
            // Writing to a string does not fail.
            let _ = write!(said, "{};", pair.escape_ascii());
        }
    }
    said
}

fn say(said: &mut String, headers: &HeaderMap, name: &HeaderName) {
    for line in headers.get_all(name) {
        let _ = write!(said, "{name}={};", line.as_bytes().escape_ascii());
    }
}

/// Scheme and host, for references to be resolved by; `None` where none is named.
fn base(headers: &HeaderMap) -> Option<String> {
    let said = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = said(X_FORWARDED_HOST).or_else(|| said(HOST))?;
    Some(format!("{}://{host}", said(X_FORWARDED_PROTO).unwrap_or("http")))
}

/// What a proxy says of where a request came by, but for what is read above and for whom it is.
fn is_further(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-forwarded-") && !matches!(name, "x-forwarded-host" | "x-forwarded-proto" | "x-forwarded-for")
}
