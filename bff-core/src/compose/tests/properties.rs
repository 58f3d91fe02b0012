//! What holds for every page on every day.

use std::time::Duration;

use http::StatusCode;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{builder, healthy, text, timed};
use crate::testing::Reply;

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
