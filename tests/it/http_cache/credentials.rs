//! RFC 9111 §3.5, and that no two users ever share an answer that is one's own.

use std::collections::BTreeSet;

use bff_core::passthrough::Auth;
use futures::future::join_all;
use mock_services::TokenRequest;

use super::origin::{Gate, Origin, Seen, Step, cc};
use super::route::Route;
use crate::world::{World, settings};

#[tokio::test]
async fn rfc9111_3_5_with_credentials_only_what_says_so_is_kept() {
    for (directives, kept) in [
        ("max-age=60", false),
        ("max-age=60, public", true),
        ("s-maxage=60", true),
        ("max-age=60, must-revalidate", true),
        ("max-age=60, proxy-revalidate", false),
        ("max-age=60, immutable", false),
        ("private, max-age=60", false),
        ("private, max-age=60, public", false),
        ("no-store, public", false),
    ] {
        let route = Route::of([cc(directives)]).await;
        let ask = |who: &str| route.get("/").header("authorization", format!("Bearer {who}"));
        ask("a").await.expect_from_origin(1);
        let second = ask("b").await;
        assert_eq!((second.is_hit(), second.asked), (kept, usize::from(!kept)), "{directives}");
        let anonymous = route.get("/").await;
        assert_eq!(anonymous.is_hit(), kept, "{directives}");
        assert_eq!(route.origin.seen(1).header("authorization"), "Bearer a");
    }
}

#[tokio::test]
async fn rfc9111_3_5_what_is_kept_for_all_is_given_to_whoever_says_who_they_are() {
    let route = Route::of([cc("max-age=60")]).await;
    route.get("/").await.expect_from_origin(1);
    route.get("/").header("authorization", "Bearer a").await.expect_hit();
}

#[tokio::test]
async fn rfc9111_3_5_expires_is_no_leave() {
    let route = Route::of([super::origin::step().header("expires", super::origin::date(600))]).await;
    route.get("/").header("authorization", "Bearer a").await.expect_from_origin(1);
    route.get("/").header("authorization", "Bearer a").await.expect_from_origin(2);
}

/// Says to whom it speaks.
fn personal(seen: &Seen) -> Step {
    cc("max-age=60, public").body(seen.header("authorization"))
}

#[tokio::test]
async fn requests_with_credentials_are_never_answered_together() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::by(move |seen| personal(seen).behind(&held)).await;
    let route = Route::over(&origin).await;
    let users: Vec<String> = (0..8).map(|number| format!("Bearer {number}")).collect();
    let asks = join_all(users.iter().map(|user| route.get("/").header("authorization", user).into_future()));
    let (answers, ()) = futures::join!(asks, async {
        origin.until(8).await;
        gate.open();
    });
    for (user, got) in users.iter().zip(answers) {
        got.expect_body(user);
    }
    assert_eq!(origin.count(), 8);
}

#[tokio::test]
async fn an_anonymous_request_does_not_join_one_with_credentials() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin =
        Origin::by(move |seen| cc("private").body(format!("for {:?}", seen.header("authorization"))).behind(&held))
            .await;
    let route = Route::over(&origin).await;
    let own = route.get("/").header("authorization", "Bearer a").into_future();
    let other = async {
        origin.until(1).await;
        let (got, ()) = futures::join!(route.get("/").into_future(), async {
            origin.until(2).await;
            gate.open();
        });
        got
    };
    let (own, other) = futures::join!(own, other);
    own.expect_body("for \"Bearer a\"");
    other.expect_body("for \"\"");
}

