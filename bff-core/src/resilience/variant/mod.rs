//! Which version of an upstream a call goes to: the main one, or a variant that is being tried.
//!
//! Rules on headers and cookies send single calls to a variant (A-B tests, testers); weights send a share of the
//! identities, each always to the same version, because a visitor who changes versions with every call sees
//! neither.

use std::collections::BTreeMap;

use http::header::COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::settings::{Check, Mistakes};

/// How finely the slot of a variant is divided: weights count to at least a ten-thousandth of a percent.
const SLOT: u64 = 1_000_000;

/// `[upstreams.<name>.variants.<variant>]`: another version of an upstream, and what goes to it.
///
/// At least one of `weight`, `header` and `cookie` has to be given, else nothing ever goes there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VariantSettings {
    /// Where it is. No default.
    pub url: String,
    /// Where it is, if that is several hosts; in place of `url`.
    pub urls: Vec<String>,
    /// Which percentage of the identities goes to it, 0 to 100, to a ten-thousandth. Default 0. All variants of an
    /// upstream together at most 100; the rest stays with the main version.
    pub weight: f64,
    /// A call with this header goes to it, as in `"x-lab: on"`. The value counts letter by letter. Default: none.
    pub header: Option<String>,
    /// A call with this cookie goes to it, as in `"lab=on"`. Default: none.
    pub cookie: Option<String>,
}

impl Check for VariantSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        match (self.url.is_empty(), self.urls.is_empty()) {
            (true, true) => mistakes.note("url", "is missing", "write http://host:port or https://host"),
            (false, false) => mistakes.note("urls", "stand beside url", "give one of them"),
            _ => {}
        }
        if !(0.0..=100.0).contains(&self.weight) {
            mistakes.note("weight", format!("{} is no percentage", self.weight), "give a number from 0 to 100");
        }
        if let Some(rule) = &self.header {
            match header_rule(rule) {
                None => mistakes.note("header", format!("{rule:?} is no header"), "write \"name: value\""),
                Some((name, _)) if name == COOKIE => {
                    mistakes.note(
                        "header",
                        "a whole Cookie header is hardly ever equal",
                        "write cookie = \"name=value\"",
                    );
                }
                Some(_) => {}
            }
        }
        if let Some(rule) = &self.cookie
            && cookie_rule(rule).is_none()
        {
            mistakes.note("cookie", format!("{rule:?} is no cookie"), "write \"name=value\"");
        }
        if self.weight == 0.0 && self.header.is_none() && self.cookie.is_none() {
            mistakes.note(
                "weight",
                "is 0, and there is no rule: nothing goes there",
                "give a weight, a header or a cookie",
            );
        }
    }
}

/// Notes if the variants of an upstream want more than everybody.
pub fn check_weights(variants: &BTreeMap<String, VariantSettings>, mistakes: &mut Mistakes) {
    let sum: f64 = variants.values().map(|variant| variant.weight).filter(|weight| *weight > 0.0).sum();
    // Percentages such as 33.3 have no exact form.
    if sum > 100.0 + 1e-6 {
        mistakes.note("", format!("the weights are {sum} % together"), "make them 100 % at most");
    }
}

/// What decides which version a call goes to, for one upstream; variants are counted in the order of their names.
#[derive(Clone, Debug)]
pub struct Variants {
    rules: Vec<Rule>,
    headers: Vec<HeaderName>,
    /// Of [`SLOT`] × the number of variants, how much each gets.
    shares: Vec<u64>,
}

/// What sends single calls to a variant: either of them.
#[derive(Clone, Debug)]
struct Rule {
    header: Option<(HeaderName, HeaderValue)>,
    cookie: Option<(String, String)>,
}

impl Variants {
    /// The rules of these variants. One that cannot be read never holds (and is reported by `check`).
    #[must_use]
    pub fn new(variants: &BTreeMap<String, VariantSettings>) -> Self {
        let rules: Vec<_> = variants
            .values()
            .map(|variant| Rule {
                header: variant.header.as_deref().and_then(header_rule),
                cookie: variant.cookie.as_deref().and_then(cookie_rule),
            })
            .collect();
        let mut headers: Vec<_> =
            rules.iter().filter_map(|rule| rule.header.as_ref()).map(|(name, _)| name.clone()).collect();
        if rules.iter().any(|rule| rule.cookie.is_some()) {
            headers.push(COOKIE);
        }
        headers.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        headers.dedup();
        let all = variants.len() as u64 * SLOT;
        let shares =
            variants.values().map(|variant| (variant.weight.clamp(0.0, 100.0) / 100.0 * all as f64).round() as u64);
        Self { rules, headers, shares: shares.collect() }
    }

