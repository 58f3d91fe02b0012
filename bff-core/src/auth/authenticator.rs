//! From the request's headers to an identity, or to the reason why there is none.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use serde_json::Value;

use super::FetchKeys;
use super::jwks::Jwks;
use super::jwt::{self, Jwt};
use super::refusal::refused;
use super::remembered::{Entry, Remembered};
use super::settings::{AuthSettings, IssuerSettings};
use super::{bearer, claims};
use crate::clock;
use crate::error::Error;
use crate::identity::Identity;
use crate::settings::{Check, Mistake, Mistakes};

/// Checks the bearer tokens of the configured issuers.
///
/// One per process, shared: it holds the issuers' keys and the tokens verified a moment ago.
pub struct Authenticator {
    issuers: Vec<Issuer>,
    /// The longest token that any issuer accepts: known before it is known whose token it is.
    longest: u64,
    remembered: Remembered,
}

struct Issuer {
    settings: Arc<IssuerSettings>,
    accepted: Vec<jsonwebtoken::Algorithm>,
    keys: Jwks,
    /// A claim that is an object where none is expected; said once in the log.
    said_object: AtomicBool,
}

impl Authenticator {
    /// Nothing is fetched yet: the first token does that, so that the BFF starts without its issuers.
    ///
    /// # Errors
    /// All mistakes in the settings, with keys below `auth`.
    pub fn new(settings: &AuthSettings, fetch: Arc<dyn FetchKeys>) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        mistakes.within("auth", |mistakes| settings.check(mistakes));
        let mistakes = mistakes.into_inner();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let issuers = settings.issuers.iter().map(|(name, settings)| {
            let settings = Arc::new(settings.clone());
            Issuer {
                accepted: settings.accepted(),
                keys: Jwks::new(name, Arc::clone(&settings), Arc::clone(&fetch)),
                settings,
                said_object: AtomicBool::new(false),
            }
        });
        let longest = settings.issuers.values().map(|issuer| issuer.max_token_bytes.as_u64()).max();
        Ok(Self {
            issuers: issuers.collect(),
            longest: longest.unwrap_or(0),
            remembered: Remembered::new(settings.remember),
        })
    }

    /// Whether there is an issuer at all; without one every token is refused.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// Who is asking; `None` for a request without an `Authorization` header.
    ///
    /// Everything that can be checked without a key is checked first, so that a token that is wrong for any
    /// other reason never makes us call its issuer. The only wait is for a key set: when none is held, or
    /// when the token names a key that the held one does not have.
    ///
    /// # Errors
    /// `Unauthenticated`, with a detail that a client may read, for anything but one valid bearer token;
    /// `IssuerUnavailable` when the keys to check it with cannot be had.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Arc<Identity>>, Error> {
        let Some(token) = bearer::token(headers)? else { return Ok(None) };
        if self.issuers.is_empty() {
            return Err(refused("bearer tokens are not accepted here"));
        }
        if token.len() as u64 > self.longest {
            return Err(refused(TOO_LONG));
        }
        let fingerprint = self.remembered.fingerprint(token);
        let known = fingerprint.as_ref().and_then(|fingerprint| {
            self.remembered.find(fingerprint, |issuer| self.issuers.get(issuer)?.keys.generation())
        });
        if known.is_some() {
            return Ok(known);
        }
        let entry = self.verify(token).await?;
        let identity = Arc::clone(&entry.identity);
        if let Some(fingerprint) = fingerprint {
            self.remembered.insert(fingerprint, entry);
        }
        Ok(Some(identity))
    }

    async fn verify(&self, token: &str) -> Result<Entry, Error> {
        let parsed = Jwt::parse(token)?;
        let claimed = match parsed.claims.get("iss") {
            Some(Value::String(claimed)) => claimed,
            _ => return Err(refused("the token names no issuer")),
        };
        // The claim only chooses whose rules and keys apply; the signature below proves it.
        let found = self.issuers.iter().enumerate().find(|(_, issuer)| issuer.settings.issuer == *claimed);
        let Some((position, issuer)) = found else {
            return Err(refused("the token's issuer is not accepted"));
        };
        if token.len() as u64 > issuer.settings.max_token_bytes.as_u64() {
            return Err(refused(TOO_LONG));
        }
        if !issuer.accepted.contains(&parsed.algorithm) {
            return Err(refused(jwt::ALGORITHM));
        }
        if issuer.settings.typ.as_deref().is_some_and(|typ| !same_type(typ, parsed.typ.as_deref())) {
            return Err(refused("the token's type is not accepted"));
        }
        let end = claims::check(&parsed.claims, &issuer.settings, clock::unix_seconds())?;
        let identity = claims::identity(&parsed.claims, &issuer.settings).inspect_err(|_| {
            if let Some(claim) = claims::object(&parsed.claims, &issuer.settings)
                && !issuer.said_object.swap(true, Ordering::Relaxed)
            {
                let issuer = &issuer.settings.issuer;
                tracing::warn!(
                    issuer,
                    claim,
                    "is an object, and no text or list: name what stands in it by a dotted path"
                );
            }
        })?;

        let (key, generation) = issuer.keys.key(parsed.kid.as_deref(), parsed.algorithm).await?;
        if !key.signed(&parsed) {
            return Err(refused("the token's signature does not hold"));
        }
        Ok(Entry { identity: Arc::new(identity), issuer: position, generation, end, since: clock::now() })
    }
}

const TOO_LONG: &str = "the token is too long";

/// Media types compare without case, and `application/` may be left out (RFC 7515 §4.1.9).
fn same_type(wanted: &str, found: Option<&str>) -> bool {
    fn bare(typ: &str) -> &str {
        const PREFIX: &str = "application/";
        match typ.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
            _ => typ,
        }
    }
    found.is_some_and(|found| bare(found).eq_ignore_ascii_case(bare(wanted)))
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers = self.issuers.iter().map(|issuer| &issuer.settings.issuer);
        out.debug_tuple("Authenticator").field(&issuers.collect::<Vec<_>>()).finish()
    }
}
