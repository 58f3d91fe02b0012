//! The product page on good days and on bad ones.

use std::time::Duration;

use bff_core::clock;
use mock_services::{Faults, Service, Trickle};
use serde_json::{Value, json};

use crate::world::{Answer, World};

const PAGE: &str = "/product-page/42";

/// Far more than any limit of these tests, on the busiest machine, and far less than [`PATIENCE`].
const IN_TIME: Duration = Duration::from_secs(30);

/// What a small screen is willing to load.
const MOST_BYTES: usize = 2048;

/// Every way in which a backend can be of no use, and the reason that is told for it.
fn bad_days() -> [(&'static str, Faults, &'static str); 10] {
    let well = Faults::default;
    [
        ("refuse", Faults { refuse: true, ..well() }, "unreachable"),
        ("hang", Faults { hang: true, ..well() }, "timeout"),
        ("trickle", Faults { trickle: Some(Trickle { bytes_per_second: 1 }), ..well() }, "timeout"),
        ("truncate", Faults { truncate: true, ..well() }, "unreachable"),
        ("reset", Faults { reset: true, ..well() }, "unreachable"),
        ("garbage", Faults { garbage: true, ..well() }, "invalid_response"),
        ("HTML", Faults { wrong_content_type: true, ..well() }, "invalid_response"),
        ("500", Faults { error_status: Some(500), ..well() }, "upstream_error"),
        ("503", Faults { error_status: Some(503), ..well() }, "upstream_error"),
        ("429", Faults { error_status: Some(429), retry_after_seconds: Some(7), ..well() }, "overloaded"),
    ]
}

fn assert_whole(answer: &Answer) {
    let page = answer.json();
    assert_eq!((answer.status, &page["meta"]), (200, &json!({ "degraded": false, "parts": [] })), "{page}");
    assert_eq!(answer.header("bff-degraded"), "");
    for part in ["product", "price", "stock", "reviews", "related"] {
        assert!(!page[part].is_null(), "{part}: {page}");
    }
}

/// The page, in time.
async fn ask(world: &World, path: &str) -> Answer {
    let started = clock::now();
    let answer = world.get(path).await;
    let took = clock::now() - started;
    assert!(took < IN_TIME, "{took:?}");
    answer
}

