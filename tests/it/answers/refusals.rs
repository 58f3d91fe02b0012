//! What a backend's refusal means, for whom, and until when.

use http::StatusCode;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use mock_services::{Reply, Service};
use serde_json::{Value, json};

use super::Changed;
use crate::world::World;

const PAGE: &str = "/product-page/42";

fn refusal(status: u16) -> Reply {
    Reply::new(StatusCode::from_u16(status).unwrap(), r#"{"title":"no"}"#)
        .with(CONTENT_TYPE, "application/problem+json")
}

/// A shared call says nothing of the visitor, so it is not the visitor who is refused; with a token or without.
#[tokio::test]
async fn a_403_to_a_shared_call_is_our_trouble() {
    for status in [401, 403] {
        let changed = Changed::new(Service::Pricing, "/quotes/42", |_| refusal(status), |_| {}).await;
        for answer in [changed.get(PAGE).await, changed.world.get_as("ada", PAGE).await] {
            let problem = answer.assert_problem(502, "upstream-failed");
            assert_eq!((&problem["part"], &problem["reason"]), (&json!("price"), &json!("upstream_error")), "{status}");
        }
        let target = "/products/42/reviews/summary";
        let changed = Changed::new(Service::Reviews, target, |_| refusal(status), |_| {}).await;
        let part = json!({ "part": "reviews", "outcome": "missing", "reason": "upstream_error" });
        assert_eq!(changed.get(PAGE).await.parts(), [part], "{status}");
    }
}

/// A call in the visitor's name is another thing: the part is omitted, or the page is not theirs.
#[tokio::test]
async fn a_403_to_a_call_in_the_visitors_name_is_theirs() {
    let changed = Changed::new(Service::Carts, "/cart", |_| refusal(403), |_| {}).await;
    changed.world.get_as("ada", "/cart").await.assert_problem(403, "forbidden");
    let home = changed.world.get_as("ada", "/home").await;
    let part = json!({ "part": "cart", "outcome": "omitted", "reason": "not_entitled" });
    assert!(home.parts().contains(&part), "{}", home.text());
}

/// What is answered with 401 or 403 is documented, and nothing else is said to be.
#[tokio::test]
async fn statuses_and_their_documentation_agree() {
    let world = World::start().await;
    let document = world.get("/openapi.json").await.json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let has = |status: &str| operation["responses"].get(status).is_some();
            let needs_identity = operation.get("security").is_some();
            assert!(has("401"), "{method} {path}");
            assert_eq!(has("403"), needs_identity || method != "get", "{method} {path}");
            assert!(
                has("502") && operation["responses"]["502"]["headers"].get("Retry-After").is_some(),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn retry_after_of_a_required_backend_survives() {
    for (status, said, problem, told) in [
        (503, "7", 502, "7"),
        (500, "7", 502, "7"),
        (429, "7", 503, "7"),
        (503, "0", 502, "1"),
        (500, "soon", 502, ""),
        (404, "7", 502, "7"),
    ] {
        let reply = refusal(status).with(RETRY_AFTER, said);
        let changed = Changed::new(Service::Pricing, "/quotes/42", |_| reply, |_| {}).await;
        let answer = changed.get(PAGE).await;
        assert_eq!((answer.status, answer.header("retry-after").as_str()), (problem, told), "{status} {said}");
    }
    let reply = refusal(503).with(RETRY_AFTER, "7");
    let changed = Changed::new(Service::Reviews, "/products/42/reviews/summary", |_| reply, |_| {}).await;
    assert_eq!(changed.get(PAGE).await.parts()[0]["retry_after_seconds"], 7);
}

/// The list of reasons is what can be told, and nothing else.
#[tokio::test]
async fn reasons_are_listed_from_the_code() {
    let world = World::start().await;
    let document = world.get("/openapi.json").await.json();
    let about = |schema: &str| document["components"]["schemas"][schema]["properties"]["reason"]["description"].clone();
    for schema in ["PartStatus", "Problem"] {
        let Value::String(about) = about(schema) else { panic!("{schema}") };
        for reason in ["timeout", "deadline", "upstream_error", "invalid_response", "join_limit", "dependency"] {
            assert!(about.contains(&format!("`{reason}`")), "{schema}: {about}");
        }
        // Nobody makes the first; the second is told to those who are told no more.
        for reason in ["client_too_old", "unavailable"] {
            assert!(!about.contains(reason), "{schema}: {about}");
        }
    }
    assert!(about("PartStatus").as_str().unwrap().contains("for `omitted`: `not_requested`, `not_entitled`"));
}
