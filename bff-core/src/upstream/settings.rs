//! `[upstreams.<name>]`: one backend, and how long we wait for it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use http::HeaderName;
use http::header::{AUTHORIZATION, PROXY_AUTHORIZATION};
use serde::{Deserialize, Serialize};
use url::Url;

use super::headers::{self, HeaderText};
use crate::cache::Overrides;
use crate::resilience::{
    BalanceSettings, BreakerSettings, BulkheadSettings, HedgeSettings, Policy, RetrySettings, ShadowSettings,
    VariantSettings, Variants, check_weights,
};
use crate::settings::{Check, Mistakes};

/// One backend.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamSettings {
    /// Where it is, with a path in front of all its paths if need be. No default.
    pub url: String,
    /// Several URLs of the same service, in place of `url`. Default: none.
    pub urls: Vec<String>,
    /// How often the names in its URLs are looked up again. When one leads elsewhere, calls go there by new connections.
    /// Default 10 s; 0 never (a connection that breaks is replaced by one that looks up in any case).
    #[serde(with = "humantime_serde")]
    pub dns_refresh: Duration,
    /// Every address behind a name is a host of its own, to be balanced over (a headless service of Kubernetes).
    /// Default: no; whoever connects chooses one.
    pub each_address: bool,
    /// Who to call when it fails; in logs and metrics. Default: nobody.
    pub owner: String,
    /// How long a call may take, with everything that is done to make it succeed. Default 500 ms.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How long one attempt may take. Shorter than `timeout`. Default 400 ms.
    #[serde(with = "humantime_serde")]
    pub attempt_timeout: Duration,
    /// How long a connection may take to come about. Default 100 ms.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// The largest answer that is read, after decoding. Default 1 MiB.
    pub response_limit: ByteSize,
    /// Headers of the client's request that are passed on, hence part of the cache key and of the answer's `Vary`.
    /// Default: none. Identity headers and `Cookie` cannot be listed: the first are made here, the second never travels.
    pub forward: Vec<String>,
    // bound: what a configuration names
    /// Headers that its typed calls carry, by name: an API key, say, from a file of its own. Their values are shown nowhere.
    /// Default: none. What the framework makes cannot be listed. Routes say their own.
    pub request_headers: BTreeMap<String, HeaderText>,
    /// Its typed calls carry `Authorization` as the visitor sent it, once it was checked here. Its answers are then the
    /// visitor's alone: only calls `per_identity()` are sent, and each token has its own. Default: no.
    pub forward_authorization: bool,
    /// Headers of its answers that calls are told with every value, and that are kept with it. Default: none; a call may name
    /// its own.
    pub keep_headers: Vec<String>,
    /// Valid JSON is read as such whatever its content type says, or if it says nothing. Default: no: an answer that says
    /// `text/html` was most likely not written by the upstream.
    pub any_content_type: bool,
    /// Speaks HTTP/2 without asking first (h2c or TLS with prior knowledge). Default: no.
    pub http2: bool,
    /// Asks for compressed answers (gzip, br, zstd, deflate). Default: no, because backends are near.
    pub compressed: bool,
    /// A 200 without a body says that there is none, as a 204 does. Default: no, a broken proxy answers so, too.
    pub empty_is_none: bool,
    /// What holds where its answers do not say how long they may be kept.
    pub cache: Overrides,
    /// Asking again.
    pub retry: RetrySettings,
    /// Not asking an upstream that fails.
    pub breaker: BreakerSettings,
    /// No more calls at once than it can serve.
    pub bulkhead: BulkheadSettings,
    /// A second attempt beside a late one.
    pub hedge: HedgeSettings,
    /// Which of its hosts is asked.
    pub balance: BalanceSettings,
    /// A second service that is asked the same, and whose answers are compared.
    pub shadow: ShadowSettings,
    // bound: the versions that a configuration names
    /// Other versions of it, by name: canary and A-B.
    pub variants: BTreeMap<String, VariantSettings>,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            urls: Vec::new(),
            dns_refresh: Duration::from_secs(10),
            each_address: false,
            owner: String::new(),
            timeout: Duration::from_millis(500),
            attempt_timeout: Duration::from_millis(400),
            connect_timeout: Duration::from_millis(100),
            response_limit: ByteSize::mib(1),
            forward: Vec::new(),
            request_headers: BTreeMap::new(),
            forward_authorization: false,
            keep_headers: Vec::new(),
            any_content_type: false,
            http2: false,
            compressed: false,
            empty_is_none: false,
            cache: Overrides::default(),
            retry: RetrySettings::default(),
            breaker: BreakerSettings::default(),
            bulkhead: BulkheadSettings::default(),
            hedge: HedgeSettings::default(),
            balance: BalanceSettings::default(),
            shadow: ShadowSettings::default(),
            variants: BTreeMap::new(),
        }
    }
}

