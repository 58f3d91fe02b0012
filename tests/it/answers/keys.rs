//! K15, K16 and K07c: key sets as they are served, and claims where they stand.

use std::io::Write;
use std::time::Duration;

use bff_core::config::Settings;
use bff_core::settings::{Check, Mistakes};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use mock_services::{Reply, Service, TokenRequest, scripted};
use serde_json::json;

use crate::world::{Answer, Served, World, backends, client, settings};

/// The mobile BFF whose key set is served by `change` of what the mock serves.
async fn keys(change: impl FnOnce(String) -> Reply, more: impl FnOnce(&mut Settings)) -> World {
    let mocks = backends().await;
    let url = format!("{}/.well-known/jwks.json", mocks.url(Service::Identity));
    let reply = change(Answer::to(client().get(url)).await.text());
    let at = crate::scripted::scripted("", move |_, _| Some(super::bytes(&reply))).await;
    let mut settings = settings(&mocks);
    for issuer in settings.auth.issuers.values_mut() {
        issuer.jwks_url = format!("http://{at}/keys");
    }
    more(&mut settings);
    let mobile = Served::start(&bff_mobile::bff(), settings).await;
    World { mocks, mobile, client: client() }
}

fn ok(body: impl Into<Vec<u8>>) -> Reply {
    Reply::new(StatusCode::OK, body.into())
}

fn gzip(text: &str) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap()
}

#[tokio::test]
async fn k15a_a_key_set_is_read_for_what_it_is() {
    for kind in ["application/octet-stream", "text/plain", "text/json; charset=utf-8", "application/jwk-set+json", ""] {
        let world = keys(|sound| if kind.is_empty() { ok(sound) } else { ok(sound).with(CONTENT_TYPE, kind) }, |_| {});
        assert_eq!(world.await.get_as("ada", "/orders").await.status, 200, "{kind}");
    }
    for wrong in ["<html>", "{}", "[]", "", "null", r#"{"keys":[]}"#] {
        let world = keys(|_| ok(wrong).with(CONTENT_TYPE, "text/plain"), |_| {}).await;
        world.get_as("ada", "/orders").await.assert_problem(503, "unavailable");
    }
}

#[tokio::test]
async fn k02d_a_key_set_behind_a_mark() {
    let world = keys(|sound| ok(format!("\u{FEFF}{sound}")), |_| {}).await;
    assert_eq!(world.get_as("ada", "/orders").await.status, 200);
    // Only the mark: nothing else of it is guessed at.
    for wrong in [r#","x":"\ud83d"}"#, "} x", "}{}"] {
        let world = keys(|sound| ok(format!("{}{wrong}", sound.trim_end().strip_suffix('}').unwrap())), |_| {}).await;
        let status = world.get_as("ada", "/orders").await.status;
        assert_eq!(status, if wrong.contains("ud83d") { 200 } else { 503 }, "{wrong}");
    }
    let world = keys(
        |sound| ok([sound.trim_end().strip_suffix('}').unwrap().as_bytes(), b",\"x\":\"\xE9\"}"].concat()),
        |_| {},
    );
    world.await.get_as("ada", "/orders").await.assert_problem(503, "unavailable");
}

#[tokio::test]
async fn k07c_a_key_set_that_comes_compressed() {
    for coding in ["gzip", "x-gzip"] {
        let world = keys(|sound| ok(gzip(&sound)).with(CONTENT_ENCODING, coding), |_| {}).await;
        assert_eq!(world.get_as("ada", "/orders").await.status, 200);
    }
}

#[tokio::test]
async fn what_is_written_of_a_fetch_holds() {
    // Longer than the limit, also where it is short on the way.
    for zipped in [false, true] {
        let long = |sound: String| {
            let long = format!("{sound}{}", " ".repeat(20_000));
            if zipped { ok(gzip(&long)).with(CONTENT_ENCODING, "gzip") } else { ok(long) }
        };
        let limit = |kib| {
            move |settings: &mut Settings| {
                settings
                    .auth
                    .issuers
                    .values_mut()
                    .for_each(|issuer| issuer.max_document = bytesize::ByteSize::kib(kib));
            }
        };
        keys(long, limit(16)).await.get_as("ada", "/orders").await.assert_problem(503, "unavailable");
        assert_eq!(keys(long, limit(64)).await.get_as("ada", "/orders").await.status, 200);
    }
    // More than the stack allows by default: 1 MiB.
    let world = keys(
        |sound| ok(format!("{sound}{}", " ".repeat(2 << 20))),
        |settings| {
            settings.auth.issuers.values_mut().for_each(|issuer| issuer.max_document = bytesize::ByteSize::mib(3))
        },
    );
    assert_eq!(world.await.get_as("ada", "/orders").await.status, 200);
}

