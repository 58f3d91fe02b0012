//! K05: "there is none", as it is said.

use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use mock_services::{Reply, Service};
use serde_json::Value;

use super::{Changed, json, whole};

const SUMMARY: &str = "/products/42/reviews/summary";
const PAGE: &str = "/product-page/42";

fn no_content() -> Reply {
    Reply::new(StatusCode::NO_CONTENT, "")
}

fn empty() -> Reply {
    Reply::new(StatusCode::OK, "").with(CONTENT_TYPE, "application/json")
}

async fn reviews(reply: Reply) -> Changed {
    Changed::new(Service::Reviews, SUMMARY, |_| reply, |_| {}).await
}

#[tokio::test]
async fn k05a_k05c_there_is_none() {
    let gone = |status| Reply::new(status, r#"{"title":"x"}"#).with(CONTENT_TYPE, "application/json");
    for reply in [
        no_content(),
        json("null"),
        json(" null\n"),
        json("\u{FEFF}null"),
        gone(StatusCode::NOT_FOUND),
        gone(StatusCode::GONE),
    ] {
        let told = format!("{reply:?}");
        let answer = reviews(reply).await.get(PAGE).await;
        assert_eq!(whole(&answer)["reviews"], Value::Null, "{told}");
        assert!(!answer.header("cache-control").contains("no-store"), "{told}: {:?}", answer.headers);
        assert_eq!(answer.header("bff-degraded"), "");
    }
}

/// Asked for often, it opens no breaker (K03b).
#[tokio::test]
async fn k05a_it_is_no_failure() {
    let changed = Changed::new(
        Service::Reviews,
        SUMMARY,
        |_| no_content(),
        |settings| {
            settings.upstreams.get_mut("reviews").unwrap().breaker.enabled = true;
        },
    );
    let changed = changed.await;
    for _ in 0..10 {
        whole(&changed.get(PAGE).await);
    }
    assert_ne!(whole(&changed.get("/product-page/43").await)["reviews"], Value::Null);
}

#[tokio::test]
async fn k05_an_empty_answer_says_so_only_by_key() {
    for reply in [empty(), Reply::new(StatusCode::OK, ""), json(" \n"), Reply::new(StatusCode::ACCEPTED, "")] {
        let told = format!("{reply:?}");
        let answer = reviews(reply.clone()).await.get(PAGE).await;
        assert_eq!(answer.parts()[0]["reason"], "invalid_response", "{told}");
        let changed = Changed::new(
            Service::Reviews,
            SUMMARY,
            |_| reply,
            |settings| {
                settings.upstreams.get_mut("reviews").unwrap().empty_is_none = true;
            },
        );
        assert_eq!(whole(&changed.await.get(PAGE).await)["reviews"], Value::Null, "{told}");
    }
}

#[tokio::test]
async fn k05_where_something_is_needed_it_is_an_invalid_response() {
    for (service, target, part) in
        [(Service::Catalog, "/products/42", "product"), (Service::Pricing, "/quotes/42", "price")]
    {
        for reply in [no_content(), json("null"), empty()] {
            let told = format!("{reply:?}");
            let key = |settings: &mut bff_core::config::Settings| {
                settings.upstreams.get_mut(service.name()).unwrap().empty_is_none = true;
            };
            let changed = Changed::new(service, target, |_| reply, key).await;
            let problem = changed.get(PAGE).await.assert_problem(502, "upstream-failed");
            assert_eq!(problem["part"], part, "{told}");
            assert_eq!(problem["reason"], "invalid_response", "{told}");
        }
    }
}

#[tokio::test]
async fn k05a_it_is_kept_as_told() {
    for (reply, asked) in [
        (no_content().with(CACHE_CONTROL, "max-age=60"), 1),
        (json("null").with(CACHE_CONTROL, "max-age=60"), 1),
        (no_content().with(CACHE_CONTROL, "no-store"), 3),
        (no_content(), 3),
    ] {
        let told = format!("{reply:?}");
        let changed = Changed::new(
            Service::Reviews,
            SUMMARY,
            |_| reply,
            |settings| {
                settings.cache.capacity = bytesize::ByteSize::mib(8);
            },
        );
        let changed = changed.await;
        for _ in 0..3 {
            assert_eq!(whole(&changed.get(PAGE).await)["reviews"], Value::Null, "{told}");
        }
        assert_eq!(changed.asked(), asked, "{told}");
    }
}
