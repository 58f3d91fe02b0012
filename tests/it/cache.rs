//! What is kept of the backends' answers, and what clients are told about keeping ours.

use mock_services::{Faults, Service, Trickle};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, within};

const PAGE: &str = "/product-page/42";

/// The backend says that its answers are old at once, and what may be done with them then.
fn says(cache_control: &str) -> Faults {
    Faults { cache_control: Some(cache_control.to_owned()), ..Faults::default() }
}

fn if_error() -> Faults {
    says("max-age=0, stale-if-error=60")
}

fn while_revalidate() -> Faults {
    says("max-age=0, stale-while-revalidate=60")
}

const NOTHING: [Value; 0] = [];

#[tokio::test]
async fn what_everybody_may_have_is_fetched_once() {
    let world = World::start().await;
    world.mocks.hold(Service::Catalog);
    let ask = || tokio::spawn(Answer::to(world.request(Method::GET, PAGE)));
    let clients: Vec<_> = (0..50).map(|_| ask()).collect();
    within(world.mocks.wait_held(Service::Catalog, 1)).await;
    world.mocks.release(Service::Catalog);
    let mut bodies = Vec::new();
    for client in clients {
        let answer = within(client).await.unwrap();
        assert_eq!(answer.parts(), NOTHING);
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "they were told different things");
    for service in [Service::Catalog, Service::Pricing, Service::Inventory, Service::Reviews, Service::Recommendations]
    {
        assert_eq!(world.seen(service), 1, "{service}");
    }
    // Another page that needs the same.
    world.get("/product-page/42?parts=stock").await;
    assert_eq!(world.seen(Service::Catalog), 1);
    // And it is the question that is kept, not the backend's name.
    world.get("/product-page/43").await;
    assert_eq!(world.seen(Service::Catalog), 2);
}

#[tokio::test]
async fn what_may_not_be_kept_is_fetched_each_time() {
    for cache_control in ["no-store", "private, max-age=60", "no-cache", "max-age=0", ""] {
        let world = World::start().await;
        world.fault(Service::Pricing, says(cache_control));
        for times in 1..=3 {
            let answer = world.get(PAGE).await;
            assert_eq!(answer.parts(), NOTHING, "{cache_control}");
            assert_eq!(world.seen(Service::Pricing), times, "{cache_control}");
            let told = answer.header("cache-control");
            let expected = match cache_control {
                "no-store" => "no-store",
                "private, max-age=60" => "private, no-cache",
                _ => "no-cache",
            };
            assert_eq!(told, expected, "{cache_control}");
        }
    }
}

