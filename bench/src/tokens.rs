//! Tokens, and the key set to check them with.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bff_core::clock;
use serde_json::json;

use crate::Result;

/// `iss` of all tokens.
pub(crate) const ISSUER: &str = "http://issuer.bench";
/// `aud` of all tokens.
pub(crate) const AUDIENCE: &str = "bench";
/// So many different users ask.
const USERS: usize = 1000;

/// Signs with ES256.
pub(crate) struct Issuer {
    key: EcdsaKeyPair,
}

impl Issuer {
    /// A new key.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)? })
    }

    /// RFC 7517.
    pub(crate) fn key_set(&self) -> String {
        // An uncompressed point: 4, then x and y (SEC 1 §2.3.3).
        let point = self.key.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        let key = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "bench", "x": x, "y": y });
        json!({ "keys": [key] }).to_string()
    }

    /// One token for each user, good for a day, as a JSON list.
    pub(crate) fn tokens(&self) -> String {
        let tokens: Vec<String> = (0..USERS).map(|user| self.token(user)).collect();
        json!(tokens).to_string()
    }

    fn token(&self, user: usize) -> String {
        let now = clock::unix_seconds();
        let header = json!({ "alg": "ES256", "kid": "bench", "typ": "JWT" });
        let payload = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": format!("user-{user}"), "iat": now, "exp": now + 24 * 3600,
            "roles": ["user"], "scope": "openid profile", "client_id": "app",
        });
        let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{payload}");
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map(|signature| URL_SAFE_NO_PAD.encode(signature.as_ref())).unwrap_or_default();
        format!("{signed}.{signature}")
    }
}
