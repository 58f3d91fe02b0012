//! Settings that cannot be meant are refused at start, all at once.

use bytesize::ByteSize;

use super::*;

fn mistakes(settings: &AuthSettings) -> Vec<String> {
    let fetch = |_: &str| async { Ok(Bytes::new()) };
    match Authenticator::new(settings, Arc::new(fetch)) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.into_iter().map(|mistake| mistake.key).collect(),
    }
}

#[test]
fn every_mistake_is_found() {
    type Change = fn(&mut IssuerSettings);
    let table: &[(&str, Change)] = &[
        ("issuer", |issuer| issuer.issuer = " ".to_owned()),
        ("jwks_url", |issuer| issuer.jwks_url = String::new()),
        ("jwks_url", |issuer| issuer.jwks_url = "/jwks".to_owned()),
        ("jwks_url", |issuer| issuer.jwks_url = "http://id.example/jwks".to_owned()),
        ("jwks_url", |issuer| issuer.jwks_url = "http://localhost.evil.example/jwks".to_owned()),
        ("jwks_url", |issuer| issuer.jwks_url = "file:///etc/jwks".to_owned()),
        ("jwks_url", |issuer| issuer.jwks_url = "https://me:secret@id.example/jwks".to_owned()),
        ("audiences", |issuer| issuer.audiences.clear()),
        ("audiences", |issuer| issuer.audiences.push(String::new())),
        ("algorithms", |issuer| issuer.algorithms.clear()),
        ("algorithms", |issuer| issuer.algorithms.push("HS256".to_owned())),
        ("algorithms", |issuer| issuer.algorithms.push("none".to_owned())),
        ("algorithms", |issuer| issuer.algorithms.push("ES512".to_owned())),
        ("typ", |issuer| issuer.typ = Some(String::new())),
        ("leeway", |issuer| issuer.leeway = Duration::from_secs(301)),
        ("refresh", |issuer| issuer.refresh = Duration::ZERO),
        ("keep", |issuer| issuer.keep = Duration::from_secs(599)),
        ("unknown_kid_pause", |issuer| issuer.unknown_kid_pause = Duration::ZERO),
        ("retry_pause", |issuer| issuer.retry_pause = Duration::ZERO),
        ("fetch_timeout", |issuer| issuer.fetch_timeout = Duration::ZERO),
        ("max_token_bytes", |issuer| issuer.max_token_bytes = ByteSize::mib(1)),
        ("max_document", |issuer| issuer.max_document = ByteSize::b(0)),
        ("max_keys", |issuer| issuer.max_keys = 0),
        ("roles_claim", |issuer| issuer.roles_claim.clear()),
        ("scope_claim", |issuer| issuer.scope_claim.clear()),
        ("tenant_claim", |issuer| issuer.tenant_claim.clear()),
        ("client_claim", |issuer| issuer.client_claim.clear()),
    ];
    for (row, (key, change)) in table.iter().enumerate() {
        assert_eq!(mistakes(&settings(change)), [format!("auth.issuers.main.{key}")], "row {row}");
    }
    let fine: &[Change] = &[
        |_| {},
        |issuer| issuer.jwks_url = "http://127.0.0.1:8080/jwks".to_owned(),
        |issuer| issuer.jwks_url = "http://[::1]:8080/jwks".to_owned(),
        |issuer| issuer.jwks_url = "http://localhost/jwks".to_owned(),
        |issuer| {
            issuer.jwks_url = "http://issuer:8080/jwks".to_owned();
            issuer.plain_http = true;
        },
        |issuer| issuer.leeway = Duration::ZERO,
    ];
    for change in fine {
        assert!(mistakes(&settings(change)).is_empty());
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let mut settings = settings(|issuer| issuer.audiences.clear());
    settings.remember = Duration::from_secs(61);
    settings.issuers.insert("empty".to_owned(), IssuerSettings::default());
    let twin = settings.issuers["main"].clone();
    settings.issuers.insert("twin".to_owned(), twin);
    let expected = [
        "auth.remember",
        "auth.issuers.empty.issuer",
        "auth.issuers.empty.jwks_url",
        "auth.issuers.empty.audiences",
        "auth.issuers.main.audiences",
        "auth.issuers.twin.audiences",
        "auth.issuers.twin.issuer",
    ];
    assert_eq!(mistakes(&settings), expected);
}

#[test]
fn shared_secrets_are_refused_in_plain_words_and_passwords_not_repeated() {
    let fetch = |_: &str| async { Ok(Bytes::new()) };
    let wrong = settings(|issuer| {
        issuer.algorithms = vec!["HS512".to_owned()];
        issuer.jwks_url = "https://me:hunter2@id.example/jwks".to_owned();
    });
    let told: Vec<String> =
        Authenticator::new(&wrong, Arc::new(fetch)).unwrap_err().iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|one| one.contains("HS512 needs a secret that is shared with the issuer")));
    assert!(!told.iter().any(|one| one.contains("hunter2")));
}

#[test]
fn settings_read_as_they_are_written() {
    let written = json!({
        "remember": "0s",
        "issuers": { "main": { "issuer": "https://id.example", "jwks_url": "https://id.example/jwks",
            "audiences": ["bff"], "leeway": "1m", "max_token_bytes": "4 KiB" } },
    });
    let settings: AuthSettings = serde_json::from_value(written).unwrap();
    let issuer = &settings.issuers["main"];
    assert_eq!((settings.remember, issuer.leeway), (Duration::ZERO, Duration::from_secs(60)));
    assert_eq!(issuer.max_token_bytes, ByteSize::kib(4));
    assert_eq!((issuer.refresh, issuer.max_keys), (Duration::from_secs(600), 64));
    assert_eq!(issuer.algorithms, ["RS256", "ES256"]);
    let again: AuthSettings = serde_json::from_value(serde_json::to_value(&settings).unwrap()).unwrap();
    assert_eq!(again.issuers["main"].max_document, issuer.max_document);
    assert_eq!(AuthSettings::default().remember, Duration::from_secs(60));
}