/// Every way in which a refresh can fail.
fn bad_days() -> [(Faults, &'static str); 8] {
    let well = Faults::default;
    [
        (Faults { refuse: true, ..well() }, "unreachable"),
        (Faults { hang: true, ..well() }, "timeout"),
        (Faults { trickle: Some(Trickle { bytes_per_second: 1 }), ..well() }, "timeout"),
        (Faults { truncate: true, ..well() }, "unreachable"),
        (Faults { reset: true, ..well() }, "unreachable"),
        (Faults { error_status: Some(503), ..well() }, "upstream_error"),
        (Faults { wrong_content_type: true, ..well() }, "invalid_response"),
        (Faults { garbage: true, ..well() }, "invalid_response"),
    ]
}

#[tokio::test]
async fn an_outage_is_bridged_by_what_was_kept() {
    let world = World::hasty(Service::Pricing).await;
    world.fault(Service::Pricing, if_error());
    let good = world.get(PAGE).await;
    assert_eq!(good.parts(), NOTHING);
    for (faults, reason) in bad_days() {
        // What it says of itself while it fails is not to matter either.
        world.fault(Service::Pricing, Faults { cache_control: Some("max-age=3600".to_owned()), ..faults.clone() });
        let answer = world.get(PAGE).await;
        let parts = answer.parts();
        let age = parts[0]["age_seconds"].as_u64().unwrap_or_else(|| panic!("{faults:?}: {parts:?}"));
        let expected = json!({ "part": "price", "outcome": "stale", "reason": reason, "age_seconds": age });
        assert_eq!(parts, [expected], "{faults:?}");
        assert!(age < 60, "{age}");
        assert_eq!(answer.json()["price"], good.json()["price"], "{faults:?}");
        assert_eq!(answer.json()["meta"]["degraded"], true);
        assert_eq!(answer.header("bff-degraded"), format!("price;outcome=stale;reason={reason};age={age}"));
        assert_eq!((answer.header("cache-control").as_str(), answer.header("etag").as_str()), ("no-store", ""));
    }
    world.fault(Service::Pricing, if_error());
    assert_eq!(world.get(PAGE).await.parts(), NOTHING, "it is well again");
}

/// The same outage where nothing may stand in.
#[tokio::test]
async fn an_outage_is_not_bridged_by_what_must_not_be_kept() {
    for cache_control in ["max-age=0", "max-age=0, stale-if-error=60, must-revalidate", "no-store, stale-if-error=60"] {
        let world = World::start().await;
        world.fault(Service::Pricing, says(cache_control));
        assert_eq!(world.get(PAGE).await.parts(), NOTHING);
        world.fault(Service::Pricing, Faults { refuse: true, ..Faults::default() });
        world.get(PAGE).await.assert_problem(502, "upstream-failed");
    }
}

/// What is gone is gone: older data stands in for failures, not for answers.
#[tokio::test]
async fn a_definite_no_is_believed() {
    let world = World::start().await;
    world.fault(Service::Reviews, if_error());
    assert!(world.get(PAGE).await.json()["reviews"].is_object());
    world.fault(Service::Reviews, Faults { error_status: Some(404), ..Faults::default() });
    for faults in [
        Faults { error_status: Some(404), ..Faults::default() },
        Faults { error_status: Some(410), ..Faults::default() },
    ] {
        world.fault(Service::Reviews, faults);
        let answer = world.get(PAGE).await;
        assert_eq!((answer.parts(), &answer.json()["reviews"]), (vec![], &Value::Null));
    }
    world.fault(Service::Reviews, Faults { refuse: true, ..Faults::default() });
    let parts = world.get(PAGE).await.parts();
    assert_eq!(parts, [json!({ "part": "reviews", "outcome": "missing", "reason": "unreachable" })]);
}

#[tokio::test]
async fn old_data_is_served_while_it_is_renewed() {
    let world = World::start().await;
    world.fault(Service::Reviews, while_revalidate());
    let first = world.get(PAGE).await;
    assert_eq!(first.parts(), NOTHING);
    // The refresh does not come back, and nobody waits for it; nor is there a second one.
    world.mocks.hold(Service::Reviews);
    for _ in 0..5 {
        let answer = world.get(PAGE).await;
        assert_eq!((answer.parts(), &answer.body), (NOTHING.to_vec(), &first.body), "a good day");
        assert_eq!(answer.header("cache-control"), "no-cache", "with nothing left of its time");
        assert_eq!(answer.header("etag"), first.header("etag"));
        within(world.mocks.wait_held(Service::Reviews, 1)).await;
    }
    assert_eq!(world.seen(Service::Reviews), 2);
    // It comes back, and brings something that lasts.
    world.fault(Service::Reviews, says("max-age=3600"));
    world.mocks.release(Service::Reviews);
    within(world.mocks.wait_finished(Service::Reviews, 2)).await;
    // Its answer may still be on the way to the store; from then on nobody asks again.
    within(async { while world.get(PAGE).await.header("cache-control") == "no-cache" {} }).await;
    let seen = world.seen(Service::Reviews);
    assert_eq!(world.get(PAGE).await.parts(), NOTHING);
    assert_eq!(world.seen(Service::Reviews), seen);
}

#[tokio::test]
async fn a_renewal_that_fails_spoils_nothing() {
    let world = World::hasty(Service::Reviews).await;
    world.fault(Service::Reviews, while_revalidate());
    let good = world.get(PAGE).await;
    let mut finished = 1;
    for (faults, reason) in bad_days() {
        let refused = faults.refuse;
        world.fault(Service::Reviews, faults);
        for _ in 0..2 {
            let answer = world.get(PAGE).await;
            assert_eq!((answer.parts(), &answer.body), (NOTHING.to_vec(), &good.body), "{reason}");
        }
        if !refused {
            finished += 1;
            within(world.mocks.wait_finished(Service::Reviews, finished)).await;
        }
        finished =
            finished.max(world.mocks.requests(Service::Reviews).iter().filter(|one| one.duration_ms.is_some()).count());
    }
    assert!(world.seen(Service::Reviews) > 7, "there were no renewals");
}

/// A page has the same tag as long as it says the same, whoever asks in whatever encoding.
#[tokio::test]
async fn a_page_that_is_known_is_not_sent_again() {
    let world = World::start().await;
    let first = world.get(PAGE).await;
    let tag = first.header("etag");
    assert!(tag.starts_with("W/\"") && tag.len() > 20, "{tag}");
    assert!(first.header("cache-control").starts_with("public, max-age="), "{}", first.header("cache-control"));
    let ask = |known: &str| Answer::to(world.request(Method::GET, PAGE).header("if-none-match", known));
    let bare = tag.trim_start_matches("W/");
    for known in [tag.as_str(), bare, "*", &format!("\"other\", {tag}"), &format!("{tag},\"other\"")] {
        let answer = ask(known).await;
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{known}");
        assert_eq!(answer.header("etag"), tag);
        assert_eq!(answer.header("vary"), first.header("vary"));
        assert!(answer.header("vary").to_ascii_lowercase().contains("accept-encoding"));
        assert!(answer.header("cache-control").starts_with("public, max-age="));
        assert_eq!(answer.header("content-type"), "");
        assert!(!answer.header("x-request-id").is_empty());
    }
    for known in ["\"other\"", "W/\"other\"", "", &tag[..tag.len() - 2]] {
        let answer = ask(known).await;
        assert_eq!((answer.status, answer.body == first.body), (200, true), "{known}");
    }
    // Another page, another tag; the same page elsewhere, the same.
    assert_ne!(world.get("/product-page/43").await.header("etag"), tag);
    assert_ne!(world.get("/product-page/42?parts=stock").await.header("etag"), tag);
    assert_eq!(World::start().await.get(PAGE).await.header("etag"), tag);
    // A write has no tag, and nor has a page with a hole in it.
    world.fault(Service::Reviews, Faults { refuse: true, ..Faults::default() });
    assert_eq!(world.get("/product-page/44").await.header("etag"), "");
    let degraded = Answer::to(world.request(Method::GET, "/product-page/44").header("if-none-match", "*")).await;
    assert_eq!(degraded.status, 200, "what a client has is better than this");
}

#[tokio::test]
async fn a_head_is_that_of_the_get() {
    let world = World::start().await;
    let get = world.get(PAGE).await;
    let head = Answer::to(world.request(Method::HEAD, PAGE)).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["etag", "vary", "content-type", "content-length", "content-security-policy"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    assert!(head.header("cache-control").starts_with("public, max-age="));
    let known = Answer::to(world.request(Method::HEAD, PAGE).header("if-none-match", get.header("etag"))).await;
    assert_eq!(known.status, 304);
    let nowhere = Answer::to(world.request(Method::HEAD, "/nowhere")).await;
    assert_eq!((nowhere.status, nowhere.body.len()), (404, 0));
}

#[tokio::test]
async fn a_page_is_compressed_for_those_who_can_read_it() {
    let world = World::start().await;
    let plain = world.get(PAGE).await;
    assert!(plain.body.len() > 860, "too small to be compressed");
    for encoding in ["gzip", "br", "zstd"] {
        let packed = Answer::to(world.request(Method::GET, PAGE).header("accept-encoding", encoding)).await;
        assert_eq!(packed.header("content-encoding"), encoding);
        assert!(packed.body.len() < plain.body.len(), "{encoding}");
        assert_ne!(packed.body, plain.body, "{encoding}");
        for name in ["etag", "content-type"] {
            assert_eq!(packed.header(name), plain.header(name), "{encoding}, {name}");
        }
        assert_eq!(packed.header("vary").to_ascii_lowercase(), plain.header("vary").to_ascii_lowercase());
        // A client that unpacks reads the same.
        let reader = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = reader.get(world.url(PAGE)).header("accept-encoding", encoding);
        assert_eq!(Answer::to(request).await.body, plain.body, "{encoding}");
        let known = world
            .request(Method::GET, PAGE)
            .header("accept-encoding", encoding)
            .header("if-none-match", plain.header("etag"));
        let known = Answer::to(known).await;
        assert_eq!((known.status, known.header("content-encoding").as_str(), known.body.len()), (304, "", 0));
        assert!(known.header("vary").to_ascii_lowercase().contains("accept-encoding"), "{encoding}");
    }
    for nothing in ["identity", "", "gzip;q=0", "lzma"] {
        let answer = Answer::to(world.request(Method::GET, PAGE).header("accept-encoding", nothing)).await;
        assert_eq!((answer.header("content-encoding").as_str(), &answer.body), ("", &plain.body), "{nothing}");
        assert!(answer.header("vary").to_ascii_lowercase().contains("accept-encoding"), "{nothing}");
    }
}

/// A header of the client that a backend gets to see makes another question, and clients' caches are told so.
#[tokio::test]
async fn what_is_passed_on_makes_another_question() {
    let world = World::with(|settings| {
        settings.upstreams.get_mut("catalog").unwrap().forward = vec!["accept-language".to_owned()];
    })
    .await;
    let ask = |language: &str| Answer::to(world.request(Method::GET, PAGE).header("accept-language", language));
    for (language, seen) in [("de", 1), ("fr", 2), ("de", 2), ("fr", 2), ("de, en", 3)] {
        let answer = ask(language).await;
        assert!(answer.header("vary").to_ascii_lowercase().contains("accept-language"), "{}", answer.header("vary"));
        assert_eq!(world.seen(Service::Catalog), seen, "{language}");
    }
    let heard: Vec<_> = world
        .mocks
        .requests(Service::Catalog)
        .iter()
        .map(|one| one.header("accept-language").map(str::to_owned))
        .collect();
    assert_eq!(heard, [Some("de".to_owned()), Some("fr".to_owned()), Some("de, en".to_owned())]);
    assert_eq!(world.mocks.requests(Service::Pricing)[0].header("accept-language"), None);
}

/// What was made for somebody is kept by nobody else.
#[tokio::test]
async fn what_belongs_to_somebody_is_private() {
    let world = World::start().await;
    for path in ["/home", "/orders"] {
        let answer = world.get_as("ada", path).await;
        assert_eq!(answer.status, 200, "{path}");
        let told = answer.header("cache-control");
        assert!(told == "private, no-cache" || told == "no-store", "{path}: {told}");
    }
    assert_eq!(world.get_as("ada", "/cart").await.header("cache-control"), "no-store", "the backend said so");
    // Who asked for a page for everybody does not matter.
    assert!(world.get_as("ada", PAGE).await.header("cache-control").starts_with("public, max-age="));
    // Nobody's home depends on that nobody asks.
    assert_eq!(world.get("/home").await.header("cache-control"), "private, no-cache");
}
