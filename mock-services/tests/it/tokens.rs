//! Tokens, checked with nothing but the published keys.

use jsonwebtoken::{DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use mock_services::{Running, Service, TokenError, TokenRequest};
use serde_json::Value;

use crate::client::{ask, get, services};

async fn jwks(running: &Running) -> JwkSet {
    serde_json::from_str(&get(running, Service::Identity, "/.well-known/jwks.json").await.body).unwrap()
}

/// The claims, where the token is good for this audience.
fn verify(token: &str, jwks: &JwkSet, audience: &str) -> Result<Value, String> {
    let header = decode_header(token).map_err(|e| e.to_string())?;
    assert_eq!(header.typ.as_deref(), Some("JWT"));
    let key = jwks.find(&header.kid.unwrap()).ok_or("the kid is not published")?;
    let mut validation = Validation::new(header.alg);
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation.set_audience(&[audience]);
    validation.set_issuer(&["http://identity.mock"]);
    decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation)
        .map(|token| token.claims)
        .map_err(|e| e.to_string())
}

#[tokio::test]
async fn both_keys_are_published_and_sign() {
    let running = services().await;
    let answer = get(&running, Service::Identity, "/.well-known/jwks.json").await.json();
    let kinds: Vec<_> =
        answer["keys"].as_array().unwrap().iter().map(|key| format!("{} {}", key["alg"], key["use"])).collect();
    assert_eq!(kinds, [r#""RS256" "sig""#, r#""ES256" "sig""#]);
    let jwks = jwks(&running).await;
    for alg in ["RS256", "ES256"] {
        let answer = get(&running, Service::Identity, &format!("/token?user=ada&aud=bff-web&alg={alg}")).await;
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("x-for-development-only"), "true");
        assert_eq!(answer.header("cache-control"), "no-store");
        let claims = verify(&answer.body, &jwks, "bff-web").unwrap();
        assert_eq!((&claims["sub"], &claims["roles"][0]), (&"ada".into(), &"user".into()));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
        assert!(verify(&answer.body, &jwks, "bff-mobile").is_err());
    }
}

#[tokio::test]
async fn the_partner_has_its_role_tenant_and_scope() {
    let running = services().await;
    let token = running.mint_token(&TokenRequest::new("acme-app")).unwrap();
    let claims = verify(&token, &jwks(&running).await, "bff-partner").unwrap();
    assert_eq!(claims["roles"], serde_json::json!(["partner"]));
    assert_eq!(claims["tenant"], "acme");
    assert_eq!(claims["scope"], "orders:read products:read");
    assert_eq!(claims["client_id"], "acme-app");
    assert_eq!(claims["aud"], serde_json::json!(["bff-mobile", "bff-web", "bff-partner"]));
}

#[tokio::test]
async fn a_post_takes_json_and_forms() {
    let running = services().await;
    let url = format!("{}/token", running.url(Service::Identity));
    let json = r#"{"subject":"u2","audience":["bff-web"],"alg":"ES256","roles":["user","admin"],
        "scopes":["a","b"],"ttl_seconds":60,"tenant":"globex","client":"till"}"#;
    let granted = ask("POST", &url, &[], json).await.unwrap().json();
    assert_eq!((&granted["token_type"], &granted["expires_in"]), (&"Bearer".into(), &60.into()));
    let form =
        "user=u2&audience=bff-web&alg=ES256&roles=user,admin&scopes=a%20b&ttl_seconds=60&tenant=globex&client=till";
    let request = reqwest::Client::builder().no_proxy().build().unwrap().post(&url);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let posted: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
    for token in [&granted, &posted] {
        let claims = verify(token["access_token"].as_str().unwrap(), &jwks(&running).await, "bff-web").unwrap();
        assert_eq!(claims["roles"], serde_json::json!(["user", "admin"]));
        assert_eq!((&claims["scope"], &claims["tenant"]), (&"a b".into(), &"globex".into()));
        assert_eq!(claims["client_id"], "till");
    }
}

#[tokio::test]
async fn what_cannot_be_signed_is_a_problem() {
    let running = services().await;
    let check = async |query: &str, status: u16| {
        let answer = get(&running, Service::Identity, &format!("/token{query}")).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.body);
    };
    check("", 400).await;
    check("?user=mallory", 404).await;
    check("?user=ada&alg=none", 400).await;
    check("?user=ada&ttl_seconds=3601", 400).await;
    check("?user=ada&ttl_seconds=-5", 400).await;
    check("?user=ada&colour=red", 400).await;
    let unknown = running.mint_token(&TokenRequest::new("mallory")).unwrap_err();
    assert!(matches!(unknown, TokenError::UnknownSubject(_)));
}

#[tokio::test]
async fn in_process_one_can_have_tokens_that_must_be_refused() {
    let running = services().await;
    let jwks = jwks(&running).await;
    let expired = TokenRequest { ttl_seconds: -60, ..TokenRequest::new("ada") };
    let error = verify(&running.mint_token(&expired).unwrap(), &jwks, "bff-web").unwrap_err();
    assert!(error.contains("ExpiredSignature"), "{error}");
    let foreign = TokenRequest { issuer: Some("http://elsewhere.mock".into()), ..TokenRequest::new("ada") };
    let error = verify(&running.mint_token(&foreign).unwrap(), &jwks, "bff-web").unwrap_err();
    assert!(error.contains("InvalidIssuer"), "{error}");
}

#[tokio::test]
async fn rotation_keeps_the_old_keys_until_they_are_dropped() {
    let running = services().await;
    let old = running.mint_token(&TokenRequest::new("ada")).unwrap();
    let keys = running.rotate_keys(false).unwrap();
    let new = running.mint_token(&TokenRequest::new("ada")).unwrap();
    assert_eq!(decode_header(&new).unwrap().kid.as_deref(), Some(keys.rsa_kid()));
    let both = jwks(&running).await;
    assert_eq!(both.keys.len(), 4);
    assert!(verify(&old, &both, "bff-web").is_ok());
    assert!(verify(&new, &both, "bff-web").is_ok());
    let answer = ask("POST", &format!("{}/rotate?drop_old=true", running.admin_url()), &[], "").await.unwrap();
    assert_eq!(answer.status, 200);
    let dropped = jwks(&running).await;
    assert_eq!(dropped.keys.len(), 2);
    assert_eq!(verify(&old, &dropped, "bff-web").unwrap_err(), "the kid is not published");
    assert_eq!(dropped.keys[1].common.key_id.as_deref(), answer.json()["ES256"].as_str());
}
