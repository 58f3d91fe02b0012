//! Key sets: what is in them, how they change, and issuers that do not answer.

use serde_json::{Value, json};

use super::forge::{EC, EC_2, EC_384, ED, RSA, STRANGER, encode};
use super::*;

const UNKNOWN: &str = "the token's key is not known";
const MISFIT: &str = "the token's key cannot be used for it";

#[tokio::test(start_paused = true)]
async fn a_key_is_used_for_what_it_says_only() {
    let fine = [
        json!({ "use": "sig" }),
        json!({ "key_ops": ["verify"] }),
        json!({ "key_ops": ["sign", "verify"] }),
        json!({ "alg": "ES256" }),
        json!({ "x5c": ["MIIB"], "unknown": { "a": 1 } }),
    ];
    let unfit = [
        json!({ "use": "enc" }),
        json!({ "use": "" }),
        json!({ "key_ops": [] }),
        json!({ "key_ops": ["encrypt"] }),
        json!({ "alg": "ES384" }),
        json!({ "alg": "RS256" }),
        json!({ "alg": "none" }),
        json!({ "use": "sig", "key_ops": ["sign"] }),
    ];
    let rows = fine.map(|row| (row, ada())).into_iter().chain(unfit.map(|row| (row, no(MISFIT))));
    for (changes, expected) in rows {
        // The second key keeps the set usable when the first is not.
        let issuer = Issuer::with(&[EC.jwk_with(changes.clone()), ED.jwk()]);
        let authenticator = issuer.authenticator(&settings(|_| {}));
        assert_eq!(verdict(&authenticator, &EC.good_token()).await, expected, "{changes}");
        assert_eq!(verdict(&authenticator, &EC.good_token()).await, expected, "{changes}");
        assert_eq!(issuer.calls(), 1, "{changes}: a key that is known and unfit is not asked for again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_serves_the_accepted_algorithms_only() {
    let issuer = Issuer::with(&[RSA.jwk_with(json!({ "alg": "RS256" })), EC.jwk()]);
    let authenticator = issuer.authenticator(&settings(|issuer| {
        issuer.algorithms = vec!["RS256".to_owned(), "PS256".to_owned()];
    }));
    let by = |algorithm: &str| RSA.token(json!({ "alg": algorithm }), json!({}));
    assert_eq!(verdict(&authenticator, &by("RS256")).await, ada());
    assert_eq!(verdict(&authenticator, &by("PS256")).await, no(MISFIT), "accepted, but the key says RS256");
    let refused = no("the token's algorithm is not accepted");
    assert_eq!(verdict(&authenticator, &by("RS512")).await, refused);
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, refused);
}

#[tokio::test(start_paused = true)]
async fn without_a_kid_the_key_must_be_clear() {
    let nameless = EC.token(json!({ "kid": null }), json!({}));
    let table = [
        (vec![EC.jwk()], ada()),
        (vec![EC.jwk_with(json!({ "kid": null })), RSA.jwk()], ada()),
        (vec![EC.jwk(), EC_2.jwk_with(json!({ "use": "enc" }))], ada()),
        (vec![EC.jwk(), EC_2.jwk()], no(MISFIT)),
        (vec![RSA.jwk()], no(MISFIT)),
    ];
    for (keys, expected) in table {
        let issuer = Issuer::with(&keys);
        let authenticator = issuer.authenticator(&settings(|_| {}));
        assert_eq!(verdict(&authenticator, &nameless).await, expected, "{keys:?}");
        assert_eq!(issuer.calls(), 1);
    }
    let issuer = Issuer::with(&[EC.jwk_with(json!({ "kid": null }))]);
    let authenticator = issuer.authenticator(&settings(|_| {}));
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, no(UNKNOWN), "a kid is no wildcard");
}

