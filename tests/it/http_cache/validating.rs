//! RFC 9111 §4.3: whether what is kept is still good, asked by this cache and by its clients.

use super::origin::{Step, cc, date, not_modified, step};
use super::route::Route;

const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn kept() -> Step {
    cc("max-age=60").header("etag", "\"b\"").header("last-modified", CHANGED).header("content-type", "text/plain")
}

fn old() -> Step {
    kept().header("age", "100")
}

#[tokio::test]
async fn rfc9111_4_3_1_the_question_names_what_is_kept_and_says_what_the_client_says() {
    let route = Route::of([old(), not_modified()]).await;
    route.get("/").await;
    let asked = route
        .get("/")
        .header("accept-language", "de")
        .header("x-own", "1")
        .header("authorization", "Bearer a")
        .header("if-none-match", "\"own\"")
        .header("if-modified-since", date(0))
        .header("range", "bytes=0-1")
        .header("if-range", "\"own\"")
        .await;
    // What the client has is something else, and so is its range.
    asked.expect_status(200).expect_body("answer 1");
    let seen = route.origin.seen(2);
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/"));
    for (name, value) in [
        ("if-none-match", "\"b\""),
        ("if-modified-since", CHANGED),
        ("accept-language", "de"),
        ("x-own", "1"),
        ("authorization", "Bearer a"),
        ("range", ""),
        ("if-range", ""),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn rfc9111_4_3_1_only_by_what_there_is() {
    for (first, tag, changed) in [
        (cc("max-age=0").header("etag", "W/\"x\""), "W/\"x\"", ""),
        (cc("max-age=0").header("last-modified", CHANGED), "", CHANGED),
        (cc("max-age=0, stale-if-error=60"), "", ""),
    ] {
        let route = Route::of([first, step()]).await;
        route.get("/").await;
        route.get("/").await.expect_from_origin(2);
        let seen = route.origin.seen(2);
        assert_eq!((seen.header("if-none-match").as_str(), seen.header("if-modified-since").as_str()), (tag, changed));
    }
}

/// What a client says of what it has, and whether that is what is kept.
const KNOWN: [(&str, &str, bool); 14] = [
    ("if-none-match", "\"b\"", true),
    ("if-none-match", "W/\"b\"", true),
    ("if-none-match", "\"a\", \"b\"", true),
    ("if-none-match", "\"a\",W/\"b\" , \"c\"", true),
    ("if-none-match", "*", true),
    ("if-none-match", "\"a\"", false),
    ("if-none-match", "b", false),
    ("if-none-match", "\"B\"", false),
    ("if-none-match", "\"a,\"b\"", false),
    ("if-modified-since", CHANGED, true),
    ("if-modified-since", "Sun, 06 Nov 2095 08:49:37 GMT", true),
    ("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT", true),
    ("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT", false),
    ("if-modified-since", "now", false),
];

#[tokio::test]
async fn rfc9111_4_3_2_what_the_client_has_is_told_from_the_store() {
    let route = Route::of([kept()]).await;
    route.get("/").await;
    for method in ["GET", "HEAD"] {
        for (name, value, known) in KNOWN {
            let got = route.ask(method, "/").header(name, value).await;
            assert_eq!(got.status(), if known { 304 } else { 200 }, "{name}: {value}");
            got.expect_hit();
            assert_eq!(got.text().is_empty(), known || method == "HEAD", "{value}");
            if known {
                assert_eq!(
                    (got.header("etag").as_str(), got.header("cache-control").as_str()),
                    ("\"b\"", "max-age=60")
                );
                assert_eq!(got.header("content-type"), "");
            }
        }
    }
    // RFC 9110 §13.2.2: where there is a tag, the date does not count.
    let both = route.get("/").header("if-none-match", "\"a\"").header("if-modified-since", CHANGED);
    both.await.expect_hit().expect_status(200);
}

#[tokio::test]
async fn rfc9111_4_3_2_and_after_a_question_to_the_origin() {
    for second in [not_modified().header("cache-control", "max-age=0"), old().body("answer 1")] {
        let route = Route::of([old(), second]).await;
        route.get("/").await;
        for (name, value, known) in KNOWN {
            let got = route.get("/").header(name, value).await;
            assert_eq!(got.status(), if known { 304 } else { 200 }, "{name}: {value}");
            got.expect_body(if known { "" } else { "answer 1" });
            assert_eq!(got.asked, 1);
        }
        assert_eq!(route.origin.seen(2).header("if-none-match"), "\"b\"");
    }
}

#[tokio::test]
async fn rfc9111_4_3_2_and_when_nothing_was_kept() {
    for first in [kept(), kept().header("vary", "x-a"), kept().header("cache-control", "no-store")] {
        for (name, value, known) in KNOWN {
            let route = Route::of([first.clone()]).await;
            let got = route.get("/").header(name, value).await;
            assert_eq!(got.status(), if known { 304 } else { 200 }, "{name}: {value}");
            assert_eq!(got.text().is_empty(), known, "{value}");
        }
    }
    // What is kept then is the whole.
    let route = Route::of([kept()]).await;
    route.get("/").header("if-none-match", "\"b\"").await.expect_status(304);
    route.get("/").await.expect_hit().expect_status(200).expect_body("answer 1");
}

#[tokio::test]
async fn rfc9111_4_3_2_where_it_does_not_say_when_it_changed_its_date_counts() {
    let route = Route::of([cc("max-age=60").header("date", date(-10))]).await;
    route.get("/").await;
    route.get("/").header("if-modified-since", date(0)).await.expect_hit().expect_status(304);
    route.get("/").header("if-modified-since", date(-100)).await.expect_hit().expect_status(200);
}

#[tokio::test]
async fn rfc9111_4_3_2_only_a_200_is_known() {
    for status in [404, 410, 301] {
        let route = Route::of([kept().status(status)]).await;
        route.get("/").await;
        route.get("/").header("if-none-match", "\"b\"").await.expect_hit().expect_status(status);
    }
}

#[tokio::test]
async fn rfc9111_4_3_2_what_only_the_origin_can_judge_goes_there() {
    for (name, value) in [("if-match", "\"b\""), ("if-match", "*"), ("if-unmodified-since", CHANGED)] {
        let route = Route::of([kept(), step().status(412), kept()]).await;
        route.get("/").await;
        let got = route.get("/").header(name, value).await;
        got.expect_from_origin(2).expect_status(412);
        assert_eq!(got.how(), "fwd=bypass");
        let seen = route.origin.seen(2);
        assert_eq!((seen.header(name).as_str(), seen.header("if-none-match").as_str()), (value, ""));
        route.get("/").await.expect_hit().expect_body("answer 1");
        route.head("/").header(name, value).await.expect_status(200);
        assert_eq!(route.origin.seen(3).header(name), value);
    }
}

#[tokio::test]
async fn rfc9111_4_3_a_change_is_never_made_conditional() {
    let route = Route::of([old(), step()]).await;
    route.get("/").await;
    route.ask("PUT", "/").header("if-none-match", "*").body("x").await.expect_from_origin(2);
    let seen = route.origin.seen(2);
    assert_eq!((seen.header("if-none-match").as_str(), seen.header("if-modified-since").as_str()), ("*", ""));
}

#[tokio::test]
async fn rfc9111_4_3_3_a_304_that_nobody_asked_for_is_passed_on() {
    let route = Route::of([not_modified().header("etag", "\"x\""), step()]).await;
    route.get("/").await.expect_status(304);
    route.get("/").await.expect_from_origin(2).expect_status(200);
}

#[tokio::test]
async fn rfc9111_4_3_5_a_head_that_agrees_makes_it_new() {
    for told in
        [kept(), kept().header("x-new", "1"), cc("max-age=60"), cc("max-age=60").header("etag", "\"b\"").chunked()]
    {
        let route =
            Route::of([old().header("x-a", "1"), told.header("x-a", "2").header("age", "0").body("answer 1")]).await;
        route.get("/").await;
        assert_eq!(route.head("/").await.expect_status(200).how(), "fwd=stale");
        let got = route.get("/").await;
        got.expect_hit().expect_body("answer 1");
        assert_eq!(got.header("x-a"), "2");
    }
}

#[tokio::test]
async fn rfc9111_4_3_5_a_head_that_does_not_makes_it_old() {
    for told in [
        cc("max-age=60").header("etag", "\"c\"").body("answer 1"),
        cc("max-age=60").header("last-modified", date(0)).body("answer 1"),
        kept().body("something of another length"),
    ] {
        let route = Route::of([kept(), told, step()]).await;
        route.get("/").await;
        route.head("/").header("cache-control", "no-cache").await;
        route.get("/").await.expect_from_origin(3);
    }
}

#[tokio::test]
async fn rfc9111_4_3_5_a_head_that_fails_says_nothing() {
    for status in [404, 405, 500, 503] {
        let route = Route::of([kept(), step().status(status), step()]).await;
        route.get("/").await;
        route.head("/").header("cache-control", "no-cache").await.expect_status(status);
        route.get("/").await.expect_hit().expect_body("answer 1");
    }
}

#[tokio::test]
async fn rfc9111_4_3_5_a_head_with_a_tag_does_not_agree_with_what_has_none() {
    let route =
        Route::of([cc("max-age=60"), cc("max-age=60").header("etag", "\"new\"").body("answer 1"), step()]).await;
    route.get("/").await;
    route.head("/").header("cache-control", "no-cache").await;
    route.get("/").await.expect_from_origin(3);
}
