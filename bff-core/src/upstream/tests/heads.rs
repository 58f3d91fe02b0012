//! What a call is told beside the value, for how long that holds, and what is read as JSON.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::{Service, Text};
use crate::clock::Millis;
use crate::config::Settings;
use crate::testing::{Builder, RedisServer, Reply, TestBff};
use crate::upstream::UpstreamSettings;
use crate::{Bff, Json, Policy, Problems, Result, path, routes};

crate::upstreams! {
    struct Upstreams {
        shelf: Service,
    }
}

/// The total, and what nobody asked to keep.
#[utoipa::path(get, path = "/total", responses((status = OK, body = Text), Problems))]
async fn total(up: Upstreams) -> Result<Json<Text>> {
    let shelf = up.shelf.0.get(path!("/it")).keep_header("x-total-count").shared::<Value>().await?;
    let total = shelf.header("X-Total-Count").unwrap_or("none");
    Ok(Json(Text(format!(
        "{} {total} {:?} {:?}",
        shelf.status().as_u16(),
        shelf.header("x-page"),
        shelf.header("etag")
    ))))
}

#[utoipa::path(get, path = "/plain", responses((status = OK, body = Text), Problems))]
async fn plain(up: Upstreams) -> Result<Json<Text>> {
    let shelf = up.shelf.0.get(path!("/it")).shared::<Value>().await?;
    Ok(Json(Text(format!("{:?}", shelf.header("x-total-count")))))
}

#[utoipa::path(get, path = "/held", responses((status = OK, body = Text), Problems))]
async fn held(up: Upstreams) -> Result<Json<Text>> {
    Ok(Json(Text(up.shelf.0.get(path!("/it")).fresh_for(60_000.ms()).shared::<Value>().await?.to_string())))
}

#[utoipa::path(post, path = "/made", responses((status = OK, body = Text), Problems))]
async fn made(up: Upstreams) -> Result<Json<Text>> {
    let made = up.shelf.0.post(path!("/it")).json(&1).shared::<Value>().await?;
    Ok(Json(Text(made.status().as_u16().to_string())))
}

async fn bff(
    change: impl FnOnce(&mut UpstreamSettings),
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> (Arc<AtomicUsize>, TestBff) {
    with(|settings| change(settings.upstreams.get_mut("shelf").unwrap()), reply).await
}

async fn with(
    change: impl FnOnce(&mut Settings),
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> (Arc<AtomicUsize>, TestBff) {
    let bff = Bff::new("coast", "1.4.0")
        .page(routes!(total), Policy::public().without_meta())
        .page(routes!(plain), Policy::public().without_meta())
        .page(routes!(held), Policy::public().without_meta())
        .page(routes!(made), Policy::public().without_meta());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let builder: Builder<Upstreams> = Builder::new(bff).unwrap();
    let built = builder
        .upstream("shelf", move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(reply())
        })
        .settings(change)
        .build();
    (asked, built.await.unwrap())
}

fn counted(cache_control: &str) -> Reply {
    let reply = Reply::json(&json!([1])).header("x-total-count", "42").header("x-page", "7").header("etag", "\"e\"");
    reply.header("cache-control", cache_control)
}

#[tokio::test(start_paused = true)]
async fn what_a_call_names_is_told_and_kept_with_the_value() {
    let (asked, bff) = bff(|_| (), || counted("max-age=60")).await;
    for _ in 0..3 {
        assert_eq!(bff.get("/total").await.json(), "200 42 None None");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "a kept answer tells the same");
    assert_eq!(bff.get("/plain").await.json(), "None");
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_names_is_told_to_every_call() {
    let keep = |settings: &mut UpstreamSettings| settings.keep_headers = vec!["X-Total-Count".into(), "etag".into()];
    let (asked, bff) = bff(keep, || counted("max-age=60")).await;
    for _ in 0..2 {
        assert_eq!(bff.get("/plain").await.json(), "Some(\"42\")");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(bff.get("/total").await.json(), "200 42 None Some(\"\\\"e\\\"\")");
}

#[tokio::test(start_paused = true)]
async fn a_write_tells_its_status() {
    let created = || Reply { status: StatusCode::CREATED, ..Reply::json(&json!({})) };
    let (_, bff) = bff(|_| (), created).await;
    let answer = bff.send(http::Request::builder().method("POST").uri("/made"), bytes::Bytes::new()).await;
    assert_eq!(answer.json(), "201");
}

#[tokio::test(start_paused = true)]
async fn how_long_an_answer_is_fresh_may_be_traded_and_whose_it_is_never() {
    for (said, calls) in [
        ("no-cache", 1),
        ("max-age=0", 1),
        ("max-age=0, must-revalidate", 1),
        ("private, max-age=9", 3),
        ("no-store", 3),
    ] {
        let (asked, bff) = bff(|_| (), move || counted(said)).await;
        for _ in 0..3 {
            let answer = bff.get("/held").await;
            assert_eq!(answer.json(), "[1]");
            assert!(!answer.header("cache-control").contains("max-age=6"), "clients are told what was said");
        }
        assert_eq!(asked.load(Ordering::SeqCst), calls, "{said}");
    }
    let (asked, bff) = bff(|_| (), || counted("max-age=9").header("vary", "*")).await;
    for _ in 0..2 {
        bff.get("/held").await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn json_may_be_called_anything_where_that_is_said() {
    let odd =
        || Reply { headers: http::HeaderMap::new(), ..Reply::json(&json!([1])) }.header("content-type", "text/html");
    let (_, strict) = bff(|_| (), odd).await;
    assert_eq!(strict.get("/plain").await.status, StatusCode::BAD_GATEWAY);
    let (_, lenient) = bff(|settings| settings.any_content_type = true, odd).await;
    assert_eq!(lenient.get("/plain").await.status, StatusCode::OK);
}

#[tokio::test]
async fn another_instance_is_told_the_same_by_redis() {
    let server = tokio::task::spawn_blocking(RedisServer::start).await.unwrap().unwrap();
    let shared = |settings: &mut Settings| {
        settings.cache.redis.url = server.url();
        settings.cache.redis.timeout = Duration::from_secs(20);
    };
    let (_, first) = with(shared, || counted("max-age=600")).await;
    assert_eq!(first.get("/total").await.json(), "200 42 None None");
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let held = async {
        while redis::cmd("DBSIZE").query::<u64>(&mut connection).unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), held).await.expect("nothing is kept");
    let (asked, second) = with(shared, || Reply::status(StatusCode::SERVICE_UNAVAILABLE)).await;
    assert_eq!(second.get("/total").await.json(), "200 42 None None");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}
