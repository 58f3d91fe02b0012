//! Signs tokens and publishes the keys to check them with.

use std::{
    fmt,
    sync::{PoisonError, RwLock},
};

use jiff::Timestamp;
use jsonwebtoken::{
    Header,
    jwk::{Jwk, JwkSet},
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::keys::SigningKeys;

/// The one subject that is no user: an application of the partner `acme`.
const PARTNER: &str = "acme-app";

/// What a token should say. Only the subject has no default.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// `sub`: a user of the accounts service, or `acme-app`.
    pub subject: String,
    /// `aud`. Default: `bff-mobile`, `bff-web` and `bff-partner`.
    pub audience: Vec<String>,
    /// `RS256` (the default) or `ES256`.
    pub alg: String,
    /// `roles`. Default: `user`, and `partner` for `acme-app`.
    pub roles: Option<Vec<String>>,
    /// `scope`. Default: none, and `orders:read products:read` for `acme-app`.
    pub scopes: Option<Vec<String>>,
    /// How long the token is good, in seconds. Default: 300. Below zero, it has expired already:
    /// only in-process, to test what a BFF does with it.
    pub ttl_seconds: i64,
    /// `tenant`. Default: none, and `acme` for `acme-app`.
    pub tenant: Option<String>,
    /// `client_id`. Default: the subject for `acme-app`, `mock-login` for users.
    pub client: Option<String>,
    /// `iss`, to test what a BFF does with a wrong one; only in-process. Default: the configured issuer.
    pub issuer: Option<String>,
    /// Further claims, as other issuers have them; only in-process. Default: none.
    pub more: Map<String, Value>,
}

impl Default for TokenRequest {
    fn default() -> Self {
        Self {
            subject: String::new(),
            audience: ["bff-mobile", "bff-web", "bff-partner"].map(str::to_owned).to_vec(),
            alg: "RS256".to_owned(),
            roles: None,
            scopes: None,
            ttl_seconds: 300,
            tenant: None,
            client: None,
            issuer: None,
            more: Map::new(),
        }
    }
}

impl TokenRequest {
    /// The usual token of this subject.
    pub fn new(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), ..Self::default() }
    }
}

/// Why there is no token.
#[derive(Debug)]
pub enum TokenError {
    /// Nobody has this id.
    UnknownSubject(String),
    /// Neither `RS256` nor `ES256`.
    UnknownAlgorithm(String),
    /// The key did not sign.
    Signing(jsonwebtoken::errors::Error),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSubject(subject) => write!(f, "there is no user `{subject}`"),
            Self::UnknownAlgorithm(alg) => write!(f, "alg must be RS256 or ES256, not `{alg}`"),
            Self::Signing(_) => f.write_str("the token could not be signed"),
        }
    }
}

impl std::error::Error for TokenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Signing(error) => Some(error),
            _ => None,
        }
    }
}

/// The issuer of tokens and its keys.
pub(crate) struct Issuer {
    name: String,
    keys: RwLock<Keys>,
}

struct Keys {
    current: SigningKeys,
    /// Public keys of before, newest first: they sign nothing, but what they signed is still good.
    old: Vec<Jwk>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a [String],
    exp: i64,
    iat: i64,
    nbf: i64,
    jti: String,
    roles: Vec<String>,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    client_id: &'a str,
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

impl Issuer {
    pub(crate) fn new(name: String, keys: SigningKeys) -> Self {
        Self { name, keys: RwLock::new(Keys { current: keys, old: Vec::new() }) }
    }

    /// The public keys: the two that sign now, then those of before.
    pub(crate) fn jwks(&self) -> JwkSet {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        JwkSet { keys: keys.current.public().into_iter().chain(keys.old.iter().cloned()).collect() }
    }

    /// Signs with `new` from now on; the old public keys stay in the set unless `drop_old` is set.
    pub(crate) fn rotate(&self, new: SigningKeys, drop_old: bool) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let replaced = std::mem::replace(&mut keys.current, new);
        if drop_old {
            keys.old.clear();
        } else {
            keys.old.splice(0..0, replaced.public());
        }
    }

    /// A signed token, where the subject is known.
    pub(crate) fn mint(&self, wanted: &TokenRequest, knows_user: impl Fn(&str) -> bool) -> Result<String, TokenError> {
        let partner = wanted.subject == PARTNER;
        if !partner && !knows_user(&wanted.subject) {
            return Err(TokenError::UnknownSubject(wanted.subject.clone()));
        }
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let roles = wanted.roles.clone().unwrap_or_else(|| owned(&[if partner { "partner" } else { "user" }]));
        let scopes = wanted
            .scopes
            .clone()
            .unwrap_or_else(|| owned(if partner { &["orders:read", "products:read"] } else { &[] }));
        let now = Timestamp::now().as_second();
        // A token that has expired was also issued in the past.
        let issued = now + wanted.ttl_seconds.min(1) - 1;
        let claims = Claims {
            iss: wanted.issuer.as_deref().unwrap_or(&self.name),
            sub: &wanted.subject,
            aud: &wanted.audience,
            exp: now + wanted.ttl_seconds,
            iat: issued,
            nbf: issued,
            jti: format!("{:032x}", fastrand::u128(..)),
            roles,
            scope: scopes.join(" "),
            tenant: wanted.tenant.as_deref().or(partner.then_some("acme")),
            client_id: wanted.client.as_deref().unwrap_or(if partner { PARTNER } else { "mock-login" }),
            more: &wanted.more,
        };
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.current.for_alg(&wanted.alg).ok_or_else(|| TokenError::UnknownAlgorithm(wanted.alg.clone()))?;
        let mut header = Header::new(key.alg);
        header.kid = Some(key.kid.clone());
        jsonwebtoken::encode(&header, &claims, &key.private).map_err(TokenError::Signing)
    }
}
