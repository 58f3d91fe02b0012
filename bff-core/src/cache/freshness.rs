//! What an answer says about its own storage: RFC 9111 §4.2 and §5.2, RFC 5861.
//!
//! A pure function of headers. What is here errs on the side of asking again: a directive that cannot be
//! read counts as the strictest reading of it.

use std::time::{Duration, SystemTime};

use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, VARY};
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

/// RFC 9111 §1.2.2: a larger number of seconds counts as this.
const FOREVER: u64 = 1 << 31;

/// How long an answer may be used, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// It may be kept at all, for those its key names.
    pub storable: bool,
    /// It says that it belongs to one user (`private`), or that nobody may keep it.
    pub private: bool,
    /// It says `no-store`.
    pub no_store: bool,
    /// What is left of its time when it arrives; `None` where nothing says.
    pub remaining: Option<Duration>,
    /// How old it was when it arrived.
    pub age: Duration,
    /// How long after its time it may be served while it is refreshed.
    pub while_revalidate: Duration,
    /// How long after its time it may be served because its refresh failed.
    pub if_error: Duration,
}

/// What a configuration, or a call, says where the upstream says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// How long an answer without `Cache-Control` and `Expires` is fresh. Default: it is not kept.
    #[serde(with = "humantime_serde")]
    pub ttl: Option<Duration>,
    /// `stale-while-revalidate` for answers that do not say. Default: none.
    #[serde(with = "humantime_serde")]
    pub stale_while_revalidate: Option<Duration>,
    /// `stale-if-error` for answers that do not say. Default: none.
    #[serde(with = "humantime_serde")]
    pub stale_if_error: Option<Duration>,
}

/// The directives of all `Cache-Control` lines together.
#[derive(Default)]
struct Directives {
    no_store: bool,
    no_cache: bool,
    private: bool,
    must_revalidate: bool,
    max_age: Option<u64>,
    s_maxage: Option<u64>,
    while_revalidate: Option<u64>,
    if_error: Option<u64>,
    any: bool,
}

impl Freshness {
    /// Reads the headers of a 200. `shared` says that the answer would be kept for everybody.
    #[must_use]
    pub fn read(headers: &HeaderMap, shared: bool, overrides: &Overrides, now: SystemTime) -> Self {
        let directives = Directives::read(headers);
        let date = headers.get(DATE).and_then(date).unwrap_or(now);
        let apparent_age = now.duration_since(date).unwrap_or_default();
        // Only seconds are known, so a difference below two is the rounding and the way here, not age.
        let apparent_age = if apparent_age < Duration::from_secs(2) { Duration::ZERO } else { apparent_age };
        let age = headers
            .get(AGE)
            .map_or(Duration::ZERO, |age| Duration::from_secs(seconds(age.as_bytes()).unwrap_or(FOREVER)));
        let age = age.max(apparent_age);

        let lifetime = match (&directives, headers.get(EXPIRES)) {
            (Directives { s_maxage: Some(limit), .. }, _) if shared => Some(Duration::from_secs(*limit)),
            (Directives { max_age: Some(limit), .. }, _) => Some(Duration::from_secs(*limit)),
            // An invalid date means "already expired" (RFC 9111 §5.3).
            (_, Some(expires)) => {
                Some(self::date(expires).and_then(|at| at.duration_since(date).ok()).unwrap_or_default())
            }
            (Directives { any: false, .. }, None) => overrides.ttl,
            _ => None,
        };
        let vary_any = headers.get_all(VARY).iter().any(|vary| vary.as_bytes().contains(&b'*'));
        let remaining = if directives.no_cache || vary_any {
            Some(Duration::ZERO)
        } else {
            lifetime.map(|lifetime| lifetime.saturating_sub(age))
        };
        // `proxy-revalidate` and `s-maxage` forbid a shared cache to serve stale (RFC 9111 §5.2.2.8 and .10), `must-revalidate` any.
        let never_stale =
            directives.must_revalidate || directives.no_cache || (shared && directives.s_maxage.is_some());
        let window = |said: Option<u64>, otherwise: Option<Duration>| match (never_stale, said) {
            (true, _) => Duration::ZERO,
            (false, Some(said)) => Duration::from_secs(said),
            (false, None) => otherwise.unwrap_or_default(),
        };
        let narrowed = shared && directives.private;
        Self {
            storable: !directives.no_store && !directives.no_cache && !narrowed && !vary_any && remaining.is_some(),
            private: directives.private,
            no_store: directives.no_store,
            remaining,
            age,
            while_revalidate: window(directives.while_revalidate, overrides.stale_while_revalidate),
            if_error: window(directives.if_error, overrides.stale_if_error),
        }
    }
}

impl Directives {
    fn read(headers: &HeaderMap) -> Self {
        let mut all = Self::default();
        for line in headers.get_all(CACHE_CONTROL) {
            for directive in split(line.as_bytes()) {
                all.add(directive);
            }
        }
        all
    }

