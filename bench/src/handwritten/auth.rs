//! Tokens, checked with the issuer's key for each request.

use std::collections::HashMap;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::answer::Problem;
use super::call::Backend;
use crate::Result;
use crate::tokens::{AUDIENCE, ISSUER};

pub(super) struct Tokens {
    // bound: the key set of one issuer, read once
    keys: HashMap<String, DecodingKey>,
    rules: Validation,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    roles: Vec<String>,
}

impl Tokens {
    /// With the issuer's keys of now.
    pub(super) async fn fetch(backend: &Backend) -> Result<Self> {
        let set: JwkSet = serde_json::from_slice(&backend.keys().await?)?;
        let mut keys = HashMap::new();
        for key in &set.keys {
            if let Some(id) = &key.common.key_id {
                keys.insert(id.clone(), DecodingKey::from_jwk(key)?);
            }
        }
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Ok(Self { keys, rules })
    }

    /// Whether the request carries a token that holds, of a user.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| Problem::unauthenticated("send a bearer token"))?;
        let refused = |_| Problem::unauthenticated("the token does not hold");
        let head = decode_header(token).map_err(refused)?;
        let key = head.kid.and_then(|kid| self.keys.get(&kid));
        let key = key.ok_or_else(|| Problem::unauthenticated("the token's key is not known"))?;
        let Claims { sub, roles } = decode(token, key, &self.rules).map_err(refused)?.claims;
        if sub.is_empty() || !roles.iter().any(|role| role == "user") {
            return Err(Problem::unauthenticated("the token is of no user"));
        }
        Ok(())
    }
}
