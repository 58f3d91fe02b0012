//! What a second pair of eyes found, each as the day on which it went wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, StatusCode};
use serde_json::json;

use super::{ada, builder, later, told, weather};
use crate::identity::Claims;
use crate::testing::{Fault, Reply};

#[tokio::test(start_paused = true)]
async fn a_survey_calls_nobody() {
    let called = Arc::new(AtomicUsize::new(0));
    let (weather, diary) = (called.clone(), called.clone());
    let bff = builder()
        .upstream("weather", move |_| {
            weather.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Reply::json(&json!("sun")))
        })
        .upstream("diary", move |_| {
            diary.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Reply::json(&json!("ashes")))
        })
        .build()
        .await
        .unwrap();
    assert_eq!(called.load(Ordering::SeqCst), 0);
    bff.get("/plain").await;
    assert_eq!(called.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_told_that_the_outcome_is_unknown_reads_anew() {
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = reads.clone();
    let bff = builder()
        .upstream("diary", move |request| {
            let counted = counted.clone();
            async move {
                if request.method() != http::Method::GET {
                    std::future::pending::<()>().await;
                }
                let number = counted.fetch_add(1, Ordering::SeqCst);
                Reply::json(&json!(format!("read {number}"))).header("cache-control", "private, max-age=600")
            }
        })
        .settings(|settings| {
            let diary = settings.upstreams.get_mut("diary").unwrap();
            (diary.timeout, diary.attempt_timeout) = (Duration::from_secs(60), Duration::from_secs(59));
        })
        .build()
        .await
        .unwrap();
    assert_eq!(bff.get_as(&ada(), "/diary").await.json()["entry"], "read 0");
    later(1).await;
    let answer = bff.post_as(&ada(), "/diary", &json!("x")).await;
    assert_eq!((answer.status, &answer.json()["outcome_unknown"]), (StatusCode::GATEWAY_TIMEOUT, &json!(true)));
    assert!(answer.json()["detail"].as_str().unwrap().contains("Idempotency-Key"));
    // The write is still under way.
    assert_eq!(bff.get_as(&ada(), "/diary").await.json()["entry"], "read 1");
}

#[tokio::test(start_paused = true)]
async fn a_write_by_one_token_is_seen_by_the_persons_other_tokens() {
    let entry = Arc::new(AtomicUsize::new(0));
    let counted = entry.clone();
    let bff = builder()
        .upstream("diary", move |request| {
            if request.method() == http::Method::POST {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            let reply = Reply::json(&json!(format!("entry {}", counted.load(Ordering::SeqCst))));
            std::future::ready(reply.header("cache-control", "private, max-age=600"))
        })
        .build()
        .await
        .unwrap();
    let stepped_up = Claims { scopes: vec!["write".into()], ..ada() };
    assert_eq!(bff.get_as(&ada(), "/diary").await.json()["entry"], "entry 0");
    later(1).await;
    bff.post_as(&stepped_up, "/diary", &json!("x")).await;
    later(1).await;
    assert_eq!(bff.get_as(&ada(), "/diary").await.json()["entry"], "entry 1");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_may_not_be_kept_replaces_what_was() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let bff = builder()
        .upstream("weather", move |_| {
            let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            let kept = if first { "public, max-age=10, stale-if-error=1000" } else { "no-store" };
            std::future::ready(Reply::json(&json!(if first { "old" } else { "new" })).header("cache-control", kept))
        })
        .build()
        .await
        .unwrap();
    assert_eq!(told(&bff.get("/sky").await).0, "old");
    later(20).await;
    assert_eq!(told(&bff.get("/sky").await).0, "new");
    bff.faults.upstream("weather", Fault::Refuse);
    assert_eq!(told(&bff.get("/sky").await).1[0]["outcome"], "missing");
}

#[tokio::test(start_paused = true)]
async fn stale_data_outside_any_part_is_no_good_day() {
    let (_, bff) = weather("public, max-age=10, stale-if-error=100").await;
    bff.get("/plain").await;
    later(50).await;
    bff.faults.upstream("weather", Fault::Refuse);
    let answer = bff.get("/plain").await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"));
    assert_eq!(answer.header("etag"), "");
}

#[tokio::test(start_paused = true)]
async fn a_request_names_exactly_one_host() {
    let (_, bff) = weather("no-store").await;
    let two = Request::builder().uri("/sky").header("host", "a.test").header("host", "b.test");
    let odd = Request::builder().uri("/sky").header("host", "a b");
    let user = Request::builder().uri("/sky").header("host", "user@a.test");
    for request in [two, odd, user] {
        assert_eq!(bff.send(request, bytes::Bytes::new()).await.status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_has_no_time_left_is_not_begun() {
    let called = Arc::new(AtomicUsize::new(0));
    let counted = called.clone();
    let bff = builder()
        .answers("weather", Reply::json(&json!("dry")).after(Duration::from_millis(10)))
        .upstream("diary", move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Reply::json(&json!("ashes")))
        })
        .build()
        .await
        .unwrap();
    for (patience, status, calls) in [("0.0105", StatusCode::GATEWAY_TIMEOUT, 0), ("0.5", StatusCode::OK, 1)] {
        let request = Request::builder()
            .method("DELETE")
            .uri("/diary")
            .header("authorization", bff.bearer(&ada()))
            .header("request-timeout", patience);
        let answer = bff.send(request, bytes::Bytes::new()).await;
        assert_eq!((answer.status, called.load(Ordering::SeqCst)), (status, calls), "{patience}");
        assert_eq!(answer.json().get("outcome_unknown"), None);
    }
}
