//! How long an answer may be used, and by whom: RFC 9111 §3 and §4.2, RFC 5861.
//!
//! A pure function of status and headers.

use std::time::{Duration, SystemTime};

use http::header::{AGE, DATE, ETAG, EXPIRES, LAST_MODIFIED, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::directives::{Directives, TARGETED, list, seconds};

/// The share of the time since an answer last changed for which it is taken to stay as it is (RFC 9111 §4.2.2).
const HEURISTIC_SHARE: f64 = 0.1;
/// The longest that is guessed.
const HEURISTIC_LONGEST: Duration = Duration::from_secs(24 * 3600);

/// For how long what is past its time is better than nothing. Long enough for an outage, short enough to be recognised.
const DISCONNECTED: Duration = Duration::from_secs(3600);

/// How long an answer may be used, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// It may be kept, for those its key names, and is of use there.
    pub storable: bool,
    /// It says that it belongs to one user (`private`), or that nobody may keep it.
    pub private: bool,
    /// It says `no-store`.
    pub no_store: bool,
    /// What is left of its time when it arrives; `None` where nothing says.
    pub remaining: Option<Duration>,
    /// What is left of the time that clients may keep it: without what is said to shared caches, and to this one, alone.
    pub for_clients: Option<Duration>,
    /// For how long its time had been past when it arrived.
    pub overdue: Duration,
    /// How old it was when it arrived.
    pub age: Duration,
    /// How long after its time it may be served while it is refreshed.
    pub while_revalidate: Duration,
    /// How long after its time it may be served because its refresh failed.
    pub if_error: Duration,
    /// How long after its time it may be served because its upstream cannot be reached (RFC 9111 §4.2.4).
    pub if_disconnected: Duration,
    /// Nobody may be served it after its time, not even who asks for that (`must-revalidate`, `no-cache`).
    pub never_stale: bool,
}

/// What a configuration, or a call, says where the upstream says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// How long an answer without `Cache-Control` and `Expires` is fresh. Default: it is not kept.
    #[serde(with = "humantime_serde")]
    pub ttl: Option<Duration>,
    /// How long an answer is fresh at least, whatever it says of that (`no-cache`, `max-age=0`, `Expires`). It widens neither
    /// `no-store`, `private` nor `Vary: *`, clients are told what the upstream said, and routes know nothing of it. Default:
    /// what it says stands.
    #[serde(with = "humantime_serde")]
    pub at_least: Option<Duration>,
    /// `stale-while-revalidate` for answers that do not say. Default: none.
    #[serde(with = "humantime_serde")]
    pub stale_while_revalidate: Option<Duration>,
    /// `stale-if-error` for answers that do not say. Default: none.
    #[serde(with = "humantime_serde")]
    pub stale_if_error: Option<Duration>,
}

/// For whom an answer would be kept, and by whose leave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keeper {
    /// For everybody, not for one identity.
    pub shared: bool,
    /// The request carried credentials, so that only an answer that says so may be kept for everybody (RFC 9111 §3.5).
    pub credentials: bool,
    /// It is passed on as it is, by a cache that does all that RFC 9111 allows: where nothing is said, a time is guessed
    /// from `Last-Modified`, for the statuses for which that is allowed; and what is past its time is better than nothing
    /// when its upstream cannot be reached.
    pub passing: bool,
    /// What holds where the answer does not say.
    pub overrides: Overrides,
}

impl Freshness {
    /// Of an answer that nobody keeps.
    pub const NOT_KEPT: Self = Self {
        storable: false,
        private: false,
        no_store: true,
        remaining: None,
        for_clients: None,
        overdue: Duration::ZERO,
        age: Duration::ZERO,
        while_revalidate: Duration::ZERO,
        if_error: Duration::ZERO,
        if_disconnected: Duration::ZERO,
        never_stale: true,
    };

    /// Whether a field of this name says something that [`read`](Self::read) reads only in place of `Cache-Control`.
    #[must_use]
    pub fn is_said_by(name: &HeaderName) -> bool {
        TARGETED.contains(name)
    }

