//! What becomes of headers on their way up and down.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use super::conditions::authority_of;
use super::settings::HeaderRules;
use super::{Auth, RouteSettings};
use crate::context::{Context, Peer};
use crate::hop_by_hop;
use crate::identity::Identity;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Asks for a part of an answer, or for none at all; not for a body that has to be read here.
const CONDITIONAL: [HeaderName; 4] =
    [header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];

/// What it says of a body does not hold for what is left of it.
const OF_THE_WHOLE: [HeaderName; 8] = [
    header::CONTENT_LENGTH,
    header::LAST_MODIFIED,
    header::ACCEPT_RANGES,
    header::ETAG,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("content-digest"),
];

/// Whether a header says who asks: such headers are made here. A server that reads `_` as `-` (CGI, RFC 3875 §4.1.18)
/// does not tell `x_user_id` from `x-user-id`.
pub(super) fn is_made_here(name: &str) -> bool {
    reads_as(name, "x-user-", true) || reads_as(name, "x-client-id", false)
}

/// Whether a header says from where a request came, in one of the ways that servers know.
fn is_forwarding(name: &str) -> bool {
    reads_as(name, "x-forwarded-", true) || reads_as(name, "forwarded", false) || reads_as(name, "x-real-ip", false)
}

fn reads_as(name: &str, own: &str, is_prefix: bool) -> bool {
    let mut letters = name.bytes().map(|letter| if letter == b'_' { b'-' } else { letter });
    own.bytes().all(|letter| letters.next() == Some(letter)) && (is_prefix || letters.next().is_none())
}

/// Whether a header belongs to one connection; `name` in lower case.
pub(super) fn is_of_connection(name: &str) -> bool {
    let mut headers = HeaderMap::new();
    if let Ok(name) = name.parse::<HeaderName>() {
        headers.insert(name, HeaderValue::from_static(""));
    }
    hop_by_hop::remove(&mut headers);
    headers.is_empty()
}

/// Headers that are set and removed, ready.
#[derive(Debug)]
struct Changes {
    set: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
}

impl Changes {
    fn new(rules: &HeaderRules) -> Self {
        let set = rules.set.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
        Self { set: set.collect(), remove: rules.remove.iter().filter_map(|name| name.parse().ok()).collect() }
    }

    fn make(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name.clone(), value.clone());
        }
    }
}

/// What one route does to headers.
#[derive(Debug)]
pub(super) struct Headers {
    /// As `Via` names this BFF.
    own_name: String,
    behind_proxy: bool,
    preserve_host: bool,
    cookies: bool,
    auth: Auth,
    /// The answer is read here.
    filtered: bool,
    /// CORS is answered here, not by the upstream.
    cors: bool,
    request: Changes,
    response: Changes,
}

impl Headers {
    pub(super) fn new(bff: &str, settings: &RouteSettings, behind_proxy: bool, cors: bool) -> Self {
        Self {
            own_name: format!("bff-{bff}"),
            behind_proxy,
            preserve_host: settings.preserve_host,
            cookies: settings.cookies,
            auth: settings.auth,
            filtered: !settings.json.is_empty(),
            cors,
            request: Changes::new(&settings.request_headers),
            response: Changes::new(&settings.response_headers),
        }
    }

