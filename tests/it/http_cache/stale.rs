//! RFC 9111 §4.2.4, RFC 5861: what is past its time, and when it is served all the same.

use super::origin::{Gate, Origin, Step, cc, date, not_modified, step};
use super::route::{Got, Route, pass};

const STRICT: [&str; 5] = ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache", "no-cache=\"x-a\""];

/// Past its time when it comes.
fn old(directives: &str) -> Step {
    cc(&format!("max-age=60{directives}")).header("age", "100").header("etag", "\"a\"")
}

/// Asks once, and again while the origin answers with this.
async fn then(first: Step, second: Step) -> Got {
    let route = Route::of([first, second]).await;
    route.get("/").await.expect_from_origin(1);
    route.get("/").await
}

#[tokio::test]
async fn rfc9111_4_2_4_nothing_stale_while_the_origin_can_be_asked() {
    then(old(""), cc("max-age=60")).await.expect_from_origin(2);
    for status in [200, 301, 403, 404, 410, 429, 500, 501, 502, 503, 504, 505] {
        then(old(""), step().status(status)).await.expect_from_origin(2).expect_status(status);
    }
}

#[tokio::test]
async fn rfc9111_4_2_4_stale_when_disconnected() {
    // The connection is closed without a word.
    then(old(""), step().hang_up()).await.expect_stale().expect_body("answer 1");
    // Nobody is there.
    let origin = Origin::new([old("").until_closed()]).await;
    let route = Route::over(&origin).await;
    route.get("/").await;
    origin.leave().await;
    let got = route.get("/").await;
    got.expect_stale().expect_body("answer 1");
    assert_eq!(got.header("age"), "100");
    // Not for ever.
    pass(3600 * 2).await;
    assert!(route.get("/").await.status() >= 500);
}

#[tokio::test]
async fn rfc9111_4_2_4_never_stale_where_that_is_forbidden() {
    for strict in STRICT {
        for windows in ["", ", stale-if-error=600, stale-while-revalidate=600"] {
            let first = || old(&format!(", {strict}{windows}"));
            let got = then(first(), step().hang_up()).await;
            assert!((500..=504).contains(&got.status()), "{strict}{windows}: {got:?}");
            let got = then(first(), step().status(503)).await;
            got.expect_from_origin(2).expect_status(503);
            let got = then(first(), cc("max-age=60").short_by(1)).await;
            assert!((500..=504).contains(&got.status()), "{strict}{windows}: {got:?}");
        }
        let route = Route::of([old(&format!(", {strict}")), cc("max-age=60")]).await;
        route.get("/").await;
        route.get("/").header("cache-control", "max-stale").await.expect_from_origin(2);
    }
}

#[tokio::test]
async fn rfc9111_4_2_4_an_expired_date_is_stale_as_well() {
    let first = step().header("expires", date(-60)).header("date", date(-120)).header("etag", "\"a\"");
    then(first.clone(), not_modified()).await.expect_confirmed().expect_body("answer 1");
    then(first, step().hang_up()).await.expect_stale();
}

#[tokio::test]
async fn rfc5861_4_an_error_of_the_origin_is_not_passed_on() {
    for status in [500, 502, 503, 504] {
        let got = then(old(", stale-if-error=600"), step().status(status)).await;
        got.expect_stale().expect_body("answer 1");
        assert_eq!(got.asked, 1, "{status}");
    }
    for status in [400, 403, 404, 410, 429, 501, 505, 507] {
        then(old(", stale-if-error=600"), step().status(status)).await.expect_from_origin(2).expect_status(status);
    }
}

#[tokio::test]
async fn rfc5861_4_nor_that_there_is_no_answer() {
    then(old(", stale-if-error=600"), step().hang_up()).await.expect_stale().expect_body("answer 1");
    then(old(", stale-if-error=600"), cc("max-age=60").short_by(5)).await.expect_stale().expect_body("answer 1");
    let origin = Origin::new([old(", stale-if-error=600").until_closed()]).await;
    let route = Route::over(&origin).await;
    route.get("/").await;
    origin.leave().await;
    route.get("/").await.expect_stale().expect_body("answer 1");
}

async fn late(first: Step) -> Got {
    let origin = Origin::new([first, cc("max-age=60").behind(&Gate::new())]).await;
    let route = Route::with(&origin, |settings| {
        settings.routes.get_mut("everything").unwrap().timeout = Some(std::time::Duration::from_secs(5));
    })
    .await;
    route.get("/").await.expect_from_origin(1);
    let (got, ()) = futures::join!(route.get("/").into_future(), async {
        origin.until(2).await;
        pass(6).await;
    });
    got
}

#[tokio::test]
async fn rfc5861_4_nor_that_it_does_not_come() {
    late(old(", stale-if-error=600")).await.expect_stale().expect_body("answer 1");
    for other in ["", ", must-revalidate", ", stale-if-error=0"] {
        late(old(other)).await.expect_status(504);
    }
}

#[tokio::test]
async fn rfc5861_4_only_for_so_long() {
    let route = Route::of([cc("max-age=60, stale-if-error=100"), step().status(503)]).await;
    route.get("/").await;
    pass(62).await;
    route.get("/").await.expect_stale();
    pass(95).await;
    route.get("/").await.expect_stale();
    pass(5).await;
    route.get("/").await.expect_status(503);
}

