//! Joining a list with a second service.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::{builder, text};
use crate::testing::Reply;

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
    let cut =
        |part: &str| json!({ "part": part, "outcome": "missing", "reason": "join_limit", "count": 30, "of": 130 });
    assert_eq!(*parts, json!([cut("points.tide"), cut("points.weather")]));
}
