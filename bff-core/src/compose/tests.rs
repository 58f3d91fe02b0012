//! A page over three faked upstreams, on paused time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::clock::{self, Millis};
use crate::testing::{Builder, Fault, Reply, TestBff};
use crate::upstream::Client;
use crate::{Bff, Composer, Fetched, Json, Meta, Path, Policy, Problems, Result, compose, path};

#[derive(Clone, Debug)]
struct Service(Client);

impl From<Client> for Service {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Wire {
    text: String,
}

impl Service {
    async fn one(&self, id: &str) -> Result<Fetched<Wire>> {
        self.0.get(path!("/{}", id)).shared().await
    }

    async fn all(&self, ids: Vec<String>) -> Result<Fetched<Vec<Wire>>> {
        self.0.get(path!("/").query("ids", ids.join(","))).shared().await
    }
}

crate::upstreams! {
    struct Upstreams {
        station: Service,
        weather: Service,
        tides: Service,
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct Text(String);

impl From<Wire> for Text {
    fn from(wire: Wire) -> Self {
        Self(wire.text)
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct Board {
    station: Text,
    weather: Option<Text>,
    tides: Text,
    meta: Meta,
}

#[utoipa::path(get, path = "/board/{id}", params(("id" = String, Path)), responses((status = OK, body = Board), Problems))]
async fn board(page: Composer, up: Upstreams, Path(id): Path<String>) -> Result<Json<Board>> {
    compose!(page, Board {
        station: subject(up.station.one(&id)),
        weather: optional(up.weather.one(&id)),
        tides: fallback(
            async {
                let station = up.station.one(&id).await?;
                up.tides.one(&station.text).await
            },
            || Text("unknown".into()),
        ),
    })
}

#[derive(Debug, Serialize, ToSchema)]
struct Strip {
    station: Text,
    weather: Text,
    tides: Text,
    meta: Meta,
}

#[utoipa::path(get, path = "/strip/{id}", params(("id" = String, Path)), responses((status = OK, body = Strip), Problems))]
async fn strip(page: Composer, up: Upstreams, Path(id): Path<String>) -> Result<Json<Strip>> {
    compose!(page, Strip {
        station: subject(up.station.one(&id)),
        weather: required(up.weather.one(&id)),
        tides: required(up.tides.one(&id)),
    })
}

#[derive(Debug, Serialize, ToSchema)]
struct Map {
    points: Vec<Point>,
    meta: Meta,
}

#[derive(Debug, Serialize, ToSchema)]
struct Point {
    id: String,
    weather: Option<Text>,
    tide: Option<Text>,
}

#[utoipa::path(get, path = "/map/{ids}", params(("ids" = String, Path)), responses((status = OK, body = Map), Problems))]
async fn map(page: Composer, up: Upstreams, Path(ids): Path<String>) -> Result<Json<Map>> {
    let ids: Vec<String> = ids.split(',').map(str::to_owned).collect();
    compose!(page, Map {
        points: required(async {
            let (weather, tides) = futures::join!(
                page.batch("points.weather", ids.clone(), |ids| up.weather.all(ids), |wire: &Wire| wire.text.clone()),
                page.each("points.tide", ids.clone(), |id| { let tides = up.tides.clone(); async move { tides.one(&id).await } }),
            );
            Ok(ids.iter().map(|id| Point { id: id.clone(), weather: weather.view(id), tide: tides.view(id) }).collect::<Vec<_>>())
        }),
    })
}

fn bff() -> Bff<Upstreams> {
    Bff::new("coast", "1.0.0")
        .page(routes!(board), Policy::public().budget(1000.ms()))
        .page(routes!(strip), Policy::public().budget(1000.ms()))
        .page(routes!(map), Policy::public().budget(1000.ms()))
}

fn text(text: &str) -> Reply {
    Reply::json(&json!({ "text": text })).header("cache-control", "public, max-age=60")
}

fn builder() -> Builder<Upstreams> {
    Builder::new(bff())
        .unwrap()
        .answers("station", text("pier"))
        .answers("weather", text("rain"))
        .answers("tides", text("high"))
}

async fn healthy() -> TestBff {
    builder().build().await.unwrap()
}

/// Asks, and says how long it took on the paused clock.
async fn timed(bff: &TestBff, target: &str) -> (crate::testing::Answer, Duration) {
    let started = clock::now();
    let answer = bff.get(target).await;
    (answer, clock::now() - started)
}

#[tokio::test(start_paused = true)]
async fn a_good_day() {
    let answer = healthy().await.get("/board/7").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.json(),
        json!({
            "station": "pier", "weather": "rain", "tides": "high",
            "meta": { "degraded": false, "parts": [] }
        })
    );
    assert_eq!(answer.header("bff-degraded"), "");
    assert_eq!(answer.header("cache-control"), "public, max-age=60");
    assert!(answer.header("etag").starts_with("W/\""));
}

#[tokio::test(start_paused = true)]
async fn parts_that_cannot_be_had_leave_in_time_and_say_why() {
    let bff = healthy().await;
    bff.faults.part("weather", Fault::Hang);
    bff.faults.part("tides", Fault::Refuse);
    let (answer, took) = timed(&bff, "/board/7").await;
    assert_eq!(answer.status, StatusCode::OK);
    // The call's own limit (400 ms for its only attempt) is shorter than the page's soft deadline.
    assert_eq!(took, Duration::from_millis(400));
    assert_eq!(
        answer.json()["meta"],
        json!({ "degraded": true, "parts": [
            { "part": "weather", "outcome": "missing", "reason": "timeout" },
            { "part": "tides", "outcome": "fallback", "reason": "unreachable" },
        ] })
    );
    assert_eq!(answer.json()["tides"], "unknown");
    assert_eq!(
        answer.header("bff-degraded"),
        "weather;outcome=missing;reason=timeout, tides;outcome=fallback;reason=unreachable"
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("etag"), "");
}

#[tokio::test(start_paused = true)]
async fn the_soft_deadline_is_exact() {
    let patient = |settings: &mut crate::config::Settings| {
        for upstream in settings.upstreams.values_mut() {
            upstream.timeout = Duration::from_secs(10);
            upstream.attempt_timeout = Duration::from_secs(9);
        }
    };
    let bff = builder().settings(patient).build().await.unwrap();
    bff.faults.part("weather", Fault::Hang);
    let (answer, took) = timed(&bff, "/board/7").await;
    assert_eq!(took, Duration::from_millis(850));
    assert_eq!(answer.json()["meta"]["parts"][0]["reason"], "deadline");
    bff.faults.clear();
    bff.faults.part("weather", Fault::Hang);
    let (answer, took) = timed(&bff, "/strip/8").await;
    assert_eq!(took, Duration::from_millis(1000));
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    let problem = answer.json();
    assert_eq!((&problem["part"], &problem["reason"]), (&json!("weather"), &json!("deadline")));
}

#[tokio::test(start_paused = true)]
async fn a_required_part_that_fails_ends_the_page_at_once() {
    let bff = builder()
        .answers("weather", Reply::status(StatusCode::INTERNAL_SERVER_ERROR).after(20.ms()))
        .answers("tides", text("high").after(300.ms()))
        .build()
        .await
        .unwrap();
    let (answer, took) = timed(&bff, "/strip/7").await;
    assert_eq!(took, Duration::from_millis(20));
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let problem = answer.json();
    assert_eq!(problem["part"], "weather");
    assert_eq!(problem["reason"], "upstream_error");
    assert!(!answer.body.is_empty() && !problem.to_string().contains("500"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn a_404_passes_as_itself_only_from_the_subject() {
    let none = || Reply::status(StatusCode::NOT_FOUND);
    let bff = builder().answers("station", none()).build().await.unwrap();
    assert_eq!(bff.get("/strip/7").await.status, StatusCode::NOT_FOUND);
    let bff = builder().answers("weather", none()).answers("tides", none()).build().await.unwrap();
    assert_eq!(bff.get("/strip/7").await.status, StatusCode::BAD_GATEWAY);
    let answer = bff.get("/board/7").await;
    assert_eq!(
        answer.json(),
        json!({
            "station": "pier", "weather": null, "tides": "unknown",
            "meta": { "degraded": false, "parts": [] }
        })
    );
    assert_eq!(answer.header("cache-control"), "no-cache");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_another_part_made_is_its_dependency_and_made_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let bff = builder()
        .upstream("station", move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Reply::json(&json!({ "text": "pier" })).header("cache-control", "no-store"))
        })
        .build()
        .await
        .unwrap();
    let answer = bff.get("/board/7").await;
    assert_eq!(answer.json()["tides"], "high");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test(start_paused = true)]
async fn a_client_chooses_among_the_parts_that_can_be_left_out() {
    let bff = healthy().await;
    let answer = bff.get("/board/7?parts=weather").await;
    assert_eq!(
        answer.json(),
        json!({
            "station": "pier", "weather": "rain", "tides": "unknown",
            "meta": { "degraded": false, "parts": [
                { "part": "tides", "outcome": "omitted", "reason": "not_requested" }
            ] }
        })
    );
    assert_eq!(answer.header("bff-degraded"), "");
    for wrong in ["/board/7?parts=moon", "/board/7?parts=station", "/strip/7?parts=weather"] {
        let answer = bff.get(wrong).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "?parts", "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_element_of_a_join_has_its_own_outcome() {
    let bff = builder()
        .answers("weather", Reply::json(&json!([{ "text": "a" }, { "text": "b" }])))
        .upstream("tides", |request| async move {
            match request.uri().path() {
                "/a" => text("low"),
                "/c" => Reply::status(StatusCode::NOT_FOUND),
                _ => Reply::status(StatusCode::SERVICE_UNAVAILABLE).header("retry-after", "7"),
            }
        })
        .build()
        .await
        .unwrap();
    let answer = bff.get("/map/a,b,c,b").await;
    assert_eq!(
        answer.json(),
        json!({
            "points": [
                { "id": "a", "weather": "a", "tide": "low" },
                { "id": "b", "weather": "b", "tide": null },
                { "id": "c", "weather": null, "tide": null },
                { "id": "b", "weather": "b", "tide": null },
            ],
            "meta": { "degraded": true, "parts": [{
                "part": "points.tide", "outcome": "missing", "reason": "upstream_error", "retry_after_seconds": 7,
                "count": 2, "of": 4
            }] }
        })
    );
    assert_eq!(
        answer.header("bff-degraded"),
        "points.tide;outcome=missing;reason=upstream_error;retry_after=7;count=2;of=4"
    );
}

#[tokio::test(start_paused = true)]
async fn a_join_is_bounded() {
    let most = Arc::new(AtomicUsize::new(0));
    let now = Arc::new(AtomicUsize::new(0));
    let (seen_most, seen_now) = (most.clone(), now.clone());
    let bff = builder()
        .answers("weather", Reply::json(&json!([])))
        .upstream("tides", move |_| {
            let (most, now) = (seen_most.clone(), seen_now.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                text("low")
            }
        })
        .build()
        .await
        .unwrap();
    let ids: Vec<String> = (0..130).map(|id| id.to_string()).collect();
    let answer = bff.get(&format!("/map/{}", ids.join(","))).await;
    assert_eq!(most.load(Ordering::SeqCst), 8);
    let parts = &answer.json()["meta"]["parts"];
    let overloaded = |part: &str| {
        json!({ "part": part, "outcome": "missing", "reason": "overloaded", "count": 30, "of": 130 })
    };
    assert_eq!(*parts, json!([overloaded("points.tide"), overloaded("points.weather")]));
}

/// How one part behaves, and after how many milliseconds.
fn behaviour() -> impl Strategy<Value = (u8, u64)> {
    (0_u8..4, 0_u64..1200)
}

fn reply((kind, delay): (u8, u64), good: &str) -> Reply {
    let reply = match kind {
        0 | 1 => text(good),
        2 => Reply::status(StatusCode::SERVICE_UNAVAILABLE),
        _ => Reply::json(&json!({ "wrong": true })),
    };
    reply.after(Duration::from_millis(delay))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// `Bff-Degraded` equals `meta`; degraded is never kept; nothing outlasts the budget.
    #[test]
    fn headers_and_meta_agree(station in behaviour(), weather in behaviour(), tides in behaviour()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bff = builder()
                .answers("station", reply(station, "pier"))
                .answers("weather", reply(weather, "rain"))
                .answers("tides", reply(tides, "high"))
                .build().await.unwrap();
            let (answer, took) = timed(&bff, "/board/7").await;
            assert!(took <= Duration::from_millis(1000), "{took:?}");
            let body = answer.json();
            if answer.status != StatusCode::OK {
                assert_eq!(answer.header("cache-control"), "no-store");
                assert_eq!(body["part"], "station");
                return;
            }
            let told = answer.header("bff-degraded").split(", ").filter(|entry| !entry.is_empty()).count();
            let listed = body["meta"]["parts"].as_array().unwrap().len();
            assert_eq!(told, listed);
            assert_eq!(body["meta"]["degraded"], listed > 0);
            assert_eq!(body["weather"] == Value::Null, body["meta"].to_string().contains("weather"));
            if listed > 0 {
                assert_eq!(answer.header("cache-control"), "no-store");
                assert_eq!(answer.header("etag"), "");
            }
        });
    }

    /// On a good day the body and its tag do not depend on who answers first.
    #[test]
    fn the_order_of_arrival_changes_nothing(delays in [0_u64..300, 0_u64..300, 0_u64..300]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let late = |good: &str, delay: u64| text(good).after(Duration::from_millis(delay));
            let bff = builder()
                .answers("station", late("pier", delays[0]))
                .answers("weather", late("rain", delays[1]))
                .answers("tides", late("high", delays[2]))
                .build().await.unwrap();
            let (answer, expected) = (bff.get("/board/7").await, healthy().await.get("/board/7").await);
            assert_eq!(answer.body, expected.body);
            assert_eq!(answer.header("etag"), expected.header("etag"));
        });
    }
}
