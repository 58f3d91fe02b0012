//! RFC 9111 §5.2.2, RFC 9213: what an answer says of its own keeping.

use super::origin::{Gate, Origin, Step, cc, date, not_modified, step};
use super::route::{Got, Route, expect_kept};

#[tokio::test]
async fn rfc9111_5_2_2_4_no_cache_is_confirmed_each_time() {
    for directives in [
        "no-cache",
        "no-cache, max-age=60",
        "max-age=60, NO-CACHE",
        "no-cache=\"set-cookie\", max-age=60",
        "no-cache, s-maxage=60",
    ] {
        let route = Route::of([cc(directives).header("etag", "\"a\""), not_modified()]).await;
        route.get("/").await.expect_from_origin(1);
        for number in 2..4 {
            route.get("/").await.expect_confirmed().expect_body("answer 1");
            assert_eq!(route.origin.seen(number).header("if-none-match"), "\"a\"");
        }
        route.get("/").header("cache-control", "max-stale").await.expect_confirmed();
    }
    // There is nothing to confirm it by.
    expect_kept(vec![(cc("no-cache, max-age=60"), false)]).await;
}

#[tokio::test]
async fn rfc9111_5_2_2_1_must_revalidate_is_fresh_as_long_as_any() {
    for directives in ["max-age=60, must-revalidate", "max-age=60, proxy-revalidate", "s-maxage=60"] {
        let route = Route::of([cc(directives).header("etag", "\"a\""), not_modified()]).await;
        route.twice("/").await.expect_hit();
        super::route::pass(70).await;
        route.get("/").await.expect_confirmed();
    }
}

#[tokio::test]
async fn rfc9111_5_2_2_6_no_transform_is_kept_word_for_word() {
    let route =
        Route::of([cc("no-transform, max-age=60").header("content-type", "text/html").body("x".repeat(10_000))]).await;
    for _ in 0..2 {
        let got = route.get("/").header("accept-encoding", "gzip, br").await;
        assert_eq!((got.header("content-encoding").as_str(), got.text().len()), ("", 10_000));
        assert_eq!(got.header("cache-control"), "no-transform, max-age=60");
    }
}

#[tokio::test]
async fn rfc9111_5_2_3_what_is_not_known_changes_nothing() {
    expect_kept(vec![
        (cc("max-age=60, foo, bar=1, baz=\"private, no-store\""), true),
        (cc("max-age=60, no-storex, xprivate, no-stor"), true),
        (cc("community=\"UCI\", max-age=60"), true),
    ])
    .await;
}

fn said(lines: &[(&str, &str)]) -> Step {
    lines.iter().fold(step(), |step, (name, value)| step.header(name, value))
}

#[tokio::test]
async fn rfc9213_2_2_the_nearest_field_speaks_alone() {
    expect_kept(vec![
        (
            said(&[
                ("bff-cache-control", "max-age=60"),
                ("cdn-cache-control", "no-store"),
                ("cache-control", "no-store"),
            ]),
            true,
        ),
        (
            said(&[
                ("bff-cache-control", "no-store"),
                ("cdn-cache-control", "max-age=60"),
                ("cache-control", "max-age=60"),
            ]),
            false,
        ),
        (said(&[("cdn-cache-control", "max-age=60"), ("cache-control", "no-store")]), true),
        (said(&[("cdn-cache-control", "no-store"), ("cache-control", "max-age=60")]), false),
        (said(&[("cdn-cache-control", "max-age=60"), ("cache-control", "private")]), true),
        (said(&[("cdn-cache-control", "private"), ("cache-control", "max-age=60")]), false),
        (said(&[("cdn-cache-control", "max-age=60"), ("expires", "0")]), true),
        (said(&[("cdn-cache-control", "foo"), ("expires", &date(60)), ("cache-control", "max-age=60")]), false),
        (said(&[("cdn-cache-control", "max-age=60"), ("cdn-cache-control", "no-store")]), false),
        (said(&[("cdn-cache-control", "s-maxage=60"), ("cache-control", "no-store")]), true),
        (said(&[("surrogate-control", "max-age=60")]), false),
    ])
    .await;
}

#[tokio::test]
async fn rfc9213_2_1_what_is_no_dictionary_is_not_there() {
    for broken in ["max-age=60, ,", "Max-Age=60", "", "max-age=6 0", "&", "max-age=60,", "no-store=", "\"no-store\""] {
        expect_kept(vec![
            (said(&[("cdn-cache-control", broken), ("cache-control", "max-age=60")]), true),
            (said(&[("cdn-cache-control", broken), ("cache-control", "no-store")]), false),
            (
                said(&[
                    ("bff-cache-control", broken),
                    ("cdn-cache-control", "max-age=60"),
                    ("cache-control", "no-store"),
                ]),
                true,
            ),
        ])
        .await;
    }
}

#[tokio::test]
async fn rfc9213_2_1_values_have_types() {
    let targeted = |value: &str| said(&[("cdn-cache-control", value), ("cache-control", "no-store")]);
    expect_kept(vec![
        (targeted("max-age=60;ext=1, foo=(a b)"), true),
        (targeted("max-age=10, max-age=60"), true),
        (targeted("max-age=60, max-age=0"), false),
        (targeted("max-age=\"60\""), false),
        (targeted("max-age=60.5"), false),
        (targeted("max-age=-1"), false),
        (targeted("max-age"), false),
        (targeted("max-age=60, no-store=?0"), true),
        (targeted("max-age=60, no-store"), false),
        (targeted("max-age=60, no-store=?1"), false),
        (targeted("max-age=60, private=\"x\""), false),
        (targeted("max-age=999999999999999"), true),
    ])
    .await;
}

#[tokio::test]
async fn rfc9213_2_1_it_is_passed_on_and_its_windows_count() {
    let first = said(&[("bff-cache-control", "max-age=60, stale-if-error=600"), ("cdn-cache-control", "max-age=1")]);
    let route = Route::of([first.header("age", "100").header("cache-control", "no-store"), step().status(503)]).await;
    let got = route.get("/").await;
    assert_eq!(got.header("bff-cache-control"), "max-age=60, stale-if-error=600");
    assert_eq!(
        (got.header("cdn-cache-control").as_str(), got.header("cache-control").as_str()),
        ("max-age=1", "no-store")
    );
    route.get("/").await.expect_stale().expect_body("answer 1");
}

#[tokio::test]
async fn rfc9213_with_credentials_its_leave_counts() {
    for (value, kept) in [
        ("max-age=60", false),
        ("max-age=60, public", true),
        ("s-maxage=60", true),
        ("max-age=60, must-revalidate", true),
    ] {
        let route = Route::of([said(&[("cdn-cache-control", value), ("cache-control", "public")])]).await;
        route.get("/").header("authorization", "Bearer a").await;
        assert_eq!(route.get("/").header("authorization", "Bearer a").await.is_hit(), kept, "{value}");
    }
}

#[tokio::test]
async fn rfc9111_5_2_2_4_who_waits_together_for_no_cache_is_answered_by_the_origin() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::by(move |_| cc("no-cache").header("etag", "\"a\"").behind(&held)).await;
    let route = Route::over(&origin).await;
    let asks = futures::future::join_all((0..3).map(|_| route.get("/").into_future()));
    let (answers, ()) = futures::join!(asks, async {
        origin.until(1).await;
        route.arrived(1).await;
        gate.open();
    });
    // Each was given what the origin had confirmed for it.
    assert_eq!(origin.count(), 3, "{:?}", answers.iter().map(Got::how).collect::<Vec<_>>());
}
