//! What an answer says about its own storage: `Cache-Control` (RFC 9111 §5.2.2), or a field that is meant for
//! caches like this one (RFC 9213).
//!
//! Whatever cannot be read counts as the strictest reading of it: asking once more costs little.

use http::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

/// RFC 9111 §1.2.2: a larger number of seconds counts as this.
pub(super) const FOREVER: u64 = 1 << 31;

const CACHE_CONTROL: HeaderName = http::header::CACHE_CONTROL;
const PRAGMA: HeaderName = http::header::PRAGMA;

/// The fields that speak to this cache before `Cache-Control` does, the nearest first (RFC 9213 §2.2).
pub(super) const TARGETED: [HeaderName; 2] =
    [HeaderName::from_static("bff-cache-control"), HeaderName::from_static("cdn-cache-control")];

/// The directives of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    pub(super) private: bool,
    pub(super) public: bool,
    pub(super) must_revalidate: bool,
    pub(super) proxy_revalidate: bool,
    pub(super) must_understand: bool,
    pub(super) max_age: Option<u64>,
    pub(super) s_maxage: Option<u64>,
    pub(super) while_revalidate: Option<u64>,
    pub(super) if_error: Option<u64>,
    /// Something is said, whatever it is.
    pub(super) any: bool,
    /// It is said by a targeted field, beside which `Cache-Control` and `Expires` do not count (RFC 9213 §2.2).
    pub(super) targeted: bool,
}

impl Directives {
    /// What an answer says to a cache that is or is not shared. A cache of one user is nobody whom a targeted field
    /// means.
    pub(super) fn of_answer(headers: &HeaderMap, shared: bool) -> Self {
        if let Some(targeted) = TARGETED.iter().filter(|_| shared).find_map(|name| Self::targeted(headers, name)) {
            return targeted;
        }
        Self::plain(headers, CACHE_CONTROL)
    }

    /// All `Cache-Control` lines together; of two values of one directive the lesser counts (RFC 9111 §4.2.1).
    fn plain(headers: &HeaderMap, name: HeaderName) -> Self {
        let mut all = Self::default();
        for line in headers.get_all(name) {
            for directive in list(line.as_bytes()) {
                let (name, value) = match directive.iter().position(|byte| *byte == b'=') {
                    Some(at) => (&directive[..at], Some(&directive[at + 1..])),
                    None => (directive, None),
                };
                all.add(&name.to_ascii_lowercase(), || value.and_then(seconds).unwrap_or(0));
            }
        }
        all
    }

    /// One targeted field: a dictionary (RFC 9651), or nothing at all where it is no valid one (RFC 9213 §2.1).
    fn targeted(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let lines: Vec<&[u8]> = headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
        let dictionary: Dictionary = Parser::new(&lines.join(&b", "[..])).parse().ok()?;
        if dictionary.is_empty() {
            return None;
        }
        let mut all = Self { targeted: true, any: true, ..Self::default() };
        for (name, member) in &dictionary {
            let ListEntry::Item(item) = member else { continue };
            let seconds = match &item.bare_item {
                // A value of another type than the directive has is no directive (RFC 9213 §2.1).
                BareItem::Integer(seconds) if takes_seconds(name.as_str()) => {
                    u64::try_from(i64::from(*seconds)).unwrap_or(0).min(FOREVER)
                }
                BareItem::Boolean(true) if !takes_seconds(name.as_str()) => 0,
                // `no-cache="set-cookie"`, `private="x"`: read as without a value, which is stricter.
                BareItem::String(_) if matches!(name.as_str(), "no-cache" | "private") => 0,
                _ => continue,
            };
            all.add(name.as_str().as_bytes(), || seconds);
        }
        Some(all)
    }

    fn add(&mut self, name: &[u8], seconds: impl FnOnce() -> u64) {
        if name.is_empty() {
            return;
        }
        self.any = true;
        let least = |known: &mut Option<u64>| {
            let said = seconds();
            *known = Some(known.map_or(said, |known| known.min(said)));
        };
        match name {
            // With field names (`no-cache="set-cookie"`) they are read as without: stricter, and allowed.
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"private" => self.private = true,
            b"public" => self.public = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"max-age" => least(&mut self.max_age),
            b"s-maxage" => least(&mut self.s_maxage),
            b"stale-while-revalidate" => least(&mut self.while_revalidate),
            b"stale-if-error" => least(&mut self.if_error),
            _ => {}
        }
    }
}

fn takes_seconds(name: &str) -> bool {
    matches!(name, "max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error")
}