/// Headers that no configuration can forward: they are made here, belong to one connection, are secret, or ask for an
/// answer that would not be the whole one.
const NEVER_FORWARDED: [&str; 24] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "request-timeout",
    "traceparent",
    "content-type",
    "idempotency-key",
    "accept",
    "accept-encoding",
    "expect",
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
];

impl UpstreamSettings {
    /// The headers to pass on; names that are none are left out (and reported by `check`).
    #[must_use]
    pub fn forwarded(&self) -> Vec<HeaderName> {
        let mut names: Vec<HeaderName> = self.forward.iter().filter_map(|name| name.parse().ok()).collect();
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        names
    }

    /// The client's headers that an answer may depend on: those passed on, and those that variants are chosen by.
    #[must_use]
    pub fn varied(&self) -> Vec<HeaderName> {
        let mut names = self.forwarded();
        names.extend(Variants::new(&self.variants).headers().cloned());
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        names
    }

    /// Whether a share of those whose name is known goes to another version.
    #[must_use]
    pub fn has_weights(&self) -> bool {
        Variants::new(&self.variants).has_weights()
    }

    /// Where its main version is.
    #[must_use]
    pub fn urls(&self) -> &[String] {
        urls(&self.url, &self.urls)
    }

    fn check_urls(&self, mistakes: &mut Mistakes) {
        check_urls(&self.url, &self.urls, mistakes);
        mistakes.within("balance", |mistakes| self.balance.check_hosts(self.urls().len(), mistakes));
        if self.each_address && self.dns_refresh.is_zero() {
            mistakes.note("dns_refresh", "0 never looks up the addresses", "give a time such as \"10s\"");
        }
        if !self.dns_refresh.is_zero() && self.dns_refresh < Duration::from_secs(1) {
            mistakes.note(
                "dns_refresh",
                "asks the name server all the time",
                "give at least \"1s\", or \"0s\" for never",
            );
        }
    }

    /// What each mechanism cannot know of the others.
    fn check_together(&self, mistakes: &mut Mistakes) {
        let shown = humantime::format_duration;
        if let Some(slow) = self.breaker.slow_after
            && slow > self.attempt_timeout
        {
            let problem =
                format!("{} is never reached: an attempt ends after {}", shown(slow), shown(self.attempt_timeout));
            let remedy = "make it at most attempt_timeout, which is its default";
            mistakes.within("breaker", |mistakes| mistakes.note("slow_after", problem, remedy));
        }
        if self.hedge.enabled {
            let most = self.hedge.after_at_most.map(|most| ("after_at_most", most));
            for (key, delay) in [("after_at_least", self.hedge.after_at_least)].into_iter().chain(most) {
                if delay >= self.attempt_timeout {
                    let problem =
                        format!("after {} the first attempt has ended ({})", shown(delay), shown(self.attempt_timeout));
                    let remedy = "make it shorter than attempt_timeout";
                    mistakes.within("hedge", |mistakes| mistakes.note(key, problem, remedy));
                }
            }
        }
        if self.hedge.enabled && self.retry.budget.per_second == 0 {
            let remedy = "give retry.budget.per_second at least 1, or hedge.enabled = false";
            mistakes.within("hedge", |mistakes| mistakes.note("enabled", "there is no budget to hedge from", remedy));
        }
        if self.each_address && self.balance.policy == Policy::Weighted {
            let remedy = "use peak_ewma, or write each host in urls";
            mistakes.note("each_address", "weights are for URLs, not for the addresses behind them", remedy);
        }
        if self.bulkhead.enabled && self.bulkhead.wait >= self.timeout {
            let problem =
                format!("a call would wait {} and may take {}", shown(self.bulkhead.wait), shown(self.timeout));
            let remedy = "make it much shorter than timeout";
            mistakes.within("bulkhead", |mistakes| mistakes.note("wait", problem, remedy));
        }
        if self.retry.tries > 0 && self.retry.backoff >= self.timeout {
            let problem =
                format!("a call would pause {} and may take {}", shown(self.retry.backoff), shown(self.timeout));
            let remedy = "make it shorter than timeout, or retry.tries 0";
            mistakes.within("retry", |mistakes| mistakes.note("backoff", problem, remedy));
        }
        if !self.shadow.url.is_empty() {
            mistakes.within("shadow", |mistakes| check_url("url", &self.shadow.url, mistakes));
        }
        mistakes.within("variants", |mistakes| {
            for (name, variant) in &self.variants {
                if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
                {
                    mistakes.note(name, "is no name for a variant", "use a-z, 0-9, - and _");
                }
                mistakes.within(name, |mistakes| {
                    // None, or both, is its own mistake.
                    if variant.url.is_empty() != variant.urls.is_empty() {
                        check_urls(&variant.url, &variant.urls, mistakes);
                    }
                    variant.check(mistakes);
                });
            }
            check_weights(&self.variants, mistakes);
            for header in Variants::new(&self.variants).headers().filter(|name| is_never_looked_at(name)) {
                let problem = format!("{header} says who asks, and no version is chosen by that");
                mistakes.note("", problem, "choose by weight, by a cookie or by a header of your own");
            }
        });
    }
}