    /// Reads the answer to a GET that took `delay` to arrive.
    #[must_use]
    pub fn read(status: StatusCode, headers: &HeaderMap, keeper: &Keeper, now: SystemTime, delay: Duration) -> Self {
        let Keeper { shared, credentials, passing, overrides } = keeper;
        let directives = Directives::of_answer(headers, *shared);
        let date = headers.get(DATE).and_then(date).unwrap_or(now);
        let age = age(headers, date, now, delay);
        let mut expires = headers.get_all(EXPIRES).iter().filter(|_| !directives.targeted);
        let (expires, further) = (expires.next(), expires.next());
        let lifetime = match (&directives, expires) {
            (Directives { s_maxage: Some(limit), .. }, _) if *shared => Some(Duration::from_secs(*limit)),
            (Directives { max_age: Some(limit), .. }, _) => Some(Duration::from_secs(*limit)),
            // An invalid date means "already expired" (RFC 9111 §5.3).
            (_, Some(expires)) => {
                // So does more than one (§4.2.1).
                let expires = self::date(expires).filter(|_| further.is_none());
                Some(expires.and_then(|at| at.duration_since(date).ok()).unwrap_or_default())
            }
            _ => None,
        };
        let guessable = *passing && (directives.public || is_heuristically_cacheable(status));
        let lifetime = match lifetime {
            // What a configuration says of answers is not meant for errors.
            None if !directives.any && !is_error(status) && overrides.ttl.is_some() => overrides.ttl,
            None if guessable => Some(guess(headers, date)),
            said => said,
        };
        let vary_any = varies_on_everything(headers);
        let remaining = if directives.no_cache || vary_any {
            Some(Duration::ZERO)
        } else {
            lifetime.map(|lifetime| lifetime.saturating_sub(age))
        };
        // Clients are told what was said.
        let said = remaining;
        let least = overrides.at_least.filter(|_| !*passing && !vary_any && !is_error(status));
        let remaining = remaining.max(least);
        let overdue =
            lifetime.filter(|_| least.is_none()).map_or(Duration::ZERO, |lifetime| age.saturating_sub(lifetime));
        // `s-maxage` means `proxy-revalidate` as well (RFC 9111 §5.2.2.10), and that is for shared caches only (§5.2.2.8).
        let shared_never_stale = *shared && (directives.s_maxage.is_some() || directives.proxy_revalidate);
        let never_stale = directives.must_revalidate || directives.no_cache || shared_never_stale;
        let window = |said: Option<u64>, otherwise: Option<Duration>| match (never_stale, said) {
            (true, _) => Duration::ZERO,
            (false, Some(said)) => Duration::from_secs(said),
            (false, None) => otherwise.unwrap_or_default(),
        };
        let while_revalidate = window(directives.while_revalidate, overrides.stale_while_revalidate);
        let if_error = window(directives.if_error, overrides.stale_if_error);
        let if_disconnected = if *passing && !never_stale && lifetime.is_some() && !is_error(status) {
            DISCONNECTED
        } else {
            Duration::ZERO
        };
        // We know what every status of RFC 9110 asks of a cache, so `no-store` behind `must-understand` is for others.
        let no_store = directives.no_store && !(directives.must_understand && is_understood(status));
        let forbidden = no_store
            || vary_any
            || (*shared && directives.private)
            || (*shared && *credentials && !is_for_all(&directives))
            || matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED)
            || status.is_informational()
            || (directives.must_understand && !is_understood(status))
            // Without a word of its own only some statuses may be kept (RFC 9111 §3).
            || !(lifetime.is_some() || directives.public || directives.private || is_heuristically_cacheable(status));
        let of_use = remaining.is_some_and(|left| !left.is_zero())
            || while_revalidate.max(if_error) > overdue
            || headers.contains_key(ETAG)
            || headers.contains_key(LAST_MODIFIED);
        Self {
            storable: !forbidden && of_use,
            private: directives.private,
            no_store,
            remaining,
            for_clients: for_clients(&directives, headers, said, age),
            overdue,
            age,
            while_revalidate,
            if_error,
            if_disconnected,
            never_stale,
        }
    }
}

/// What clients may make of what is left. `None` where nothing is said, and for what they are not to keep.
fn for_clients(
    directives: &Directives,
    headers: &HeaderMap,
    remaining: Option<Duration>,
    age: Duration,
) -> Option<Duration> {
    if directives.s_maxage.is_none() && !directives.targeted {
        return remaining;
    }
    let plain = Directives::of_answer(headers, false);
    if plain.no_store || plain.no_cache {
        return None;
    }
    plain.max_age.map(|limit| Duration::from_secs(limit).saturating_sub(age))
}

/// RFC 9111 §3.5: these let an answer to a request with credentials be kept for everybody.
fn is_for_all(directives: &Directives) -> bool {
    directives.public || directives.must_revalidate || directives.s_maxage.is_some()
}

/// RFC 9110 §15.1, without 206, which is not kept here.
fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// What is no success, nor says where that is to be had for ever.
fn is_error(status: StatusCode) -> bool {
    !(status.is_success() || (status.is_redirection() && is_heuristically_cacheable(status)))
}

/// The final statuses of RFC 9110 §15.
fn is_understood(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200..=205 | 300..=303 | 305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505)
}

/// RFC 9111 §4.2.3.
fn age(headers: &HeaderMap, date: SystemTime, now: SystemTime, delay: Duration) -> Duration {
    let apparent = now.duration_since(date).unwrap_or_default();
    // Only seconds are known, so a difference below two is the rounding and the way here, not age.
    let apparent = if apparent < Duration::from_secs(2) { Duration::ZERO } else { apparent };
    // Of a list the first counts, and what is no number is not there (RFC 9111 §5.1).
    let first = headers.get(AGE).and_then(|age| list(age.as_bytes()).next());
    match first.filter(|age| !age.starts_with(b"\"")).and_then(seconds) {
        Some(said) => apparent.max(Duration::from_secs(said) + delay),
        None => apparent,
    }
}