#[tokio::test]
async fn identities_never_share_an_answer() {
    let world = World::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    let origin =
        Origin::by(move |seen| cc("max-age=60, public, s-maxage=60").body(seen.header("x-user-id")).behind(&held))
            .await;
    let route = Route::with(&origin, |own| {
        own.auth = settings(&world.mocks).auth;
        own.routes.get_mut("everything").unwrap().auth = Auth::User;
    })
    .await;
    let tokens: Vec<String> =
        ["ada", "u2"].map(|user| world.mocks.mint_token(&TokenRequest::new(user)).unwrap()).into();
    let ask = |index: usize| route.get("/").header("authorization", format!("Bearer {}", tokens[index])).into_future();
    // Each twice at once: one call for each identity, however many ask.
    let asks = join_all([ask(0), ask(1), ask(0), ask(1)]);
    let (answers, ()) = futures::join!(asks, async {
        origin.until(2).await;
        gate.open();
    });
    let bodies: Vec<String> = answers.iter().map(super::route::Got::text).collect();
    assert_eq!((&bodies[0], &bodies[1]), (&bodies[2], &bodies[3]));
    assert_eq!(bodies.iter().collect::<BTreeSet<_>>().len(), 2, "{bodies:?}");
    for (index, body) in bodies.iter().take(2).enumerate() {
        ask(index).await.expect_hit().expect_body(body);
    }
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn rfc9111_5_2_2_7_a_cache_of_one_identity_may_keep_what_is_private() {
    let world = World::start().await;
    let origin = Origin::by(|seen| cc("private, max-age=60").body(seen.header("x-user-id"))).await;
    let route = Route::with(&origin, |own| {
        own.auth = settings(&world.mocks).auth;
        own.routes.get_mut("everything").unwrap().auth = Auth::User;
    })
    .await;
    let ask = |user: &str| route.get("/").header("authorization", format!("Bearer {}", world.token(user)));
    let first = ask("ada").await;
    ask("ada").await.expect_hit().expect_body(&first.text());
    let other = ask("u2").await;
    assert!(!other.is_hit() && other.text() != first.text());
    assert_eq!(route.get("/").await.status(), 401);
}

#[tokio::test]
async fn rfc9111_4_1_what_varies_on_credentials_is_kept_for_each() {
    let origin = Origin::by(|seen| personal(seen).header("vary", "authorization")).await;
    let route = Route::over(&origin).await;
    let ask = |user: &str| route.get("/").header("authorization", user);
    for user in ["Bearer a", "Bearer b"] {
        assert_eq!(ask(user).await.expect_body(user).asked, 1);
    }
    for user in ["Bearer a", "Bearer b"] {
        ask(user).await.expect_hit().expect_body(user);
    }
    assert_eq!(route.get("/").await.expect_body("").asked, 1);
}

#[tokio::test]
async fn what_a_refresh_in_somebodys_name_brings_is_not_handed_to_another() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::by(move |seen| match seen.number {
        1 => cc("public, max-age=60, stale-while-revalidate=600").header("age", "100"),
        _ => cc("private, max-age=60").body(format!("for {:?}", seen.header("authorization"))).behind(&held),
    })
    .await;
    let route = Route::over(&origin).await;
    route.get("/").await;
    // The answer that is kept, and a refresh with the credentials of whoever asks.
    route.get("/").header("authorization", "Bearer a").await.expect_stale();
    origin.until(2).await;
    // Who wants nothing that is kept gets an answer of their own.
    let other = route.get("/").header("cache-control", "no-cache").into_future();
    let (other, ()) = futures::join!(other, async {
        // It asks for itself; if it does not, it has come by now, and waits for the refresh.
        route.arrived(1).await;
        gate.open();
    });
    other.expect_body("for \"\"");
}

#[tokio::test]
async fn rfc9111_4_what_may_not_be_kept_is_for_nobody_but_who_asked() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin =
        Origin::by(move |seen| cc("private").body(format!("for {:?}", seen.header("x-api-key"))).behind(&held)).await;
    let route = Route::over(&origin).await;
    let own = route.bff.raw("GET / HTTP/1.1\r\nhost: a.example\r\nx-api-key: a\r\n\r\n").await;
    origin.until(1).await;
    let (other, ()) = futures::join!(route.get("/").header("host", "a.example").into_future(), async {
        route.arrived(1).await;
        // Whose answer it is does not wait for it any longer.
        drop(own);
        route.arrived(1).await;
        gate.open();
    });
    other.expect_body("for \"\"");
}
