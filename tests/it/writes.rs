//! A write is done once, whatever its caller does meanwhile; and whoever wrote reads what was written.

use mock_services::{Faults, Service};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::world::{Answer, World, h2_client, within};

const PRODUCT: &str = "7";

fn add(world: &World, quantity: u32) -> RequestBuilder {
    let body = json!({ "product_id": PRODUCT, "quantity": quantity }).to_string();
    let request = world.request(Method::POST, "/cart/items").header("content-type", "application/json");
    request.bearer_auth(world.token("ada")).body(body)
}

/// How many pieces an answer of ours shows; 0 for a cart without the product.
fn pieces(cart: &Value) -> u64 {
    let line = cart["lines"].as_array().unwrap().iter().find(|line| line["product_id"] == PRODUCT);
    line.map_or(0, |line| line["quantity"].as_u64().unwrap())
}

/// How many pieces the backend has.
async fn kept(world: &World) -> u64 {
    let url = format!("{}/cart", world.mocks.url(Service::Carts));
    pieces(&Answer::to(world.client.get(url).header("x-user-id", "ada")).await.json())
}

/// What the backend was asked to write, and how that ended.
fn writes(world: &World) -> Vec<(Option<u16>, bool)> {
    let requests = world.mocks.requests(Service::Carts);
    requests.iter().filter(|one| one.method == "POST").map(|one| (one.status, one.hung_up)).collect()
}

#[tokio::test]
async fn a_write_is_answered() {
    let world = World::start().await;
    let answer = Answer::to(add(&world, 2)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(pieces(&answer.json()), 2);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(writes(&world), [(Some(200), false)]);
    let request = &world.mocks.requests(Service::Carts)[0];
    assert_eq!((request.header("x-user-id"), request.header("idempotency-key")), (Some("ada"), None));
}

/// Both a write and a read are held; the client resets first the one, then the other. When the read's backend has seen
/// it, the write's has had the time to.
#[tokio::test]
async fn a_client_that_leaves_does_not_end_its_write() {
    let world = World::start().await;
    let client = h2_client();
    assert_eq!(Answer::to(client.get(world.url("/livez"))).await.status, 200);
    world.mocks.hold(Service::Carts);
    world.mocks.hold(Service::Catalog);
    let (connection, request) = add(&world, 3).build_split();
    drop(connection);
    let writing = tokio::spawn(client.execute(request.unwrap()));
    within(world.mocks.wait_held(Service::Carts, 1)).await;
    let reading = tokio::spawn(client.get(world.url("/product-page/42")).send());
    within(world.mocks.wait_held(Service::Catalog, 1)).await;
    writing.abort();
    reading.abort();
    within(world.mocks.wait_hung_up(Service::Catalog, 1)).await;
    assert_eq!(world.mocks.release(Service::Carts), 1);
    within(world.mocks.wait_finished(Service::Carts, 1)).await;
    assert_eq!(writes(&world), [(Some(200), false)]);
    assert_eq!(kept(&world).await, 3);
}

#[tokio::test]
async fn a_write_that_hangs_may_have_happened() {
    let world = World::hasty(Service::Carts).await;
    world.fault(Service::Carts, Faults { hang: true, ..Faults::default() });
    let problem = Answer::to(add(&world, 1)).await.assert_problem(504, "timeout");
    assert_eq!((&problem["outcome_unknown"], &problem["reason"]), (&json!(true), &json!("timeout")), "{problem}");
    assert_eq!(writes(&world).len(), 1, "it was sent again");
}

/// The client's patience ends; the write goes on and is done.
#[tokio::test]
async fn a_write_outlives_the_budget() {
    let world = World::start().await;
    world.mocks.hold(Service::Carts);
    let problem = Answer::to(add(&world, 4).header("request-timeout", "0.3")).await.assert_problem(504, "timeout");
    assert_eq!((&problem["outcome_unknown"], &problem["reason"]), (&json!(true), &json!("deadline")), "{problem}");
    assert_eq!(world.mocks.release(Service::Carts), 1);
    within(world.mocks.wait_finished(Service::Carts, 1)).await;
    assert_eq!(writes(&world), [(Some(200), false)]);
    assert_eq!(kept(&world).await, 4);
}

/// Done, and then the connection breaks: the caller cannot know, and nobody may try again on its behalf.
#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_sent_again() {
    let world = World::start().await;
    for faults in [Faults { reset: true, ..Faults::default() }, Faults { truncate: true, ..Faults::default() }] {
        let before = (kept(&world).await, writes(&world).len());
        world.fault(Service::Carts, faults.clone());
        let problem = Answer::to(add(&world, 1)).await.assert_problem(502, "upstream-failed");
        assert_eq!(
            (&problem["reason"], &problem["outcome_unknown"]),
            (&json!("unreachable"), &json!(true)),
            "{problem}"
        );
        world.fault(Service::Carts, Faults::default());
        assert_eq!((kept(&world).await, writes(&world).len()), (before.0 + 1, before.1 + 1), "{faults:?}");
    }
}