/// A tenth of the time for which it has been as it is.
fn guess(headers: &HeaderMap, date: SystemTime) -> Duration {
    let changed = headers.get(LAST_MODIFIED).and_then(self::date);
    let unchanged = changed.and_then(|changed| date.duration_since(changed).ok()).unwrap_or_default();
    unchanged.mul_f64(HEURISTIC_SHARE).min(HEURISTIC_LONGEST)
}

fn varies_on_everything(headers: &HeaderMap) -> bool {
    headers.get_all(VARY).iter().any(|line| list(line.as_bytes()).any(|name| name == b"*"))
}

/// One of the three forms of RFC 9110 §5.6.7.
pub(super) fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn of(status: u16, keeper: &Keeper, lines: &[(&'static str, &str)]) -> Freshness {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let (status, now) = (StatusCode::from_u16(status).unwrap(), httpdate::parse_http_date(NOW).unwrap());
        Freshness::read(status, &headers, keeper, now, Duration::ZERO)
    }

    fn read(shared: bool, lines: &[(&'static str, &str)]) -> Freshness {
        of(200, &Keeper { shared, ..Keeper::default() }, lines)
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
        check(&[("cache-control", "max-age=60"), ("age", "what")], true, Some(60));
        check(&[("cache-control", "max-age=60"), ("age", "10, 50")], true, Some(50));
        check(&[("cache-control", "max-age=60, max-age=5")], true, Some(5));
        check(&[("cache-control", "max-age=60"), ("cache-control", "no-store")], false, Some(60));
        check(&[("cache-control", "max-age=\"60\"")], true, Some(60));
        check(&[("cache-control", "max-age=ten")], false, Some(0));
        check(&[("cache-control", "max-age=ten"), ("etag", "\"a\"")], true, Some(0));
        check(&[("cache-control", "MAX-AGE=99999999999999999999")], true, Some(1 << 31));
        check(&[("cache-control", "s-maxage=7, max-age=60")], true, Some(7));
        check(&[("cache-control", "private, max-age=60")], false, Some(60));
        check(&[("cache-control", "no-cache, max-age=60")], false, Some(0));
        check(&[("cache-control", "no-cache"), ("etag", "\"a\"")], true, Some(0));
        check(&[("cache-control", "ext=\"a, no-store\", max-age=9")], true, Some(9));
        check(&[("cache-control", "public")], false, None);
        check(&[("expires", "Sun, 06 Nov 1994 08:50:37 GMT"), ("date", NOW)], true, Some(60));
        check(&[("expires", "0")], false, Some(0));
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
        let keeper = Keeper { shared: true, overrides, ..Keeper::default() };
        let silent = of(200, &keeper, &[]);
        assert_eq!((silent.storable, silent.remaining), (true, Some(Duration::from_secs(30))));
        assert!(!of(200, &keeper, &[("cache-control", "no-store")]).storable);
    }

    #[test]
    fn rfc9111_3_what_may_be_kept_without_a_word() {
        let keeper = Keeper { shared: true, passing: true, ..Keeper::default() };
        let changed = ("last-modified", "Sun, 06 Nov 1994 08:32:57 GMT");
        for (status, kept) in
            [(200, true), (404, true), (301, true), (201, false), (302, false), (500, false), (299, false)]
        {
            assert_eq!(of(status, &keeper, &[changed]).storable, kept, "{status}");
            assert!(of(status, &keeper, &[("cache-control", "max-age=9")]).storable, "{status}");
        }
        // RFC 9111 §4.2.2: a tenth of a thousand seconds.
        assert_eq!(of(200, &keeper, &[changed]).remaining, Some(Duration::from_secs(100)));
        assert_eq!(of(201, &keeper, &[changed, ("cache-control", "public")]).remaining, Some(Duration::from_secs(100)));
        for status in [206, 304] {
            assert!(!of(status, &keeper, &[("cache-control", "max-age=9")]).storable, "{status}");
        }
    }

    #[test]
    fn rfc9111_3_5_credentials() {
        let keeper = Keeper { shared: true, credentials: true, ..Keeper::default() };
        for (line, kept) in [
            ("max-age=9", false),
            ("max-age=9, public", true),
            ("s-maxage=9", true),
            ("max-age=9, must-revalidate", true),
            ("max-age=9, proxy-revalidate", false),
        ] {
            assert_eq!(of(200, &keeper, &[("cache-control", line)]).storable, kept, "{line}");
        }
    }

    #[test]
    fn rfc9111_5_2_2_3_must_understand() {
        let keeper = Keeper { shared: true, ..Keeper::default() };
        let line = ("cache-control", "must-understand, no-store, max-age=9");
        assert!(of(200, &keeper, &[line]).storable);
        assert!(!of(299, &keeper, &[line]).storable);
        assert!(!of(200, &keeper, &[("cache-control", "no-store, max-age=9")]).storable);
    }
}
