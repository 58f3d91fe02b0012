//! The form of a token (RFC 7515 compact serialization), before anything in it is believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::refusal::refused;
use super::{algorithm, strict_json};
use crate::error::Error;

/// A token of the right form. Who made it is not known yet.
pub(super) struct Jwt<'a> {
    /// What the signature is over: the first two segments and the dot between them.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    pub(super) typ: Option<String>,
    pub(super) claims: Map<String, Value>,
}

/// Longer key ids are refused, so that nobody can make us compare or hold long ones.
pub(super) const LONGEST_KID: usize = 256;

const MALFORMED: &str = "the token is not a well-formed JWT";

impl<'a> Jwt<'a> {
    /// # Errors
    /// `Unauthenticated` for everything that is not three segments of base64url without padding, with two
    /// JSON objects free of duplicates, and for headers that try to choose the key or the rules.
    pub(super) fn parse(token: &'a str) -> Result<Self, Error> {
        let (signed, signature) = token.rsplit_once('.').ok_or_else(|| refused(MALFORMED))?;
        let (header, claims) = signed.split_once('.').ok_or_else(|| refused(MALFORMED))?;
        // A further dot would be in `claims`, where base64url refuses it.
        let mut header =
            decode(header).and_then(|text| strict_json::object(&text)).ok_or(MALFORMED).map_err(refused)?;
        let signature = decode(signature).ok_or_else(|| refused(MALFORMED))?;

        // `crit` names extensions that must be understood, and we understand none (RFC 7515 §4.1.11). The
        // others bring their own key, or say where to fetch it (RFC 8725 §3.10): no honest issuer of ours
        // sends them, and a token that does is an attempt.
        if ["crit", "jwk", "jku", "x5u"].iter().any(|name| header.contains_key(*name)) {
            return Err(refused("the token's header has a member that is not accepted"));
        }
        let algorithm = match header.get("alg") {
            // Exact spelling only: "nOnE" and "rs256" are no algorithms.
            Some(Value::String(name)) => algorithm::named(name).ok_or_else(|| refused(ALGORITHM))?,
            _ => return Err(refused(ALGORITHM)),
        };
        let kid = text(&mut header, "kid")?;
        if kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > LONGEST_KID) {
            return Err(refused("the token's key id is empty or too long"));
        }
        let typ = text(&mut header, "typ")?;
        let claims = decode(claims).and_then(|text| strict_json::object(&text)).ok_or(MALFORMED).map_err(refused)?;
        Ok(Self { signed: signed.as_bytes(), signature, algorithm, kid, typ, claims })
    }
}

/// What a client reads about every algorithm that is not accepted, known or not.
pub(super) const ALGORITHM: &str = "the token's algorithm is not accepted";

fn text(header: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Error> {
    match header.remove(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(refused(MALFORMED)),
    }
}

/// Base64url without padding, without line ends, and with the unused last bits zero, so that one token has
/// one spelling.
pub(super) fn decode(segment: &str) -> Option<Vec<u8>> {
    if segment.is_empty() { None } else { URL_SAFE_NO_PAD.decode(segment).ok() }
}
