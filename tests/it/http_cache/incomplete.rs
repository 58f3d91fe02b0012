//! RFC 9111 §3.3, §3.4: parts, and what broke off.

use super::origin::{cc, step};
use super::route::{Route, pass};

#[tokio::test]
async fn rfc9111_3_3_a_part_is_not_kept() {
    let part = cc("max-age=60").status(206).header("content-range", "bytes 0-1/9").header("etag", "\"a\"").body("ab");
    let route = Route::of([part.clone(), part, cc("max-age=60")]).await;
    for number in 1..=2 {
        let got = route.get("/").header("range", "bytes=0-1").await;
        got.expect_status(206).expect_body("ab");
        assert_eq!((got.asked, got.how().as_str()), (1, "fwd=partial"));
        assert_eq!(route.origin.seen(number).header("range"), "bytes=0-1");
    }
    route.get("/").await.expect_from_origin(3);
    route.get("/").await.expect_hit();
}

#[tokio::test]
async fn rfc9111_3_3_a_part_that_nobody_asked_for_is_passed_on_and_not_kept() {
    let part = cc("max-age=60").status(206).header("content-range", "bytes 0-1/9");
    let route = Route::of([part, step()]).await;
    route.get("/").await.expect_from_origin(1).expect_status(206);
    route.get("/").await.expect_from_origin(2).expect_status(200);
}

#[tokio::test]
async fn rfc9111_3_4_what_broke_off_is_no_answer() {
    for broken in
        [cc("max-age=60").short_by(100), cc("max-age=60").broken_chunk(), cc("max-age=60").short_by(1).body("")]
    {
        let route = Route::of([broken, cc("max-age=60")]).await;
        let first = route.get("/").attempt().await;
        assert!(first.as_ref().map_or(true, |answer| answer.status >= 500), "{first:?}");
        route.get("/").await.expect_from_origin(2);
        route.get("/").await.expect_hit().expect_body("answer 2");
    }
}

#[tokio::test]
async fn rfc9111_3_4_what_breaks_off_on_its_way_to_the_client_is_seen_to() {
    for broken in [step().short_by(100), step().broken_chunk(), cc("no-store").short_by(1)] {
        let route = Route::of([broken, step()]).await;
        let first = route.get("/").attempt().await;
        assert!(first.as_ref().map_or(true, |answer| answer.status >= 500), "{first:?}");
        route.get("/").await.expect_from_origin(2);
    }
}

#[tokio::test]
async fn rfc9111_3_4_half_an_answer_does_not_end_what_is_kept() {
    let kept = cc("max-age=60, stale-if-error=600").header("etag", "\"a\"");
    let route = Route::of([kept, cc("max-age=60").short_by(9), cc("max-age=60").broken_chunk()]).await;
    route.get("/").await;
    pass(70).await;
    for _ in 0..2 {
        let got = route.get("/").await;
        got.expect_stale().expect_body("answer 1");
        assert_eq!(got.asked, 1);
    }
}
