//! Who may come in: keys, their rotation, an issuer that is down, and tokens that are none.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mock_services::{Faults, Options, Reply, Service, SigningKeys, TokenRequest};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::tiny::Tiny;
use crate::world::{Answer, World, backends, within};

fn orders(world: &World, authorization: impl AsRef<str>) -> RequestBuilder {
    world.request(Method::GET, "/orders").header("authorization", authorization.as_ref())
}

fn bearer(token: impl AsRef<str>) -> String {
    format!("Bearer {}", token.as_ref())
}

/// How often the keys were fetched.
fn fetched(world: &World) -> usize {
    world.seen(Service::Identity)
}

/// Six clients go on asking, each always with the newest token there is or with the first, while the issuer changes its
/// keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_changed_while_requests_run() {
    // Nothing is remembered, so that each request asks for a key.
    let world = World::with(|settings| settings.auth.remember = Duration::ZERO).await;
    let world = Arc::new(world);
    let token = Arc::new(Mutex::new(world.token("ada")));
    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let client = |number: usize| {
        let (world, token, done, answered) = (world.clone(), token.clone(), done.clone(), answered.clone());
        tokio::spawn(async move {
            let first = token.lock().unwrap().clone();
            while !done.load(Ordering::Relaxed) {
                // The key of the first token is still published.
                let own = if number.is_multiple_of(2) { token.lock().unwrap().clone() } else { first.clone() };
                let answer = Answer::to(orders(&world, bearer(own))).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                answered.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let clients: Vec<_> = (0..6).map(client).collect();
    let enough = async |more: usize| {
        let until = answered.load(Ordering::Relaxed) + more;
        within(async {
            while answered.load(Ordering::Relaxed) < until && clients.iter().all(|client| !client.is_finished()) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    };
    enough(60).await;
    assert_eq!(fetched(&world), 1, "one fetch for all of them");
    world.mocks.rotate_keys(false).unwrap();
    *token.lock().unwrap() = world.token("ada");
    enough(120).await;
    done.store(true, Ordering::Relaxed);
    for client in clients {
        within(client).await.unwrap();
    }
    assert_eq!(fetched(&world), 2, "one more for the new keys");
}

/// A key that is not published any more is not believed any more, once that is known.
#[tokio::test]
async fn a_key_that_was_withdrawn() {
    let world = World::start().await;
    let old = world.token("u2");
    assert_eq!(Answer::to(orders(&world, bearer(&old))).await.status, 200);
    world.mocks.rotate_keys(true).unwrap();
    assert_eq!(world.get_as("ada", "/orders").await.status, 200);
    Answer::to(orders(&world, bearer(old))).await.assert_problem(401, "unauthenticated");
}

/// With the pause as shipped: the first rotation is followed at once.
#[tokio::test]
async fn a_new_key_is_fetched_at_once() {
    let world = World::start().await;
    assert_eq!(world.get_as("ada", "/orders").await.status, 200);
    world.mocks.rotate_keys(false).unwrap();
    assert_eq!(world.get_as("ada", "/orders").await.status, 200);
    assert_eq!(fetched(&world), 2);
}

/// Whoever invents keys makes us ask the issuer once, not each time.
#[tokio::test]
async fn an_invented_key_is_asked_for_once() {
    let world = World::start().await;
    assert_eq!(world.get_as("ada", "/orders").await.status, 200);
    for number in 0..20 {
        let answer = Answer::to(orders(&world, bearer(foreign(&format!("invented-{number}"))))).await;
        answer.assert_problem(401, "unauthenticated");
    }
    assert_eq!(fetched(&world), 2);
    assert_eq!(world.get_as("u2", "/orders").await.status, 200, "those who are known come in");
}

#[tokio::test]
async fn the_issuer_is_down_at_the_start() {
    let mocks = mock_services::start(Options {
        keys: Some(crate::world::keys()),
        faults: vec![(Service::Identity, Faults { refuse: true, ..Faults::default() })],
        ..Options::default()
    });
    let mocks = mocks.await.unwrap();
    let mut settings = crate::world::settings(&mocks);
    settings.auth.issuers.get_mut("main").unwrap().retry_pause = Duration::from_millis(100);
    let mobile = crate::world::Served::start(&bff_mobile::bff(), settings).await;
    let world = World { mocks, mobile, client: crate::world::client() };
    let token = world.token("ada");

    assert_eq!(world.get("/product-page/42").await.parts(), [json!(null); 0], "nobody had to be known for that");
    assert_eq!(world.get("/home").await.status, 200);
    let before = world.all_seen().len();
    for path in ["/orders", "/cart"] {
        // Not a 401: whoever is told so throws away a token that is good.
        let answer = Answer::to(world.request(Method::GET, path).bearer_auth(&token)).await;
        let problem = answer.assert_problem(503, "unavailable");
        assert_eq!(problem.get("part"), None, "{problem}");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
        assert_eq!(answer.header("www-authenticate"), "");
    }
    // Without a token there is nothing to check.
    world.get("/orders").await.assert_problem(401, "unauthenticated");
    Answer::to(orders(&world, "Bearer x.y.z")).await.assert_problem(401, "unauthenticated");
    assert_eq!(world.all_seen().len(), before, "a backend was asked");

    world.fault(Service::Identity, Faults::default());
    within(async { while Answer::to(orders(&world, bearer(&token))).await.status != 200 {} }).await;
}

/// The keys are old after a second; until one fetch after another has failed, everybody who is known comes in.
#[tokio::test]
async fn the_issuer_is_down_later() {
    let world = World::with(|settings| {
        settings.auth.remember = Duration::ZERO;
        let issuer = settings.auth.issuers.get_mut("main").unwrap();
        issuer.refresh = Duration::from_secs(1);
        issuer.retry_pause = Duration::from_millis(100);
    })
    .await;
    assert_eq!(world.get_as("ada", "/orders").await.status, 200);
    for faults in [
        Faults { error_status: Some(500), ..Faults::default() },
        Faults { garbage: true, ..Faults::default() },
        Faults { wrong_content_type: true, ..Faults::default() },
        Faults { truncate: true, ..Faults::default() },
    ] {
        world.fault(Service::Identity, faults.clone());
        let before = fetched(&world);
        within(async {
            while fetched(&world) == before {
                assert_eq!(
                    world.get_as("ada", "/orders").await.status,
                    200,
                    "{faults:?}: the keys that are held go on"
                );
            }
        })
        .await;
        within(world.mocks.wait_finished(Service::Identity, before + 1)).await;
    }
    world.fault(Service::Identity, Faults { refuse: true, ..Faults::default() });
    for user in ["ada", "u2", "u3"] {
        assert_eq!(world.get_as(user, "/orders").await.status, 200);
    }
    // A key that nobody here has seen cannot be checked now; that is not the token's fault.
    world.mocks.rotate_keys(false).unwrap();
    world.get_as("ada", "/orders").await.assert_problem(503, "unavailable");
}

/// Signed by somebody else, under a key of this name.
fn foreign(kid: &str) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
    let forged = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(b"mine")).unwrap();
    // HS256 is refused for itself; what matters here is the key.
    let (_, rest) = forged.split_once('.').unwrap();
    format!("{}.{rest}", segment(&json!({ "alg": "RS256", "kid": kid, "typ": "JWT" })))
}

/// What the identity service would say of ada.
fn claims() -> Value {
    json!({
        "iss": "http://identity.mock", "sub": "ada", "aud": ["bff-mobile"], "exp": 4_102_444_800_u64, "iat": 1, "nbf": 1,
        "roles": ["user"], "scope": "", "client_id": "mock-login",
    })
}

fn segment(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A good token with something else in its place; the signature is that of before.
fn changed(token: &str, at: usize, change: impl Fn(&mut Value)) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[at]).unwrap()).unwrap();
    change(&mut value);
    parts[at] = segment(&value);
    parts.join(".")
}

#[tokio::test]
async fn what_is_no_token_opens_nothing() {
    let world = World::start().await;
    let good = world.token("ada");
    assert_eq!(Answer::to(orders(&world, bearer(&good))).await.status, 200);
    let keys = world.client.get(format!("{}/.well-known/jwks.json", world.mocks.url(Service::Identity)));
    let keys = Answer::to(keys).await.json();
    let rsa = keys["keys"].as_array().unwrap().iter().find(|key| key["kty"] == "RSA").unwrap();
    let kid = rsa["kid"].as_str().unwrap();
    let parts: Vec<&str> = good.split('.').collect();

    let minted = |change: &dyn Fn(&mut TokenRequest)| {
        let mut wanted = TokenRequest::new("ada");
        change(&mut wanted);
        world.mocks.mint_token(&wanted).unwrap()
    };
    // The public key as a shared secret, in each form in which a library may take it.
    let shared_secret = |secret: &[u8]| {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap()
    };
    let modulus = rsa["n"].as_str().unwrap();
    let others = mock_services::start(Options { keys: Some(SigningKeys::generate().unwrap()), ..Options::default() });
    let others = others.await.unwrap();
    let strangers = others.mint_token(&TokenRequest::new("ada")).unwrap();
    let ec = minted(&|wanted| wanted.alg = "ES256".to_owned());
    let unsigned = |alg: &str| format!("{}.{}.", segment(&json!({ "alg": alg, "typ": "JWT" })), segment(&claims()));
    let with_header = |name: &str, value: Value| changed(&good, 0, |header| header[name] = value.clone());
    let duplicate = format!(
        "{}.{}.{}",
        parts[0],
        URL_SAFE_NO_PAD.encode(r#"{"sub":"u2","sub":"ada","iss":"http://identity.mock"}"#),
        parts[2]
    );

    let tokens: Vec<(&str, String)> = vec![
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("alg NONE", unsigned("NONE")),
        ("alg none, signed", changed(&good, 0, |header| header["alg"] = json!("none"))),
        ("alg empty", unsigned("")),
        (
            "no alg",
            changed(&good, 0, |header| {
                header.as_object_mut().unwrap().remove("alg");
            }),
        ),
        ("HS256 with the modulus", shared_secret(modulus.as_bytes())),
        ("HS256 with the modulus, decoded", shared_secret(&URL_SAFE_NO_PAD.decode(modulus).unwrap())),
        ("HS256 with the whole key", shared_secret(rsa.to_string().as_bytes())),
        ("HS256 with nothing", shared_secret(b"")),
        ("RS512 instead", changed(&good, 0, |header| header["alg"] = json!("RS512"))),
        ("PS256 instead", changed(&good, 0, |header| header["alg"] = json!("PS256"))),
        ("ES256 with the RSA key", changed(&good, 0, |header| header["alg"] = json!("ES256"))),
        ("RS256 with the EC key", changed(&ec, 0, |header| header["alg"] = json!("RS256"))),
        ("another's key", strangers.clone()),
        ("another's key under our name", changed(&strangers, 0, |header| header["kid"] = json!(kid))),
        ("kid of a path", with_header("kid", json!("../../../../dev/null"))),
        ("kid of a query", with_header("kid", json!("' OR 1=1 --"))),
        ("kid that is no text", with_header("kid", json!({ "a": 1 }))),
        ("kid of a novel", with_header("kid", json!("k".repeat(2000)))),
        ("jku", with_header("jku", json!("http://127.0.0.1:9/keys"))),
        ("x5u", with_header("x5u", json!("http://127.0.0.1:9/keys"))),
        ("jwk", with_header("jwk", rsa.clone())),
        ("crit", with_header("crit", json!(["exp"]))),
        ("b64", with_header("b64", json!(false))),
        ("somebody else", changed(&good, 1, |claims| claims["sub"] = json!("u2"))),
        ("more roles", changed(&good, 1, |claims| claims["roles"] = json!(["admin"]))),
        ("longer", changed(&good, 1, |claims| claims["exp"] = json!(4_102_444_800_u64))),
        ("said twice", duplicate),
        ("expired", minted(&|wanted| wanted.ttl_seconds = -3600)),
        ("wrong audience", minted(&|wanted| wanted.audience = vec!["bff-web".to_owned()])),
        ("no audience", minted(&|wanted| wanted.audience = vec![])),
        ("wrong issuer", minted(&|wanted| wanted.issuer = Some("http://identity.mock/".to_owned()))),
        ("another issuer", minted(&|wanted| wanted.issuer = Some("https://evil.example".to_owned()))),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.x")),
        ("cut short", good[..good.len() - 4].to_owned()),
        ("a byte more", format!("{good}A")),
        ("padded", format!("{good}=")),
        ("standard base64", format!("{good}+/")),
        ("empty parts", "..".to_owned()),
        ("a word", "token".to_owned()),
        ("JSON", r#"{"sub":"ada"}"#.to_owned()),
        ("an array for a header", format!("{}.{}.{}", segment(&json!([])), parts[1], parts[2])),
        ("null claims", format!("{}.{}.{}", parts[0], segment(&Value::Null), parts[2])),
        ("16 KiB", format!("{good}{}", "A".repeat(16 * 1024))),
    ];
    world.forget_requests();
    for (name, token) in &tokens {
        let answer = Answer::to(orders(&world, bearer(token))).await;
        let problem = answer.assert_problem(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{name}");
        assert!(token.len() < 20 || !answer.text().contains(&token[..20]), "{name}: {problem}");
        // Public endpoints too: who says who they are has to prove it.
        Answer::to(world.request(Method::GET, "/home").bearer_auth(token)).await.assert_problem(401, "unauthenticated");
    }
    for credentials in [
        "Bearer",
        "Bearer ",
        "Basic YWRhOmFkYQ==",
        &good,
        &format!("Bearer {good} {good}"),
        &format!("Bearer {good},{good}"),
        "Digest x",
        "",
    ] {
        let answer = Answer::to(orders(&world, credentials)).await;
        answer.assert_problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{credentials}");
    }
    let twice = orders(&world, bearer(&good)).header("authorization", bearer(&good));
    Answer::to(twice).await.assert_problem(401, "unauthenticated");
    assert_eq!(
        world.get("/orders").await.header("www-authenticate"),
        "Bearer",
        "nothing was sent, so nothing is wrong with it"
    );
    assert_eq!(world.all_seen().len(), 0, "a backend was asked: {:?}", world.all_seen());
    assert!(fetched(&world) <= 1, "the issuer was asked {} times", fetched(&world));
    // A token that is larger than a head may be.
    let huge = Answer::to(orders(&world, bearer("A".repeat(64 * 1024)))).await;
    assert!([401, 431].contains(&huge.status), "{}", huge.status);
    // The same client, the same connection, a good token.
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(Answer::to(orders(&world, format!("{scheme} {good}"))).await.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn a_role_and_a_scope_are_needed() {
    let mocks = backends().await;
    let tiny = Tiny::start(&mocks, |_| Reply::json(r#"{"name":"desk"}"#)).await;
    let client = crate::world::client();
    let ask = async |roles: &[&str], scopes: &[&str]| {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let wanted =
            TokenRequest { roles: Some(owned(roles)), scopes: Some(owned(scopes)), ..TokenRequest::new("ada") };
        let token = mocks.mint_token(&wanted).unwrap();
        Answer::to(client.get(format!("http://{}/staff", tiny.bff.address)).bearer_auth(token)).await
    };
    for (roles, scopes) in [
        (vec![], vec![]),
        (vec!["user"], vec!["desk:read"]),
        (vec!["staff"], vec![]),
        (vec!["staff"], vec!["desk:write", "desk"]),
        (vec!["Staff"], vec!["desk:read"]),
        (vec!["staffer"], vec!["desk:read"]),
        (vec!["desk:read"], vec!["staff"]),
    ] {
        let answer = ask(&roles, &scopes).await;
        answer.assert_problem(403, "forbidden");
        assert!(!answer.header("www-authenticate").contains("invalid_token"), "the token is as good as any");
    }
    let anonymous = Answer::to(client.get(format!("http://{}/staff", tiny.bff.address))).await;
    anonymous.assert_problem(401, "unauthenticated");
    assert_eq!((tiny.people.requests().len(), tiny.laps.requests().len()), (0, 0), "a backend was asked");
    assert_eq!(ask(&["user", "staff"], &["desk:read", "desk:write"]).await.status, 200);
    assert_eq!(tiny.people.requests().len(), 1);
}
