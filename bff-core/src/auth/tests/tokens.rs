//! Which tokens are believed, and what the others are told.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::forge::{self, EC, EC_2, EC_384, ED, RSA, STRANGER, Signer, encode, good, hs256};
use super::*;

fn everything() -> Issuer {
    Issuer::with(&[RSA.jwk(), EC.jwk(), EC_384.jwk(), ED.jwk()])
}

#[tokio::test(start_paused = true)]
async fn every_algorithm_is_verified() {
    let authenticator = everything().authenticator(&settings(|_| {}));
    let table: &[(&str, &Signer)] = &[
        ("RS256", &RSA),
        ("RS384", &RSA),
        ("RS512", &RSA),
        ("PS256", &RSA),
        ("PS384", &RSA),
        ("PS512", &RSA),
        ("ES256", &EC),
        ("ES384", &EC_384),
        ("EdDSA", &ED),
    ];
    for (algorithm, signer) in table {
        let token = signer.token(json!({ "alg": algorithm }), json!({}));
        assert_eq!(verdict(&authenticator, &token).await, ada(), "{algorithm}");
        let (rest, _) = token.rsplit_once('.').unwrap();
        let other = signer.token(json!({ "alg": algorithm }), json!({ "sub": "bob" }));
        let (_, signature) = other.rsplit_once('.').unwrap();
        let swapped = format!("{rest}.{signature}");
        assert_eq!(verdict(&authenticator, &swapped).await, no(SIGNATURE), "{algorithm}, another's signature");
    }
}

#[tokio::test(start_paused = true)]
async fn the_identity_says_what_the_token_says() {
    let authenticator = everything().authenticator(&settings(|_| {}));
    let token = EC.token(
        json!({}),
        json!({
            "roles": ["user", "admin"], "scope": "read  write", "tenant": "acme", "client_id": "app",
            "aud": ["other", "bff-next"], "nested": { "a": [1, { "b": null }] },
        }),
    );
    let identity = present(&authenticator, &token).await.unwrap();
    let claims = identity.claims();
    assert_eq!(claims.issuer, forge::ISSUER);
    assert_eq!(claims.subject, "ada");
    assert_eq!(claims.roles, ["admin", "user"]);
    assert_eq!(claims.scopes, ["read", "write"]);
    assert_eq!(claims.tenant.as_deref(), Some("acme"));
    assert_eq!(claims.client.as_deref(), Some("app"));

    let renamed = everything().authenticator(&settings(|issuer| {
        issuer.roles_claim = "groups".to_owned();
        issuer.scope_claim = "scp".to_owned();
    }));
    let token = EC.token(json!({}), json!({ "groups": "ops", "scp": ["read"], "roles": ["admin"] }));
    let identity = present(&renamed, &token).await.unwrap();
    assert_eq!(
        (&identity.claims().roles[..], &identity.claims().scopes[..]),
        (&["ops".to_owned()][..], &["read".to_owned()][..])
    );
}

