//! Keys made on the spot, and tokens that say whatever a test wants.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::clock;

pub(super) const ISSUER: &str = "https://id.example";

/// A private key and the name it has in the key set.
pub(super) struct Signer {
    pub(super) kid: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

pub(super) static RSA: LazyLock<Signer> =
    LazyLock::new(|| Signer { kid: "rsa-1", pair: Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()) });
pub(super) static EC: LazyLock<Signer> = LazyLock::new(|| Signer::p256("ec-1"));
pub(super) static EC_2: LazyLock<Signer> = LazyLock::new(|| Signer::p256("ec-2"));
/// Nobody publishes this one, though it calls itself `ec-1`.
pub(super) static STRANGER: LazyLock<Signer> = LazyLock::new(|| Signer::p256("ec-1"));
pub(super) static EC_384: LazyLock<Signer> = LazyLock::new(|| Signer {
    kid: "ec-384",
    pair: Pair::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()),
});
pub(super) static ED: LazyLock<Signer> =
    LazyLock::new(|| Signer { kid: "ed-1", pair: Pair::Ed(Ed25519KeyPair::generate().unwrap()) });

impl Signer {
    fn p256(kid: &'static str) -> Self {
        Self { kid, pair: Pair::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()) }
    }

    /// The public half, as a key set lists it.
    pub(super) fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "kid": self.kid, "n": encode(public.n), "e": encode(public.e) })
            }
            Pair::P256(pair) => ec(self.kid, "P-256", &pair.public_key().as_ref()[1..]),
            Pair::P384(pair) => ec(self.kid, "P-384", &pair.public_key().as_ref()[1..]),
            Pair::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": encode(pair.public_key()) })
            }
        }
    }

    /// The same, with some members replaced (`null` removes one).
    pub(super) fn jwk_with(&self, changes: Value) -> Value {
        patched(self.jwk(), changes)
    }

    fn default_algorithm(&self) -> &'static str {
        match &self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
            Pair::P384(_) => "ES384",
            Pair::Ed(_) => "EdDSA",
        }
    }

    /// A token that nobody could object to, but for these changes to its header and claims.
    pub(super) fn token(&self, header: Value, claims: Value) -> String {
        let base = json!({ "alg": self.default_algorithm(), "kid": self.kid });
        self.raw(&patched(base, header).to_string(), &patched(good(), claims).to_string())
    }

    /// A token without fault.
    pub(super) fn good_token(&self) -> String {
        self.token(json!({}), json!({}))
    }

    /// Signs these very texts, with the algorithm that the header names.
    pub(super) fn raw(&self, header: &str, claims: &str) -> String {
        let algorithm = serde_json::from_str::<Value>(header).unwrap_or_default();
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.sign(algorithm["alg"].as_str().unwrap_or_default(), signed.as_bytes());
        format!("{signed}.{}", encode(signature))
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let scheme: &'static dyn RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(scheme, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::P256(pair) | Pair::P384(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

fn ec(kid: &str, curve: &str, point: &[u8]) -> Value {
    let (x, y) = point.split_at(point.len() / 2);
    json!({ "kty": "EC", "crv": curve, "kid": kid, "x": encode(x), "y": encode(y) })
}

/// Claims without fault.
pub(super) fn good() -> Value {
    let now = clock::unix_seconds();
    json!({ "iss": ISSUER, "aud": "bff", "sub": "ada", "iat": now, "nbf": now, "exp": now + 300 })
}

/// The classic: the header says HS256, and the MAC's secret is the public key that everybody knows.
pub(super) fn hs256(secret: &[u8], header: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(good().to_string()));
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", encode(mac.as_ref()))
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn patched(mut base: Value, changes: Value) -> Value {
    let members = base.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    base
}
