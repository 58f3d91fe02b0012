//! Tokens that were verified a moment ago, and several issuers side by side.

use serde_json::json;

use super::forge::{EC, EC_2, STRANGER};
use super::*;

fn remembering() -> AuthSettings {
    AuthSettings { remember: Duration::from_secs(60), ..settings(|_| {}) }
}

/// Verification makes a new identity, memory hands out the same one.
async fn same(authenticator: &Authenticator, token: &str, before: &Arc<Identity>) -> bool {
    Arc::ptr_eq(&present(authenticator, token).await.unwrap(), before)
}

#[tokio::test(start_paused = true)]
async fn a_token_is_remembered_for_a_minute() {
    let authenticator = Issuer::with(&[EC.jwk()]).authenticator(&remembering());
    let token = EC.good_token();
    let first = present(&authenticator, &token).await.unwrap();
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(same(&authenticator, &token, &first).await);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(!same(&authenticator, &token, &first).await);

    let off = Issuer::with(&[EC.jwk()]).authenticator(&settings(|_| {}));
    let first = present(&off, &token).await.unwrap();
    assert!(!same(&off, &token, &first).await, "0s switches it off");
}

#[tokio::test(start_paused = true)]
async fn a_remembered_token_expires_like_any_other() {
    let authenticator = Issuer::with(&[EC.jwk()]).authenticator(&remembering());
    let token = EC.token(json!({}), json!({ "exp": clock::unix_seconds() - 20 }));
    let first = present(&authenticator, &token).await.unwrap();
    tokio::time::advance(Duration::from_secs(9)).await;
    assert!(same(&authenticator, &token, &first).await);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(verdict(&authenticator, &token).await, no("token expired"));
}

#[tokio::test(start_paused = true)]
async fn a_remembered_token_is_forgotten_with_its_key() {
    let issuer = Issuer::with(&[EC.jwk()]);
    let authenticator = issuer.authenticator(&remembering());
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada());
    tokio::time::advance(Duration::from_secs(590)).await;
    let token = EC.good_token();
    let first = present(&authenticator, &token).await.unwrap();

    // The same document again changes nothing.
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!(same(&authenticator, &token, &first).await);
    settle().await;
    assert_eq!(issuer.calls(), 2, "a remembered token also has the set renewed");
    assert!(same(&authenticator, &token, &first).await);

    // Another one that still has the key: verified again. One that has it no more: refused.
    issuer.publish(&[EC.jwk(), EC_2.jwk()]);
    assert_eq!(verdict(&authenticator, &EC_2.good_token()).await, ada());
    assert!(!same(&authenticator, &token, &first).await);
    issuer.publish(&[EC_2.jwk()]);
    tokio::time::advance(Duration::from_secs(30)).await;
    let other = STRANGER.token(json!({ "kid": "anything" }), json!({}));
    assert_eq!(verdict(&authenticator, &other).await, no("the token's key is not known"));
    assert_eq!(verdict(&authenticator, &token).await, no("the token's key is not known"));
}

#[tokio::test(start_paused = true)]
async fn only_whole_and_verified_tokens_are_remembered() {
    let authenticator = Issuer::with(&[EC.jwk()]).authenticator(&remembering());
    let (good, bad) = (EC.good_token(), STRANGER.good_token());
    assert_eq!(verdict(&authenticator, &good).await, ada());
    let (claimed, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = bad.rsplit_once('.').unwrap();
    for forged in [bad.clone(), format!("{claimed}.{signature}"), good[..good.len() - 2].to_owned()] {
        for _ in 0..2 {
            assert_eq!(verdict(&authenticator, &forged).await, no("the token's signature does not hold"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_issuer_has_its_own_keys_and_rules() {
    let mut both = remembering();
    let mut second = both.issuers["main"].clone();
    second.issuer = "https://id2.example".to_owned();
    second.jwks_url = "https://id2.example/jwks".to_owned();
    second.audiences = vec!["partner".to_owned()];
    second.max_token_bytes = bytesize::ByteSize::kib(1);
    both.issuers.insert("second".to_owned(), second);
    let fetch = |url: &str| {
        let key = if url.contains("id2") { EC_2.jwk_with(json!({ "kid": "ec-1" })) } else { EC.jwk() };
        async move { Ok(Bytes::from(json!({ "keys": [key] }).to_string())) }
    };
    let authenticator = Authenticator::new(&both, Arc::new(fetch)).unwrap();
    assert_eq!(format!("{authenticator:?}"), r#"Authenticator(["https://id.example", "https://id2.example"])"#);

    let theirs = json!({ "iss": "https://id2.example", "aud": "partner" });
    let header = json!({ "kid": "ec-1" });
    let signature = no("the token's signature does not hold");
    let audience = no("not meant for this audience");
    let long = json!({ "iss": "https://id2.example", "aud": "partner", "pad": "x".repeat(1024) });
    let table = [
        (EC.good_token(), ada()),
        (EC_2.token(header.clone(), theirs.clone()), ada()),
        (EC_2.token(header.clone(), json!({})), signature.clone()),
        (EC.token(header.clone(), theirs), signature),
        (EC.token(header.clone(), json!({ "aud": "partner" })), audience.clone()),
        (EC_2.token(header.clone(), json!({ "iss": "https://id2.example" })), audience),
        (EC_2.token(header.clone(), long), no("the token is too long")),
        (EC.token(header, json!({ "pad": "x".repeat(1024) })), ada()),
    ];
    for (row, (token, expected)) in table.into_iter().enumerate() {
        assert_eq!(verdict(&authenticator, &token).await, expected, "row {row}");
    }
}