#[tokio::test]
async fn the_key_of_a_write_is_passed_on() {
    let world = World::start().await;
    let keyed = |quantity| add(&world, quantity).header("idempotency-key", "order-1");
    let first = Answer::to(keyed(2)).await;
    let second = Answer::to(keyed(2)).await;
    assert_eq!((first.status, first.text()), (second.status, second.text()));
    assert_eq!(kept(&world).await, 2, "the same key adds once");
    Answer::to(keyed(3)).await.assert_problem(409, "conflict");
    assert_eq!(kept(&world).await, 2);
    for request in world.mocks.requests(Service::Carts).iter().filter(|request| request.method == "POST") {
        assert_eq!(request.header("idempotency-key"), Some("order-1"));
    }
    // A read has nothing to repeat.
    let read = world.request(Method::GET, "/cart").bearer_auth(world.token("ada")).header("idempotency-key", "order-1");
    assert_eq!(Answer::to(read).await.status, 200);
    let read = world.mocks.requests(Service::Carts).pop().unwrap();
    assert_eq!((read.method.as_str(), read.header("idempotency-key")), ("GET", None));
}

/// What a backend says no to passes as itself.
#[tokio::test]
async fn a_write_that_is_refused() {
    let world = World::start().await;
    let problem = Answer::to(add(&world, 21)).await.assert_problem(422, "unprocessable");
    assert_eq!(problem["errors"][0]["pointer"], "/quantity", "{problem}");
    assert_eq!(world.all_seen().len(), 0, "nobody had to be asked");
    assert_eq!(Answer::to(add(&world, 20)).await.status, 200);
    let problem = Answer::to(add(&world, 1)).await.assert_problem(422, "unprocessable");
    assert_eq!(problem.get("outcome_unknown"), None, "{problem}");
    let anonymous = world.request(Method::POST, "/cart/items").header("content-type", "application/json").body("{}");
    let before = world.all_seen().len();
    Answer::to(anonymous).await.assert_problem(401, "unauthenticated");
    assert_eq!(world.all_seen().len(), before);
}

/// The backend lies that its carts may be kept for an hour, so that a stale read would be seen.
#[tokio::test]
async fn whoever_writes_reads_what_was_written() {
    let world = World::start().await;
    world.fault(Service::Carts, Faults { lie_public: true, ..Faults::default() });
    let reads = |user: &str| {
        let requests = world.mocks.requests(Service::Carts);
        requests.iter().filter(|one| one.method == "GET" && one.header("x-user-id") == Some(user)).count()
    };
    for user in ["ada", "u2"] {
        let (first, second) = (world.get_as(user, "/cart").await, world.get_as(user, "/cart").await);
        assert_eq!((first.status, first.json()["lines"].clone()), (200, second.json()["lines"].clone()));
        assert_eq!(reads(user), 1, "the backend's lie is believed, for {user} alone");
    }
    let before = pieces(&world.get_as("ada", "/cart").await.json());
    assert_eq!(Answer::to(add(&world, 5)).await.status, 200);
    assert_eq!(pieces(&world.get_as("ada", "/cart").await.json()), before + 5);
    assert_eq!(pieces(&world.get_as("u2", "/cart").await.json()), 0);
    assert_eq!((reads("ada"), reads("u2")), (2, 1), "what u2 was told is as good as before");
    // Also after a write of which nobody knows whether it happened.
    world.fault(Service::Carts, Faults { lie_public: true, truncate: true, ..Faults::default() });
    Answer::to(add(&world, 5)).await.assert_problem(502, "upstream-failed");
    world.fault(Service::Carts, Faults { lie_public: true, ..Faults::default() });
    assert_eq!(pieces(&world.get_as("ada", "/cart").await.json()), before + 10);
}
