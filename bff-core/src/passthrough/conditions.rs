//! What beside its path a request must have for a route.

use std::iter;

use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, Method, header};
use percent_encoding::percent_decode_str;

use super::RouteSettings;

/// The methods that are written out in `Allow` where a route takes all.
const USUAL: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Everything but the path that a request is matched by. Compared: equal conditions match the same requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conditions {
    methods: Vec<Method>,
    hosts: Vec<Host>,
    /// A header, and its value; any where there is none.
    headers: Vec<(HeaderName, Option<String>)>,
    query: Vec<(String, Option<String>)>,
}

/// A host without its port, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Host {
    Exactly(String),
    /// Every name below this one, which begins with a dot.
    Below(String),
}

impl Conditions {
    /// Names that are none are left out; `check` reports them.
    pub(super) fn new(settings: &RouteSettings) -> Self {
        let value = |value: &String| Some(value.clone()).filter(|value| !value.is_empty());
        let mut methods: Vec<Method> = settings.methods.iter().filter_map(|name| name.parse().ok()).collect();
        methods.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        methods.dedup();
        let mut hosts: Vec<Host> = settings.hosts.iter().map(|host| Host::new(host)).collect();
        hosts.sort();
        hosts.dedup();
        let headers = settings.headers.iter().filter_map(|(name, own)| Some((name.parse().ok()?, value(own))));
        let query = settings.query.iter().map(|(name, own)| (name.clone(), value(own)));
        let mut headers: Vec<(HeaderName, Option<String>)> = headers.collect();
        headers.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        Self { methods, hosts, headers, query: query.collect() }
    }

    /// How many there are; more go first.
    pub(super) fn count(&self) -> usize {
        let some = |is_empty: bool| usize::from(!is_empty);
        some(self.methods.is_empty()) + some(self.hosts.is_empty()) + self.headers.len() + self.query.len()
    }

    /// Whether one request can be meant by both, and neither says more.
    pub(super) fn clash(&self, other: &Self) -> bool {
        let same = self.hosts == other.hosts && self.headers == other.headers && self.query == other.query;
        let both = self.methods.is_empty() && other.methods.is_empty();
        same && (both || self.methods.iter().any(|method| other.methods.contains(method)))
    }

    /// CONNECT asks for a tunnel and TRACE for what the client sent, secrets included (RFC 9110 §9.3.6, §9.3.8):
    /// neither is ever passed on.
    pub(super) fn takes_method(&self, method: &Method) -> bool {
        if self.methods.is_empty() {
            !matches!(*method, Method::CONNECT | Method::TRACE)
        } else {
            self.methods.contains(method)
        }
    }

    /// Those that are taken; where all are, the usual ones.
    pub(super) fn methods(&self) -> &[Method] {
        if self.methods.is_empty() { &USUAL } else { &self.methods }
    }

    /// Those that the configuration names; none for all.
    pub(super) fn named_methods(&self) -> &[Method] {
        &self.methods
    }

    /// Everything but the method. Allocates nothing.
    pub(super) fn hold(&self, head: &Parts) -> bool {
        let host = || host_of(head).is_some_and(|host| self.hosts.iter().any(|own| own.is(host)));
        (self.hosts.is_empty() || host())
            && self.headers.iter().all(|(name, own)| {
                let mut given = head.headers.get_all(name).iter();
                given.any(|given| own.as_ref().is_none_or(|own| own.as_bytes() == given.as_bytes()))
            })
            && self.query.iter().all(|(name, own)| {
                let mut pairs = head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
                pairs.any(|pair| {
                    let (given, value) = pair.split_once('=').unwrap_or((pair, ""));
                    let is = |given, own: &str| form_decoded(given).eq(own.bytes());
                    is(given, name) && own.as_ref().is_none_or(|own| is(value, own))
                })
            })
    }
}

impl Host {
    fn new(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        match text.strip_prefix('*') {
            Some(below) => Self::Below(below.to_owned()),
            None => Self::Exactly(text),
        }
    }

    fn is(&self, host: &str) -> bool {
        match self {
            Self::Exactly(own) => host.eq_ignore_ascii_case(own),
            Self::Below(own) => {
                let start = host.len().checked_sub(own.len()).filter(|start| *start > 0);
                start.and_then(|start| host.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(own))
            }
        }
    }
}

/// Which host the client named: in the target (HTTP/2, and HTTP/1.1 by an absolute one), or else in `Host`
/// (RFC 9112 §3.2.2).
pub(super) fn authority_of(head: &Parts) -> Option<&str> {
    let named = || head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = head.uri.authority().map(Authority::as_str).or_else(named)?;
    Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
}

/// The same without its port, and without the dot that may end a name.
fn host_of(head: &Parts) -> Option<&str> {
    let authority = authority_of(head)?;
    let end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let host = authority[end..].find(':').map_or(authority, |colon| &authority[..end + colon]);
    Some(host.strip_suffix('.').unwrap_or(host))
}

/// `application/x-www-form-urlencoded`, piece by piece: a plus is a space.
fn form_decoded(text: &str) -> impl Iterator<Item = u8> {
    text.split('+')
        .enumerate()
        .flat_map(|(index, piece)| iter::repeat_n(b' ', usize::from(index > 0)).chain(percent_decode_str(piece)))
}