    /// Whether there is only the main version.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The names of the headers that rules look at, each once, `cookie` included: what is kept for one call must not be
    /// served to another that differs in them.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter()
    }

    /// Whether it matters who calls.
    #[must_use]
    pub fn has_weights(&self) -> bool {
        self.shares.iter().any(|share| *share > 0)
    }

    /// The variant that a call goes to; `None` is the main version.
    ///
    /// The first variant whose header or cookie rule holds, else the one that the weights give to `sticky`. The same
    /// `sticky` gets the same version as long as the weights stay; without one (nobody is known) it is the main version.
    #[must_use]
    pub fn choose(&self, headers: &HeaderMap, sticky: Option<u64>) -> Option<usize> {
        let rules = if self.headers.is_empty() { &[][..] } else { &self.rules };
        rules.iter().position(|rule| rule.holds(headers)).or_else(|| self.allot(mixed(sticky?)))
    }

    /// The variant that has the place `point` of the whole range of numbers.
    ///
    /// Raising a weight must move identities from the main version to that variant, and none between variants. Laid
    /// end to end, variants push each other along. So each has a slot of its own, all of the same size, and grows
    /// in it from the front; what goes beyond the slot takes free space of other slots from their far ends. For one or
    /// two variants this always keeps the promise. For more it does as long as none has more than its slot, 100 / n
    /// percent; beyond that no rule can (two of three would both have to grow into all that the first leaves free, so
    /// into the same), and a few may move between variants.
    fn allot(&self, point: u64) -> Option<usize> {
        let all = self.shares.len() as u64 * SLOT;
        let point = ((u128::from(point) * u128::from(all)) >> 64) as u64;
        let (slot, place) = ((point / SLOT) as usize, point % SLOT);
        if place < *self.shares.get(slot)? {
            return Some(slot);
        }
        let free = |share: &u64| SLOT.saturating_sub(*share);
        let mut behind = self.shares[..slot].iter().map(free).sum::<u64>() + (SLOT - 1 - place);
        self.shares.iter().position(|share| {
            let beyond = share.saturating_sub(SLOT);
            let is_here = behind < beyond;
            behind = behind.saturating_sub(beyond);
            is_here
        })
    }
}

impl Rule {
    fn holds(&self, headers: &HeaderMap) -> bool {
        let header = self.header.as_ref().is_some_and(|(name, value)| {
            headers.get_all(name).iter().any(|given| given.as_bytes().trim_ascii() == value.as_bytes())
        });
        header || self.cookie.as_ref().is_some_and(|(name, value)| has_cookie(headers, name, value))
    }
}

/// Whether a cookie is among those of a request: RFC 6265 §4.2.1, in one `Cookie` line or (HTTP/2) in several.
fn has_cookie(headers: &HeaderMap, name: &str, value: &str) -> bool {
    let pairs = headers.get_all(COOKIE).into_iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs
        .filter_map(|pair| split(pair, b'='))
        .any(|(its_name, its_value)| its_name == name.as_bytes() && unquoted(its_value) == value.as_bytes())
}

/// The value of a cookie may stand in quotes.
fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

fn header_rule(rule: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = split(rule.as_bytes(), b':')?;
    let name = HeaderName::from_bytes(name).ok()?;
    HeaderValue::from_bytes(value).ok().filter(|value| !value.is_empty()).map(|value| (name, value))
}

fn cookie_rule(rule: &str) -> Option<(String, String)> {
    let (name, value) = rule.split_once('=')?;
    let (name, value) = (name.trim_ascii(), value.trim_ascii());
    // The name is a token, like that of a header.
    let is_name = HeaderName::from_bytes(name.as_bytes()).is_ok();
    let octet = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    (is_name && !value.is_empty() && value.bytes().all(octet)).then(|| (name.to_owned(), value.to_owned()))
}

/// What stands before and after the first `at`, without the spaces around.
fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|byte| *byte == at)?;
    Some((text[..place].trim_ascii(), text[place + 1..].trim_ascii()))
}

/// Spreads numbers that may be near each other (the end of `SplitMix64`); different ones stay different.
fn mixed(sticky: u64) -> u64 {
    let sticky = (sticky ^ (sticky >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let sticky = (sticky ^ (sticky >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    sticky ^ (sticky >> 31)
}

#[cfg(test)]
mod tests;
