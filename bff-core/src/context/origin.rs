//! From where a request comes: the connection's other end, and the client behind the proxies that are known to be ours.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use crate::identity::Identity;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// More proxies than stand in any row; what a request says beyond them is not read.
const MOST_HOPS: usize = 32;

/// From where one request comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address: the connection's other end, or, where that is a proxy of ours, the last address in the row of
    /// proxies that is none of ours. None for a request that came by no connection (a test in memory).
    pub client: Option<IpAddr>,
    /// The connection's other end is a proxy of ours: what the request says of its way so far is true.
    pub is_proxied: bool,
    /// The client itself, as far as anybody knows, is a proxy of ours: many clients stand behind this address.
    is_proxy: bool,
}

impl Origin {
    /// Of a request with these headers that came from `peer`.
    #[must_use]
    pub fn of(peer: Option<SocketAddr>, headers: &HeaderMap, proxies: &TrustedProxies) -> Self {
        let Some(peer) = peer.map(|peer| peer.ip().to_canonical()) else { return Self::default() };
        if !proxies.has(peer) {
            return Self { client: Some(peer), is_proxied: false, is_proxy: false };
        }
        let client = before(headers, proxies);
        Self { client: Some(client.unwrap_or(peer)), is_proxied: true, is_proxy: client.is_none() }
    }

    /// In whose account it goes what this request holds of what is scarce: its identity's, else its address's. Nobody's where
    /// nothing is known but a proxy of ours.
    #[must_use]
    pub fn holder(&self, identity: Option<&Identity>) -> Option<Holder> {
        match (identity, self.client) {
            (Some(identity), _) => Some(Holder::person(identity)),
            (None, Some(client)) if !self.is_proxy => Some(Holder::address(client)),
            _ => None,
        }
    }
}

/// The networks in which proxies of ours stand.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// The networks, as `10.0.0.0/8`, or an address alone. Those that cannot be read are left out (and reported by `check`).
    #[must_use]
    pub fn new(networks: &[String]) -> Self {
        Self(networks.iter().filter_map(|network| Self::network(network)).collect())
    }

    /// One network, or one address.
    #[must_use]
    pub fn network(text: &str) -> Option<IpNet> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.ok().map(|network| network.trunc())
    }

    /// Whether a proxy of ours has this address.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        !self.0.is_empty() && self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The last address in the row that is none of our proxies': each of them has written down, at the end, from whom it heard.
/// What stands before that address was written by strangers. None where the row is ours to its beginning, or where it cannot
/// be read before it leaves our proxies.
///
/// `X-Forwarded-For` is asked first: nearly every proxy writes it, and one that does not know `Forwarded` (RFC 7239) passes
/// on what a client has written there.
fn before(headers: &HeaderMap, proxies: &TrustedProxies) -> Option<IpAddr> {
    let (name, read): (_, fn(&str) -> Option<IpAddr>) = match headers.contains_key(FORWARDED_FOR) {
        true => (FORWARDED_FOR, address),
        false => (header::FORWARDED, forwarded_for),
    };
    let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
    let hops = lines.into_iter().rev().flat_map(|line| line.rsplit(',')).take(MOST_HOPS);
    for hop in hops {
        let address = read(hop.trim())?;
        if !proxies.has(address) {
            return Some(address);
        }
    }
    None
}

/// An address, with or without brackets and a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// The address in one element of `Forwarded`: `for=192.0.2.1;proto=https`, `for="[2001:db8::1]:5"`. None for `unknown` and
/// for names that hide an address (`_hidden`).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        name.trim().eq_ignore_ascii_case("for").then(|| address(value.trim_matches('"')))?
    })
}

/// Whom something that is held is counted for: an identity, or an address. One number, keyed by this process at random, so
/// that nobody outside can choose one that clashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder(u64);

