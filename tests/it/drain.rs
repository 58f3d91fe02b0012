//! Stopping without losing a request. The same with a real process and a real signal stands in `bff-mobile/tests`.

use std::time::Duration;

use mock_services::Service;
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpStream;

use crate::world::{Answer, PATIENCE, World, client, h2_client, read_until, status_of, within};

const PAGE: &str = "/product-page/42";

/// Comes back when nobody is let in any more.
async fn closed(world: &World) {
    within(async {
        while TcpStream::connect(world.mobile.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn ready(world: &World) -> u16 {
    Answer::to(client().get(format!("http://{}/readyz", world.mobile.management))).await.status
}

#[tokio::test]
async fn what_is_in_flight_is_answered() {
    let mut world = World::start().await;
    assert_eq!((ready(&world).await, world.get("/readyz").await.status), (200, 200));
    // A connection that is used again, one that asks nothing, HTTP/2, and a write.
    let mut idle = world.mobile.raw(format!("GET {PAGE} HTTP/1.1\r\nhost: shop\r\n\r\n")).await;
    assert_eq!(status_of(&read_until(&mut idle, b"\r\n\r\n").await), 200);
    let mut silent = world.mobile.raw("").await;
    world.mocks.hold(Service::Reviews);
    world.mocks.hold(Service::Carts);
    let path = "/product-page/43";
    let first = tokio::spawn(Answer::to(world.request(Method::GET, path)));
    let second = tokio::spawn(Answer::to(h2_client().get(world.url("/product-page/44"))));
    let write = world.request(Method::POST, "/cart/items").bearer_auth(world.token("ada"));
    let write = write.header("content-type", "application/json").body(r#"{"product_id":"7","quantity":1}"#);
    let write = tokio::spawn(Answer::to(write));
    within(world.mocks.wait_held(Service::Reviews, 2)).await;
    within(world.mocks.wait_held(Service::Carts, 1)).await;

    world.mobile.stop();
    closed(&world).await;
    assert_eq!(ready(&world).await, 503, "operators are still answered");
    assert_eq!(world.mocks.release(Service::Reviews), 2);
    assert_eq!(world.mocks.release(Service::Carts), 1);
    for answer in [first, second] {
        assert_eq!(within(answer).await.unwrap().parts(), [json!(null); 0]);
    }
    assert_eq!(within(write).await.unwrap().status, 200);
    // The idle ones are not waited for.
    read_until(&mut idle, b"\0").await;
    drop(silent.try_read(&mut [0]));
    read_until(&mut silent, b"\0").await;
    world.mobile.ended().await.unwrap();
}

/// Nobody waits for it any more, but it was promised to be done.
#[tokio::test]
async fn a_write_without_a_caller_is_waited_for() {
    let mut world = World::start().await;
    world.mocks.hold(Service::Carts);
    let write = world.request(Method::POST, "/cart/items").bearer_auth(world.token("ada"));
    let write = write.header("content-type", "application/json").header("request-timeout", "0.2");
    let write = write.body(r#"{"product_id":"7","quantity":1}"#);
    Answer::to(write).await.assert_problem(504, "timeout");
    world.mobile.stop();
    closed(&world).await;
    assert_eq!(world.mocks.release(Service::Carts), 1);
    let World { mocks, mobile, .. } = world;
    mobile.ended().await.unwrap();
    let write = &mocks.requests(Service::Carts)[0];
    assert_eq!((write.status, write.hung_up), (Some(200), false));
}

#[tokio::test]
async fn who_never_ends_is_cut() {
    let mut world = World::with(|settings| settings.server.drain_timeout = Duration::from_millis(200)).await;
    world.mocks.hold(Service::Catalog);
    let held = tokio::spawn(Answer::try_to(world.request(Method::GET, PAGE)));
    within(world.mocks.wait_held(Service::Catalog, 1)).await;
    world.mobile.stop();
    let World { mobile, .. } = world;
    let error = mobile.ended().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    drop(held);
}

/// Balancers hear of it first; until they have, their requests are answered.
#[tokio::test]
async fn the_delay_is_for_balancers() {
    let mut world = World::with(|settings| settings.server.drain_delay = PATIENCE).await;
    world.mobile.stop();
    within(async { while ready(&world).await == 200 {} }).await;
    assert_eq!(world.get("/readyz").await.status, 503);
    assert_eq!(world.get("/livez").await.status, 200);
    assert_eq!(world.get(PAGE).await.parts(), [json!(null); 0]);
}
