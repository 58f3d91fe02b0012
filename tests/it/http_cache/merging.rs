//! RFC 9111 §3.2, §4.3.3, §4.3.4: what a 304 changes.

use super::origin::{Origin, Seen, Step, cc, date, not_modified, step};
use super::route::{Route, pass};

/// Past its time when it comes, and to be asked for by its tag.
fn old() -> Step {
    cc("max-age=60").header("age", "100").header("etag", "\"a\"")
}

#[tokio::test]
async fn rfc9111_3_2_what_a_304_says_replaces_what_was_said() {
    let first = old().header("x-a", "1").header("x-a", "2").header("x-b", "old").header("last-modified", date(-500));
    let second = not_modified().header("x-a", "3").header("x-c", "new").header("cache-control", "max-age=600");
    let route = Route::of([first, second.header("age", "7").header("etag", "\"a\"")]).await;
    route.get("/").await;
    let got = route.get("/").await;
    got.expect_confirmed().expect_body("answer 1").expect_status(200);
    for got in [got, route.get("/").await] {
        assert_eq!((got.header("x-a"), got.header("x-b"), got.header("x-c")), ("3".into(), "old".into(), "new".into()));
        assert_eq!((got.header("cache-control").as_str(), got.header("etag").as_str()), ("max-age=600", "\"a\""));
        assert_eq!(got.header("age"), "7");
    }
    assert_eq!(route.origin.count(), 2);
}

#[tokio::test]
async fn rfc9111_3_2_what_describes_the_body_stays() {
    let first = old().header("content-type", "text/plain").header("content-encoding", "identity");
    let second = not_modified()
        .header("content-type", "text/html")
        .header("content-encoding", "gzip")
        .header("content-length", "0")
        .header("content-range", "bytes 0-0/1")
        .header("cache-control", "max-age=60")
        .header("age", "0");
    let route = Route::of([first, second]).await;
    route.get("/").await;
    route.get("/").await.expect_confirmed();
    let third = route.get("/").await;
    third.expect_hit().expect_body("answer 1");
    assert_eq!((third.header("content-length").as_str(), third.header("content-type").as_str()), ("8", "text/plain"));
    assert_eq!(third.header("content-encoding"), "identity");
}

#[tokio::test]
async fn rfc9111_4_3_4_a_304_makes_what_is_kept_fresh_again() {
    let by_tag = cc("max-age=60").header("etag", "\"a\"");
    let by_date = cc("max-age=60").header("last-modified", date(-500));
    for (first, second) in [
        (by_tag.clone(), not_modified().header("etag", "\"a\"")),
        (by_tag.clone(), not_modified().header("etag", "W/\"a\"")),
        (by_tag, not_modified()),
        (by_date, not_modified()),
    ] {
        let route = Route::of([first, second]).await;
        route.get("/").await.expect_from_origin(1);
        pass(70).await;
        assert_eq!(route.get("/").await.asked, 1);
        route.get("/").await.expect_hit().expect_body("answer 1");
        pass(50).await;
        route.get("/").await.expect_hit();
        pass(20).await;
        assert_eq!(route.get("/").await.asked, 1);
    }
}

#[tokio::test]
async fn rfc9111_4_3_4_a_304_for_something_else_is_asked_again_without_a_condition() {
    for (first, other) in [
        (old(), not_modified().header("etag", "\"b\"")),
        (old(), not_modified().header("etag", "W/\"b\"")),
        (
            old().header("last-modified", date(-500)),
            not_modified().header("etag", "\"b\"").header("last-modified", date(-500)),
        ),
        (cc("max-age=0").header("last-modified", date(-500)), not_modified().header("last-modified", date(-400))),
        (cc("max-age=0").header("last-modified", date(-500)), not_modified().header("etag", "\"b\"")),
    ] {
        let route = Route::of([first, other, cc("max-age=60")]).await;
        route.get("/").await;
        let got = route.get("/").await;
        got.expect_body("answer 3").expect_status(200);
        assert_eq!(got.asked, 2);
        let second = route.origin.seen(2);
        assert!(!(second.header("if-none-match") + &second.header("if-modified-since")).is_empty());
        let third = route.origin.seen(3);
        assert_eq!(third.header("if-none-match") + &third.header("if-modified-since"), "");
        route.get("/").await.expect_hit().expect_body("answer 3");
    }
}

#[tokio::test]
async fn rfc9111_4_3_3_a_whole_answer_replaces_what_was_kept() {
    let route = Route::of([old().header("x-a", "1"), cc("max-age=60").header("etag", "\"b\"")]).await;
    route.get("/").await;
    let got = route.get("/").await;
    got.expect_from_origin(2);
    assert_eq!(got.how(), "fwd=stale; stored");
    let third = route.get("/").await;
    third.expect_hit().expect_body("answer 2");
    assert_eq!((third.header("x-a").as_str(), third.header("etag").as_str()), ("", "\"b\""));
}

#[tokio::test]
async fn rfc9111_4_3_4_only_the_variant_that_was_asked_for_is_confirmed() {
    let origin = Origin::by(|seen: &Seen| {
        let language = seen.header("accept-language");
        let own = format!("\"{language}\"");
        if seen.header("if-none-match") == own {
            return not_modified().header("etag", own).header("cache-control", "max-age=600").header("age", "0");
        }
        old().header("vary", "accept-language").header("etag", own).body(language)
    })
    .await;
    let route = Route::over(&origin).await;
    let ask = |language: &str| route.get("/").header("accept-language", language);
    for language in ["de", "fr"] {
        ask(language).await.expect_body(language);
    }
    // The old one's tag is `"a"` and stands first: both are sent, so neither is taken for the other.
    ask("de").await.expect_body("de");
    ask("fr").await.expect_body("fr");
}

#[tokio::test]
async fn rfc9111_3_2_a_304_that_forbids_to_keep_ends_it() {
    let route = Route::of([old(), not_modified().header("cache-control", "no-store"), step()]).await;
    route.get("/").await;
    let got = route.get("/").await;
    got.expect_body("answer 1");
    assert_eq!(got.how(), "fwd=stale; fwd-status=304");
    route.get("/").await.expect_from_origin(3);
    assert_eq!(route.origin.seen(3).header("if-none-match"), "");
}

#[tokio::test]
async fn rfc9111_4_2_3_a_304_that_names_no_age_makes_it_young() {
    let route = Route::of([cc("max-age=60").header("age", "100").header("etag", "\"a\""), not_modified()]).await;
    route.get("/").await;
    route.get("/").await.expect_confirmed();
    let got = route.get("/").await;
    got.expect_hit();
    assert_eq!(got.header("age"), "0");
}

#[tokio::test]
async fn rfc9111_4_2_3_a_304_that_names_no_date_is_of_now() {
    let route = Route::of([cc("max-age=60").header("date", date(-100)).header("etag", "\"a\""), not_modified()]).await;
    route.get("/").await;
    route.get("/").await.expect_confirmed();
    route.get("/").await.expect_hit();
}
