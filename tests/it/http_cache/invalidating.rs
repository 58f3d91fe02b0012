//! RFC 9111 §4.4: what a change makes old.

use super::origin::{Gate, Origin, cc, step};
use super::route::Route;

/// Whether what was kept of `/a` is still given after this request, which the origin answers with this.
async fn survives(method: &str, target: &str, answer: super::origin::Step) -> bool {
    let route = Route::of([cc("max-age=60"), answer, cc("max-age=60")]).await;
    route.get("/a").await.expect_from_origin(1);
    route.ask(method, target).await;
    assert_eq!(route.origin.count(), 2, "{method}");
    route.get("/a").await.is_hit()
}

#[tokio::test]
async fn rfc9111_4_4_a_change_makes_its_target_old() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "PROPPATCH", "M-SEARCH"] {
        for status in [200, 201, 202, 204, 301, 302, 303, 307, 308] {
            assert!(!survives(method, "/a", step().status(status)).await, "{method} {status}");
        }
        for status in [400, 403, 404, 405, 409, 500, 502, 503, 599] {
            assert!(survives(method, "/a", step().status(status)).await, "{method} {status}");
        }
    }
}

#[tokio::test]
async fn rfc9111_4_4_a_safe_request_does_not() {
    assert!(survives("OPTIONS", "/a", step()).await);
    assert!(survives("POST", "/b", step()).await);
    assert!(survives("POST", "/a?x", step()).await);
    assert!(survives("POST", "/A", step()).await);
}

/// The origin may have done it before it hung up.
#[tokio::test]
async fn rfc9111_4_4_one_that_got_no_answer_may_have_happened() {
    assert!(!survives("POST", "/a", step().hang_up()).await);
}

#[tokio::test]
async fn rfc9111_4_4_location_and_content_location_of_the_same_host() {
    for name in ["location", "content-location"] {
        for same in [
            "/a",
            "a",
            "./a",
            "../a",
            "/x/../a",
            "/a#part",
            "http://shop.example/a",
            "//shop.example/a",
            "http://shop.example:80/a",
        ] {
            assert!(!survives_at("shop.example", name, same).await, "{name}: {same}");
        }
        for other in [
            "/b",
            "/a?x",
            "http://other.example/a",
            "//other.example/a",
            "http://a.shop.example/a",
            "http://shop.example.evil/a",
            "",
            "http://[",
            "mailto:a",
        ] {
            assert!(survives_at("shop.example", name, other).await, "{name}: {other}");
        }
    }
}

pub(super) async fn survives_at(host: &str, name: &str, reference: &str) -> bool {
    let route = Route::of([cc("max-age=60"), step().status(201).header(name, reference), cc("max-age=60")]).await;
    route.get("/a").header("host", host).await;
    route.ask("POST", "/c").header("host", host).await;
    route.get("/a").header("host", host).await.is_hit()
}

#[tokio::test]
async fn rfc9111_4_4_not_by_an_error() {
    for name in ["location", "content-location"] {
        assert!(survives("POST", "/b", step().status(404).header(name, "/a")).await);
    }
}

#[tokio::test]
async fn rfc9111_4_4_another_host_is_another_target() {
    let route = Route::of([cc("max-age=60")]).await;
    route.get("/a").header("host", "one.example").await;
    route.ask("POST", "/a").header("host", "two.example").await;
    route.get("/a").header("host", "one.example").await.expect_hit();
    route.ask("POST", "/a").header("host", "one.example").await;
    route.get("/a").header("host", "one.example").await.expect_from_origin(4);
}

#[tokio::test]
async fn rfc9111_4_4_all_variants_become_old() {
    let origin =
        Origin::by(|seen| cc("max-age=60").header("vary", "accept-language").body(seen.header("accept-language")))
            .await;
    let route = Route::over(&origin).await;
    let ask = |language: &str| route.get("/").header("accept-language", language);
    for language in ["de", "fr"] {
        ask(language).await;
        ask(language).await.expect_hit();
    }
    route.ask("DELETE", "/").await;
    for language in ["de", "fr"] {
        assert_eq!(ask(language).await.expect_body(language).asked, 1);
        ask(language).await.expect_hit();
    }
}

#[tokio::test]
async fn rfc9111_4_4_an_answer_from_before_the_change_is_not_kept() {
    for vary in [false, true] {
        let gate = Gate::new();
        let held = gate.clone();
        let origin = Origin::by(move |seen| {
            let step = if vary { cc("max-age=60").header("vary", "x-a") } else { cc("max-age=60") };
            if seen.number == 1 { step.behind(&held) } else { step }
        })
        .await;
        let route = Route::over(&origin).await;
        let (old, ()) = futures::join!(route.get("/").into_future(), async {
            origin.until(1).await;
            route.ask("POST", "/").await.expect_from_origin(2);
            gate.open();
        });
        // It was true when it was asked for.
        old.expect_body("answer 1");
        route.get("/").await.expect_from_origin(3);
        route.get("/").await.expect_hit().expect_body("answer 3");
    }
}

