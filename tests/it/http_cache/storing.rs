//! RFC 9111 §3, §3.1: what is kept.

use std::time::Duration;

use bff_core::passthrough::RouteSettings;

use super::origin::{Origin, cc, date, step};
use super::route::{Route, expect_kept};

#[tokio::test]
async fn rfc9111_3_what_says_how_long_it_is_good_is_kept_whatever_its_status() {
    let statuses = [200, 201, 203, 204, 226, 299, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414];
    let failures = [418, 429, 451, 500, 501, 502, 503, 504, 599];
    let table = statuses.into_iter().chain(failures).map(|status| (cc("max-age=60").status(status), true));
    expect_kept(table.collect()).await;
}

#[tokio::test]
async fn rfc9111_3_without_a_word_only_some_statuses_are_kept() {
    let changed = || step().header("last-modified", date(-86_400 * 10)).header("date", date(0));
    let known = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501].map(|status| (status, true));
    let others =
        [201, 202, 299, 302, 303, 307, 400, 401, 403, 429, 500, 502, 503, 504, 599].map(|status| (status, false));
    expect_kept(known.into_iter().chain(others).map(|(status, kept)| (changed().status(status), kept)).collect()).await;
    // `public` is a word.
    expect_kept(
        [201, 302, 403, 599].map(|status| (changed().header("cache-control", "public").status(status), true)).into(),
    )
    .await;
}

#[tokio::test]
async fn rfc9111_3_what_may_not_be_kept() {
    expect_kept(
        [
            "no-store",
            "no-store, max-age=60",
            "max-age=60, NO-STORE",
            "max-age=60,no-store=\"x\"",
            "private, max-age=60",
            "private, s-maxage=60",
            "private=\"x-mine\", max-age=60",
            "max-age=0",
            "public",
            "foo",
        ]
        .map(|directives| (cc(directives), false))
        .into(),
    )
    .await;
    expect_kept(vec![(step(), false), (cc("max-age=60").header("cache-control", "no-store"), false)]).await;
}

#[tokio::test]
async fn rfc9111_3_only_get_is_kept() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let route = Route::of([cc("max-age=60")]).await;
        route.ask(method, "/").await.expect_from_origin(1);
        route.ask(method, "/").await.expect_from_origin(2);
        let got = route.get("/").await;
        got.expect_from_origin(3);
        assert_eq!(got.how(), "fwd=uri-miss; stored", "{method}");
    }
    let route = Route::of([cc("max-age=60")]).await;
    route.head("/").await;
    route.get("/").await.expect_from_origin(2);
}

#[tokio::test]
async fn rfc9111_3_a_get_with_a_body_is_not_kept() {
    let origin = Origin::new([cc("max-age=60")]).await;
    let asks_for_it = |route: &mut RouteSettings| route.body_on_get = true;
    let route = Route::with(&origin, |settings| settings.routes.values_mut().for_each(asks_for_it)).await;
    route.get("/").body("a question").await.expect_from_origin(1);
    route.get("/").await.expect_from_origin(2);
    route.get("/").body("another").await.expect_from_origin(3);
}

#[tokio::test]
async fn rfc9111_3_an_answer_that_may_not_be_kept_ends_what_was_kept() {
    let route = Route::of([cc("max-age=60"), cc("no-store"), step()]).await;
    route.twice("/").await.expect_hit();
    route.get("/").header("cache-control", "no-cache").await.expect_from_origin(2);
    route.get("/").await.expect_from_origin(3);
}

#[tokio::test]
async fn rfc9111_5_2_2_3_must_understand_goes_before_no_store_where_the_status_is_known() {
    expect_kept(vec![
        (cc("must-understand, no-store, max-age=60"), true),
        (cc("no-store, must-understand, max-age=60").status(404), true),
        (cc("must-understand, no-store, max-age=60").status(299), false),
        (cc("must-understand, max-age=60").status(599), false),
        (cc("must-understand, max-age=60"), true),
    ])
    .await;
}

#[tokio::test]
async fn rfc9111_3_1_what_belongs_to_a_connection_is_neither_kept_nor_passed_on() {
    let step = cc("max-age=60")
        .header("connection", "X-Once, keep-alive")
        .header("connection", "x-twice")
        .header("x-once", "1")
        .header("x-twice", "2")
        .header("keep-alive", "timeout=5")
        .header("proxy-authenticate", "Basic")
        .header("proxy-authentication-info", "x")
        .header("upgrade", "h2c")
        .header("trailer", "expires")
        .header("x-stays", "yes");
    let route = Route::of([step.chunked()]).await;
    for number in 0..2 {
        let got = route.get("/").await;
        assert_eq!((got.is_hit(), got.header("x-stays").as_str()), (number == 1, "yes"));
        for name in
            ["x-once", "x-twice", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "upgrade", "trailer"]
        {
            assert_eq!(got.header(name), "", "{name}");
        }
    }
}

#[tokio::test]
async fn rfc9111_3_1_all_other_headers_are_kept_as_they_came() {
    let step = cc("max-age=60, foo=\"a,b\"")
        .header("content-type", "text/x-strange; a=\"b\"")
        .header("content-language", "tlh")
        .header("x-two", "1")
        .header("x-two", "2")
        .header("x-empty", "")
        .header("warning", "299 - \"x\"")
        .header("etag", "W/\"\"")
        .header("link", "</a>; rel=next");
    let route = Route::of([step]).await;
    let (first, second) = (route.get("/").await, route.get("/").await);
    second.expect_hit().expect_body("answer 1");
    for name in [
        "cache-control",
        "content-type",
        "content-language",
        "x-two",
        "x-empty",
        "warning",
        "etag",
        "link",
        "content-length",
    ] {
        assert_eq!(first.header(name), second.header(name), "{name}");
        assert!(second.answer.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn rfc9111_3_bodies_are_kept_however_they_are_framed() {
    expect_kept(vec![
        (cc("max-age=60").chunked(), true),
        (cc("max-age=60").until_closed(), true),
        (cc("max-age=60").body(""), true),
        (cc("max-age=60").body("").chunked(), true),
        (cc("max-age=60").body("x".repeat(200_000)).chunked(), true),
    ])
    .await;
}

#[tokio::test]
async fn rfc9111_3_a_cookie_for_one_client_is_not_handed_to_another() {
    let origin = Origin::new([cc("max-age=60").header("set-cookie", "a=b")]).await;
    let route = Route::over(&origin).await;
    let second = route.twice("/").await;
    second.expect_hit();
    assert_eq!(second.header("set-cookie"), "");
}

#[tokio::test]
async fn rfc9111_3_the_time_of_a_configuration_is_not_for_errors() {
    for status in [302, 401, 403, 429, 500, 503] {
        let origin = Origin::new([step().status(status)]).await;
        let route = Route::with(&origin, |settings| {
            settings.upstreams.get_mut("origin").unwrap().cache.ttl = Some(Duration::from_secs(60));
        })
        .await;
        route.twice("/").await.expect_from_origin(2);
    }
}