#[tokio::test(start_paused = true)]
async fn exactly_one_bearer_header_or_none() {
    let issuer = everything();
    let authenticator = issuer.authenticator(&settings(|_| {}));
    let token = EC.good_token();
    assert_eq!(authenticator.authenticate(&HeaderMap::new()).await.unwrap(), None);

    for credentials in [format!("Bearer {token}"), format!("bEARER {token}"), format!("Bearer   {token}")] {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, credentials.parse().unwrap());
        assert!(authenticator.authenticate(&headers).await.unwrap().is_some(), "{credentials}");
    }
    let calls = issuer.calls();
    let wrong = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer: {token}"),
        format!("Bearer\t{token}"),
        format!("Bearer {token} {token}"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer token={token}"),
        format!("BearerBearer {token}"),
    ];
    for credentials in wrong {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, credentials.parse().unwrap());
        let error = authenticator.authenticate(&headers).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unauthenticated, "{credentials}");
    }
    let mut headers = bearer(&token);
    headers.insert(AUTHORIZATION, http::HeaderValue::from_bytes(b"Bearer \xff\xfe").unwrap());
    assert_eq!(authenticator.authenticate(&headers).await.unwrap_err().kind(), Kind::Unauthenticated);
    let mut twice = bearer(&token);
    twice.append(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    let error = authenticator.authenticate(&twice).await.unwrap_err();
    assert_eq!(error.detail(), Some("more than one authorization header"));
    assert_eq!(issuer.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn without_an_issuer_no_token_is_believed() {
    let issuer = everything();
    let authenticator = issuer.authenticator(&AuthSettings::default());
    assert!(!authenticator.is_configured());
    assert_eq!(authenticator.authenticate(&HeaderMap::new()).await.unwrap(), None);
    let expected = no("bearer tokens are not accepted here");
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, expected);
    assert_eq!(issuer.calls(), 0);
}

const FORM: &str = "the token is not a well-formed JWT";
const ALG: &str = "the token's algorithm is not accepted";
const MEMBER: &str = "the token's header has a member that is not accepted";
const KID: &str = "the token's key id is empty or too long";
const DATE: &str = "a date in the token cannot be read";
const CLAIM: &str = "a claim of the token cannot be used here";
const AUDIENCE: &str = "not meant for this audience";
const SUBJECT: &str = "the token names no subject";
const SIGNATURE: &str = "the token's signature does not hold";
const MISFIT: &str = "the token's key cannot be used for it";

/// Whether a key set is needed to see what is wrong.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    WithoutKeys,
    WithKeys,
}
use Seen::{WithKeys, WithoutKeys};

