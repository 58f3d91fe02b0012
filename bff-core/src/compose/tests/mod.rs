//! A page over three faked upstreams, on paused time.

mod damage;
mod joins;
mod properties;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::clock::{self, Millis};
use crate::testing::{Builder, Fault, Reply, TestBff};
use crate::upstream::Client;
use crate::{Bff, Composer, Fetched, Json, Meta, Path, Policy, Problems, Result, compose, path, routes};

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
    compose!(page => Board {
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
    compose!(page => Strip {
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
    compose!(page => Map {
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

/// What does not exist is unknown to every upstream; the slowest of them is the one that counts.
#[tokio::test(start_paused = true)]
async fn a_page_about_nothing_is_a_404_whoever_says_so_first() {
    let none = || Reply::status(StatusCode::NOT_FOUND);
    for (station, status, part, ends) in [
        (none().after(300.ms()), StatusCode::NOT_FOUND, "station", 300),
        (text("pier").after(300.ms()), StatusCode::BAD_GATEWAY, "weather", 300),
        (text("pier").after(2000.ms()), StatusCode::GATEWAY_TIMEOUT, "station", 400),
        (text("pier"), StatusCode::BAD_GATEWAY, "weather", 20),
    ] {
        let bff =
            builder().answers("station", station).answers("weather", none().after(20.ms())).build().await.unwrap();
        let (answer, took) = timed(&bff, "/strip/7").await;
        assert_eq!((answer.status, &answer.json()["part"], took), (status, &json!(part), ends.ms()));
    }
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
