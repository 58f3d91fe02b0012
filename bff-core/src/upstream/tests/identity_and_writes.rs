//! Whose answer it is, and what a write does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};

use super::{ada, builder, later};
use crate::cache::{Entry, Freshness, Keeper, Key};
use crate::identity::Claims;
use crate::testing::{Fault, Reply};

#[tokio::test(start_paused = true)]
async fn nothing_of_one_identity_is_for_another() {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let log = seen.clone();
    let bff = builder()
        .upstream("diary", move |request| {
            log.lock().unwrap().push(request.headers().clone());
            let user = request.headers()["x-user-id"].to_str().unwrap().to_owned();
            // An upstream that lies: its answers are everybody's.
            std::future::ready(Reply::json(&json!(format!("of {user}"))).header("cache-control", "public, max-age=600"))
        })
        .build()
        .await
        .unwrap();
    let bob = Claims { subject: "bob".into(), ..Claims::default() };
    let admin = Claims { roles: vec!["admin".into()], ..ada() };
    for _ in 0..2 {
        for who in [&ada(), &bob, &admin] {
            let answer = bff.get_as(who, "/diary").await;
            assert_eq!(answer.json()["entry"], format!("of {}", who.subject));
            assert_eq!(answer.header("cache-control"), "private, no-cache");
        }
    }
    // Kept under each identity; a narrower or wider token is another one.
    assert_eq!(seen.lock().unwrap().len(), 3);

    let nobody = bff.get("/diary").await;
    assert_eq!(
        nobody.json(),
        json!({ "entry": null, "meta": { "degraded": false, "parts": [
            { "part": "entry", "outcome": "omitted", "reason": "not_entitled" }
        ] } })
    );
    assert_eq!(nobody.header("cache-control"), "private, no-cache");
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_client_cannot_say_who_it_is() {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let log = seen.clone();
    let bff = builder()
        .upstream("weather", move |request| {
            log.lock().unwrap().push(request.headers().clone());
            std::future::ready(Reply::json(&json!("sun")))
        })
        .settings(|settings| {
            settings.upstreams.get_mut("weather").unwrap().forward = vec!["accept-language".into()];
        })
        .build()
        .await
        .unwrap();
    let forged = Request::builder()
        .uri("/sky")
        .header("x-user-id", "root")
        .header("x-user-roles", "admin")
        .header("cookie", "session=1")
        .header("accept-language", "de")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let answer = bff.send(forged, bytes::Bytes::new()).await;
    let headers = seen.lock().unwrap().pop().unwrap();
    for name in ["x-user-id", "x-user-roles", "cookie", "authorization"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    assert_eq!(headers["accept-language"], "de");
    assert!(headers["traceparent"].to_str().unwrap().starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
    // 400 ms for the attempt, less a twentieth for the way.
    assert_eq!(headers["request-timeout"], "0.380");
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["accept-encoding", "accept-language"]);
}

#[tokio::test(start_paused = true)]
async fn a_write_makes_old_what_its_identity_was_told() {
    let entries: Arc<Mutex<HashMap<String, String>>> = Arc::default();
    let bff = builder()
        .upstream("diary", move |request| {
            let user = request.headers()["x-user-id"].to_str().unwrap().to_owned();
            let mut entries = entries.lock().unwrap();
            if request.method() == http::Method::POST {
                entries.insert(user.clone(), serde_json::from_slice(request.body()).unwrap());
            }
            let entry = entries.get(&user).cloned().unwrap_or_default();
            std::future::ready(Reply::json(&json!(entry)).header("cache-control", "private, max-age=600"))
        })
        .build()
        .await
        .unwrap();
    assert_eq!(bff.get_as(&ada(), "/diary").await.json()["entry"], "");
    later(1).await;
    let answer = bff.post_as(&ada(), "/diary", &json!("dear diary")).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!("dear diary")));
    assert_eq!(answer.header("cache-control"), "no-store");
    later(1).await;
    assert_eq!(bff.get_as(&ada(), "/diary").await.json()["entry"], "dear diary");
}

#[tokio::test(start_paused = true)]
async fn a_write_outlives_the_client_that_left() {
    let written = Arc::new(AtomicUsize::new(0));
    let counted = written.clone();
    let bff = builder()
        .upstream("diary", move |_| {
            let counted = counted.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                counted.fetch_add(1, Ordering::SeqCst);
                Reply::json(&json!("done"))
            }
        })
        .build()
        .await
        .unwrap();
    let gone = tokio::time::timeout(Duration::from_millis(50), bff.post_as(&ada(), "/diary", &json!("x"))).await;
    assert!(gone.is_err());
    bff.app.shared.background.close();
    bff.app.shared.background.wait().await;
    assert_eq!(written.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn what_became_of_a_write_that_timed_out_is_unknown() {
    let bff = builder().build().await.unwrap();
    bff.faults.upstream("diary", Fault::Hang);
    let answer = bff.post_as(&ada(), "/diary", &json!("x")).await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(answer.json()["outcome_unknown"], true);
    bff.faults.upstream("diary", Fault::Refuse);
    assert_eq!(bff.post_as(&ada(), "/diary", &json!("x")).await.json()["outcome_unknown"], Value::Null);
    for (status, told) in
        [(409, 409), (412, 412), (422, 422), (404, 404), (400, 502), (401, 502), (500, 502), (429, 503)]
    {
        bff.faults.upstream("diary", Fault::Status(status));
        let answer = bff.post_as(&ada(), "/diary", &json!("x")).await;
        assert_eq!(answer.status.as_u16(), told, "{status}");
        assert_eq!(answer.json()["outcome_unknown"], Value::Null, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_keys_stays_inside_the_bound() {
    let store = crate::upstream::Shared::new(
        &crate::cache::CacheSettings { capacity: bytesize::ByteSize::mib(1), ..Default::default() },
        Arc::default(),
    )
    .unwrap()
    .store
    .clone();
    let mut headers = HeaderMap::new();
    headers.insert("cache-control", http::HeaderValue::from_static("max-age=60"));
    let keeper = Keeper { shared: true, ..Keeper::default() };
    let (status, body) = (http::StatusCode::OK, bytes::Bytes::from(vec![0; 500]));
    let freshness = Freshness::read(status, &headers, &keeper, crate::clock::wall(), Duration::ZERO);
    let upstream: Arc<str> = "weather".into();
    for number in 0..20_000 {
        let key = Key::shared(&upstream, &format!("/{number}"), &[], &HeaderMap::new());
        let entry = Entry::new(status, &headers, body.clone(), &freshness, crate::clock::now(), 0.0, |_| true);
        store.keep(&key, &Arc::new(entry));
    }
    assert!(store.weight() <= 1024 * 1024, "{}", store.weight());
    assert!(store.weight() > 256 * 1024, "{}", store.weight());
}
