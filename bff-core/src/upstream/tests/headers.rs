//! What calls say: headers of the configuration and of the call, who calls, the visitor's token, forms and bodies.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use serde_json::json;
use utoipa::ToSchema;

use super::{Service, Text, ada};
use crate::settings::{Check, Mistakes};
use crate::testing::{Builder, Reply};
use crate::upstream::{HeaderText, UpstreamSettings};
use crate::{Bff, Json, Policy, Problems, Result, path, routes};

crate::upstreams! {
    struct Upstreams {
        keyed: Service,
        owned: Service,
    }
}

/// What a value that nobody may see looks like.
const CANARY: &str = "canary-4711";

#[utoipa::path(get, path = "/keyed", responses((status = OK, body = Text), Problems))]
async fn keyed(up: Upstreams) -> Result<Json<Text>> {
    let ask = async |accept: &'static str| up.keyed.0.get(path!("/it")).header("accept", accept).shared::<Text>().await;
    ask("application/vnd.a+json").await?;
    ask("application/vnd.a+json").await?;
    Ok(Json(ask("application/vnd.b+json").await?.into_inner()))
}

#[utoipa::path(get, path = "/forged", responses((status = OK, body = Text), Problems))]
async fn forged(up: Upstreams) -> Result<Json<Text>> {
    Ok(Json(up.keyed.0.get(path!("/it")).header("X-User-Id", CANARY).shared::<Text>().await?.into_inner()))
}

#[utoipa::path(get, path = "/owned", responses((status = OK, body = Text), Problems))]
async fn owned(up: Upstreams) -> Result<Json<Text>> {
    Ok(Json(up.owned.0.get(path!("/it")).per_identity::<Text>().await?.into_inner()))
}

#[utoipa::path(get, path = "/leaked", responses((status = OK, body = Text), Problems))]
async fn leaked(up: Upstreams) -> Result<Json<Text>> {
    Ok(Json(up.owned.0.get(path!("/it")).shared::<Text>().await?.into_inner()))
}

#[derive(Debug, serde::Serialize, ToSchema)]
struct Form {
    name: &'static str,
    count: u32,
}

#[utoipa::path(post, path = "/sent", responses((status = OK, body = Text), Problems))]
async fn sent(up: Upstreams) -> Result<Json<Text>> {
    let form = Form { name: "tea & cake", count: 2 };
    up.keyed.0.post(path!("/form")).form(&form).shared::<Text>().await?;
    Ok(Json(up.keyed.0.put(path!("/raw")).body("text/csv", "a,b").shared::<Text>().await?.into_inner()))
}

type Seen = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

fn builder() -> (Seen, Builder<Upstreams>) {
    let bff = Bff::new("coast", "1.4.0")
        .page(routes!(keyed), Policy::public().without_meta())
        .page(routes!(forged), Policy::public().without_meta())
        .page(routes!(owned), Policy::user().without_meta())
        .page(routes!(leaked), Policy::user().without_meta())
        .page(routes!(sent), Policy::public().without_meta());
    let seen: Seen = Arc::default();
    let log = |seen: &Seen| {
        let seen = seen.clone();
        move |request: Request<Bytes>| {
            let (head, body) = request.into_parts();
            seen.lock().unwrap().push((head.headers, body));
            std::future::ready(Reply::json(&json!("it")).header("cache-control", "public, max-age=600"))
        }
    };
    let builder =
        Builder::new(bff).unwrap().upstream("keyed", log(&seen)).upstream("owned", log(&seen)).settings(|settings| {
            let keyed = settings.upstreams.get_mut("keyed").unwrap();
            keyed.request_headers.insert("x-api-key".to_owned(), HeaderText::from(CANARY));
            keyed.request_headers.insert("accept".to_owned(), HeaderText::from("application/vnd.z+json"));
            settings.upstreams.get_mut("owned").unwrap().forward_authorization = true;
        });
    (seen, builder)
}

