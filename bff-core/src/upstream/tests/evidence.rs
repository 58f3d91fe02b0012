//! What failures say of an upstream: nothing where this process was late, little where the connection was refused.

use std::time::Duration;

use http::StatusCode;

use super::protections::{sun, view, weather};
use crate::clock;
use crate::testing::Fault;

/// An upstream at which nobody listens, and how long a page with it took.
async fn refused(target: &str) -> (usize, Duration, StatusCode) {
    let (_, bff) = weather(|_| sun());
    let bff = bff.build().await.unwrap();
    bff.faults.upstream("weather", Fault::Refuse);
    let started = clock::now();
    let status = bff.get(target).await.status;
    (bff.faults.met(), clock::now() - started, status)
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_second_look_at_a_refused_connection() {
    // Optional: the page is there at once, without it.
    assert_eq!(refused("/sky").await, (1, Duration::ZERO, StatusCode::OK));
    // Required: the next connection may reach another host behind the name.
    assert_eq!(refused("/patient").await, (2, Duration::ZERO, StatusCode::BAD_GATEWAY));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_a_process_that_was_late_says_nothing() {
    let (_, bff) = weather(|_| sun().after(Duration::from_secs(3600)));
    let bff = bff.build().await.unwrap();
    let lateness = bff.app.shared.lateness.clone();
    let measuring = tokio::spawn(async move { lateness.measure(|_| ()).await });
    tokio::task::yield_now().await;
    let page = bff.get("/sky");
    let late = async {
        tokio::task::yield_now().await;
        // The clock goes on, and nobody gets a turn.
        tokio::time::advance(Duration::from_secs(2)).await;
    };
    let (answer, ()) = futures::join!(page, late);
    assert_eq!(answer.json()["meta"]["degraded"], true);
    let breaker = view(&bff, "weather").main.breaker.unwrap();
    assert_eq!((breaker.bad, breaker.calls), (0, 0));
    measuring.abort();
}