    /// The headers of the request that goes up. `upgrade` keeps what asks for a WebSocket (RFC 6455 §4.1).
    pub(super) fn up(&self, head: &Parts, context: &Context, identity: Option<&Identity>, upgrade: bool) -> HeaderMap {
        let mut headers = head.headers.clone();
        hop_by_hop::remove(&mut headers);
        // Each of the two connections has its own `100 Continue` (RFC 9110 §10.1.1).
        headers.remove(header::EXPECT);
        headers.remove(header::HOST);
        let not_believed: Vec<HeaderName> =
            headers.keys().filter(|name| !self.believes(name.as_str())).cloned().collect();
        for name in &not_believed {
            headers.remove(name);
        }
        if upgrade {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        if let Some(host) = authority_of(head) {
            if self.preserve_host
                && let Ok(host) = host.parse()
            {
                headers.insert(header::HOST, host);
            }
            self.forwarded(&mut headers, head.extensions.get(), host);
        } else {
            self.forwarded(&mut headers, head.extensions.get(), "");
        }
        self.via(&mut headers, head.version);
        if self.auth != Auth::Upstream {
            headers.remove(header::AUTHORIZATION);
        }
        cookies(&mut headers, self.cookies);
        for (name, value) in identity.map_or(&[][..], Identity::headers) {
            headers.insert(name.clone(), value.clone());
        }
        if let Ok(id) = context.request_id.parse() {
            headers.insert(REQUEST_ID, id);
        }
        if self.filtered {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            for name in CONDITIONAL {
                headers.remove(name);
            }
        }
        self.request.make(&mut headers);
        headers
    }

    /// Whether a client may send a header of this name to the upstream.
    fn believes(&self, name: &str) -> bool {
        // A proxy of ours writes the usual dash; an underscore comes from somebody who hopes that it is overlooked.
        let forwarded = is_forwarding(name) && (!self.behind_proxy || name.contains('_'));
        !is_made_here(name) && !forwarded
    }

    /// What the answer keeps of its headers. `upgraded` keeps what makes it a WebSocket.
    pub(super) fn down(&self, headers: &mut HeaderMap, upgraded: bool) {
        if !upgraded {
            hop_by_hop::remove(headers);
        }
        if !self.cookies {
            headers.remove(header::SET_COOKIE);
        }
        if self.cors {
            let own: Vec<HeaderName> =
                headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
            for name in &own {
                headers.remove(name);
            }
        }
        if self.filtered {
            for name in OF_THE_WHOLE {
                headers.remove(name);
            }
        }
        self.response.make(headers);
    }

    /// RFC 7239, and the headers that stood in its place before it. The connection's other end is all that is known for
    /// certain; what it says of those before it is believed where it is known to be a proxy of ours.
    fn forwarded(&self, headers: &mut HeaderMap, peer: Option<&Peer>, host: &str) {
        let peer = peer.map(|Peer(address)| address.ip().to_canonical());
        if let Some(peer) = peer {
            append_to_list(headers, FORWARDED_FOR, &peer.to_string());
        }
        // TLS never ends here.
        if !headers.contains_key(FORWARDED_PROTO) {
            headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
        }
        if !headers.contains_key(FORWARDED_HOST)
            && let Some(host) = Some(host).filter(|host| !host.is_empty()).and_then(|host| host.parse().ok())
        {
            headers.insert(FORWARDED_HOST, host);
        }
        let node = match peer {
            Some(IpAddr::V6(peer)) => format!("\"[{peer}]\""),
            Some(IpAddr::V4(peer)) => peer.to_string(),
            None => "unknown".to_owned(),
        };
        let mut element = format!("for={node};proto=http");
        if !host.is_empty() {
            element.push_str(&format!(";host=\"{host}\""));
        }
        append_to_list(headers, header::FORWARDED, &element);
    }

    /// RFC 9110 §7.6.3: which protocol the request came by, and who passed it on.
    fn via(&self, headers: &mut HeaderMap, version: Version) {
        let version = match version {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2.0",
            _ => "1.1",
        };
        append_to_list(headers, header::VIA, &format!("{version} {}", self.own_name));
    }
}

/// Cookies pass, or do not. HTTP/2 may send each in a field of its own; HTTP/1.1 knows one (RFC 9113 §8.2.3).
fn cookies(headers: &mut HeaderMap, pass: bool) {
    if !pass {
        headers.remove(header::COOKIE);
        return;
    }
    let all: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if all.len() > 1
        && let Ok(one) = HeaderValue::from_bytes(&all.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, one);
    }
}

/// One more element for a list, in one field.
fn append_to_list(headers: &mut HeaderMap, name: HeaderName, element: &str) {
    let mut list = Vec::new();
    for value in headers.get_all(&name) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(element.as_bytes());
    if let Ok(list) = HeaderValue::from_bytes(&list) {
        headers.insert(name, list);
    }
}
