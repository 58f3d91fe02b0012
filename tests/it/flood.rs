//! Whatever clients invent, nothing here grows without a bound.

use std::collections::BTreeSet;

use bytesize::ByteSize;
use futures::StreamExt;
use mock_services::TokenRequest;
use reqwest::{Method, RequestBuilder};

use crate::world::{Answer, World};

/// Much less than a flood would fill.
const CAPACITY: u64 = 128 * 1024;

/// So many requests of each kind.
const FLOOD: usize = 120;

/// What there is in the metrics, without how much of it.
async fn series(world: &World) -> BTreeSet<String> {
    let text = world.mobile.metrics().await;
    assert!(text.lines().count() > 20, "{text}");
    text.lines().map(|line| line.rsplit_once(' ').map_or(line, |(series, _)| series).to_owned()).collect()
}

/// Every kind of request that a stranger can make many of, `number` by `number`.
fn strange(world: &World, number: usize) -> Vec<RequestBuilder> {
    let get = |path: String| world.request(Method::GET, &path);
    let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
    vec![
        get(format!("/nowhere/{number}/{number}")),
        get(format!("/{number}")),
        get(format!("/problems/{number}")),
        get(format!("/product-page/x{number}")),
        get(format!("/product-page/{}", 100 + number)),
        get(format!("/product-page/42?utm={number}")),
        get(format!("/search?q=kettle&page=1&x={number}")),
        get(format!("/search?q={}", "k".repeat(1 + number % 150))),
        get(format!("/search?q=kettle%20{number}")),
        get("/home".to_owned()).header("x-request-id", format!("id-{number}")),
        get("/home".to_owned()).header("traceparent", format!("00-{:032x}-00000000000000ff-01", number + 1)),
        get("/home".to_owned())
            .header("accept-language", format!("l{number}"))
            .header("user-agent", format!("u{number}")),
        get("/home".to_owned()).header("host", format!("host-{number}.example")),
        get("/orders".to_owned()).bearer_auth(format!("a.b.{number}")),
        world.request(method, "/product-page/42"),
    ]
}

/// The same from users: each has a cache of their own.
fn identity(world: &World, number: usize) -> Vec<RequestBuilder> {
    let wanted =
        TokenRequest { client: Some(format!("app-{number}")), alg: "ES256".to_owned(), ..TokenRequest::new("ada") };
    let token = world.mocks.mint_token(&wanted).unwrap();
    ["/home", "/orders"].map(|path| world.request(Method::GET, path).bearer_auth(&token)).into()
}

async fn flood(world: &World, requests: impl Iterator<Item = RequestBuilder>) {
    let answers = futures::stream::iter(requests).map(Answer::to).buffer_unordered(16);
    let statuses: BTreeSet<u16> = answers.map(|answer| answer.status).collect().await;
    assert!(statuses.iter().all(|status| [200, 400, 401, 404, 405].contains(status)), "{statuses:?}");
    assert!(world.mobile.shared.store.weight() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_metrics_nor_cache_grow() {
    let world = World::with(|settings| settings.cache.capacity = ByteSize::b(CAPACITY)).await;
    let both = |number| strange(&world, number).into_iter().chain(identity(&world, number));
    // Every kind of answer once, after which no new kind is to come.
    for round in 0..2 {
        flood(&world, (0..10).flat_map(|number| both(FLOOD + 10 * round + number))).await;
    }
    // What is asked again comes from the store: a kind of its own.
    for _ in 0..2 {
        flood(&world, both(FLOOD)).await;
    }
    let before = series(&world).await;
    let weight = |world: &World| world.mobile.shared.store.weight();
    let mut heaviest = 0;
    for chunk in (0..FLOOD).collect::<Vec<_>>().chunks(20) {
        flood(&world, chunk.iter().flat_map(|number| both(*number))).await;
        heaviest = heaviest.max(weight(&world));
    }
    assert!(heaviest <= CAPACITY, "{heaviest}");
    // Which parts of a page that fails have ended by then is a matter of luck, so a combination of the closed words may
    // still be new. What clients invent would be so each time.
    let after = series(&world).await;
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.len() < FLOOD / 20, "{new:#?}");
    // It was a flood: with more room it fills more.
    let roomy = World::start().await;
    flood(&roomy, (0..FLOOD / 4).flat_map(|number| strange(&roomy, number))).await;
    assert!(weight(&roomy) > CAPACITY, "{}", weight(&roomy));
}
