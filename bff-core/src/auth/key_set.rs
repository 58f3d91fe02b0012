//! The keys of one issuer, as one document (RFC 7517) lists them.

use std::borrow::Cow;
use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use jsonwebtoken::crypto::aws_lc;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::algorithm;
use super::jwt::{Jwt, LONGEST_KID, decode};
use crate::error::{Error, Kind};
use crate::reading::without_mark;

/// What one document holds; at least one key of it can be used.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Arc<Key>>,
}

/// One public key, and what it may be used for.
#[derive(Debug)]
pub(super) struct Key {
    kid: Option<String>,
    /// Empty for keys that are known and not for us (encryption, other algorithms, too short): a token
    /// that names one is refused without asking the issuer again.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// What a set has for a token.
pub(super) enum Lookup<'a> {
    /// The key to check it with.
    Found(&'a Arc<Key>),
    /// The key exists and does not fit the algorithm, or no key is named and it is not clear which; a newer
    /// set would not make this token better.
    Misfit,
    /// No key of that name: the issuer may have a newer set.
    Unknown,
}

/// The members we read; a private key's are not even looked at. Unknown ones are passed over, duplicates
/// refused by serde.
#[derive(Deserialize)]
struct Jwk<'a> {
    #[serde(borrow)]
    kty: Cow<'a, str>,
    #[serde(rename = "use", borrow)]
    purpose: Option<Cow<'a, str>>,
    key_ops: Option<Vec<String>>,
    #[serde(borrow)]
    alg: Option<Cow<'a, str>>,
    kid: Option<String>,
    #[serde(borrow)]
    crv: Option<Cow<'a, str>>,
    #[serde(borrow)]
    n: Option<Cow<'a, str>>,
    #[serde(borrow)]
    e: Option<Cow<'a, str>>,
    #[serde(borrow)]
    x: Option<Cow<'a, str>>,
    #[serde(borrow)]
    y: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl KeySet {
    /// Keys that cannot be read are passed over (RFC 7517 §5), because an issuer may add kinds we do not
    /// know.
    ///
    /// # Errors
    /// `InvalidResponse` for a document that is no key set, that has more than `max_keys` keys, or that has
    /// none for any of the `accepted` algorithms.
    pub(super) fn read(document: &[u8], accepted: &[Algorithm], max_keys: usize) -> Result<Self, Error> {
        let invalid = |cause: &'static str| Error::new(Kind::InvalidResponse).caused_by(cause);
        let document: Document<'_> = serde_json::from_str(text(document)?)
            .map_err(|cause| Error::new(Kind::InvalidResponse).caused_by(cause))?;
        if document.keys.len() > max_keys {
            return Err(invalid("the key set has too many keys"));
        }
        let keys: Vec<_> =
            document.keys.iter().filter_map(|key| Key::read(key.get(), accepted)).map(Arc::new).collect();
        if keys.iter().all(|key| key.algorithms.is_empty()) {
            return Err(invalid("the key set has no usable key"));
        }
        Ok(Self { keys })
    }

    /// Of several keys with one name, the first that fits the algorithm.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Lookup<'_> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithms.contains(&algorithm));
        let Some(kid) = kid else {
            return match (fitting.next(), fitting.next()) {
                (Some(only), None) => Lookup::Found(only),
                _ => Lookup::Misfit,
            };
        };
        match fitting.find(|key| key.kid.as_deref() == Some(kid)) {
            Some(key) => Lookup::Found(key),
            None if self.keys.iter().any(|key| key.kid.as_deref() == Some(kid)) => Lookup::Misfit,
            None => Lookup::Unknown,
        }
    }
}

/// Only the mark in front of it is skipped: nothing that decides about signatures is guessed at, nor passed over.
fn text(document: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(without_mark(document)).map_err(|cause| Error::new(Kind::InvalidResponse).caused_by(cause))
}

impl Key {
    fn read(text: &str, accepted: &[Algorithm]) -> Option<Self> {
        let jwk: Jwk<'_> = serde_json::from_str(text).ok()?;
        if jwk.kid.as_ref().is_some_and(|kid| kid.len() > LONGEST_KID) {
            return None;
        }
        let (key, can) = match &*jwk.kty {
            "RSA" => rsa(jwk.n.as_deref()?, jwk.e.as_deref()?)?,
            "EC" => elliptic(jwk.crv.as_deref()?, jwk.x.as_deref()?, jwk.y.as_deref()?)?,
            "OKP" => edwards(jwk.crv.as_deref()?, jwk.x.as_deref()?)?,
            // `oct` above all: a secret in a public document is no secret.
            _ => return None,
        };
        let for_signatures = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|one| one == "verify"));
        let may = |algorithm: &&Algorithm| {
            for_signatures
                && accepted.contains(algorithm)
                && jwk.alg.as_deref().is_none_or(|own| algorithm::named(own) == Some(**algorithm))
        };
        Some(Self { algorithms: can.iter().filter(may).copied().collect(), kid: jwk.kid, key })
    }

    /// Whether this key made the token's signature.
    ///
    /// The caller has looked the key up by the token's algorithm; it is compared once more, because this is
    /// the line on which everything rests.
    pub(super) fn signed(&self, token: &Jwt<'_>) -> bool {
        // The provider is named here instead of taken from the process: that default panics when a crate
        // somewhere switches a second backend on.
        self.algorithms.contains(&token.algorithm)
            && (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&token.algorithm, &self.key)
                .is_ok_and(|verifier| verifier.verify(token.signed, &token.signature).is_ok())
    }
}

/// A key that was read, and the algorithms that its kind could serve.
type Read = (DecodingKey, &'static [Algorithm]);

fn rsa(n: &str, e: &str) -> Option<Read> {
    let (n, e) = (decode(n)?, decode(e)?);
    // Some issuers put the sign octet of ASN.1 in front; it is no part of the number.
    let (n, e) = (number(&n), number(&e));
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    // With 1 as the exponent everybody signs; the library does not look at it before the first signature.
    let sound = n.last()? & 1 == 1 && e.last()? & 1 == 1 && e != [1] && e.len() <= 8;
    let usable = sound
        && (2048..=8192).contains(&bits)
        && RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).is_ok();
    const CAN: &[Algorithm] =
        &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];
    Some((DecodingKey::from_rsa_raw_components(n, e), if usable { CAN } else { &[] }))
}

/// Big-endian, without zeros in front.
fn number(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..]
}

fn elliptic(curve: &str, x: &str, y: &str) -> Option<Read> {
    let (x, y) = (decode(x)?, decode(y)?);
    let (size, scheme, can): (_, _, &'static [Algorithm]) = match curve {
        "P-256" => (32, &ECDSA_P256_SHA256_FIXED, &[Algorithm::ES256]),
        "P-384" => (48, &ECDSA_P384_SHA384_FIXED, &[Algorithm::ES384]),
        _ => return None,
    };
    if x.len() != size || y.len() != size {
        return None;
    }
    let point = [&[4], x.as_slice(), &y].concat();
    // Refuses points that are not on the curve (RFC 8725 §3.4).
    ParsedPublicKey::new(scheme, &point).ok()?;
    Some((DecodingKey::from_ec_der(&point), can))
}

fn edwards(curve: &str, x: &str) -> Option<Read> {
    let x = decode(x).filter(|_| curve == "Ed25519")?;
    ParsedPublicKey::new(&ED25519, &x).ok()?;
    Some((DecodingKey::from_ed_der(&x), &[Algorithm::EdDSA]))
}
