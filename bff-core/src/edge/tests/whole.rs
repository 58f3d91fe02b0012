//! Whole answers from the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::response::IntoResponse;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::clock::Millis;
use crate::identity::Claims;
use crate::testing::{Answer, Fault, Reply, TestBff};
use crate::upstream::Client;
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

/// Says more than its parts do: sets a cookie, or depends on a header that nobody else knows of.
#[utoipa::path(get, path = "/baker", responses((status = OK, body = Sky), Problems))]
async fn baker(page: Composer, up: Upstreams, headers: HeaderMap) -> axum::response::Response {
    let said = headers.get("x-says").cloned().unwrap_or(HeaderValue::from_static("content-language: en"));
    let (name, value) = said.to_str().unwrap().split_once(": ").unwrap();
    let name = HeaderName::try_from(name).unwrap();
    ([(name, HeaderValue::from_str(value).unwrap())], sky(page, up).await).into_response()
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

#[utoipa::path(post, path = "/diary", responses((status = OK, body = Text), Problems))]
async fn write(up: Upstreams, Json(text): Json<Text>) -> Result<Json<Text>> {
    Ok(Json(up.diary.0.post(path!("/entry")).json(&text).per_identity::<Text>().await?.into_inner()))
}

/// A BFF whose upstreams answer with how often they were asked, and keep nothing between them and their store: what is not
/// asked again was kept as a whole.
async fn bff(cache_control: &'static str) -> (Arc<AtomicUsize>, TestBff) {
    let asked = Arc::new(AtomicUsize::new(0));
    let private = Duration::from_secs(20);
    let bff = Bff::new("coast", "1.0.0")
        .page(routes!(sky), Policy::public().budget(1000.ms()).cached())
        .page(routes!(baker), Policy::public().budget(1000.ms()).cached())
        .page(routes!(diary), Policy::public().budget(1000.ms()).private_max_age(private).cached())
        .page(routes!(write), Policy::user().budget(1000.ms()));
    let mut builder = crate::testing::Builder::new(bff).unwrap().settings(|settings| {
        if let Some(weather) = settings.upstreams.get_mut("weather") {
            weather.forward = vec!["accept-language".to_owned()];
        }
    });
    for name in ["weather", "diary"] {
        let asked = asked.clone();
        builder = builder.upstream(name, move |_: Request<Bytes>| {
            let number = asked.fetch_add(1, Ordering::SeqCst) + 1;
            std::future::ready(Reply::json(&json!(format!("answer {number}"))).header("cache-control", cache_control))
        });
    }
    (asked, builder.build().await.unwrap())
}

async fn get(bff: &TestBff, target: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(Request::get(target), |request, (name, value)| request.header(*name, *value));
    bff.send(request, Bytes::new()).await
}

fn of(subject: &str) -> Claims {
    Claims { subject: subject.to_owned(), ..Claims::default() }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_made_once_and_grows_old() {
    let (_, bff) = bff("public, max-age=60").await;
    let made = bff.get("/sky").await;
    assert_eq!((made.header("age"), made.header("cache-status")), ("", "bff; fwd=uri-miss; stored"));
    tokio::time::advance(Duration::from_secs(7)).await;
    let kept = bff.get("/sky").await;
    assert_eq!((kept.status, &kept.body), (StatusCode::OK, &made.body));
    assert_eq!((kept.header("age"), kept.header("cache-control")), ("7", "public, max-age=60"));
    assert_eq!((kept.header("etag"), kept.header("vary")), (made.header("etag"), made.header("vary")));
    assert!(kept.header("cache-status").starts_with("bff; hit; ttl=5"), "{}", kept.header("cache-status"));
    let known = get(&bff, "/sky", &[("if-none-match", made.header("etag"))]).await;
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let again = get(&bff, "/sky", &[("cache-control", "no-cache")]).await;
    assert_eq!(again.header("cache-status"), "bff; fwd=request; stored");
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_too_is_304_for_who_has_it() {
    let (_, bff) = bff("public, max-age=60").await;
    let tag = bff.get("/sky").await.header("etag").to_owned();
    tokio::time::advance(Duration::from_secs(61)).await;
    // Made anew, with what the upstream says by then.
    let other = get(&bff, "/sky", &[("if-none-match", &tag)]).await;
    assert_eq!(other.status, StatusCode::OK);
    let tag = other.header("etag").to_owned();
    let reload = get(&bff, "/sky", &[("if-none-match", &tag), ("cache-control", "no-cache")]).await;
    assert_eq!((reload.status, reload.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!((reload.header("etag"), reload.header("age")), (tag.as_str(), ""));
}

#[tokio::test(start_paused = true)]
async fn what_clients_may_not_keep_is_not_kept() {
    for cache_control in ["no-store", "no-cache", "max-age=0", ""] {
        let (asked, bff) = bff(cache_control).await;
        for number in 1..=2 {
            let answer = bff.get("/sky").await;
            assert_eq!(answer.header("cache-status"), "bff; fwd=uri-miss", "{cache_control}");
            assert_eq!((answer.header("age"), asked.load(Ordering::SeqCst)), ("", number), "{cache_control}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_says_more_than_its_parts_is_kept_only_where_the_key_holds_that() {
    for (says, kept) in [
        ("content-language: en", true),
        ("vary: accept-language", true),
        ("set-cookie: session=1", false),
        ("vary: x-says", false),
        ("cdn-cache-control: max-age=60", false),
    ] {
        let (_, bff) = bff("public, max-age=60").await;
        get(&bff, "/baker", &[("x-says", says)]).await;
        let again = get(&bff, "/baker", &[("x-says", says)]).await;
        assert_eq!(!again.header("age").is_empty(), kept, "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_degraded_answer_is_never_kept() {
    let (_, bff) = bff("public, max-age=60").await;
    bff.faults.upstream("weather", Fault::Refuse);
    assert_eq!(bff.get("/sky").await.header("bff-degraded"), "weather;outcome=missing;reason=unreachable");
    bff.faults.clear();
    assert_eq!(bff.get("/sky").await.header("bff-degraded"), "");
}

#[tokio::test(start_paused = true)]
async fn what_an_upstream_is_told_is_part_of_the_question() {
    let (asked, bff) = bff("public, max-age=60").await;
    for (language, number) in [("de", 1), ("en", 2), ("de", 2)] {
        get(&bff, "/sky", &[("accept-language", language)]).await;
        assert_eq!(asked.load(Ordering::SeqCst), number, "{language}");
    }
    get(&bff, "/sky?parts=weather", &[("accept-language", "de")]).await;
    assert_eq!(get(&bff, "/sky?parts=weather", &[("accept-language", "de")]).await.header("age"), "0");
}

#[tokio::test(start_paused = true)]
async fn a_private_answer_is_for_one_identity_until_that_writes() {
    let (asked, bff) = bff("private, max-age=60").await;
    let ada = bff.get_as(&of("ada"), "/diary").await;
    assert_eq!((ada.header("cache-control"), ada.header("age")), ("private, max-age=20", ""));
    let again = bff.get_as(&of("ada"), "/diary").await;
    assert_eq!((&again.body, again.header("age")), (&ada.body, "0"));
    let bob = bff.get_as(&of("bob"), "/diary").await;
    assert_ne!(bob.body, ada.body);
    assert_eq!(bob.header("age"), "");
    // Without an identity there is no entry, and nothing of anybody's.
    assert_eq!(bff.get("/diary").await.json()["entry"], json!(null));
    let before = asked.load(Ordering::SeqCst);
    bff.post_as(&of("ada"), "/diary", &json!("new")).await;
    let after = bff.get_as(&of("ada"), "/diary").await;
    assert_ne!(after.body, ada.body);
    assert_eq!(asked.load(Ordering::SeqCst), before + 2);
    assert_eq!(bff.get_as(&of("bob"), "/diary").await.header("age"), "0");
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_everybody_is_for_those_with_an_identity_too() {
    let (asked, bff) = bff("public, max-age=60").await;
    bff.get("/sky").await;
    assert_eq!(bff.get_as(&of("ada"), "/sky").await.header("age"), "0");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
