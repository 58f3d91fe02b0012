//! The `Authorization` header (RFC 6750 §2.1).

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::refusal::refused;
use crate::error::Error;

/// The token of a request; `None` for a request without credentials.
///
/// # Errors
/// `Unauthenticated` for anything that is not exactly one bearer token. Two headers are refused because
/// whoever stands between the client and us may have checked the other one.
pub(super) fn token(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refused("more than one authorization header"));
    }
    value
        .to_str()
        .ok()
        .and_then(|credentials| credentials.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim_start_matches(' '))
        .filter(|token| !token.is_empty() && !token.contains([' ', '\t', ',']))
        .map(Some)
        .ok_or_else(|| refused("the authorization header is not one bearer token"))
}