/// What a client asks of the caches between it and the origin (RFC 9111 §5.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Nothing of this request and its answer is to be kept.
    pub no_store: bool,
    /// Nothing is to be answered that the origin has not confirmed.
    pub no_cache: bool,
    /// Nothing older than this, in seconds.
    pub max_age: Option<u64>,
    /// Nothing that is not fresh for so many seconds more.
    pub min_fresh: Option<u64>,
    /// Something stale will do, up to so many seconds.
    pub max_stale: Option<u64>,
    /// Only what is kept; the origin is not to be asked.
    pub only_if_cached: bool,
}

impl Wishes {
    /// Reads a request's headers. `Pragma: no-cache` counts where there is no `Cache-Control` (RFC 9111 §5.4).
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        let mut wishes = Self::default();
        for line in headers.get_all(CACHE_CONTROL) {
            for directive in list(line.as_bytes()) {
                wishes.add(directive);
            }
        }
        if !headers.contains_key(CACHE_CONTROL) {
            let mut lines = headers.get_all(PRAGMA).iter();
            wishes.no_cache |=
                lines.any(|line| list(line.as_bytes()).any(|word| word.eq_ignore_ascii_case(b"no-cache")));
        }
        wishes
    }

    fn add(&mut self, directive: &[u8]) {
        let (name, value) = match directive.iter().position(|byte| *byte == b'=') {
            Some(at) => (&directive[..at], Some(&directive[at + 1..])),
            None => (directive, None),
        };
        let number = value.and_then(seconds);
        match name.to_ascii_lowercase().as_slice() {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"only-if-cached" => self.only_if_cached = true,
            // Of two the first counts (RFC 9111 §4.2.1).
            b"max-age" => _ = self.max_age.get_or_insert(number.unwrap_or(0)),
            b"min-fresh" => _ = self.min_fresh.get_or_insert(number.unwrap_or(FOREVER)),
            // Without a number any age will do.
            b"max-stale" => {
                self.max_stale.get_or_insert(if value.is_none() { FOREVER } else { number.unwrap_or(0) });
            }
            _ => {}
        }
    }
}

/// The members of a comma-separated list (RFC 9110 §5.6.1), empty ones left out; a comma inside quotes belongs to its
/// member.
pub(super) fn list(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let mut escaped = false;
    let members = line.split(move |byte| {
        let ends = *byte == b',' && !quoted;
        if *byte == b'"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && *byte == b'\\' && !escaped;
        ends
    });
    members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// Delta seconds (RFC 9111 §1.2.2), plain or quoted; `None` where it is no number.
pub(super) fn seconds(value: &[u8]) -> Option<u64> {
    let digits = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(std::str::from_utf8(digits).ok()?.parse().unwrap_or(FOREVER).min(FOREVER))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn rfc9213_2_2_the_nearest_targeted_field_speaks_alone() {
        let said = headers(&[
            ("cache-control", "no-store"),
            ("cdn-cache-control", "max-age=5"),
            ("bff-cache-control", "max-age=60;why=\"x\", stale-if-error=7"),
        ]);
        let directives = Directives::of_answer(&said, true);
        assert_eq!((directives.max_age, directives.if_error, directives.no_store), (Some(60), Some(7), false));
        // A cache of one user is none that these fields mean.
        assert!(Directives::of_answer(&said, false).no_store);
    }

    #[test]
    fn rfc9213_2_1_a_targeted_field_that_is_no_dictionary_is_not_there() {
        for broken in ["max-age=60, ,", "Max-Age=60", "", "max-age=6 0", "&"] {
            let said = headers(&[("cdn-cache-control", broken), ("cache-control", "max-age=9")]);
            assert_eq!(Directives::of_answer(&said, true).max_age, Some(9), "{broken}");
        }
        let wrong_type = headers(&[("cdn-cache-control", "max-age=\"60\", foo"), ("cache-control", "max-age=9")]);
        assert_eq!(Directives::of_answer(&wrong_type, true).max_age, None);
    }

    #[test]
    fn rfc9111_5_2_1_what_a_client_asks_of_caches() {
        let wishes = |line: &str| Wishes::read(&headers(&[("cache-control", line)]));
        assert_eq!(wishes("max-stale").max_stale, Some(FOREVER));
        assert_eq!(wishes("max-stale=ten").max_stale, Some(0));
        assert_eq!(wishes("MAX-AGE=5, no-store").max_age, Some(5));
        assert_eq!(wishes("min-fresh=\"7\"").min_fresh, Some(7));
        assert!(wishes("only-if-cached").only_if_cached);
        assert!(Wishes::read(&headers(&[("pragma", "No-Cache")])).no_cache);
        assert!(!Wishes::read(&headers(&[("pragma", "no-cache"), ("cache-control", "max-age=9")])).no_cache);
    }

    #[test]
    fn rfc9110_5_6_1_lists() {
        let members: Vec<&[u8]> = list(b", a, ,b=\"x, y\\\", z\" ,c").collect();
        assert_eq!(members, [&b"a"[..], b"b=\"x, y\\\", z\"", b"c"]);
    }
}
