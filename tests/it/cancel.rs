//! Cancellation is real: when nobody waits for a call any more, its backend sees the connection go.

use mock_services::{Faults, Service};
use reqwest::Method;
use serde_json::json;

use crate::world::{Answer, World, h2_client, within};

const PAGE: &str = "/product-page/42";
const RAW: &str = "GET /product-page/42 HTTP/1.1\r\nhost: shop\r\n\r\n";

/// What the product page asks first; the rest waits for the catalog.
const ASKED: [Service; 4] = [Service::Catalog, Service::Pricing, Service::Inventory, Service::Reviews];

fn hold(world: &World) {
    for service in ASKED {
        world.mocks.hold(service);
    }
}

async fn all_held(world: &World) {
    for service in ASKED {
        within(world.mocks.wait_held(service, 1)).await;
    }
}

async fn assert_hung_up(world: &World, services: &[Service]) {
    for service in services {
        within(world.mocks.wait_hung_up(*service, 1)).await;
        let requests = world.mocks.requests(*service);
        let ends: Vec<_> = requests.iter().map(|one| (one.status, one.hung_up)).collect();
        assert_eq!(ends, [(None, true)], "{service}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_calls() {
    let world = World::start().await;
    hold(&world);
    let stream = world.mobile.raw(RAW).await;
    all_held(&world).await;
    drop(stream);
    assert_hung_up(&world, &ASKED).await;
}

#[tokio::test]
async fn so_does_a_stream_that_is_reset() {
    let world = World::start().await;
    let client = h2_client();
    hold(&world);
    let leaving = tokio::spawn(client.get(world.url(PAGE)).send());
    all_held(&world).await;
    leaving.abort();
    assert_hung_up(&world, &ASKED).await;
    // The connection is as good as before.
    for service in ASKED {
        world.mocks.release(service);
    }
    assert_eq!(Answer::to(client.get(world.url(PAGE))).await.parts(), [json!(null); 0]);
}

#[tokio::test]
async fn a_required_part_that_fails_ends_the_others() {
    let world = World::start().await;
    hold(&world);
    let asked = tokio::spawn(Answer::to(world.request(Method::GET, PAGE)));
    all_held(&world).await;
    world.fault(Service::Pricing, Faults { error_status: Some(500), ..Faults::default() });
    world.mocks.release(Service::Pricing);
    let problem = within(asked).await.unwrap().assert_problem(502, "upstream-failed");
    assert_eq!(problem["part"], "price");
    assert_hung_up(&world, &[Service::Catalog, Service::Inventory, Service::Reviews]).await;
}

#[tokio::test]
async fn a_part_that_fails_ends_nobody_where_the_page_can_do_without() {
    let world = World::start().await;
    hold(&world);
    let asked = tokio::spawn(Answer::to(world.request(Method::GET, PAGE)));
    all_held(&world).await;
    world.fault(Service::Reviews, Faults { error_status: Some(500), ..Faults::default() });
    world.mocks.release(Service::Reviews);
    within(world.mocks.wait_finished(Service::Reviews, 1)).await;
    for service in ASKED {
        world.mocks.release(service);
    }
    let parts = within(asked).await.unwrap().parts();
    assert_eq!(parts, [json!({ "part": "reviews", "outcome": "missing", "reason": "upstream_error" })]);
    for service in ASKED {
        assert!(!world.mocks.requests(service)[0].hung_up, "{service}");
    }
}

#[tokio::test]
async fn a_part_that_is_too_late_is_not_waited_for() {
    let world = World::hasty(Service::Reviews).await;
    world.fault(Service::Reviews, Faults { hang: true, ..Faults::default() });
    let parts = world.get(PAGE).await.parts();
    assert_eq!(parts, [json!({ "part": "reviews", "outcome": "missing", "reason": "timeout" })]);
    assert_hung_up(&world, &[Service::Reviews]).await;
}

/// Two clients want the same page. By a header that is passed on to the inventory each asks it on its own, and that call
/// is sent after the page has asked for product and price: with two there, both clients wait for the same product.
async fn two_clients() -> (World, tokio::net::TcpStream, tokio::net::TcpStream) {
    let world = World::with(|settings| {
        settings.upstreams.get_mut("inventory").unwrap().forward = vec!["x-lap".to_owned()];
    })
    .await;
    hold(&world);
    let mut clients = Vec::new();
    for lap in 1..=2 {
        let request = format!("GET {PAGE} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\nx-lap: {lap}\r\n\r\n");
        clients.push(world.mobile.raw(request).await);
        within(world.mocks.wait_held(Service::Inventory, lap)).await;
    }
    all_held(&world).await;
    let (second, first) = (clients.pop().unwrap(), clients.pop().unwrap());
    (world, first, second)
}

#[tokio::test]
async fn a_call_that_somebody_else_waits_for_goes_on() {
    let (world, first, mut second) = two_clients().await;
    // The one that leaves is the one whose call it was.
    drop(first);
    // Its own call shows that it is gone.
    within(world.mocks.wait_hung_up(Service::Inventory, 1)).await;
    for service in ASKED {
        world.mocks.release(service);
    }
    let answer = crate::world::read_until(&mut second, b"\0").await;
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains(r#""meta":{"degraded":false,"parts":[]}"#), "{text}");
    for service in [Service::Catalog, Service::Pricing, Service::Reviews] {
        let requests = world.mocks.requests(service);
        let ends: Vec<_> = requests.iter().map(|one| (one.status, one.hung_up)).collect();
        assert_eq!(ends, [(Some(200), false)], "{service}: one call, for both");
    }
}

#[tokio::test]
async fn until_that_one_leaves_too() {
    let (world, first, second) = two_clients().await;
    drop(first);
    within(world.mocks.wait_hung_up(Service::Inventory, 1)).await;
    for service in [Service::Catalog, Service::Pricing, Service::Reviews] {
        assert_eq!(world.mocks.backend(service).held(), 1, "{service}");
    }
    drop(second);
    within(world.mocks.wait_hung_up(Service::Inventory, 2)).await;
    assert_hung_up(&world, &[Service::Catalog, Service::Pricing, Service::Reviews]).await;
}

/// What a client with very little patience leaves behind does no harm to the next one.
#[tokio::test]
async fn a_client_without_patience_spoils_nothing() {
    let world = World::start().await;
    hold(&world);
    let request = world.request(Method::GET, PAGE).header("request-timeout", "0.05");
    Answer::to(request).await.assert_problem(504, "timeout");
    for service in ASKED {
        world.mocks.release(service);
    }
    assert_eq!(world.get(PAGE).await.parts(), [json!(null); 0]);
}