#[tokio::test(start_paused = true)]
async fn of_two_keys_with_one_name_the_first_of_its_algorithm_counts() {
    let issuer = Issuer::with(&[RSA.jwk_with(json!({ "kid": "ec-1" })), EC.jwk(), STRANGER.jwk()]);
    let authenticator = issuer.authenticator(&settings(|_| {}));
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada());
    assert_eq!(verdict(&authenticator, &RSA.token(json!({ "kid": "ec-1" }), json!({}))).await, ada());
    let expected = no("the token's signature does not hold");
    assert_eq!(verdict(&authenticator, &STRANGER.good_token()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_cannot_be_used_is_a_failed_fetch() {
    let set = |keys: Value| json!({ "keys": keys }).to_string();
    let n = RSA.jwk()["n"].as_str().unwrap().to_owned();
    let short = RSA.jwk_with(json!({ "n": encode([&[0xc1; 127][..], &[1]].concat()) }));
    let off_curve = EC.jwk_with(json!({ "y": EC.jwk()["x"] }));
    let table: Vec<(&str, String)> = vec![
        ("empty", String::new()),
        ("no JSON", "<html>".to_owned()),
        ("no keys", "{}".to_owned()),
        ("none in it", set(json!([]))),
        ("keys twice", format!("{{\"keys\":[],\"keys\":[{}]}}", EC.jwk())),
        ("a secret", set(json!([{ "kty": "oct", "kid": "ec-1", "k": encode([7; 32]) }]))),
        ("not for signatures", set(json!([EC.jwk_with(json!({ "use": "enc" }))]))),
        ("short RSA key", set(json!([short]))),
        ("long RSA key", set(json!([RSA.jwk_with(json!({ "n": encode([0xc1; 1025]) }))]))),
        ("2047 bits", set(json!([RSA.jwk_with(json!({ "n": encode([0x7f; 256]) }))]))),
        ("exponent 1", set(json!([RSA.jwk_with(json!({ "e": encode([0, 1]) }))]))),
        ("exponent 0", set(json!([RSA.jwk_with(json!({ "e": encode([0]) }))]))),
        ("even modulus", set(json!([RSA.jwk_with(json!({ "n": encode([0xc2; 256]) }))]))),
        ("even exponent", set(json!([RSA.jwk_with(json!({ "e": encode([4]) }))]))),
        ("padded modulus", set(json!([RSA.jwk_with(json!({ "n": format!("{n}=") }))]))),
        ("zero modulus", set(json!([RSA.jwk_with(json!({ "n": encode([0; 256]) }))]))),
        ("point off the curve", set(json!([off_curve]))),
        ("point too short", set(json!([EC.jwk_with(json!({ "x": encode([1; 31]) }))]))),
        ("unknown curve", set(json!([EC.jwk_with(json!({ "crv": "secp256k1" }))]))),
        ("Ed25519 too short", set(json!([ED.jwk_with(json!({ "x": encode([1; 31]) }))]))),
        ("kid too long", set(json!([EC.jwk_with(json!({ "kid": "k".repeat(257) }))]))),
        ("member twice", format!("{{\"keys\":[{}]}}", EC.jwk().to_string().replacen('{', "{\"kty\":\"EC\",", 1))),
        ("too many", set(json!(vec![EC.jwk(); 65]))),
        ("too long", format!("{}{}", set(json!([EC.jwk()])), " ".repeat(256 * 1024))),
    ];
    for (name, document) in table {
        let issuer = Issuer::down();
        issuer.answer(document);
        let authenticator = issuer.authenticator(&settings(|_| {}));
        assert_eq!(verdict(&authenticator, &EC.good_token()).await, cannot_tell(), "{name}");
    }
    let sign_octet = RSA.jwk_with(json!({ "n": format!("AAAA{n}") }));
    let strange = json!({ "kty": "lattice" });
    let issuer = Issuer::with(&[strange, json!(7), sign_octet]);
    let authenticator = issuer.authenticator(&settings(|_| {}));
    assert_eq!(verdict(&authenticator, &RSA.good_token()).await, ada(), "what is not understood is passed over");
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_accepted_after_one_fetch_and_a_removed_one_until_the_next() {
    let issuer = Issuer::with(&[EC.jwk()]);
    let authenticator = issuer.authenticator(&settings(|_| {}));
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada());
    issuer.publish(&[EC.jwk(), EC_2.jwk()]);
    assert_eq!(verdict(&authenticator, &EC_2.good_token()).await, ada());
    assert_eq!(issuer.calls(), 2);

    issuer.publish(&[EC_2.jwk()]);
    tokio::time::advance(Duration::from_secs(599)).await;
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada());
    settle().await;
    assert_eq!(issuer.calls(), 2, "not old enough yet");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada(), "the held set serves the one who renews it");
    settle().await;
    assert_eq!(issuer.calls(), 3);
    // Unknown now; the fetch that this allows does not bring it back.
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, no(UNKNOWN));
    assert_eq!(verdict(&authenticator, &EC_2.good_token()).await, ada());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_kids_is_one_fetch_in_thirty_seconds() {
    let issuer = Issuer::with(&[EC.jwk()]);
    let authenticator = issuer.authenticator(&settings(|_| {}));
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada());
    for (round, fetches) in [(0, 2), (1, 3), (2, 4)] {
        for number in 0..200 {
            let token = STRANGER.token(json!({ "kid": format!("k{round}-{number}") }), json!({}));
            assert_eq!(verdict(&authenticator, &token).await, no(UNKNOWN));
        }
        assert_eq!(issuer.calls(), fetches, "round {round}");
        tokio::time::advance(Duration::from_secs(29)).await;
        let token = STRANGER.token(json!({ "kid": "late" }), json!({}));
        assert_eq!(verdict(&authenticator, &token).await, no(UNKNOWN));
        assert_eq!(issuer.calls(), fetches, "round {round}, before the pause ends");
        tokio::time::advance(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_fetch_is_not_repeated_for_an_unknown_kid() {
    let issuer = Issuer::with(&[EC.jwk()]);
    let authenticator = issuer.authenticator(&settings(|_| {}));
    assert_eq!(verdict(&authenticator, &EC_2.good_token()).await, no(UNKNOWN));
    assert_eq!(issuer.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_tokens_share_one_fetch() {
    let issuer = Issuer::with(&[EC.jwk()]);
    issuer.slow(Duration::from_millis(100));
    let authenticator = issuer.authenticator(&settings(|_| {}));
    let tokens: Vec<_> = (0..100).map(|n| EC.token(json!({}), json!({ "jti": n }))).collect();
    let all = futures::future::join_all(tokens.iter().map(|token| verdict(&authenticator, token))).await;
    assert!(all.iter().all(|one| *one == ada()));
    assert_eq!(issuer.calls(), 1);

    issuer.publish(&[EC.jwk(), EC_2.jwk()]);
    let tokens: Vec<_> = (0..100).map(|n| EC_2.token(json!({}), json!({ "jti": n }))).collect();
    let all = futures::future::join_all(tokens.iter().map(|token| verdict(&authenticator, token))).await;
    assert!(all.iter().all(|one| *one == ada()));
    assert_eq!(issuer.calls(), 2);

    tokio::time::advance(Duration::from_secs(600)).await;
    let all = futures::future::join_all(tokens.iter().map(|token| present(&authenticator, token))).await;
    assert!(all.iter().all(|one| one.as_ref().is_err_and(|error| error.detail() == Some("token expired"))));
    let fresh = EC_2.good_token();
    let all = futures::future::join_all((0..100).map(|_| verdict(&authenticator, &fresh))).await;
    assert!(all.iter().all(|one| *one == ada()));
    settle().await;
    assert_eq!(issuer.calls(), 3, "a set that is old is renewed once, and nobody waits");
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_at_start_fails_closed_and_is_not_hammered() {
    let issuer = Issuer::down();
    let authenticator = issuer.authenticator(&settings(|_| {}));
    for _ in 0..50 {
        let error = present(&authenticator, &EC.good_token()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::IssuerUnavailable);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    }
    assert_eq!(issuer.calls(), 1);
    issuer.publish(&[EC.jwk()]);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada());
    assert_eq!(issuer.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_goes_down_leaves_its_last_good_set_for_a_day() {
    let issuer = Issuer::with(&[EC.jwk()]);
    let authenticator = issuer.authenticator(&settings(|_| {}));
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada());
    for broken in [None, Some("<html>"), Some(r#"{"keys":[]}"#)] {
        match broken {
            None => issuer.stop(),
            Some(document) => issuer.answer(document),
        }
        tokio::time::advance(Duration::from_secs(700)).await;
        let calls = issuer.calls();
        for _ in 0..50 {
            assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada(), "{broken:?}");
            settle().await;
        }
        assert_eq!(issuer.calls(), calls + 1, "{broken:?}");
        // This key may be one that the issuer has made since: nobody can tell.
        assert_eq!(verdict(&authenticator, &EC_2.good_token()).await, cannot_tell(), "{broken:?}");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(verdict(&authenticator, &EC_2.good_token()).await, cannot_tell(), "{broken:?}");
    }
    tokio::time::advance(Duration::from_secs(86_400)).await;
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, cannot_tell());
    tokio::time::advance(Duration::from_secs(1)).await;
    issuer.publish(&[EC.jwk()]);
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada());
    for _ in 0..2 {
        assert_eq!(verdict(&authenticator, &EC_2.good_token()).await, no(UNKNOWN), "the outage is over");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_ends_in_time_and_outlives_the_one_who_began_it() {
    let issuer = Issuer::with(&[EC.jwk()]);
    issuer.slow(Duration::from_secs(3600));
    let authenticator = issuer.authenticator(&settings(|_| {}));
    let before = clock::now();
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, cannot_tell());
    assert_eq!(clock::now() - before, Duration::from_secs(5));

    issuer.slow(Duration::from_millis(200));
    tokio::time::advance(Duration::from_secs(1)).await;
    let token = EC.good_token();
    let impatient = tokio::time::timeout(Duration::from_millis(10), present(&authenticator, &token)).await;
    assert!(impatient.is_err());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(verdict(&authenticator, &token).await, ada());
    assert_eq!(issuer.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_is_a_failed_fetch() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let fetch = move |_: &str| {
        assert!(count.fetch_add(1, Ordering::SeqCst) > 0, "the first call panics");
        let document = json!({ "keys": [EC.jwk()] }).to_string();
        async move { Ok(Bytes::from(document)) }
    };
    let authenticator = Authenticator::new(&settings(|_| {}), Arc::new(fetch)).unwrap();
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, cannot_tell());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada());
    assert_eq!(verdict(&authenticator, &EC_384.good_token()).await, no(UNKNOWN));
}

#[test]
fn a_fetch_that_ended_with_its_runtime_is_begun_anew() {
    let issuer = Issuer::with(&[EC.jwk()]);
    issuer.slow(Duration::from_millis(200));
    let authenticator = issuer.authenticator(&settings(|_| {}));
    let paused = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    paused().block_on(async {
        let token = EC.good_token();
        let short = tokio::time::timeout(Duration::from_millis(10), present(&authenticator, &token)).await;
        assert!(short.is_err());
    });
    paused().block_on(async {
        assert_eq!(verdict(&authenticator, &EC.good_token()).await, cannot_tell());
        assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada());
    });
    assert_eq!(issuer.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rotation_under_load_refuses_nobody() {
    let issuer = Issuer::with(&[EC.jwk()]);
    let authenticator = Arc::new(issuer.authenticator(&settings(|_| {})));
    assert_eq!(verdict(&authenticator, &EC.good_token()).await, ada());
    issuer.publish(&[EC_2.jwk()]);
    let callers = (0..200).map(|number| {
        let authenticator = Arc::clone(&authenticator);
        let token = EC_2.token(json!({}), json!({ "jti": number }));
        tokio::spawn(async move { verdict(&authenticator, &token).await })
    });
    for caller in futures::future::join_all(callers).await {
        assert_eq!(caller.unwrap(), ada());
    }
    assert_eq!(issuer.calls(), 2);
}
