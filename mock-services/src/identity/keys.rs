//! The keys that sign tokens.

use std::{fmt, io};

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    Algorithm, EncodingKey,
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
};

/// An RSA key for RS256 and a P-256 key for ES256. Clones are the same keys.
#[derive(Clone)]
pub struct SigningKeys {
    rsa: SigningKey,
    ec: SigningKey,
}

/// One private key with its public description.
#[derive(Clone)]
pub(super) struct SigningKey {
    pub(super) alg: Algorithm,
    pub(super) kid: String,
    pub(super) private: EncodingKey,
    pub(super) public: Jwk,
}

impl SigningKeys {
    /// New keys: RSA with 2048 bits, and EC on P-256. Takes some tenths of a second.
    pub fn generate() -> io::Result<Self> {
        let rsa = KeyPair::generate(KeySize::Rsa2048).map_err(io::Error::other)?;
        let rsa = rsa.as_der().map_err(io::Error::other)?;
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(io::Error::other)?;
        let ec = ec.to_pkcs8v1().map_err(io::Error::other)?;
        Self::from_pem(&pem(rsa.as_ref()), &pem(ec.as_ref()))
    }

    /// These keys: PKCS#8 in PEM, RSA first. Fails where a key cannot be read.
    pub fn from_pem(rsa: &str, ec: &str) -> io::Result<Self> {
        let rsa = EncodingKey::from_rsa_pem(rsa.as_bytes()).map_err(unreadable)?;
        let ec = EncodingKey::from_ec_pem(ec.as_bytes()).map_err(unreadable)?;
        Ok(Self { rsa: SigningKey::new(rsa, Algorithm::RS256)?, ec: SigningKey::new(ec, Algorithm::ES256)? })
    }

    /// The `kid` of the RSA key.
    pub fn rsa_kid(&self) -> &str {
        &self.rsa.kid
    }

    /// The `kid` of the EC key.
    pub fn ec_kid(&self) -> &str {
        &self.ec.kid
    }

    /// The key for this `alg`, `RS256` or `ES256`.
    pub(super) fn for_alg(&self, alg: &str) -> Option<&SigningKey> {
        match alg {
            "RS256" => Some(&self.rsa),
            "ES256" => Some(&self.ec),
            _ => None,
        }
    }

    pub(super) fn public(&self) -> [Jwk; 2] {
        [self.rsa.public.clone(), self.ec.public.clone()]
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("rsa_kid", &self.rsa.kid).field("ec_kid", &self.ec.kid).finish()
    }
}

impl SigningKey {
    fn new(private: EncodingKey, alg: Algorithm) -> io::Result<Self> {
        let mut public = Jwk::from_encoding_key(&private, alg).map_err(unreadable)?;
        let print = public.thumbprint(ThumbprintHash::SHA256).map_err(unreadable)?;
        let kid = print.chars().take(16).collect::<String>();
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { alg, kid, private, public })
    }
}

fn unreadable(error: jsonwebtoken::errors::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (at, c) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(c);
    }
    pem.push_str("\n-----END PRIVATE KEY-----\n");
    pem
}
