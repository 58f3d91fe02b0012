//! RFC 9111 §5.2.1, §5.4: what a client asks of the caches on its way.

use super::origin::{Origin, Step, cc, not_modified};
use super::route::{Got, Route, pass};

/// The answer to a client with this wish, when something is kept that came with `first`.
async fn wished(first: &Step, wish: &str) -> Got {
    let route = Route::of([first.clone(), cc("max-age=60")]).await;
    route.get("/").await.expect_from_origin(1);
    route.get("/").header("cache-control", wish).await
}

async fn expect(first: &Step, wishes: &[&str], from_store: bool) {
    for wish in wishes {
        let got = wished(first, wish).await;
        assert_eq!((got.is_hit(), got.asked), (from_store, usize::from(!from_store)), "{wish}: {got:#?}");
    }
}

fn aged(age: u64) -> Step {
    cc("max-age=60").header("age", age).header("etag", "\"a\"")
}

#[tokio::test]
async fn rfc9111_5_2_1_1_max_age() {
    expect(
        &aged(30),
        &["max-age=40", "max-age=31", "max-age=99999999999999999999", "MAX-AGE=\"40\"", "foo, max-age=40"],
        true,
    )
    .await;
    expect(&aged(30), &["max-age=29", "max-age=0", "max-age=x", "max-age", "max-age=-1"], false).await;
    // It does not make fresh what is not.
    expect(&aged(100), &["max-age=200"], false).await;
    assert_eq!(wished(&aged(30), "max-age=10").await.how(), "fwd=request; stored");
}

#[tokio::test]
async fn rfc9111_5_2_1_2_max_stale() {
    expect(&aged(100), &["max-stale", "max-stale=50", "MAX-STALE=50", "max-stale=99999999999999999999"], true).await;
    for (wish, enough) in [
        ("max-stale=50", true),
        ("max-stale=30", false),
        ("max-stale=0", false),
        ("max-stale=x", false),
        ("max-stale=-1", false),
    ] {
        let route = Route::of([aged(0), cc("max-age=60")]).await;
        route.get("/").await;
        pass(100).await;
        assert_eq!(route.get("/").header("cache-control", wish).await.is_hit(), enough, "{wish}");
    }
    expect(&aged(100), &["max-stale=50, max-age=200"], true).await;
    expect(&aged(100), &["max-stale=50, max-age=90", "max-stale=50, no-cache", "max-stale, max-age=0"], false).await;
    let got = wished(&aged(100), "max-stale").await;
    got.expect_body("answer 1");
    assert_eq!(got.header("age"), "100");
}

#[tokio::test]
async fn rfc9111_5_2_1_3_min_fresh() {
    expect(&aged(30), &["min-fresh=20", "min-fresh=0", "min-fresh=20, max-age=40"], true).await;
    expect(
        &aged(30),
        &["min-fresh=31", "min-fresh=99999999999999999999", "min-fresh=x", "min-fresh=20, max-age=10"],
        false,
    )
    .await;
}

#[tokio::test]
async fn rfc9111_5_2_1_4_no_cache() {
    expect(&aged(0), &["no-cache", "No-Cache", "no-cache, max-stale", "max-age=60, no-cache", "no-cache=\"x\""], false)
        .await;
    let route = Route::of([aged(0), not_modified()]).await;
    route.get("/").await;
    let got = route.get("/").header("cache-control", "no-cache").await;
    got.expect_body("answer 1");
    assert_eq!(got.how(), "fwd=request; fwd-status=304; stored");
    assert_eq!(route.origin.seen(2).header("if-none-match"), "\"a\"");
    assert_eq!(route.origin.seen(2).header("cache-control"), "no-cache");
    route.get("/").await.expect_hit();
}

