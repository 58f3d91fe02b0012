//! Tokens that a test BFF believes.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::Reply;
use crate::clock;
use crate::error::{Error, Result};
use crate::identity::Claims;

/// Signs tokens that a [`TestBff`](super::TestBff) believes.
pub(super) struct Issuer {
    key: EcdsaKeyPair,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Issuer")
    }
}

pub(super) const ISSUER: &str = "https://issuer.test";
pub(super) const AUDIENCE: &str = "test";

impl Issuer {
    /// With a key of its own.
    ///
    /// # Errors
    /// When no key can be made.
    pub(super) fn new() -> Result<Self> {
        Ok(Self { key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(Error::internal)? })
    }

    pub(super) fn key_set(&self) -> Reply {
        // An uncompressed point: 4, then x and y (SEC 1 §2.3.3).
        let point = self.key.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        Reply::json(&json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "test", "x": x, "y": y
        }] }))
    }

    pub(super) fn token(&self, claims: &Claims) -> String {
        let now = clock::unix_seconds();
        let header = json!({ "alg": "ES256", "kid": "test", "typ": "JWT" });
        let mut payload = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": claims.subject, "iat": now, "exp": now + 300,
            "roles": claims.roles, "scope": claims.scopes.join(" "),
        });
        for (name, value) in [("tenant", &claims.tenant), ("client_id", &claims.client)] {
            if let Some(value) = value {
                payload[name] = json!(value);
            }
        }
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload.to_string()));
        let random = aws_lc_rs::rand::SystemRandom::new();
        let signature = self.key.sign(&random, signed.as_bytes());
        let signature = signature.map(|signature| URL_SAFE_NO_PAD.encode(signature.as_ref())).unwrap_or_default();
        format!("{signed}.{signature}")
    }
}
