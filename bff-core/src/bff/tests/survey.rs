//! What the code of endpoints may do before anybody asks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};

use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Home, Ticket, Upstreams, add_home, build, said, said_of, train};
use crate::{Bff, Composer, Json, Path, Policy, Problems, Result, routes};

/// How often a function of these tests was run.
static RUN: AtomicUsize = AtomicUsize::new(0);

#[tokio::test]
async fn only_what_may_have_parts_is_run_and_writes_never_are() {
    #[derive(Deserialize, ToSchema)]
    struct Order {
        #[allow(dead_code)]
        seats: u32,
    }
    #[utoipa::path(post, path = "/orders", responses((status = OK, body = Home), Problems))]
    async fn add_order(page: Composer, up: Upstreams) -> Result<Json<Home>> {
        RUN.fetch_add(1, Ordering::SeqCst);
        train(page, up).await
    }
    #[utoipa::path(put, path = "/orders", responses((status = OK, body = Ticket)))]
    async fn put_order(order: Option<axum::Json<Order>>) -> Result<Json<Ticket>> {
        RUN.fetch_add(1 + usize::from(order.is_some()), Ordering::SeqCst);
        add_home().await
    }
    #[utoipa::path(get, path = "/export", responses((status = OK, body = String, content_type = "text/csv")))]
    async fn export() -> Result<Response> {
        RUN.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new("x".repeat(1 << 20).into()))
    }
    let bff = Bff::new("rail", "1")
        .page(routes!(super::home), Policy::public())
        .page(routes!(add_order), Policy::public())
        .page(routes!(put_order), Policy::public())
        .page(routes!(export), Policy::public());
    let app = build(&bff).await.unwrap();
    assert_eq!(RUN.load(Ordering::SeqCst), 0);
    assert_eq!(app.parts("getHome").len(), 1);
    let json = serde_json::to_value(&app.document).unwrap();
    let headers = &json["paths"]["/orders"]["post"]["responses"]["200"]["headers"];
    assert!(headers.get("Bff-Degraded").is_some(), "known by its type: {headers}");
}

/// Where an endpoint waits until a test lets it go.
static GATE: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);

#[tokio::test]
async fn a_page_that_does_not_get_to_its_parts_is_refused() {
    #[utoipa::path(get, path = "/a", responses((status = OK, body = Home), Problems))]
    async fn waits(page: Composer, up: Upstreams) -> Result<Json<Home>> {
        std::future::pending::<()>().await;
        train(page, up).await
    }
    #[utoipa::path(get, path = "/b", responses((status = OK, body = Home), Problems))]
    async fn asks(page: Composer, up: Upstreams) -> Result<Json<Home>> {
        up.trains.name().await?;
        train(page, up).await
    }
    #[utoipa::path(get, path = "/c", responses((status = OK, body = Home), Problems))]
    async fn panics(page: Composer, up: Upstreams) -> Result<Json<Home>> {
        let trains: Vec<u32> = Vec::new();
        assert!(!trains.is_empty(), "no trains");
        train(page, up).await
    }
    #[utoipa::path(get, path = "/d/{number}", params(("number" = String, Path)), responses((status = OK, body = Home), Problems))]
    async fn picky(page: Composer, up: Upstreams, Path(_id): Path<std::net::IpAddr>) -> Result<Json<Home>> {
        train(page, up).await
    }
    let pages = [routes!(super::home), routes!(waits), routes!(asks), routes!(panics), routes!(picky)];
    let said = said(pages.map(|page| (page, Policy::public()))).await;
    for expected in [
        "4 mistakes in the endpoints\n",
        "GET /a (getWaits): does not get as far as `compose!` within 2s; take what sleeps",
        "GET /b (getAsks): asks trains in front of its parts, so that nobody knows them; take the call into an `async` block",
        "GET /c (getPanics): panics when it is asked for its parts: no trains; ",
        "GET /d/{number} (getPicky): refuses the request that its document gives as an example, /d/1 ({number}: ",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}

#[tokio::test]
async fn one_that_blocks_its_thread_is_left_behind() {
    #[utoipa::path(get, path = "/a", responses((status = OK, body = Home), Problems))]
    async fn blocks(page: Composer, up: Upstreams) -> Result<Json<Home>> {
        let gate = GATE.lock().unwrap().take();
        let _ = gate.map(|gate| gate.recv());
        train(page, up).await
    }
    let (open, gate) = mpsc::sync_channel(1);
    *GATE.lock().unwrap() = Some(gate);
    let said = said_of(routes!(blocks)).await;
    assert!(said.contains("GET /a (getBlocks): does not get as far as `compose!` within 2s"), "{said}");
    drop(open);
}

#[tokio::test]
async fn a_page_written_by_hand_ends_at_its_first_part() {
    #[utoipa::path(get, path = "/a", responses((status = OK, body = Home), Problems))]
    async fn by_hand(page: Composer, up: Upstreams) -> Result<Json<Home>> {
        let train = page.optional("train", up.trains.name()).await?;
        RUN.fetch_add(1, Ordering::SeqCst);
        Ok(Json(Home { train, meta: page.meta() }))
    }
    let before = RUN.load(Ordering::SeqCst);
    let app = build(&Bff::new("rail", "1").page(routes!(by_hand), Policy::public())).await.unwrap();
    assert_eq!((app.parts("getByHand").len(), RUN.load(Ordering::SeqCst)), (1, before));
}