#[tokio::test(start_paused = true)]
async fn a_call_carries_what_the_configuration_and_it_itself_say() {
    let (seen, bff) = builder();
    let bff = bff.build().await.unwrap();
    assert_eq!(bff.get("/keyed").await.status, StatusCode::OK);
    let seen = seen.lock().unwrap();
    // What a call says of itself tells its answer from others, and the same question is asked once.
    let accepted: Vec<_> = seen.iter().map(|(headers, _)| headers["accept"].to_str().unwrap()).collect();
    assert_eq!(accepted, ["application/vnd.a+json", "application/vnd.b+json"]);
    let headers = &seen[0].0;
    assert_eq!(headers["x-api-key"], CANARY);
    assert_eq!(headers["user-agent"], "bff-coast/1.4.0");
    assert!(!format!("{headers:?}").contains(CANARY), "nothing that shows headers shows a secret");
}

#[tokio::test(start_paused = true)]
async fn a_call_cannot_say_what_the_framework_makes() {
    let (seen, bff) = builder();
    let bff = bff.build().await.unwrap();
    let answer = bff.get("/forged").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!String::from_utf8_lossy(&answer.body).contains(CANARY));
    assert!(seen.lock().unwrap().is_empty(), "nothing is sent");
}

#[tokio::test(start_paused = true)]
async fn a_visitors_token_goes_where_it_is_asked_for_and_its_answers_are_nobody_elses() {
    let (seen, bff) = builder();
    let bff = bff.build().await.unwrap();
    for _ in 0..2 {
        let answer = bff.get_as(&ada(), "/owned").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.header("cache-control").contains("private"), "{}", answer.header("cache-control"));
    }
    for (headers, _) in seen.lock().unwrap().iter() {
        assert!(headers["authorization"].to_str().unwrap().starts_with("Bearer "));
        assert!(headers["authorization"].is_sensitive());
        assert_eq!(headers["x-user-id"], "ada");
    }
    let calls = seen.lock().unwrap().len();
    assert_eq!(bff.get_as(&ada(), "/leaked").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(bff.get("/owned").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(seen.lock().unwrap().len(), calls, "nothing is sent");
    // It goes to nobody who did not ask for it.
    assert_eq!(bff.get_as(&ada(), "/keyed").await.status, StatusCode::OK);
    assert!(seen.lock().unwrap()[calls..].iter().all(|(headers, _)| !headers.contains_key("authorization")));
}

#[tokio::test(start_paused = true)]
async fn forms_and_bodies_are_sent_as_what_they_are() {
    let (seen, bff) = builder();
    let bff = bff.build().await.unwrap();
    let answer = bff.send(Request::builder().method("POST").uri("/sent"), Bytes::new()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].0["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(seen[0].1, "name=tea+%26+cake&count=2");
    assert_eq!((&seen[1].0["content-type"].to_str().unwrap(), &seen[1].1[..]), (&"text/csv", &b"a,b"[..]));
}

#[test]
fn what_cannot_be_listed_is_a_mistake_that_shows_no_value() {
    let names = ["host", "X-User-Id", "traceparent", "content-length", "authorization", "accept-language", "a b", "ok"];
    let mut settings = UpstreamSettings {
        url: "http://up.test".to_owned(),
        forward: vec!["accept-language".to_owned()],
        forward_authorization: true,
        ..UpstreamSettings::default()
    };
    for name in names {
        settings.request_headers.insert(name.to_owned(), HeaderText::from(CANARY));
    }
    settings.request_headers.insert("x-torn".to_owned(), HeaderText::from("canary-4711\n"));
    let mut mistakes = Mistakes::default();
    settings.check(&mut mistakes);
    let lines: Vec<String> = mistakes.into_inner().iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), names.len(), "{lines:#?}");
    assert!(!lines.concat().contains("canary") && !format!("{settings:?}").contains("canary"));
    assert!(lines.iter().all(|line| line.starts_with("request_headers.")), "{lines:#?}");
}