#[tokio::test]
async fn rfc9111_5_2_1_5_no_store() {
    let route = Route::of([cc("max-age=60")]).await;
    let got = route.get("/").header("cache-control", "no-store").await;
    got.expect_from_origin(1);
    assert_eq!(got.how(), "fwd=request");
    route.get("/").await.expect_from_origin(2);
    // What is kept already stays.
    route.get("/").header("cache-control", "foo, NO-STORE").await.expect_from_origin(3);
    route.get("/").await.expect_hit().expect_body("answer 2");
}

#[tokio::test]
async fn rfc9111_5_2_1_6_no_transform_and_others_change_nothing() {
    expect(
        &aged(0),
        &["no-transform", "foo", "foo=\"no-cache\"", "foo=\"a, no-cache\"", "", "public", "s-maxage=0"],
        true,
    )
    .await;
}

#[tokio::test]
async fn rfc9111_5_2_1_7_only_if_cached() {
    expect(&aged(0), &["only-if-cached", "ONLY-IF-CACHED", "only-if-cached, max-age=60"], true).await;
    expect(&aged(100), &["only-if-cached, max-stale"], true).await;
    for (first, wish) in
        [(aged(100), "only-if-cached"), (aged(30), "only-if-cached, max-age=10"), (aged(0), "only-if-cached, no-cache")]
    {
        let route = Route::of([first]).await;
        route.get("/").await;
        for method in ["GET", "HEAD"] {
            route.ask(method, "/").header("cache-control", wish).await.expect_status(504);
        }
        assert_eq!(route.origin.count(), 1, "{wish}");
    }
    let origin = Origin::new([cc("max-age=60")]).await;
    let route = Route::over(&origin).await;
    for method in ["GET", "HEAD"] {
        route.ask(method, "/").header("cache-control", "only-if-cached").await.expect_status(504);
    }
    route.get("/").header("cache-control", "only-if-cached").header("range", "bytes=0-1").await.expect_status(504);
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn rfc9111_5_2_1_several_lines_are_one_list() {
    let route = Route::of([aged(30), cc("max-age=60")]).await;
    route.get("/").await;
    let got = route.get("/").header("cache-control", "foo").header("cache-control", "max-age=10").await;
    got.expect_from_origin(2);
}

#[tokio::test]
async fn rfc9111_5_4_pragma() {
    for pragma in ["no-cache", "No-Cache", "foo, no-cache"] {
        let route = Route::of([aged(0), cc("max-age=60")]).await;
        route.get("/").await;
        route.get("/").header("pragma", "foo").await.expect_hit();
        route.get("/").header("pragma", pragma).header("cache-control", "max-age=60").await.expect_hit();
        route.get("/").header("pragma", pragma).await.expect_from_origin(2);
    }
    // It says nothing in an answer.
    let route = Route::of([aged(0).header("pragma", "no-cache")]).await;
    route.twice("/").await.expect_hit();
}

#[tokio::test]
async fn rfc9111_5_2_1_7_only_if_cached_beside_other_wishes_never_asks_the_origin() {
    for (name, value) in
        [("cache-control", "no-store"), ("if-match", "\"a\""), ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT")]
    {
        let route = Route::of([cc("max-age=60")]).await;
        let got = route.get("/").header("cache-control", "only-if-cached").header(name, value).await;
        assert_eq!((got.status(), got.asked), (504, 0), "{name}: {value}");
    }
}

#[tokio::test]
async fn rfc9111_5_2_1_2_max_stale_counts_from_when_its_time_ended() {
    let route = Route::of([cc("max-age=60").header("age", "100").header("etag", "\"a\""), cc("max-age=60")]).await;
    route.get("/").await;
    route.get("/").header("cache-control", "max-stale=30").await.expect_from_origin(2);
}

#[tokio::test]
async fn rfc9111_4_2_1_of_two_wishes_the_first_counts() {
    let route = Route::of([cc("max-age=60").header("age", "30")]).await;
    route.get("/").await;
    route.get("/").header("cache-control", "max-age=10, max-age=90").await.expect_from_origin(2);
}
