//! The outbound stack as a page sees it: store, flights, stale data, identities, writes. On paused time.

mod balance;
mod confirmation;
mod damaged;
mod evidence;
mod headers;
mod heads;
mod hedge;
mod identity_and_writes;
mod nothing;
mod overload;
mod passing;
mod protections;
mod reviewed;
mod trouble;
mod versions;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use utoipa::ToSchema;

use super::Client;
use crate::clock::Millis;
use crate::identity::Claims;
use crate::testing::{Answer, Builder, Fault, Reply, TestBff};
use crate::{Bff, Composer, Json, Meta, Policy, Problems, Result, compose, path, routes};

#[derive(Clone, Debug)]
struct Service(Client);

impl From<Client> for Service {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

crate::upstreams! {
    struct Upstreams {
        weather: Service,
        diary: Service,
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, PartialEq)]
struct Text(String);

#[derive(Debug, Serialize, ToSchema)]
struct Sky {
    weather: Option<Text>,
    meta: Meta,
}

#[utoipa::path(get, path = "/sky", responses((status = OK, body = Sky), Problems))]
async fn sky(page: Composer, up: Upstreams) -> Result<Json<Sky>> {
    compose!(page => Sky { weather: optional(async { Ok(up.weather.0.get(path!("/now")).shared::<Text>().await?.into_inner()) }) })
}

#[derive(Debug, Serialize, ToSchema)]
struct Two {
    first: Option<Text>,
    second: Option<Text>,
    meta: Meta,
}

#[utoipa::path(get, path = "/two", responses((status = OK, body = Two), Problems))]
async fn two(page: Composer, up: Upstreams) -> Result<Json<Two>> {
    let now = async || Ok(up.weather.0.get(path!("/now")).shared::<Text>().await?.into_inner());
    compose!(page => Two { first: optional(now()), second: optional(now()) })
}

#[derive(Debug, Serialize, ToSchema)]
struct Diary {
    entry: Option<Text>,
    meta: Meta,
}

#[utoipa::path(get, path = "/diary", responses((status = OK, body = Diary), Problems))]
async fn diary(page: Composer, up: Upstreams) -> Result<Json<Diary>> {
    compose!(page => Diary { entry: optional(async { Ok(up.diary.0.get(path!("/entry")).per_identity::<Text>().await?.into_inner()) }) })
}

/// Made outside any part.
#[utoipa::path(get, path = "/plain", responses((status = OK, body = Text), Problems))]
async fn plain(up: Upstreams) -> Result<Json<Text>> {
    Ok(Json(up.weather.0.get(path!("/now")).shared::<Text>().await?.into_inner()))
}

#[utoipa::path(delete, path = "/diary", responses((status = OK, body = Text), Problems))]
async fn burn(up: Upstreams) -> Result<Json<Text>> {
    up.weather.0.get(path!("/now")).shared::<Text>().await?;
    Ok(Json(up.diary.0.delete(path!("/entry")).per_identity::<Text>().await?.into_inner()))
}

#[utoipa::path(post, path = "/diary", responses((status = OK, body = Text), Problems))]
async fn write(up: Upstreams, Json(text): Json<Text>) -> Result<Json<Text>> {
    Ok(Json(up.diary.0.post(path!("/entry")).json(&text).per_identity::<Text>().await?.into_inner()))
}

/// A call that may take longer than the upstream's others.
#[utoipa::path(get, path = "/patient", responses((status = OK, body = Text), Problems))]
async fn patient(up: Upstreams) -> Result<Json<Text>> {
    let call = up.weather.0.get(path!("/now")).timeout(900.ms()).attempt_timeout(800.ms());
    Ok(Json(call.shared::<Text>().await?.into_inner()))
}

fn builder() -> Builder<Upstreams> {
    let bff = Bff::new("coast", "1.0.0")
        .page(routes!(sky), Policy::public().budget(1000.ms()))
        .page(routes!(two), Policy::public().budget(1000.ms()))
        .page(routes!(diary), Policy::public().budget(1000.ms()))
        .page(routes!(plain), Policy::public().without_meta().budget(1000.ms()))
        .page(routes!(patient), Policy::public().without_meta().budget(1000.ms()))
        .page(routes!(burn), Policy::user().budget(1000.ms()))
        .page(routes!(write), Policy::user().budget(1000.ms()));
    Builder::new(bff).unwrap()
}

fn ada() -> Claims {
    Claims { subject: "ada".into(), ..Claims::default() }
}

/// Answers with how often it was asked, and the given `Cache-Control`.
fn counting(
    cache_control: &'static str,
) -> (Arc<AtomicUsize>, impl Fn(Request<bytes::Bytes>) -> std::future::Ready<Reply>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let answer = move |_| {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        let reply = Reply::json(&json!(format!("answer {number}")));
        std::future::ready(if cache_control.is_empty() { reply } else { reply.header("cache-control", cache_control) })
    };
    (asked, answer)
}

async fn weather(cache_control: &'static str) -> (Arc<AtomicUsize>, TestBff) {
    let (asked, answer) = counting(cache_control);
    (asked, builder().upstream("weather", answer).build().await.unwrap())
}

async fn later(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

fn told(answer: &Answer) -> (Value, Value) {
    (answer.json()["weather"].clone(), answer.json()["meta"]["parts"].clone())
}

/// Which `Cache-Control` a page has whose only part says this.
#[tokio::test(start_paused = true)]
async fn what_a_part_says_of_its_storage_is_what_the_page_says() {
    for (part, page) in [
        ("public, max-age=60", "public, max-age=60"),
        ("max-age=0", "no-cache"),
        ("no-cache", "no-cache"),
        ("no-store", "no-store"),
        ("", "no-cache"),
        ("private, max-age=60", "private, no-cache"),
        ("public, max-age=60, no-store", "no-store"),
    ] {
        let (_, bff) = weather(part).await;
        assert_eq!(bff.get("/sky").await.header("cache-control"), page, "{part:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_told_and_not_what_there_was() {
    let (asked, bff) = weather("public, max-age=60").await;
    bff.get("/sky").await;
    later(45).await;
    assert_eq!(bff.get("/sky").await.header("cache-control"), "public, max-age=15");
    later(15).await;
    assert_eq!(told(&bff.get("/sky").await).0, "answer 2");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn inside_stale_while_revalidate_it_is_a_good_day() {
    let (asked, bff) = weather("public, max-age=10, stale-while-revalidate=30").await;
    bff.get("/sky").await;
    later(15).await;
    let answer = bff.get("/sky").await;
    assert_eq!(told(&answer), (json!("answer 1"), json!([])));
    assert_eq!(answer.header("cache-control"), "no-cache");
    // The refresh runs behind the answer; it has nothing to wait for here but its turn.
    bff.app.shared.background.close();
    bff.app.shared.background.wait().await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(told(&bff.get("/sky").await).0, "answer 2");
}

#[tokio::test(start_paused = true)]
async fn older_data_stands_in_for_a_refresh_that_failed() {
    let (_, bff) = weather("public, max-age=10, stale-if-error=100").await;
    bff.get("/sky").await;
    later(50).await;
    for (fault, reason) in [
        (Fault::Status(503), "upstream_error"),
        (Fault::Hang, "timeout"),
        (Fault::Refuse, "unreachable"),
        (Fault::Garbage, "invalid_response"),
    ] {
        bff.faults.upstream("weather", fault);
        let answer = bff.get("/sky").await;
        let (weather, parts) = told(&answer);
        assert_eq!(weather, "answer 1", "{fault:?}");
        assert_eq!((&parts[0]["outcome"], &parts[0]["reason"]), (&json!("stale"), &json!(reason)));
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    // No failed refresh removed the good entry, and what is past its window is not served.
    later(60).await;
    let (weather, parts) = told(&bff.get("/sky").await);
    assert_eq!((weather, &parts[0]["outcome"]), (Value::Null, &json!("missing")));
}

#[tokio::test(start_paused = true)]
async fn the_age_of_stale_data_is_told() {
    let (_, bff) = weather("public, max-age=10, stale-if-error=100").await;
    bff.get("/sky").await;
    later(94).await;
    bff.faults.upstream("weather", Fault::Refuse);
    let answer = bff.get("/sky").await;
    assert_eq!(answer.header("bff-degraded"), "weather;outcome=stale;reason=unreachable;age=94");
}

#[tokio::test(start_paused = true)]
async fn a_definite_no_is_not_a_failure() {
    let (_, bff) = weather("public, max-age=10, stale-if-error=100").await;
    bff.get("/sky").await;
    later(50).await;
    bff.faults.upstream("weather", Fault::Status(404));
    assert_eq!(told(&bff.get("/sky").await), (Value::Null, json!([])));
    bff.faults.upstream("weather", Fault::Refuse);
    assert_eq!(told(&bff.get("/sky").await).1[0]["outcome"], "missing");
}

#[tokio::test(start_paused = true)]
async fn the_same_question_at_the_same_time_is_asked_once() {
    let gate = Arc::new(Notify::new());
    let asked = Arc::new(AtomicUsize::new(0));
    let (opened, counted) = (gate.clone(), asked.clone());
    let bff = builder()
        .upstream("weather", move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            let opened = opened.clone();
            async move {
                opened.notified().await;
                Reply::json(&json!("sun")).header("cache-control", "no-store")
            }
        })
        .build()
        .await
        .unwrap();
    let pages = futures::future::join_all((0..50).map(|_| bff.get("/sky")));
    let ((), answers) = tokio::join!(
        async {
            tokio::task::yield_now().await;
            gate.notify_one();
        },
        pages
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(answers.iter().all(|answer| answer.json()["weather"] == "sun"));
}

#[tokio::test(start_paused = true)]
async fn asking_twice_in_one_request_is_one_call_and_one_failure_is_the_others_dependency() {
    let (asked, bff) = weather("no-store").await;
    let answer = bff.get("/two").await;
    assert_eq!((&answer.json()["first"], &answer.json()["second"]), (&json!("answer 1"), &json!("answer 1")));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    bff.faults.upstream("weather", Fault::Refuse);
    assert_eq!(
        bff.get("/two").await.header("bff-degraded"),
        "first;outcome=missing;reason=unreachable, second;outcome=missing;reason=dependency"
    );
}

#[tokio::test(start_paused = true)]
async fn older_data_stands_in_for_every_part_that_asked() {
    let (_, bff) = weather("public, max-age=10, stale-if-error=100").await;
    bff.get("/two").await;
    later(50).await;
    bff.faults.upstream("weather", Fault::Refuse);
    assert_eq!(
        bff.get("/two").await.header("bff-degraded"),
        "first;outcome=stale;reason=unreachable;age=50, second;outcome=stale;reason=unreachable;age=50"
    );
}