#[tokio::test]
async fn rfc5861_4_who_wants_nothing_kept_is_told_the_error() {
    let route = Route::of([old(", stale-if-error=600"), step().status(503)]).await;
    route.get("/").await;
    route.get("/").header("cache-control", "no-cache").await.expect_from_origin(2).expect_status(503);
    route.get("/").header("cache-control", "no-store").await.expect_from_origin(3).expect_status(503);
    // And nothing is lost by that.
    route.get("/").await.expect_stale();
}

#[tokio::test]
async fn rfc5861_3_it_is_served_at_once_and_refreshed_once() {
    let gate = Gate::new();
    let first = old(", stale-while-revalidate=600");
    let route = Route::of([first, cc("max-age=60").header("etag", "\"b\"").behind(&gate)]).await;
    route.get("/").await;
    // The origin does not answer, and five get theirs.
    for _ in 0..5 {
        let got = route.get("/").await;
        got.expect_stale().expect_body("answer 1");
        assert!(got.is_hit());
    }
    route.origin.until(2).await;
    gate.open();
    route.settled().await;
    route.get("/").await.expect_hit().expect_body("answer 2");
    assert_eq!(route.origin.count(), 2);
    assert_eq!(route.origin.seen(2).header("if-none-match"), "\"a\"");
}

#[tokio::test]
async fn rfc5861_3_a_304_refreshes_too() {
    let first = cc("max-age=60, stale-while-revalidate=600").header("etag", "\"a\"");
    let route = Route::of([first, not_modified()]).await;
    route.get("/").await;
    pass(70).await;
    route.get("/").await.expect_stale();
    route.origin.until(2).await;
    route.settled().await;
    let got = route.get("/").await;
    got.expect_hit().expect_body("answer 1");
    assert_eq!(got.how(), "hit; ttl=59");
}

#[tokio::test]
async fn rfc5861_3_a_refresh_that_fails_takes_nothing_away() {
    let failures = [
        step().status(500),
        step().status(503),
        step().hang_up(),
        cc("max-age=60").short_by(7),
        cc("max-age=60").broken_chunk(),
    ];
    for failure in failures {
        let route = Route::of([old(", stale-while-revalidate=600"), failure]).await;
        route.get("/").await;
        for _ in 0..3 {
            let asked = route.origin.count();
            route.get("/").await.expect_stale().expect_body("answer 1");
            route.origin.until(asked + 1).await;
            route.settled().await;
        }
    }
}

#[tokio::test]
async fn rfc5861_3_a_refresh_that_says_it_is_gone_ends_it() {
    let route = Route::of([old(", stale-while-revalidate=600"), step().status(404)]).await;
    route.get("/").await;
    route.get("/").await.expect_stale();
    route.origin.until(2).await;
    route.settled().await;
    route.get("/").await.expect_from_origin(3).expect_status(404);
}

#[tokio::test]
async fn rfc5861_3_outside_the_window_it_waits() {
    for first in [old(""), old(", stale-while-revalidate=0"), old(", stale-while-revalidate=x")] {
        then(first, cc("max-age=60")).await.expect_from_origin(2);
    }
    let route = Route::of([cc("max-age=60, stale-while-revalidate=60"), cc("max-age=60")]).await;
    route.get("/").await;
    pass(125).await;
    route.get("/").await.expect_from_origin(2);
}

#[tokio::test]
async fn rfc5861_3_a_client_may_refuse_it() {
    for wish in ["no-cache", "max-age=90", "min-fresh=1", "max-age=0"] {
        let route = Route::of([old(", stale-while-revalidate=600"), cc("max-age=60")]).await;
        route.get("/").await;
        route.get("/").header("cache-control", wish).await.expect_from_origin(2);
    }
}

#[tokio::test]
async fn rfc5861_3_its_windows_begin_when_its_time_ended_not_when_it_came() {
    // It comes 40 s past its time.
    let old = |window: &str| cc(&format!("max-age=60, {window}=30")).header("age", "100");
    let route = Route::of([old("stale-while-revalidate"), cc("max-age=60")]).await;
    route.get("/").await;
    route.get("/").await.expect_from_origin(2);
}

#[tokio::test]
async fn rfc5861_4_its_windows_begin_when_its_time_ended_not_when_it_came() {
    let old = cc("max-age=60, stale-if-error=30").header("age", "100").header("etag", "\"a\"");
    let route = Route::of([old, step().status(503)]).await;
    route.get("/").await;
    route.get("/").await.expect_from_origin(2).expect_status(503);
}

#[tokio::test]
async fn rfc5861_3_an_error_that_may_be_kept_takes_nothing_away() {
    let first = cc("max-age=60, stale-while-revalidate=600, stale-if-error=600").header("age", "100");
    let route = Route::of([first, cc("max-age=60").status(500)]).await;
    route.get("/").await;
    route.get("/").await.expect_stale();
    route.origin.until(2).await;
    route.settled().await;
    route.get("/").await.expect_stale().expect_body("answer 1");
}

#[tokio::test]
async fn rfc5861_3_a_refusal_takes_nothing_away() {
    for refusal in [429, 400, 401, 403, 431] {
        let first = cc("max-age=60, stale-while-revalidate=600").header("age", "100");
        let route = Route::of([first, step().status(refusal)]).await;
        route.get("/").await;
        route.get("/").await.expect_stale();
        route.origin.until(2).await;
        route.settled().await;
        route.get("/").await.expect_stale().expect_body("answer 1");
    }
}
