//! Bad backends and the real BFF over loopback: what protects a page, and what operators see of it.

use std::time::Duration;

use mock_services::{Faults, Service};
use serde_json::{Value, json};

use crate::world::{World, backends, client};

const PAGE: &str = "/product-page/42";

async fn protections(world: &World, upstream: &str) -> Value {
    let url = format!("http://{}/protections", world.mobile.management);
    let body = client().get(url).send().await.unwrap().bytes().await.unwrap();
    let view: Value = serde_json::from_slice(&body).unwrap();
    let found = view["upstreams"].as_array().unwrap().iter().find(|view| view["upstream"] == upstream);
    found.unwrap_or_else(|| panic!("{upstream} is not in {view}")).clone()
}

#[tokio::test]
async fn an_open_circuit_is_told_to_clients_and_to_operators() {
    // Open for longer than this test, on however busy a machine.
    let world = World::with(|settings| {
        settings.upstreams.get_mut("pricing").unwrap().breaker.open_for = Duration::from_secs(30);
    })
    .await;
    let well = protections(&world, "pricing").await;
    assert_eq!((&well["breaker"]["state"], &well["breaker"]["opened"]), (&json!("closed"), &json!(0)));
    assert!(well["bulkhead"]["limit"].as_u64().unwrap() >= 4, "{well}");
    assert_eq!(well["hosts"].as_array().unwrap().len(), 1, "{well}");

    world.fault(Service::Pricing, Faults { error_status: Some(500), ..Faults::default() });
    for _ in 0..5 {
        world.get(PAGE).await.assert_problem(502, "upstream-failed");
    }
    let asked = world.seen(Service::Pricing);
    let answer = world.get(PAGE).await;
    let problem = answer.assert_problem(503, "unavailable");
    assert_eq!((&problem["part"], &problem["reason"]), (&json!("price"), &json!("circuit_open")));
    let after: u64 = answer.header("retry-after").parse().unwrap();
    assert!((20..=36).contains(&after), "{after}");
    assert_eq!(world.seen(Service::Pricing), asked, "it was asked although the circuit is open");

    let open = protections(&world, "pricing").await;
    assert_eq!((&open["breaker"]["state"], &open["breaker"]["opened"]), (&json!("open"), &json!(1)), "{open}");
    assert!(open["breaker"]["retry_after_seconds"].as_f64().unwrap() > 0.0, "{open}");
    let metrics = world.mobile.metrics().await;
    for line in [
        r#"bff_upstream_breaker_state{upstream="pricing",variant="",state="open"} 1"#,
        r#"bff_upstream_breaker_state{upstream="pricing",variant="",state="closed"} 0"#,
        r#"bff_upstream_breaker_opened_total{upstream="pricing",variant=""} 1"#,
        r#"bff_upstream_hosts{upstream="pricing",variant=""} 1"#,
        r#"bff_upstream_breaker_opened_total{upstream="catalog",variant=""} 0"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn an_optional_backend_that_is_down_is_not_waited_for_twice() {
    let shipped = crate::world::shipped().upstreams["reviews"].clone();
    let world = World::with(|settings| {
        let reviews = settings.upstreams.get_mut("reviews").unwrap();
        (reviews.timeout, reviews.attempt_timeout) = (shipped.timeout, shipped.attempt_timeout);
    })
    .await;
    world.fault(Service::Reviews, Faults { hang: true, ..Faults::default() });
    // Five in a row open the circuit; a second attempt that the call cuts early says nothing.
    for number in 1..=5 {
        assert_eq!(world.get(&format!("/product-page/{number}")).await.parts()[0]["part"], "reviews");
    }
    let part = world.get(PAGE).await.parts().remove(0);
    assert_eq!((&part["outcome"], &part["reason"]), (&json!("missing"), &json!("circuit_open")), "{part}");
}

#[tokio::test]
async fn a_host_that_dies_costs_no_page() {
    let second = backends().await;
    let url = second.url(Service::Pricing);
    let world = World::with(|settings| {
        let pricing = settings.upstreams.get_mut("pricing").unwrap();
        pricing.urls = vec![std::mem::take(&mut pricing.url), url];
    })
    .await;
    for number in 1..=20 {
        assert!(world.get(&format!("/product-page/{number}")).await.json()["price"].is_object());
    }
    assert!(world.seen(Service::Pricing) > 0 && !second.requests(Service::Pricing).is_empty());
    second.set_faults(Service::Pricing, Faults { refuse: true, ..Faults::default() }).unwrap();
    for number in 21..=60 {
        let answer = world.get(&format!("/product-page/{number}")).await;
        assert!(answer.json()["price"].is_object(), "{number}: {}", answer.json());
    }
    let view = protections(&world, "pricing").await;
    assert_eq!(view["hosts"].as_array().unwrap().len(), 2, "{view}");
    assert_eq!(view["breaker"]["opened"], 0, "{view}");
}

#[tokio::test]
async fn what_nobody_can_mean_is_refused_with_key_and_remedy() {
    let mut settings = crate::world::shipped();
    let own = settings.upstreams.get_mut("pricing").unwrap();
    own.hedge.enabled = true;
    own.hedge.after_at_least = own.attempt_timeout;
    own.breaker.slow_after = Some(own.timeout);
    own.breaker.failure_rate = 0.0;
    own.bulkhead.floor = 0;
    own.bulkhead.wait = own.timeout;
    own.retry.budget.share = -1.0;
    own.urls = vec!["http://one.test".to_owned(), "http://one.test".to_owned()];
    own.balance.weights = vec![1];
    let mut mistakes = bff_core::settings::Mistakes::default();
    bff_core::settings::Check::check(&settings, &mut mistakes);
    let mistakes = mistakes.into_inner();
    let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    for key in [
        "hedge.after_at_least",
        "breaker.slow_after",
        "breaker.failure_rate",
        "bulkhead.floor",
        "bulkhead.wait",
        "retry.budget.share",
        "urls",
        "balance.weights",
    ] {
        assert!(keys.contains(&format!("upstreams.pricing.{key}").as_str()), "{key} is not in {keys:?}");
    }
    assert!(mistakes.iter().all(|mistake| !mistake.remedy.is_empty()));
}
