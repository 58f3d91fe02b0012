//! RFC 9211: how an answer was come by, in `Cache-Status`.

use sfv::{ListEntry, Parser};

use super::origin::{Gate, Origin, cc, not_modified, step};
use super::route::{Route, pass};

fn old() -> super::origin::Step {
    cc("max-age=60").header("age", "100").header("etag", "\"a\"")
}

#[tokio::test]
async fn rfc9211_2_1_a_hit_and_what_is_left_of_its_time() {
    let route = Route::of([cc("max-age=600").header("age", "100")]).await;
    assert_eq!(route.get("/").await.how(), "fwd=uri-miss; stored");
    assert_eq!(route.get("/").await.how(), "hit; ttl=499");
    pass(100).await;
    assert_eq!(route.get("/").await.how(), "hit; ttl=399");
    assert_eq!(route.head("/").await.how(), "hit; ttl=399");
}

#[tokio::test]
async fn rfc9211_2_4_what_is_past_its_time_has_a_negative_ttl() {
    let route = Route::of([cc("max-age=60, stale-while-revalidate=600"), step().status(500)]).await;
    route.get("/").await;
    pass(100).await;
    assert_eq!(route.get("/").await.how(), "hit; ttl=-40; detail=refreshing");
    assert_eq!(
        route.get("/").header("cache-control", "max-stale").await.how().split("; detail").next(),
        Some("hit; ttl=-40")
    );
}

#[tokio::test]
async fn rfc9211_2_2_why_it_was_forwarded() {
    let origin = Origin::by(|seen| match seen.target.as_str() {
        "/varies" => cc("max-age=60").header("vary", "x-a"),
        "/old" if seen.header("if-none-match") == "\"a\"" => not_modified().header("age", "100"),
        "/old" => old(),
        "/never" => cc("no-store"),
        "/part" => step().status(206).header("content-range", "bytes 0-1/9"),
        _ => cc("max-age=60"),
    })
    .await;
    let route = Route::over(&origin).await;
    let get = |path: &str| route.get(path);
    assert_eq!(get("/never").await.how(), "fwd=uri-miss");
    assert_eq!(get("/varies").await.how(), "fwd=uri-miss; stored");
    assert_eq!(get("/varies").header("x-a", "1").await.how(), "fwd=vary-miss; stored");
    assert_eq!(get("/old").await.how(), "fwd=uri-miss; stored");
    assert_eq!(get("/old").await.how(), "fwd=stale; fwd-status=304; stored");
    assert_eq!(get("/a").await.how(), "fwd=uri-miss; stored");
    assert_eq!(get("/a").header("cache-control", "no-cache").await.how(), "fwd=request; stored");
    assert_eq!(get("/a").header("cache-control", "no-store").await.how(), "fwd=request");
    assert_eq!(get("/a").header("if-match", "*").await.how(), "fwd=bypass");
    assert_eq!(get("/part").header("range", "bytes=0-1").await.how(), "fwd=partial");
    assert_eq!(route.ask("POST", "/b").await.how(), "fwd=method");
    assert_eq!(route.ask("OPTIONS", "/b").await.how(), "fwd=method");
    assert_eq!(route.head("/c").await.how(), "fwd=uri-miss");
    // What the origin said is what the client is told.
    assert_eq!(get("/old").header("if-none-match", "\"a\"").await.how(), "fwd=stale; stored");
}

#[tokio::test]
async fn rfc9211_2_6_collapsed() {
    let gate = Gate::new();
    let origin = Origin::new([cc("max-age=60").behind(&gate)]).await;
    let route = Route::over(&origin).await;
    let both = futures::future::join_all([route.get("/").into_future(), route.get("/").into_future()]);
    let (both, ()) = futures::join!(both, async {
        origin.until(1).await;
        route.arrived(2).await;
        gate.open();
    });
    let mut how: Vec<String> = both.iter().map(super::route::Got::how).collect();
    how.sort();
    assert_eq!(how, ["fwd=uri-miss; stored", "fwd=uri-miss; stored; collapsed"]);
}

#[tokio::test]
async fn rfc9211_2_it_stands_behind_what_others_say() {
    let step =
        cc("max-age=60").header("cache-status", "origin; hit; ttl=5").header("cache-status", "\"Some CDN\"; fwd=miss");
    let route = Route::of([step]).await;
    for expected in ["fwd=uri-miss; stored", "hit; ttl=59"] {
        let got = route.get("/").await;
        assert_eq!(got.how(), expected);
        let all = got.header("cache-status");
        let list: sfv::List = Parser::new(all.as_str()).parse().unwrap();
        assert_eq!(list.len(), 3, "{all}");
        assert!(all.starts_with("origin; hit; ttl=5, \"Some CDN\"; fwd=miss, bff"), "{all}");
        assert!(list.iter().all(|member| matches!(member, ListEntry::Item(_))));
    }
}

#[tokio::test]
async fn rfc9211_2_a_route_that_keeps_nothing_says_nothing() {
    let origin = Origin::new([cc("max-age=60")]).await;
    let route = Route::with(&origin, |settings| settings.routes.get_mut("everything").unwrap().cache = false).await;
    assert_eq!(route.twice("/").await.header("cache-status"), "");
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn rfc9211_2_3_what_the_origin_said_where_the_client_is_told_something_else() {
    let route = Route::of([cc("max-age=60").header("etag", "\"a\"")]).await;
    let got = route.get("/").header("if-none-match", "\"a\"").await;
    // It came as a 200.
    got.expect_status(304);
    assert_eq!(got.how(), "fwd=uri-miss; fwd-status=200; stored");
}

#[tokio::test]
async fn rfc9211_2_5_not_stored_says_so() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::by(move |seen| if seen.number == 1 { cc("max-age=60").behind(&held) } else { step() }).await;
    let route = Route::over(&origin).await;
    let (old, ()) = futures::join!(route.get("/").into_future(), async {
        origin.until(1).await;
        route.ask("POST", "/").await;
        gate.open();
    });
    // What came is older than the change, and not kept.
    assert!(!route.get("/").await.is_hit());
    assert_eq!(old.how(), "fwd=uri-miss");
}

#[tokio::test]
async fn rfc9211_2_1_what_was_forwarded_is_no_hit() {
    for failure in [step().status(503), step().hang_up()] {
        let route = Route::of([cc("max-age=60, stale-if-error=600").header("age", "100"), failure]).await;
        route.get("/").await;
        let got = route.get("/").await;
        got.expect_stale().expect_body("answer 1");
        assert!(!got.is_hit() && got.how().starts_with("fwd=stale"), "{}", got.how());
    }
}

#[tokio::test]
async fn rfc9211_2_4_the_ttl_of_what_came_past_its_time() {
    let route = Route::of([cc("max-age=60, stale-while-revalidate=600").header("age", "100")]).await;
    route.get("/").await;
    assert_eq!(route.get("/").await.how(), "hit; ttl=-40; detail=refreshing");
}