    fn add(&mut self, directive: &[u8]) {
        let (name, value) = match directive.iter().position(|byte| *byte == b'=') {
            Some(at) => (directive[..at].trim_ascii(), Some(directive[at + 1..].trim_ascii())),
            None => (directive.trim_ascii(), None),
        };
        if name.is_empty() {
            return;
        }
        self.any = true;
        let least = |known: Option<u64>| {
            let said = value.and_then(seconds).unwrap_or(0);
            Some(known.map_or(said, |known| known.min(said)))
        };
        match name.to_ascii_lowercase().as_slice() {
            // With field names (`no-cache="set-cookie"`) they are read as without: stricter, and allowed.
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"private" => self.private = true,
            b"must-revalidate" | b"proxy-revalidate" => self.must_revalidate = true,
            b"max-age" => self.max_age = least(self.max_age),
            b"s-maxage" => self.s_maxage = least(self.s_maxage),
            b"stale-while-revalidate" => self.while_revalidate = least(self.while_revalidate),
            b"stale-if-error" => self.if_error = least(self.if_error),
            _ => {}
        }
    }
}

/// The members of a comma-separated list; a comma inside quotes belongs to its member.
fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let mut escaped = false;
    line.split(move |byte| {
        let ends = *byte == b',' && !quoted;
        match byte {
            b'"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && *byte == b'\\' && !escaped;
        ends
    })
}

/// Delta seconds (RFC 9111 §1.2.2), plain or quoted; `None` where it is no number.
fn seconds(value: &[u8]) -> Option<u64> {
    let digits = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(std::str::from_utf8(digits).ok()?.parse().unwrap_or(FOREVER).min(FOREVER))
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn read(shared: bool, lines: &[(&'static str, &str)]) -> Freshness {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        Freshness::read(&headers, shared, &Overrides::default(), httpdate::parse_http_date(NOW).unwrap())
    }

    fn check(lines: &[(&'static str, &str)], storable: bool, remaining: Option<u64>) {
        let freshness = read(true, lines);
        assert_eq!(freshness.storable, storable, "{lines:?}");
        assert_eq!(freshness.remaining, remaining.map(Duration::from_secs), "{lines:?}");
    }

    #[test]
    fn shared_answers() {
        check(&[], false, None);
        check(&[("cache-control", "max-age=60")], true, Some(60));
        check(&[("cache-control", "max-age=60"), ("age", "50")], true, Some(10));
        check(&[("cache-control", "max-age=60"), ("age", "what")], true, Some(0));
        check(&[("cache-control", "max-age=60, max-age=5")], true, Some(5));
        check(&[("cache-control", "max-age=60"), ("cache-control", "no-store")], false, Some(60));
        check(&[("cache-control", "max-age=\"60\"")], true, Some(60));
        check(&[("cache-control", "max-age=ten")], true, Some(0));
        check(&[("cache-control", "MAX-AGE=99999999999999999999")], true, Some(FOREVER));
        check(&[("cache-control", "s-maxage=7, max-age=60")], true, Some(7));
        check(&[("cache-control", "private, max-age=60")], false, Some(60));
        check(&[("cache-control", "no-cache, max-age=60")], false, Some(0));
        check(&[("cache-control", "ext=\"a, no-store\", max-age=9")], true, Some(9));
        check(&[("cache-control", "public")], false, None);
        check(&[("expires", "Sun, 06 Nov 1994 08:50:37 GMT"), ("date", NOW)], true, Some(60));
        check(&[("expires", "0")], true, Some(0));
        check(&[("cache-control", "max-age=60"), ("vary", "*")], false, Some(0));
        check(&[("cache-control", "max-age=60"), ("date", "Sun, 06 Nov 1994 08:49:07 GMT")], true, Some(30));
    }

    #[test]
    fn an_answer_for_one_identity_ignores_what_is_said_to_shared_caches() {
        let own = read(false, &[("cache-control", "private, max-age=60, s-maxage=7")]);
        assert!(own.storable);
        assert_eq!(own.remaining, Some(Duration::from_secs(60)));
    }

    #[test]
    fn what_may_never_be_stale_has_no_windows() {
        let line = "max-age=1, stale-while-revalidate=10, stale-if-error=20";
        let plain = read(true, &[("cache-control", line)]);
        assert_eq!(plain.while_revalidate, Duration::from_secs(10));
        assert_eq!(plain.if_error, Duration::from_secs(20));
        for strict in ["must-revalidate", "proxy-revalidate", "s-maxage=1"] {
            let strict = read(true, &[("cache-control", line), ("cache-control", strict)]);
            assert_eq!((strict.while_revalidate, strict.if_error), (Duration::ZERO, Duration::ZERO));
        }
    }

    #[test]
    fn the_configuration_speaks_only_where_the_upstream_is_silent() {
        let overrides = Overrides { ttl: Some(Duration::from_secs(30)), ..Overrides::default() };
        let silent = Freshness::read(&HeaderMap::new(), true, &overrides, SystemTime::UNIX_EPOCH);
        assert_eq!((silent.storable, silent.remaining), (true, Some(Duration::from_secs(30))));
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        assert!(!Freshness::read(&headers, true, &overrides, SystemTime::UNIX_EPOCH).storable);
    }
}
