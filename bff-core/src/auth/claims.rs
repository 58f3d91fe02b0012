//! What a token must say to be meant for us, now.

use serde_json::{Map, Value};

use super::claim;
use super::refusal::refused;
use super::settings::IssuerSettings;
use crate::error::Error;
use crate::identity::{Claims, Identity};

/// The last second of the year 9999: later dates are a mistake, and sums with them could overflow.
const LAST_SECOND: u64 = 253_402_300_799;

/// Checks audience and times, and hands out the first second in which the token is no longer valid, leeway
/// included.
///
/// # Errors
/// `Unauthenticated`; the order is fixed, so that a token with several faults always gets the same answer.
pub(super) fn check(claims: &Map<String, Value>, settings: &IssuerSettings, now: u64) -> Result<u64, Error> {
    let meant = match claims.get("aud") {
        Some(Value::String(one)) => settings.audiences.contains(one),
        Some(Value::Array(several)) => {
            if !several.iter().all(Value::is_string) {
                return Err(refused("the token's audience cannot be read"));
            }
            several.iter().filter_map(Value::as_str).any(|one| settings.audiences.iter().any(|own| own == one))
        }
        _ => return Err(refused("the token names no audience")),
    };
    if !meant {
        return Err(refused("not meant for this audience"));
    }
    let leeway = settings.leeway.as_secs();
    let exp = date(claims, "exp", f64::floor)?.ok_or_else(|| refused("the token has no expiry"))?;
    let end = exp + leeway;
    if now >= end {
        return Err(refused("token expired"));
    }
    if date(claims, "nbf", f64::ceil)?.is_some_and(|begin| now + leeway < begin) {
        return Err(refused("token not yet valid"));
    }
    // Nothing depends on it, but a token with a nonsensical date was not made by an issuer we know.
    date(claims, "iat", f64::floor)?;
    Ok(end)
}

/// NumericDate (RFC 7519 §2): seconds, a fraction is allowed and rounded against the token.
fn date(claims: &Map<String, Value>, name: &str, round: fn(f64) -> f64) -> Result<Option<u64>, Error> {
    let unreadable = || refused("a date in the token cannot be read");
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = match (value.as_u64(), value.as_f64()) {
        (Some(seconds), _) => seconds,
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range, just checked")]
        (None, Some(seconds)) if (0.0..=LAST_SECOND as f64).contains(&seconds) => round(seconds) as u64,
        _ => return Err(unreadable()),
    };
    if seconds > LAST_SECOND { Err(unreadable()) } else { Ok(Some(seconds)) }
}

/// Who the token speaks of; to be believed only after the signature.
///
/// # Errors
/// `Unauthenticated` when a claim is not of the form the settings expect, or could not be told to an
/// upstream without changing its meaning.
pub(super) fn identity(claims: &Map<String, Value>, settings: &IssuerSettings) -> Result<Identity, Error> {
    let subject = match claims.get("sub") {
        Some(Value::String(subject)) if !subject.is_empty() => subject.clone(),
        _ => return Err(refused("the token names no subject")),
    };
    let claims = Claims {
        issuer: settings.issuer.clone(),
        subject,
        tenant: name(claims, &settings.tenant_claim)?,
        client: name(claims, &settings.client_claim)?,
        roles: list(claims, &settings.roles_claim, |one| vec![one.to_owned()])?,
        scopes: list(claims, &settings.scope_claim, |words| {
            words.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
        })?,
    };
    Identity::new(claims).map_err(|cause| refused("a claim of the token cannot be used here").caused_by(cause))
}

/// The claim of the settings that is an object in this token, if one is.
pub(super) fn object<'a>(claims: &Map<String, Value>, settings: &'a IssuerSettings) -> Option<&'a str> {
    let IssuerSettings { roles_claim, scope_claim, tenant_claim, client_claim, .. } = settings;
    let all = [roles_claim, scope_claim, tenant_claim, client_claim];
    all.into_iter().find(|name| claim::find(claims, name).is_some_and(Value::is_object)).map(String::as_str)
}

/// A tenant or client; empty ones are refused, because somebody might read "no restriction" in them.
fn name(claims: &Map<String, Value>, claim: &str) -> Result<Option<String>, Error> {
    match claim::find(claims, claim) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) if !value.is_empty() => Ok(Some(value.clone())),
        Some(_) => Err(refused("a claim of the token cannot be used here")),
    }
}

fn list(claims: &Map<String, Value>, claim: &str, split: fn(&str) -> Vec<String>) -> Result<Vec<String>, Error> {
    let unusable = || refused("a claim of the token cannot be used here");
    match claim::find(claims, claim) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(value)) => Ok(split(value)),
        Some(Value::Array(several)) => {
            several.iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(unusable)).collect()
        }
        Some(_) => Err(unusable()),
    }
}
