//! What becomes of headers on their way up and down.

use std::io::Write;
use std::mem;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::Entry;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use super::conditions::authority_of;
use super::private::make_private;
use super::settings::HeaderRules;
use super::{Auth, RouteSettings};
use crate::context::{Context, Peer};
use crate::hop_by_hop;
use crate::identity::Identity;
use crate::resilience::Variants;
use crate::upstream::UpstreamSettings;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// So many headers a request without a user may gain: four that say where it comes from, `Via`, its id, its trace, `Host`.
const ADDED: usize = 8;
/// An element of `Forwarded` with the address of an IPv4 client and a host of usual length.
const LONGEST_USUAL: usize = 96;

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

/// Whether a header tells some servers to take the request for another than it is: for another method, path or host, or from
/// another client. Nothing in front of them, no key of a cache and no route, would know of it.
fn is_steering(name: &str) -> bool {
    const STEERING: [&str; 13] = [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
        "x-host",
        "x-original-host",
        "x-forwarded",
        "forwarded-for",
        "client-ip",
        "true-client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
    ];
    STEERING.iter().any(|own| reads_as(name, own, false))
}

fn reads_as(name: &str, own: &str, is_prefix: bool) -> bool {
    let mut letters = name.bytes().map(|letter| if letter == b'_' { b'-' } else { letter });
    own.bytes().all(|letter| letters.next() == Some(letter)) && (is_prefix || letters.next().is_none())
}

/// Whether a header belongs to one connection; `name` in lower case.
pub(super) fn is_of_connection(name: &str) -> bool {
    hop_by_hop::is_known(name)
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
    /// What `Via` says, for HTTP/1.0, HTTP/1.1 and HTTP/2 (RFC 9110 §7.6.3): which protocol the request came by, and who
    /// passed it on.
    via: [Option<HeaderValue>; 3],
    preserve_host: bool,
    cookies: bool,
    auth: Auth,
    /// The answer is read here.
    filtered: bool,
    /// CORS is answered here, not by the upstream.
    cors: bool,
    /// By what the upstream's version is chosen.
    vary: Vec<HeaderName>,
    request: Changes,
    response: Changes,
}

impl Headers {
    pub(super) fn new(bff: &str, settings: &RouteSettings, upstream: &UpstreamSettings, cors: bool) -> Self {
        Self {
            vary: Variants::new(&upstream.variants).headers().cloned().collect(),
            via: ["1.0", "1.1", "2.0"].map(|version| format!("{version} bff-{bff}").parse().ok()),
            preserve_host: settings.preserve_host,
            cookies: settings.cookies,
            auth: settings.auth,
            filtered: !settings.json.is_empty(),
            cors,
            request: Changes::new(&settings.request_headers),
            response: Changes::new(&settings.response_headers),
        }
    }