static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Holder {
    /// An address. A household or a machine has a whole /64 of IPv6 and may use another address each time (RFC 6177), so
    /// that is one holder.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        let number = match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_bits(),
        };
        Self(KEYS.hash_one(number))
    }

    /// A person or a program, whatever tokens it has.
    #[must_use]
    pub fn person(identity: &Identity) -> Self {
        Self(KEYS.hash_one(identity.person()))
    }

    /// The number itself, for a map that hashes no more.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[(&'static str, &str)], proxies: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let proxies: Vec<String> = proxies.iter().map(ToString::to_string).collect();
        let origin =
            Origin::of(Some(SocketAddr::new(peer.parse().unwrap(), 5)), &headers, &TrustedProxies::new(&proxies));
        origin.client.map(|address| address.to_string())
    }

    #[test]
    fn the_client_is_the_last_in_the_row_that_is_no_proxy_of_ours() {
        type Lines = &'static [(&'static str, &'static str)];
        const XFF: &str = "x-forwarded-for";
        let ours = &["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.7"][..];
        #[rustfmt::skip]
        let cases: &[(&str, Lines, &str)] = &[
            // Nobody of ours says it, so it is not believed.
            ("198.51.100.1", &[(XFF, "203.0.113.9")], "198.51.100.1"),
            ("10.1.2.3", &[], "10.1.2.3"),
            ("10.1.2.3", &[(XFF, "203.0.113.9")], "203.0.113.9"),
            ("::ffff:10.1.2.3", &[(XFF, "203.0.113.9")], "203.0.113.9"),
            ("192.0.2.7", &[(XFF, "203.0.113.9")], "203.0.113.9"),
            ("192.0.2.8", &[(XFF, "203.0.113.9")], "192.0.2.8"),
            // What the client has written itself stands further left.
            ("10.1.2.3", &[(XFF, "1.1.1.1, 203.0.113.9, 10.9.9.9")], "203.0.113.9"),
            ("10.1.2.3", &[(XFF, "1.1.1.1"), (XFF, "203.0.113.9,10.9.9.9")], "203.0.113.9"),
            // The row cannot be read: it ends at what is known.
            ("10.1.2.3", &[(XFF, "203.0.113.9, junk, 10.9.9.9")], "10.1.2.3"),
            ("10.1.2.3", &[(XFF, "203.0.113.9, , 10.9.9.9")], "10.1.2.3"),
            ("10.1.2.3", &[(XFF, "10.7.7.7, 10.9.9.9")], "10.1.2.3"),
            ("10.1.2.3", &[(XFF, "203.0.113.9:4711")], "203.0.113.9"),
            ("10.1.2.3", &[(XFF, "[2001:db8:2::1]:4711")], "2001:db8:2::1"),
            ("2001:db8:1::5", &[(XFF, "2001:db8:2::1")], "2001:db8:2::1"),
            ("10.1.2.3", &[("forwarded", "for=1.1.1.1, For=\"[2001:db8:2::1]:99\";proto=https, for=10.0.0.1")], "2001:db8:2::1"),
            ("10.1.2.3", &[("forwarded", "proto=https;for=203.0.113.9")], "203.0.113.9"),
            ("10.1.2.3", &[("forwarded", "for=203.0.113.9, for=unknown")], "10.1.2.3"),
            ("10.1.2.3", &[("forwarded", "for=203.0.113.9, for=_hidden")], "10.1.2.3"),
            // A proxy that writes the one passes the other on as it came.
            ("10.1.2.3", &[("forwarded", "for=1.1.1.1"), (XFF, "203.0.113.9")], "203.0.113.9"),
        ];
        for (peer, lines, expected) in cases {
            assert_eq!(client(peer, lines, ours).as_deref(), Some(*expected), "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_64_of_ipv6_is_one_holder_and_a_proxy_of_ours_is_none() {
        let holder = |address: &str| Holder::address(address.parse().unwrap());
        assert_eq!(holder("2001:db8::1"), holder("2001:db8::ffff:0:0:2"));
        assert_ne!(holder("2001:db8::1"), holder("2001:db8:0:1::1"));
        assert_eq!(holder("::ffff:192.0.2.1"), holder("192.0.2.1"));
        assert_ne!(holder("192.0.2.1"), holder("192.0.2.2"));

        let proxies = TrustedProxies::new(&["10.0.0.0/8".to_owned()]);
        let of = |peer: &str| Origin::of(Some(SocketAddr::new(peer.parse().unwrap(), 5)), &HeaderMap::new(), &proxies);
        assert_eq!(of("10.1.1.1").holder(None), None);
        assert_eq!(of("192.0.2.1").holder(None), Some(holder("192.0.2.1")));
    }
}