#[tokio::test]
async fn a_good_day() {
    let world = World::start().await;
    let answer = world.get(PAGE).await;
    assert_whole(&answer);
    let page = answer.json();
    assert_eq!(page["product"]["id"], "42");
    assert!(page["product"]["name"].as_str().unwrap().contains("Kettle"), "{page}");
    assert!(page["price"]["amount_minor"].as_i64().unwrap() > 0, "{page}");
    assert_eq!(page["related"]["items"].as_array().unwrap().len(), 3, "{page}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("content-encoding"), "", "nobody asked for that");
    // Each backend once; related waits for the product that the page has already.
    for service in [Service::Catalog, Service::Pricing, Service::Inventory, Service::Reviews, Service::Recommendations]
    {
        assert_eq!(world.seen(service), 1, "{service}");
    }
}

#[tokio::test]
async fn no_product_page_is_larger_than_two_kib() {
    let world = World::start().await;
    let mut largest = (0, String::new());
    for id in (1..=1200).step_by(13).chain([42]) {
        let path = format!("/product-page/{id}");
        let answer = world.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        largest = largest.max((answer.body.len(), path));
    }
    assert!(largest.0 < MOST_BYTES, "{} bytes at {}", largest.0, largest.1);
    assert!(largest.0 > MOST_BYTES / 4, "that was no page: {largest:?}");
}

/// Products that have everything, one for each bad day: what was kept of one says nothing about another.
async fn products(world: &World) -> impl Iterator<Item = String> {
    let mut found = Vec::new();
    for id in 2..100 {
        let url = format!("{}/products/{id}/reviews/summary", world.mocks.url(Service::Reviews));
        if Answer::to(world.client.get(url)).await.status == 200 {
            found.push(format!("/product-page/{id}"));
        }
    }
    found.into_iter()
}

#[tokio::test]
async fn an_optional_part_fails() {
    let world = World::hasty(Service::Reviews).await;
    for ((name, faults, reason), path) in bad_days().into_iter().zip(products(&world).await) {
        world.forget_requests();
        world.fault(Service::Reviews, faults);
        let answer = ask(&world, &path).await;
        let mut entry = json!({ "part": "reviews", "outcome": "missing", "reason": reason });
        let mut header = format!("reviews;outcome=missing;reason={reason}");
        if name == "429" {
            entry["retry_after_seconds"] = json!(7);
            header.push_str(";retry_after=7");
        }
        let page = answer.json();
        assert_eq!((answer.status, &page["meta"]), (200, &json!({ "degraded": true, "parts": [entry] })), "{name}");
        assert_eq!(answer.header("bff-degraded"), header, "{name}");
        assert_eq!(
            (answer.header("cache-control").as_str(), answer.header("etag").as_str()),
            ("no-store", ""),
            "{name}"
        );
        assert_eq!(page["reviews"], Value::Null, "{name}");
        for part in ["product", "price", "stock", "related"] {
            assert!(!page[part].is_null(), "{name}, {part}: {page}");
        }
        assert_eq!(world.seen(Service::Reviews), usize::from(name != "refuse"), "{name}: no call met the fault");
        // It was not kept: the next page is whole.
        world.fault(Service::Reviews, Faults::default());
        assert_whole(&world.get(&path).await);
    }
}

#[tokio::test]
async fn a_required_part_fails() {
    let world = World::hasty(Service::Pricing).await;
    for ((name, faults, reason), path) in bad_days().into_iter().zip(products(&world).await) {
        world.forget_requests();
        world.fault(Service::Pricing, faults);
        let answer = ask(&world, &path).await;
        let (status, slug) = match reason {
            "timeout" => (504, "timeout"),
            "overloaded" => (503, "unavailable"),
            _ => (502, "upstream-failed"),
        };
        let problem = answer.assert_problem(status, slug);
        assert_eq!((&problem["part"], &problem["reason"]), (&json!("price"), &json!(reason)), "{name}: {problem}");
        assert_eq!(problem.get("outcome_unknown"), None, "{name}: {problem}");
        assert_eq!(answer.header("retry-after"), if status == 503 { "7" } else { "" }, "{name}");
        assert_eq!(world.seen(Service::Pricing), usize::from(name != "refuse"), "{name}: no call met the fault");
        world.fault(Service::Pricing, Faults::default());
        assert_whole(&world.get(&path).await);
    }
}

/// The other parts are there already, so that only the one that hangs has to do with the time.
#[tokio::test]
async fn the_budget_of_the_page_ends_it() {
    for (service, wish, expected) in [(Service::Reviews, "3", 200), (Service::Pricing, "3", 504)] {
        let world = World::start().await;
        world.fault(service, Faults { error_status: Some(500), ..Faults::default() });
        world.get(PAGE).await;
        world.get("/product-page/42?parts=stock,reviews,related").await;
        world.fault(service, Faults { hang: true, ..Faults::default() });
        let started = clock::now();
        let request = world.request(reqwest::Method::GET, PAGE).header("request-timeout", wish);
        let answer = Answer::to(request).await;
        let took = clock::now() - started;
        assert!(took < IN_TIME, "{took:?}");
        if expected == 200 {
            assert_eq!(answer.parts(), [json!({ "part": "reviews", "outcome": "missing", "reason": "deadline" })]);
        } else {
            let problem = answer.assert_problem(504, "timeout");
            // Without a price the page has nothing to wait for but its price.
            assert_eq!((&problem["part"], &problem["reason"]), (&json!("price"), &json!("deadline")), "{problem}");
        }
    }
}

#[tokio::test]
async fn all_optional_parts_fail_at_once() {
    let world = World::start().await;
    for service in [Service::Inventory, Service::Reviews, Service::Recommendations] {
        world.fault(service, Faults { refuse: true, ..Faults::default() });
    }
    let answer = ask(&world, PAGE).await;
    let entry = |part: &str, outcome: &str| json!({ "part": part, "outcome": outcome, "reason": "unreachable" });
    // In the order in which the answer is written, whoever failed first.
    let expected = [entry("stock", "missing"), entry("reviews", "missing"), entry("related", "fallback")];
    assert_eq!(answer.parts(), expected);
    assert_eq!(answer.json()["related"], json!({ "items": [] }));
}

#[tokio::test]
async fn what_is_not_there_is_not_missing() {
    let world = World::start().await;
    // Nobody has reviewed this one.
    let mut unreviewed = None;
    for id in 1..=1200 {
        let answer = world.get(&format!("/product-page/{id}?parts=reviews")).await;
        if answer.json()["reviews"].is_null() {
            unreviewed = Some(answer);
            break;
        }
    }
    let answer = unreviewed.expect("every product has a review");
    let omitted = |part: &str| json!({ "part": part, "outcome": "omitted", "reason": "not_requested" });
    assert_eq!(answer.json()["meta"], json!({ "degraded": false, "parts": [omitted("stock"), omitted("related")] }));
}

#[tokio::test]
async fn a_product_that_never_was() {
    let world = World::start().await;
    for id in ["X", "X1", "XXXXXXXXXXXXXXXX", "0", "-1", "1201", "product"] {
        let problem = world.get(&format!("/product-page/{id}")).await.assert_problem(404, "not-found");
        assert_eq!(problem["part"], "product", "{problem}");
    }
}

/// Every backend says 404 to such an id; whoever says it first, the page is about the product.
#[tokio::test]
async fn a_product_that_never_was_is_not_found_whoever_says_it_first() {
    let world = World::start().await;
    let catalog = world.mocks.hold(Service::Catalog);
    let asked = tokio::spawn(Answer::to(world.request(reqwest::Method::GET, "/product-page/X")));
    catalog.wait_held(1).await;
    world.mocks.wait_finished(Service::Pricing, 1).await;
    world.mocks.wait_finished(Service::Reviews, 1).await;
    catalog.release();
    let problem = asked.await.unwrap().assert_problem(404, "not-found");
    assert_eq!(problem["part"], "product", "{problem}");
}

#[tokio::test]
async fn a_path_stays_where_it_belongs() {
    let world = World::start().await;
    let long = "9".repeat(10 * 1024);
    let sixty_five = "9".repeat(65);
    let attacks: &[&[u8]] = &[
        b"..%2f",
        b"..%2F..%2Fadmin",
        b"%2e%2e",
        b"%2e%2e%2f42",
        b"..",
        b"../",
        b"../../42",
        b"..%5c42",
        b"..;/42",
        b".",
        b"%2e",
        b"%252e%252e%252f",
        b"?",
        b"?id=42",
        b"%3F",
        b"42%3Fx=1",
        b"#",
        b"#42",
        b"%23",
        b"42%23x",
        b"@evil.example",
        b"%40evil.example:80",
        b"//evil.example/42",
        b"http:%2f%2fevil.example%2f42",
        b"\0",
        b"%00",
        b"42%00",
        b"42%0d%0aX-User-Id:%20ada",
        b"%0a",
        b"42%20",
        b"42%09",
        b"%EF%BC%94%EF%BC%92",
        b"%C0%AE%C0%AE",
        b"%ff",
        b"42%",
        b"42%2",
        b"42%zz",
        b"4,2",
        b"42;x=1",
        b"*",
        b"42/reviews",
        b"42/..",
        long.as_bytes(),
        sixty_five.as_bytes(),
    ];
    for attack in attacks {
        let shown = String::from_utf8_lossy(&attack[..attack.len().min(40)]);
        let request =
            [b"GET /product-page/".as_slice(), attack, b" HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"];
        let status = world.mobile.raw_status(request.concat()).await;
        assert!([400, 404, 414].contains(&status), "{shown}: {status}");
        assert_eq!(world.all_seen().len(), 0, "{shown}: {:?}", world.all_seen());
    }
    assert_eq!(
        world.get(&format!("/product-page/{long}")).await.assert_problem(414, "target-too-long")["part"],
        Value::Null
    );
    let pointed = world.get("/product-page/%2e%2e%2fadmin").await.assert_problem(400, "malformed");
    assert_eq!(pointed["errors"][0]["pointer"], "{id}", "{pointed}");
    // Bare line ends make two lines of one: whatever comes of them, no backend hears of it.
    for attack in
        ["42\r\nx-user-id: ada", "42\nx-user-id: ada", "42 HTTP/1.1\r\nhost: a\r\nx-user-id: ada\r\n\r\nGET /"]
    {
        let request = format!("GET /nowhere/{attack} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
        let status = world.mobile.raw_status(request).await;
        assert!([400, 404].contains(&status), "{attack:?}: {status}");
    }
    assert_eq!(world.all_seen().len(), 0, "{:?}", world.all_seen());

    // And so it can be told whether a backend was asked at all.
    let request = "GET /product-page/42 HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";
    assert_eq!(world.mobile.raw_status(request).await, 200);
    assert!(world.all_seen().len() >= 5, "{:?}", world.all_seen());
}

/// A search is a query of ours in a query of theirs.
#[tokio::test]
async fn a_query_stays_where_it_belongs() {
    let world = World::start().await;
    let words = "kettle&size=100#x?page=9/../%";
    let answer = world.get(&format!("/search?q={}", urlencoded(words))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let asked: Vec<String> = world.mocks.requests(Service::Catalog).into_iter().map(|one| one.path).collect();
    let expected = "/search?q=kettle%26size%3D100%23x%3Fpage%3D9%2F..%2F%25&page=1&size=20";
    assert_eq!(asked, [expected]);
}

fn urlencoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}