    /// The headers of the request that goes up, made of those of `head`, which has none afterwards. `upgrade` keeps what
    /// asks for a WebSocket (RFC 6455 §4.1).
    pub(super) fn up(
        &self,
        head: &mut Parts,
        context: &Context,
        identity: Option<&Identity>,
        upgrade: bool,
    ) -> HeaderMap {
        let host = host(head);
        let mut headers = mem::take(&mut head.headers);
        hop_by_hop::remove(&mut headers);
        // Each of the two connections has its own `100 Continue` (RFC 9110 §10.1.1).
        headers.remove(header::EXPECT);
        headers.remove(header::HOST);
        let not_believed: Vec<HeaderName> =
            headers.keys().filter(|name| !believes(name.as_str(), context.origin.is_proxied)).cloned().collect();
        for name in &not_believed {
            headers.remove(name);
        }
        if upgrade {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        // Room at once for what is added here and on the way to the network.
        headers.reserve(ADDED);
        if self.preserve_host
            && let Some(host) = &host
        {
            headers.insert(header::HOST, host.clone());
        }
        forwarded(&mut headers, head.extensions.get(), host.filter(|host| !host.is_empty()));
        let [http10, http11, http2] = &self.via;
        let via = match head.version {
            Version::HTTP_10 => http10,
            Version::HTTP_2 => http2,
            _ => http11,
        };
        if let Some(via) = via {
            append_to_list(&mut headers, header::VIA, via.clone());
        }
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

    /// What the answer keeps of its headers. Those of its connection are gone before, where they have to be.
    pub(super) fn down(&self, headers: &mut HeaderMap) {
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
        for name in &self.vary {
            headers.append(header::VARY, HeaderValue::from_name(name.clone()));
        }
        if self.auth == Auth::User {
            make_private(headers);
        }
        self.response.make(headers);
    }
}

/// Whether a client may send a header of this name to the upstream; `is_proxied` where a proxy of ours has seen it.
fn believes(name: &str, is_proxied: bool) -> bool {
    // All names in question begin with one of these; the others are asked no more.
    if !matches!(name.as_bytes(), [b'x' | b'f' | b'c' | b't', ..]) {
        return true;
    }
    // A proxy of ours writes the usual dash; an underscore comes from somebody who hopes that it is overlooked.
    let forwarded = is_forwarding(name) && (!is_proxied || name.contains('_'));
    !is_made_here(name) && !is_steering(name) && !forwarded
}

/// The host that the client named.
fn host(head: &Parts) -> Option<HeaderValue> {
    let host = authority_of(head)?;
    // Nearly always it is `Host`, which can be had without a copy.
    match head.headers.get(header::HOST) {
        Some(own) if own == host => Some(own.clone()),
        _ => host.parse().ok(),
    }
}

/// RFC 7239, and the headers that stood in its place before it. The connection's other end is all that is known for
/// certain; what it says of those before it is believed where it is known to be a proxy of ours.
fn forwarded(headers: &mut HeaderMap, peer: Option<&Peer>, host: Option<HeaderValue>) {
    // The peer's address is written once: the list of addresses gets a part of the longer element.
    let mut element = Vec::with_capacity(LONGEST_USUAL);
    let address = match peer.map(|Peer(address)| address.ip().to_canonical()) {
        Some(IpAddr::V4(peer)) => {
            element.extend_from_slice(b"for=");
            let start = element.len();
            for (index, number) in peer.octets().into_iter().enumerate() {
                if index > 0 {
                    element.push(b'.');
                }
                push_decimal(&mut element, number);
            }
            Some(start..element.len())
        }
        Some(IpAddr::V6(peer)) => {
            element.extend_from_slice(b"for=\"[");
            let start = element.len();
            // Writing to memory does not fail.
            let written = write!(element, "{peer}").map(|()| start..element.len());
            element.extend_from_slice(b"]\"");
            written.ok()
        }
        None => {
            element.extend_from_slice(b"for=unknown");
            None
        }
    };
    element.extend_from_slice(b";proto=http");
    if let Some(host) = &host {
        element.extend_from_slice(b";host=\"");
        element.extend_from_slice(host.as_bytes());
        element.push(b'"');
    }
    let element = Bytes::from(element);
    if let Some(address) = address.and_then(|range| HeaderValue::from_maybe_shared(element.slice(range)).ok()) {
        append_to_list(headers, FORWARDED_FOR, address);
    }
    // TLS never ends here.
    headers.entry(FORWARDED_PROTO).or_insert(const { HeaderValue::from_static("http") });
    if let Some(host) = host {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
    if let Ok(element) = HeaderValue::from_maybe_shared(element) {
        append_to_list(headers, header::FORWARDED, element);
    }
}

/// A number as text. An address written by the standard library's formatter takes six times as long.
fn push_decimal(text: &mut Vec<u8>, number: u8) {
    if number >= 100 {
        text.push(b'0' + number / 100);
    }
    if number >= 10 {
        text.push(b'0' + number / 10 % 10);
    }
    text.push(b'0' + number % 10);
}

/// Cookies pass, or do not. HTTP/2 may send each in a field of its own; HTTP/1.1 knows one (RFC 9113 §8.2.3).
fn cookies(headers: &mut HeaderMap, pass: bool) {
    if !pass {
        headers.remove(header::COOKIE);
        return;
    }
    // Most clients send one or none.
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let all: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(one) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(header::COOKIE, one);
    }
}

/// One more element for a list, in one field.
fn append_to_list(headers: &mut HeaderMap, name: HeaderName, element: HeaderValue) {
    match headers.entry(name) {
        Entry::Vacant(place) => {
            place.insert(element);
        }
        Entry::Occupied(mut before) => {
            let mut list = Vec::new();
            for value in before.iter() {
                list.extend_from_slice(value.as_bytes());
                list.extend_from_slice(b", ");
            }
            list.extend_from_slice(element.as_bytes());
            if let Ok(list) = HeaderValue::from_bytes(&list) {
                before.insert(list);
            }
        }
    }
}