/// Headers that say who asks are made here.
fn is_identity(name: &str) -> bool {
    name.starts_with("x-user-") || name == "x-client-id"
}

/// A rule that looked at these would hold a secret, or never hold.
fn is_never_looked_at(name: &HeaderName) -> bool {
    matches!(*name, AUTHORIZATION | PROXY_AUTHORIZATION) || is_identity(name.as_str())
}

/// One URL or several.
pub(super) fn urls<'a>(url: &'a String, urls: &'a [String]) -> &'a [String] {
    if urls.is_empty() { std::slice::from_ref(url) } else { urls }
}

fn check_urls(url: &str, urls: &[String], mistakes: &mut Mistakes) {
    if urls.is_empty() {
        return check_url("url", url, mistakes);
    }
    if !url.is_empty() {
        mistakes.note("urls", "are given beside url", "write all of them in urls, and no url");
    }
    for (index, url) in urls.iter().enumerate() {
        check_url("urls", url, mistakes);
        if urls[..index].contains(url) {
            mistakes.note("urls", format!("{url:?} is there twice"), "take one out; balance.weights say who gets more");
        }
    }
}

fn check_url(key: &str, text: &str, mistakes: &mut Mistakes) {
    const REMEDY: &str = "write http://host:port or https://host, with a path if need be";
    if text.is_empty() {
        return mistakes.note(key, "is missing", REMEDY);
    }
    match Url::parse(text) {
        Err(error) => mistakes.note(key, format!("{text:?} is no URL ({error})"), REMEDY),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            mistakes.note(key, format!("the scheme {:?} is not spoken", url.scheme()), REMEDY);
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            mistakes.note(key, "holds a user or a password", "take them out of the URL");
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            mistakes.note(key, format!("{text:?} has a query or a fragment"), REMEDY);
        }
        Ok(_) => {}
    }
}

impl Check for UpstreamSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        self.check_urls(mistakes);
        mistakes.within("retry", |mistakes| self.retry.check(mistakes));
        mistakes.within("breaker", |mistakes| self.breaker.check(mistakes));
        mistakes.within("bulkhead", |mistakes| self.bulkhead.check(mistakes));
        mistakes.within("hedge", |mistakes| self.hedge.check(mistakes));
        mistakes.within("balance", |mistakes| self.balance.check(mistakes));
        mistakes.within("shadow", |mistakes| self.shadow.check(mistakes));
        self.check_together(mistakes);
        for (key, time) in [
            ("timeout", self.timeout),
            ("attempt_timeout", self.attempt_timeout),
            ("connect_timeout", self.connect_timeout),
        ] {
            if time.is_zero() {
                mistakes.note(key, "0 leaves no time for a call", "give a time above 0, such as \"300ms\"");
            }
        }
        if self.attempt_timeout >= self.timeout {
            let problem = format!(
                "an attempt may take {}, the whole call only {}",
                humantime::format_duration(self.attempt_timeout),
                humantime::format_duration(self.timeout)
            );
            mistakes.note("attempt_timeout", problem, "make it shorter than timeout");
        }
        if self.response_limit.as_u64() == 0 {
            mistakes.note("response_limit", "0 refuses every answer", "give a size such as \"1 MiB\"");
        }
        for name in &self.keep_headers {
            if !name.parse::<HeaderName>().is_ok_and(|name| headers::is_told(&name)) {
                mistakes.note("keep_headers", format!("{name:?} is never told"), "use names such as \"x-total-count\"");
            }
        }
        if self.cache.at_least.is_some_and(|least| least.is_zero()) {
            let remedy = "give a time such as \"10s\", or leave it out";
            mistakes.within("cache", |mistakes| mistakes.note("at_least", "0 changes nothing", remedy));
        }
        mistakes.within("request_headers", |mistakes| {
            headers::check(&self.request_headers, &self.forwarded(), self.forward_authorization, mistakes);
        });
        for name in &self.forward {
            let lower = name.to_ascii_lowercase();
            if name.parse::<HeaderName>().is_err() {
                mistakes.note(
                    "forward",
                    format!("{name:?} is no header name"),
                    "use names such as \"accept-language\"",
                );
            } else if NEVER_FORWARDED.contains(&lower.as_str()) || is_identity(&lower) {
                mistakes.note("forward", format!("{name:?} is never passed on from a client"), "take it out");
            }
        }
    }
}
