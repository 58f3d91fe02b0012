//! What caches on the way to the client are told of an answer that was made for one user.

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue};

use crate::cache::Freshness;

/// Makes an answer `private`, whatever its upstream said: that saw who asks in headers which no cache on the way sees, so it may
/// well have said `public`. What is said to shared caches alone is taken out.
pub(super) fn make_private(headers: &mut HeaderMap) {
    let targeted: Vec<_> = headers.keys().filter(|name| Freshness::is_said_by(name)).cloned().collect();
    for name in &targeted {
        headers.remove(name);
    }
    let said = headers.get_all(CACHE_CONTROL).iter().map(|line| line.to_str().unwrap_or("no-store"));
    let said = said.collect::<Vec<_>>().join(", ");
    // A quoted list of fields may hold commas; who has to ask each time makes no mistake.
    let said = if said.contains('"') { "no-cache" } else { &said };
    let of_shared = |directive: &&str| {
        let name = directive.split('=').next().unwrap_or_default().trim();
        ["public", "private", "s-maxage", "proxy-revalidate"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let stays = said.split(',').map(str::trim).filter(|directive| !directive.is_empty() && !of_shared(directive));
    let text = ["private"].into_iter().chain(stays).collect::<Vec<_>>().join(", ");
    headers.insert(CACHE_CONTROL, text.parse().unwrap_or(HeaderValue::from_static("no-store")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_it_says_it_is_for_one_user() {
        for (said, told) in [
            (&[][..], "private"),
            (&["public, max-age=60"], "private, max-age=60"),
            (&["Public, S-MaxAge=9, max-age=60", "proxy-revalidate"], "private, max-age=60"),
            (&["no-store"], "private, no-store"),
            (&["private, max-age=5"], "private, max-age=5"),
            (&["private=\"a, public\", max-age=5"], "private, no-cache"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("cdn-cache-control", HeaderValue::from_static("max-age=60"));
            for line in said {
                headers.append(CACHE_CONTROL, HeaderValue::from_static(line));
            }
            make_private(&mut headers);
            assert_eq!(headers.len(), 1, "{headers:?}");
            assert_eq!(headers[CACHE_CONTROL], told, "{said:?}");
        }
    }
}
