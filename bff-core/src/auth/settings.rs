//! The `[auth]` table.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::{algorithm, claim};
use crate::settings::{Check, Mistakes};

/// The `[auth]` table: whose tokens are believed. Without an issuer no token is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthSettings {
    /// The issuers of JSON web tokens, each under a name of ours. Default none.
    pub issuers: BTreeMap<String, IssuerSettings>,
    /// How long a token that was verified is believed without another look at its signature; never beyond
    /// its `exp`, never once the issuer's keys changed. At most 60 s; `0s` switches it off. Default 60 s.
    #[serde(with = "humantime_serde")]
    pub remember: Duration,
}

/// One issuer: where its keys are, and what its tokens must say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct IssuerSettings {
    /// What `iss` must be, byte for byte. No default.
    pub issuer: String,
    /// Where the key set (RFC 7517) is. `https`, or `http` on loopback. No default.
    pub jwks_url: String,
    /// The key set may also come by plain `http` from another host. Whoever can change that connection can
    /// mint tokens, so only for networks that are trusted as a whole. Default false.
    pub plain_http: bool,
    /// `aud` must name one of these. No default.
    pub audiences: Vec<String>,
    /// The signature algorithms that are accepted. Default `RS256`, `ES256`.
    pub algorithms: Vec<String>,
    /// What `typ` in the header must be (`at+jwt` for RFC 9068), in any case, with or without
    /// `application/`. Default anything.
    pub typ: Option<String>,
    /// How far the issuer's clock may be from ours. At most 5 min. Default 30 s.
    #[serde(with = "humantime_serde")]
    pub leeway: Duration,
    /// After this time the key set is fetched again, while the held one serves on. Default 10 min.
    #[serde(with = "humantime_serde")]
    pub refresh: Duration,
    /// A key set that could not be renewed for so long is not believed any more. Default 1 day.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
    /// At most one fetch in this time because of a `kid` that is not in the held set. Default 30 s.
    #[serde(with = "humantime_serde")]
    pub unknown_kid_pause: Duration,
    /// After a fetch that failed, none is tried for so long. Default 1 s.
    #[serde(with = "humantime_serde")]
    pub retry_pause: Duration,
    /// A fetch ends after this time at the latest. Default 5 s.
    #[serde(with = "humantime_serde")]
    pub fetch_timeout: Duration,
    /// A token that is longer is refused unread. Default 8 KiB.
    pub max_token_bytes: ByteSize,
    /// A key set with more keys counts as a failed fetch. Default 64.
    pub max_keys: usize,
    /// A key set that is longer counts as a failed fetch. Default 256 KiB.
    pub max_document: ByteSize,
    /// The claim that lists the roles: a list of strings, or one string that is one role. Default `roles`.
    ///
    /// This claim and the next three: the claim of exactly this name, or else the one at the end of this dotted path
    /// (`realm_access.roles`); what begins with `/` is a JSON pointer (RFC 6901).
    pub roles_claim: String,
    /// The claim that lists the scopes: words between spaces, or a list of strings. Default `scope`.
    pub scope_claim: String,
    /// The claim that names the tenant. Default `tenant`.
    pub tenant_claim: String,
    /// The claim that names the client. Default `client_id`.
    pub client_claim: String,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self { issuers: BTreeMap::new(), remember: LONGEST_REMEMBER }
    }
}

impl Default for IssuerSettings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            jwks_url: String::new(),
            plain_http: false,
            audiences: Vec::new(),
            algorithms: vec!["RS256".to_owned(), "ES256".to_owned()],
            typ: None,
            leeway: Duration::from_secs(30),
            refresh: Duration::from_secs(600),
            keep: Duration::from_secs(86_400),
            unknown_kid_pause: Duration::from_secs(30),
            retry_pause: Duration::from_secs(1),
            fetch_timeout: Duration::from_secs(5),
            max_token_bytes: ByteSize::kib(8),
            max_keys: 64,
            max_document: ByteSize::kib(256),
            roles_claim: "roles".to_owned(),
            scope_claim: "scope".to_owned(),
            tenant_claim: "tenant".to_owned(),
            client_claim: "client_id".to_owned(),
        }
    }
}

const LONGEST_REMEMBER: Duration = Duration::from_secs(60);
const SUPPORTED: &str =
    "name some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, Ed25519 (also called EdDSA)";

impl IssuerSettings {
    /// The accepted algorithms; names that are none of ours are left out, `check` reports them.
    pub(super) fn accepted(&self) -> Vec<Algorithm> {
        self.algorithms.iter().filter_map(|name| algorithm::asymmetric(name)).collect()
    }
}