/// The mobile BFF with these settings of its issuer.
async fn with_issuer(change: impl Fn(&mut bff_core::auth::IssuerSettings)) -> World {
    World::with(|settings| settings.auth.issuers.values_mut().for_each(change)).await
}

/// What comes of a token with these claims, on a route for admins.
async fn as_admin(roles_claim: &str, claims: serde_json::Value) -> u16 {
    let backend = scripted::start(|_| Reply::json("{}")).await.unwrap();
    let url = backend.url();
    let world = World::with(|settings| {
        settings.auth.issuers.values_mut().for_each(|issuer| issuer.roles_claim = roles_claim.to_owned());
        let upstream = bff_core::upstream::UpstreamSettings { url, ..settings.upstreams["catalog"].clone() };
        settings.upstreams.insert("x".to_owned(), upstream);
        let route = "[routes.x]\npath = '/x/*'\nupstream = 'x'\nauth = 'user'\nroles = ['admin']";
        settings.routes.extend(Settings::from_toml(route).unwrap().routes);
    });
    let world = world.await;
    let mut wish = TokenRequest::new("ada");
    wish.more = claims.as_object().unwrap().clone();
    let token = world.mocks.mint_token(&wish).unwrap();
    Answer::to(world.request(reqwest::Method::GET, "/x/y").bearer_auth(token)).await.status
}

#[tokio::test]
async fn k16a_roles_in_an_object() {
    let keycloak =
        json!({ "realm_access": { "roles": ["admin"] }, "resource_access": { "my.app": { "roles": ["admin"] } } });
    for (claim, claims, status) in [
        ("realm_access.roles", keycloak.clone(), 200),
        ("/realm_access/roles", keycloak.clone(), 200),
        ("/resource_access/my.app/roles", keycloak.clone(), 200),
        ("realm_access.groups", keycloak, 403),
        // An object is no list, and nobody guesses.
        ("nested", json!({ "nested": { "roles": ["admin"] } }), 401),
        ("https://shop.example.com/roles", json!({ "https://shop.example.com/roles": ["admin"] }), 200),
        ("a.roles", json!({ "a.roles": ["admin"], "a": { "roles": ["guest"] } }), 200),
        ("a.roles", json!({ "a.roles": ["guest"], "a": { "roles": ["admin"] } }), 403),
    ] {
        assert_eq!(as_admin(claim, claims).await, status, "{claim}");
    }
}

#[tokio::test]
async fn k16a_check_tells_of_claims_that_are_objects() {
    let mut settings = crate::world::shipped();
    settings.auth.issuers.values_mut().for_each(|issuer| issuer.roles_claim = "realm_access".to_owned());
    let mut mistakes = Mistakes::default();
    settings.check(&mut mistakes);
    let mistakes: Vec<String> = mistakes.into_inner().iter().map(ToString::to_string).collect();
    assert!(
        mistakes.iter().any(|mistake| mistake.contains("roles_claim") && mistake.contains("realm_access.roles")),
        "{mistakes:?}"
    );
}

#[tokio::test]
async fn a_token_that_does_not_hold_closes_no_documentation() {
    let world = with_issuer(|issuer| issuer.leeway = Duration::ZERO).await;
    let mut expired = TokenRequest::new("ada");
    expired.ttl_seconds = -60;
    let expired = world.mocks.mint_token(&expired).unwrap();
    for token in ["x", "a.b.c", &expired] {
        let get =
            async |path: &str| Answer::to(world.request(reqwest::Method::GET, path).bearer_auth(token)).await.status;
        for path in ["/docs/", "/openapi.json", "/problems/timeout"] {
            assert_eq!(get(path).await, 200, "{path}");
        }
        assert_eq!(get("/docs").await, 308);
        assert_eq!(get("/problems/none").await, 404);
        // Pages are another thing.
        assert_eq!(get("/home").await, 401);
    }
}
