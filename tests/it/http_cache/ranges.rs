//! RFC 9110 §14 from what is kept (RFC 9111 §3.3 allows it).

use super::origin::{Step, cc, date, not_modified};
use super::route::Route;

fn whole() -> Step {
    cc("max-age=60").header("etag", "\"b\"").header("last-modified", date(-500)).body("0123456789")
}

#[tokio::test]
async fn rfc9110_14_2_one_range_of_what_is_kept() {
    let route = Route::of([whole().header("content-type", "text/plain")]).await;
    route.get("/").await;
    for (range, body, said) in [
        ("bytes=0-1", "01", "bytes 0-1/10"),
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=8-", "89", "bytes 8-9/10"),
        ("bytes=8-9999999999999999999999", "89", "bytes 8-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-30", "0123456789", "bytes 0-9/10"),
    ] {
        let got = route.get("/").header("range", range).await;
        got.expect_hit().expect_status(206).expect_body(body);
        assert_eq!(got.header("content-range"), said);
        assert_eq!(got.header("content-length"), body.len().to_string());
        assert_eq!((got.header("content-type").as_str(), got.header("etag").as_str()), ("text/plain", "\"b\""));
    }
    for range in ["bytes=10-", "bytes=99-100", "bytes=-0"] {
        let got = route.get("/").header("range", range).await;
        got.expect_hit().expect_status(416);
        assert_eq!(got.header("content-range"), "bytes */10");
    }
    for range in ["bytes=3-2", "bytes=a-b", "bytes=", "bytes", "lines=0-1", "bytes=0-1,3-4", "bytes=1-+2", "bytes=--1"]
    {
        route.get("/").header("range", range).await.expect_hit().expect_status(200).expect_body("0123456789");
    }
    // What is kept is the whole, whatever was asked for in between.
    route.get("/").await.expect_hit().expect_status(200).expect_body("0123456789");
    route.head("/").header("range", "bytes=0-1").await.expect_hit().expect_status(200);
}

#[tokio::test]
async fn rfc9110_13_1_5_a_range_of_something_else_is_the_whole() {
    let changed = date(-500);
    let route = Route::of([whole().header("date", date(0)).header("x-was", &changed)]).await;
    route.get("/").await;
    let changed = route.get("/").await.header("last-modified");
    for (of, status) in [
        ("\"b\"", 206),
        (changed.as_str(), 206),
        ("\"a\"", 200),
        ("W/\"b\"", 200),
        (&date(-100), 200),
        (&date(-900), 200),
        ("b", 200),
    ] {
        let got = route.get("/").header("range", "bytes=0-1").header("if-range", of).await;
        got.expect_hit().expect_status(status);
    }
    // RFC 9110 §13.2.2: what the client has goes before its range.
    route.get("/").header("range", "bytes=0-1").header("if-none-match", "\"b\"").await.expect_hit().expect_status(304);
}

#[tokio::test]
async fn rfc9110_14_2_a_range_of_what_is_confirmed() {
    let route = Route::of([whole().header("age", "100"), not_modified()]).await;
    route.get("/").await;
    let got = route.get("/").header("range", "bytes=2-3").await;
    got.expect_confirmed().expect_status(206).expect_body("23");
    assert_eq!(route.origin.seen(2).header("range"), "");
}

#[tokio::test]
async fn rfc9110_14_2_a_range_of_what_was_brought_anew() {
    let route =
        Route::of([whole().header("age", "100"), cc("max-age=60").header("etag", "\"c\"").body("abcdefgh")]).await;
    route.get("/").await;
    let got = route.get("/").header("range", "bytes=2-3").await;
    got.expect_status(206).expect_body("cd");
    assert_eq!((got.header("content-range").as_str(), got.asked), ("bytes 2-3/8", 1));
}

#[tokio::test]
async fn rfc9110_14_2_only_a_200_has_parts() {
    for status in [404, 203] {
        let route = Route::of([whole().status(status)]).await;
        route.get("/").await;
        route.get("/").header("range", "bytes=0-1").await.expect_hit().expect_status(status).expect_body("0123456789");
    }
}

#[tokio::test]
async fn rfc9110_13_1_5_a_date_as_young_as_the_answer_is_no_strong_validator() {
    let now = date(0);
    let route = Route::of([cc("max-age=60").header("last-modified", &now).header("date", &now)]).await;
    route.get("/").await;
    route.get("/").header("range", "bytes=0-1").header("if-range", &now).await.expect_hit().expect_status(200);
}