#[rustfmt::skip]
fn forged() -> Vec<(&'static str, String, &'static str, Seen)> {
    let fine = EC.good_token();
    let parts: Vec<&str> = fine.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let head = |changes: Value| EC.token(changes, json!({}));
    let body = |changes: Value| EC.token(json!({}), changes);
    let text = |claims: &str| EC.raw(r#"{"alg":"ES256","kid":"ec-1"}"#, claims);
    let now = clock::unix_seconds();
    let public = RSA.jwk()["n"].as_str().unwrap().to_owned();
    let plain = good().to_string();
    let inside = &plain[1..plain.len() - 1];
    let embedded = |member: &str, value: Value| STRANGER.token(json!({ member: value }), json!({}));
    // The unused bits of the last character of a 64 byte signature (86 characters) are 4.
    let loose = { let mut s = signature.to_owned(); let last = s.pop().unwrap(); s.push((last as u8 + 1) as char); s };

    vec![
        // the form
        ("empty segments", "..".into(), FORM, WithoutKeys),
        ("no dots", "abc".into(), FORM, WithoutKeys),
        ("two segments", format!("{header}.{claims}"), FORM, WithoutKeys),
        ("four segments", format!("{fine}.{signature}"), FORM, WithoutKeys),
        ("encrypted (five)", format!("{fine}.{claims}.{signature}"), FORM, WithoutKeys),
        ("no signature", format!("{header}.{claims}."), FORM, WithoutKeys),
        ("padded header", format!("{header}=.{claims}.{signature}"), FORM, WithoutKeys),
        ("padded claims", format!("{header}.{claims}=.{signature}"), FORM, WithoutKeys),
        ("padded signature", format!("{fine}=="), FORM, WithoutKeys),
        ("loose bits", format!("{header}.{claims}.{loose}"), FORM, WithoutKeys),
        ("standard base64", format!("{header}.{claims}.+/{}", &signature[2..]), FORM, WithoutKeys),
        ("header is no JSON", EC.raw("alg=ES256", &plain), FORM, WithoutKeys),
        ("header is a list", EC.raw("[]", &plain), FORM, WithoutKeys),
        ("claims are no object", text("\"ada\""), FORM, WithoutKeys),
        ("claims are a token", text(&fine), FORM, WithoutKeys),
        ("text after the claims", text(&format!("{plain}{plain}")), FORM, WithoutKeys),
        ("invalid UTF-8", format!("{header}.{}.{signature}", encode(b"{\"sub\":\"\xff\"}")), FORM, WithoutKeys),
        ("deep claims", text(&format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500))), FORM, WithoutKeys),
        ("64 KiB", body(json!({ "pad": "x".repeat(48 * 1024) })), "the token is too long", WithoutKeys),
        ("one byte too long", "x".repeat(8 * 1024 + 1), "the token is too long", WithoutKeys),
        // twice the same
        ("sub twice", text(&format!("{{{inside},\"sub\":\"root\"}}")), FORM, WithoutKeys),
        ("sub twice, escaped", text(&format!("{{{inside},\"s\\u0075b\":\"root\"}}")), FORM, WithoutKeys),
        ("twice, deep inside", text(&format!("{{{inside},\"x\":[{{\"a\":1,\"a\":1}}]}}")), FORM, WithoutKeys),
        ("alg twice", EC.raw(r#"{"alg":"none","alg":"ES256","kid":"ec-1"}"#, &plain), FORM, WithoutKeys),
        ("kid twice", EC.raw(r#"{"alg":"ES256","kid":"ec-1","kid":"ec-1"}"#, &plain), FORM, WithoutKeys),
        // algorithms
        ("none", head(json!({ "alg": "none" })), ALG, WithoutKeys),
        ("nOnE", head(json!({ "alg": "nOnE" })), ALG, WithoutKeys),
        ("NONE", head(json!({ "alg": "NONE" })), ALG, WithoutKeys),
        ("none, unsigned", format!("{}.{claims}.", encode(r#"{"alg":"none"}"#)), FORM, WithoutKeys),
        ("empty alg", head(json!({ "alg": "" })), ALG, WithoutKeys),
        ("no alg", EC.raw(r#"{"kid":"ec-1"}"#, &plain), ALG, WithoutKeys),
        ("alg is a list", head(json!({ "alg": ["ES256"] })), ALG, WithoutKeys),
        ("es256", head(json!({ "alg": "es256" })), ALG, WithoutKeys),
        ("ES256K", head(json!({ "alg": "ES256K" })), ALG, WithoutKeys),
        ("HS256, public key", hs256(public.as_bytes(), r#"{"alg":"HS256","kid":"rsa-1"}"#), ALG, WithoutKeys),
        ("HS256, empty secret", hs256(b"", r#"{"alg":"HS256","kid":"rsa-1"}"#), ALG, WithoutKeys),
        ("MAC under RS256", hs256(public.as_bytes(), r#"{"alg":"RS256","kid":"rsa-1"}"#), SIGNATURE, WithKeys),
        // the header tries to choose
        ("crit", head(json!({ "crit": ["exp"], "exp": now + 9 })), MEMBER, WithoutKeys),
        ("b64", head(json!({ "crit": ["b64"], "b64": false })), MEMBER, WithoutKeys),
        ("empty crit", head(json!({ "crit": [] })), MEMBER, WithoutKeys),
        ("jwk", embedded("jwk", STRANGER.jwk()), MEMBER, WithoutKeys),
        ("jku", embedded("jku", json!("https://evil.example/jwks")), MEMBER, WithoutKeys),
        ("x5u", embedded("x5u", json!("http://169.254.169.254/")), MEMBER, WithoutKeys),
        ("x5c is ignored", embedded("x5c", json!(["MIIB"])), SIGNATURE, WithKeys),
        ("kid too long", head(json!({ "kid": "k".repeat(257) })), KID, WithoutKeys),
        ("kid empty", head(json!({ "kid": "" })), KID, WithoutKeys),
        ("kid is a number", head(json!({ "kid": 1 })), FORM, WithoutKeys),
        ("typ is a number", head(json!({ "typ": 1 })), FORM, WithoutKeys),
        // keys
        ("wrong kind of key", head(json!({ "kid": "rsa-1" })), MISFIT, WithKeys),
        ("wrong curve", head(json!({ "kid": "ec-384" })), MISFIT, WithKeys),
        ("a stranger's key", STRANGER.good_token(), SIGNATURE, WithKeys),
        ("another key's name", EC_2.token(json!({ "kid": "ec-1" }), json!({})), SIGNATURE, WithKeys),
        ("zero signature", format!("{header}.{claims}.{}", encode([0; 64])), SIGNATURE, WithKeys),
        ("short signature", format!("{header}.{claims}.{}", encode([1; 8])), SIGNATURE, WithKeys),
        ("claims exchanged", format!("{header}.{}.{signature}", body(json!({ "sub": "root" })).split('.').nth(1).unwrap()), SIGNATURE, WithKeys),
        ("header exchanged", format!("{}.{claims}.{signature}", encode(r#"{"alg":"ES256","kid":"ec-1","x":1}"#)), SIGNATURE, WithKeys),
        // issuer
        ("no iss", body(json!({ "iss": null })), "the token names no issuer", WithoutKeys),
        ("iss is a list", body(json!({ "iss": [forge::ISSUER] })), "the token names no issuer", WithoutKeys),
        ("other iss", body(json!({ "iss": "https://id.example.evil" })), "the token's issuer is not accepted", WithoutKeys),
        ("iss with a slash", body(json!({ "iss": "https://id.example/" })), "the token's issuer is not accepted", WithoutKeys),
        // audience
        ("no aud", body(json!({ "aud": null })), "the token names no audience", WithoutKeys),
        ("other aud", body(json!({ "aud": "other" })), AUDIENCE, WithoutKeys),
        ("aud in another case", body(json!({ "aud": "BFF" })), AUDIENCE, WithoutKeys),
        ("other auds", body(json!({ "aud": ["a", "b"] })), AUDIENCE, WithoutKeys),
        ("empty auds", body(json!({ "aud": [] })), AUDIENCE, WithoutKeys),
        ("mixed auds", body(json!({ "aud": ["bff", 1] })), "the token's audience cannot be read", WithoutKeys),
        ("aud is an object", body(json!({ "aud": { "bff": 1 } })), "the token names no audience", WithoutKeys),
        // times
        ("no exp", body(json!({ "exp": null })), "the token has no expiry", WithoutKeys),
        ("expired", body(json!({ "exp": now - 31 })), "token expired", WithoutKeys),
        ("expired now", body(json!({ "exp": now - 30 })), "token expired", WithoutKeys),
        ("exp zero", body(json!({ "exp": 0 })), "token expired", WithoutKeys),
        ("not yet", body(json!({ "nbf": now + 31 })), "token not yet valid", WithoutKeys),
        ("exp is text", body(json!({ "exp": "9999999999" })), DATE, WithoutKeys),
        ("exp negative", body(json!({ "exp": -1 })), DATE, WithoutKeys),
        ("exp huge", body(json!({ "exp": u64::MAX })), DATE, WithoutKeys),
        ("exp in milliseconds", body(json!({ "exp": (now + 300) * 1000 })), DATE, WithoutKeys),
        ("exp 1e300", text(&plain.replace(&format!("\"exp\":{}", now + 300), "\"exp\":1e300")), DATE, WithoutKeys),
        ("exp beyond any number", text(&format!("{{{inside},\"x\":1e999}}")), FORM, WithoutKeys),
        ("NaN", text(&format!("{{{inside},\"x\":NaN}}")), FORM, WithoutKeys),
        ("nbf is text", body(json!({ "nbf": "0" })), DATE, WithoutKeys),
        ("nbf negative", body(json!({ "nbf": -0.5 })), DATE, WithoutKeys),
        ("iat is a list", body(json!({ "iat": [] })), DATE, WithoutKeys),
        // who
        ("no sub", body(json!({ "sub": null })), SUBJECT, WithoutKeys),
        ("empty sub", body(json!({ "sub": "" })), SUBJECT, WithoutKeys),
        ("sub is a number", body(json!({ "sub": 7 })), SUBJECT, WithoutKeys),
        ("sub breaks the line", body(json!({ "sub": "ada\r\nx-user-roles: admin" })), CLAIM, WithoutKeys),
        ("comma in a role", body(json!({ "roles": ["user,admin"] })), CLAIM, WithoutKeys),
        ("roles are an object", body(json!({ "roles": { "admin": true } })), CLAIM, WithoutKeys),
        ("a role is a number", body(json!({ "roles": ["user", 1] })), CLAIM, WithoutKeys),
        ("scope is a number", body(json!({ "scope": 1 })), CLAIM, WithoutKeys),
        ("tenant is empty", body(json!({ "tenant": "" })), CLAIM, WithoutKeys),
        ("client is a list", body(json!({ "client_id": ["app"] })), CLAIM, WithoutKeys),
    ]
}

#[tokio::test(start_paused = true)]
async fn forged_tokens_are_refused_and_the_issuer_hears_nothing() {
    let issuer = everything();
    let warm = issuer.authenticator(&settings(|_| {}));
    assert_eq!(verdict(&warm, &EC.good_token()).await, ada());
    let nobody = Issuer::down();
    for (name, token, detail, seen) in forged() {
        assert_eq!(verdict(&warm, &token).await, no(detail), "{name}");
        let cold = nobody.authenticator(&settings(|_| {}));
        let calls = nobody.calls();
        let expected = if seen == WithKeys { cannot_tell() } else { no(detail) };
        assert_eq!(verdict(&cold, &token).await, expected, "{name}, without keys");
        assert_eq!(nobody.calls() - calls, usize::from(seen == WithKeys), "{name}, without keys");
    }
    assert_eq!(issuer.calls(), 1);
    assert_eq!(verdict(&warm, &EC.good_token()).await, ada());
}

#[tokio::test(start_paused = true)]
async fn names_of_keys_are_only_compared() {
    let issuer = everything();
    let authenticator = issuer.authenticator(&settings(|_| {}));
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada());
    for kid in ["../../../dev/null", "/etc/passwd", "ec-1' or '1'='1", "ec-1\0", "EC-1", "https://evil.example/"] {
        let token = STRANGER.token(json!({ "kid": kid }), json!({}));
        assert_eq!(verdict(&authenticator, &token).await, no("the token's key is not known"), "{kid:?}");
    }
    assert_eq!(issuer.calls(), 2, "the first one was worth a look, the others came within the pause");
}

#[tokio::test(start_paused = true)]
async fn times_have_their_leeway_and_no_more() {
    let authenticator = everything().authenticator(&settings(|_| {}));
    let now = clock::unix_seconds();
    let expired = no("token expired");
    let table = [
        (json!({ "exp": now - 29 }), ada()),
        (json!({ "exp": now - 30 }), expired.clone()),
        (json!({ "exp": (now - 29) as f64 + 0.9 }), ada()),
        (json!({ "exp": (now - 30) as f64 + 0.9 }), expired.clone()),
        (json!({ "nbf": now + 30 }), ada()),
        (json!({ "nbf": now as f64 + 30.1 }), no("token not yet valid")),
        (json!({ "nbf": null, "iat": null }), ada()),
        (json!({ "exp": 253_402_300_799_u64 }), ada()),
        (json!({ "exp": 253_402_300_800_u64 }), no("a date in the token cannot be read")),
    ];
    for (claims, expected) in table {
        assert_eq!(verdict(&authenticator, &EC.token(json!({}), claims.clone())).await, expected, "{claims}");
    }
    let token = EC.good_token();
    tokio::time::advance(Duration::from_secs(329)).await;
    assert_eq!(verdict(&authenticator, &token).await, ada());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(verdict(&authenticator, &token).await, expired);
}

#[tokio::test(start_paused = true)]
async fn a_configured_type_is_required() {
    let authenticator = everything().authenticator(&settings(|issuer| issuer.typ = Some("at+jwt".to_owned())));
    let wrong = no("the token's type is not accepted");
    let table = [
        (json!({ "typ": "at+jwt" }), ada()),
        (json!({ "typ": "AT+JWT" }), ada()),
        (json!({ "typ": "application/at+jwt" }), ada()),
        (json!({ "typ": "JWT" }), wrong.clone()),
        (json!({ "typ": "" }), wrong.clone()),
        (json!({}), wrong),
    ];
    for (header, expected) in table {
        assert_eq!(verdict(&authenticator, &EC.token(header.clone(), json!({}))).await, expected, "{header}");
    }
}