#[tokio::test]
async fn rfc9111_4_4_nor_is_it_given_to_who_asks_after_the_change() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin =
        Origin::by(move |seen| if seen.number == 1 { cc("max-age=60").behind(&held) } else { cc("max-age=60") }).await;
    let route = Route::over(&origin).await;
    let (old, ()) = futures::join!(route.get("/").into_future(), async {
        origin.until(1).await;
        route.ask("POST", "/").await;
        // It does not wait for the old one, which is still held.
        route.get("/").await.expect_from_origin(3);
        gate.open();
    });
    old.expect_body("answer 1");
    route.get("/").await.expect_hit().expect_body("answer 3");
}

#[tokio::test]
async fn rfc9111_4_4_a_change_by_a_route_that_keeps_nothing_counts() {
    let origin = Origin::new([cc("max-age=60")]).await;
    let route = Route::with(&origin, |settings| {
        let mut writes = settings.routes["everything"].clone();
        (writes.path, writes.cache, writes.methods) = ("/a".to_owned(), false, vec!["POST".to_owned()]);
        settings.routes.insert("writes".to_owned(), writes);
    })
    .await;
    route.twice("/a").await.expect_hit();
    let changed = route.ask("POST", "/a").await;
    assert_eq!((changed.status(), changed.header("cache-status").as_str()), (200, ""));
    route.get("/a").await.expect_from_origin(3);
}

#[tokio::test]
async fn rfc9111_4_4_what_is_asked_for_anew_after_a_change_is_kept() {
    let route = Route::of([cc("max-age=60")]).await;
    for round in 0..3 {
        route.get("/").await.expect_from_origin(1 + 2 * round);
        route.get("/").await.expect_hit();
        route.ask("PUT", "/").body("x").await;
    }
}

#[tokio::test]
async fn rfc9111_4_4_a_refresh_from_before_the_change_brings_nothing_back() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::by(move |seen| match seen.number {
        1 => cc("max-age=60, stale-while-revalidate=600").header("age", "100"),
        2 => cc("max-age=60").behind(&held),
        _ => cc("max-age=60"),
    })
    .await;
    let route = Route::over(&origin).await;
    route.get("/").await;
    route.get("/").await.expect_stale();
    origin.until(2).await;
    route.ask("POST", "/").await.expect_from_origin(3);
    gate.open();
    route.settled().await;
    route.get("/").await.expect_from_origin(4);
}

#[tokio::test]
async fn rfc9111_4_4_a_change_by_a_route_that_adds_headers_counts() {
    let origin = Origin::new([cc("max-age=60")]).await;
    let route = Route::with(&origin, |settings| {
        let rules = &mut settings.routes.get_mut("everything").unwrap().request_headers;
        rules.set.insert("x-tenant".to_owned(), "one".to_owned());
    })
    .await;
    route.twice("/a").await.expect_hit();
    route.ask("POST", "/a").await;
    route.get("/a").await.expect_from_origin(3);
}

#[tokio::test]
async fn rfc9111_4_4_another_port_is_another_origin() {
    for name in ["location", "content-location"] {
        assert!(survives_at("shop.example", name, "http://shop.example:8443/a").await);
    }
}

#[tokio::test]
async fn rfc9111_4_4_a_change_is_remembered_while_something_from_before_it_is_under_way() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::by(move |seen| match seen.number {
        1 => cc("max-age=60").behind(&held),
        3 => cc("max-age=60"),
        4 => cc("no-store"),
        _ => step(),
    })
    .await;
    let route = Route::over(&origin).await;
    let (_, ()) = futures::join!(route.get("/").into_future(), async {
        origin.until(1).await;
        route.ask("POST", "/").await.expect_from_origin(2);
        route.get("/").await.expect_from_origin(3);
        // The answer since the change may be kept no longer, and nothing is left that remembers the change.
        route.get("/").header("cache-control", "no-cache").await.expect_from_origin(4);
        gate.open();
    });
    route.get("/").await.expect_from_origin(5);
}

#[tokio::test]
async fn rfc9111_4_4_a_head_from_before_the_change_brings_nothing_back() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::by(move |seen| {
        let step = cc("max-age=60").header("etag", "\"a\"");
        if seen.method == "HEAD" { step.behind(&held) } else { step }
    })
    .await;
    let route = Route::over(&origin).await;
    route.get("/").await;
    let head = route.head("/").header("cache-control", "no-cache").into_future();
    let (_, ()) = futures::join!(head, async {
        origin.until(2).await;
        route.ask("PUT", "/").await.expect_from_origin(3);
        gate.open();
    });
    route.get("/").await.expect_from_origin(4);
}