impl Check for AuthSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.remember > LONGEST_REMEMBER {
            mistakes.note(
                "remember",
                format!("{} is too long", humantime::format_duration(self.remember)),
                "at most 60s; 0s switches it off",
            );
        }
        mistakes.within("issuers", |mistakes| {
            let mut seen = BTreeMap::new();
            for (name, issuer) in &self.issuers {
                mistakes.within(name, |mistakes| {
                    issuer.check(mistakes);
                    if let Some(other) = seen.insert(issuer.issuer.as_str(), name)
                        && !issuer.issuer.is_empty()
                    {
                        mistakes.note(
                            "issuer",
                            format!("{other} has the same, so a token would belong to both"),
                            "give every iss one table; it may list several audiences",
                        );
                    }
                });
            }
        });
    }
}

impl Check for IssuerSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.issuer.trim().is_empty() {
            mistakes.note("issuer", "is empty", "write what the tokens say in iss");
        }
        self.check_url(mistakes);
        if self.audiences.is_empty() || self.audiences.iter().any(|audience| audience.trim().is_empty()) {
            mistakes.note(
                "audiences",
                "is empty, or has an empty entry",
                "name what the tokens for this BFF say in aud",
            );
        }
        self.check_algorithms(mistakes);
        if self.typ.as_deref().is_some_and(|typ| typ.trim().is_empty()) {
            mistakes.note("typ", "is empty", "leave it out, or write at+jwt");
        }
        self.check_numbers(mistakes);
        for (key, claim) in [
            ("roles_claim", &self.roles_claim),
            ("scope_claim", &self.scope_claim),
            ("tenant_claim", &self.tenant_claim),
            ("client_claim", &self.client_claim),
        ] {
            if let Some((problem, remedy)) = claim::mistake(claim) {
                mistakes.note(key, problem, remedy);
            }
        }
    }
}

impl IssuerSettings {
    fn check_url(&self, mistakes: &mut Mistakes) {
        let url = match Url::parse(&self.jwks_url) {
            Ok(url) => url,
            Err(cause) => {
                let problem = format!("{:?} is no URL: {cause}", self.jwks_url);
                mistakes.note("jwks_url", problem, "write the issuer's jwks_uri in full");
                return;
            }
        };
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback || self.plain_http => {}
            "http" => mistakes.note(
                "jwks_url",
                "http lets anybody on the way replace the keys",
                "use https, or set plain_http = true inside a trusted network",
            ),
            other => mistakes.note("jwks_url", format!("{other} is not spoken here"), "use https"),
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            // The value is not repeated: it would put a password into the log.
            mistakes.note("jwks_url", "has a user name, a password or a fragment", "leave them out");
        }
    }

    fn check_algorithms(&self, mistakes: &mut Mistakes) {
        if self.algorithms.is_empty() {
            mistakes.note("algorithms", "is empty, so no token could be accepted", SUPPORTED);
        }
        for name in &self.algorithms {
            let problem = match (algorithm::asymmetric(name), algorithm::named(name)) {
                (Some(_), _) => continue,
                (None, Some(_)) => {
                    format!("{name} needs a secret that is shared with the issuer, which is not supported")
                }
                (None, None) if name.eq_ignore_ascii_case("none") => "none means unsigned".to_owned(),
                (None, None) => format!("{name:?} is not known"),
            };
            mistakes.note("algorithms", problem, SUPPORTED);
        }
    }

    fn check_numbers(&self, mistakes: &mut Mistakes) {
        let second = Duration::from_secs(1);
        let day = Duration::from_secs(86_400);
        for (key, value, least, most) in [
            ("leeway", self.leeway, Duration::ZERO, Duration::from_secs(300)),
            ("refresh", self.refresh, second, day),
            ("keep", self.keep, self.refresh, day * 30),
            ("unknown_kid_pause", self.unknown_kid_pause, second, day),
            ("retry_pause", self.retry_pause, Duration::from_millis(100), Duration::from_secs(60)),
            ("fetch_timeout", self.fetch_timeout, Duration::from_millis(100), Duration::from_secs(60)),
        ] {
            if value < least || value > most {
                let [value, least, most] = [value, least, most].map(humantime::format_duration);
                mistakes.note(key, format!("{value} is out of range"), format!("{least} to {most}"));
            }
        }
        for (key, value, most) in [
            ("max_token_bytes", self.max_token_bytes, ByteSize::kib(64)),
            ("max_document", self.max_document, ByteSize::mib(4)),
        ] {
            if value < ByteSize::b(256) || value > most {
                mistakes.note(key, format!("{value} is out of range"), format!("256 B to {most}"));
            }
        }
        if self.max_keys == 0 || self.max_keys > 1000 {
            mistakes.note("max_keys", format!("{} is out of range", self.max_keys), "1 to 1000");
        }
    }
}
