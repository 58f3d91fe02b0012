//! Headers that belong to one connection and are never passed on (RFC 9110 §7.6.1).

use http::{HeaderMap, HeaderName, header};

/// Whether a header is one of those that the RFC and its predecessors name; a message may name further ones in
/// `Connection`. `name` in lower case.
///
/// `Proxy-Authenticate` and its like are between a client and the next proxy (RFC 9110 §11.7); `Keep-Alive` and
/// `Proxy-Connection` were never standard and are still sent.
pub(crate) fn is_known(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-authentication-info"
            | "trailer"
    )
}

/// Takes out every header that belongs to one connection: the known ones, and those that `Connection` names.
pub(crate) fn remove(headers: &mut HeaderMap) {
    // Most messages have one of them or none: a look at the names that are there costs less than asking for each.
    let mut found: Vec<HeaderName> = headers.keys().filter(|name| is_known(name.as_str())).cloned().collect();
    if found.is_empty() {
        return;
    }
    let named = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        // What is named most often is known, and has been found where it is there.
        .filter(|name| !name.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|name| name.parse().ok());
    found.extend(named);
    for name in &found {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_named_for_another_connection_stays() {
        let mut headers = HeaderMap::new();
        headers.insert("x-stays", HeaderValue::from_static("yes"));
        remove(&mut headers);
        assert_eq!(headers.len(), 1);
        headers.insert(header::CONNECTION, HeaderValue::from_static("Keep-Alive"));
        remove(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-stays"]);
    }

    #[test]
    fn what_belongs_to_a_connection_is_taken_out() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Once"),
            ("connection", " x-twice ,, no name,"),
            ("x-once", "1"),
            ("x-twice", "2"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "trailers"),
            ("trailer", "expires"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authentication-info", "x"),
            ("x-stays", "yes"),
            ("x-stays", "twice"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        remove(&mut headers);
        let left: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(left, [("x-stays", "yes"), ("x-stays", "twice")]);
    }
}
