//! A second attempt beside one that is late. On paused time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::protections::{status, sun, took, view, weather};

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_not_waited_for_where_calls_are_hedged() {
    let (asked, bff) = weather(|number| {
        let late = if number == 31 { 300 } else { 20 };
        sun().after(Duration::from_millis(late))
    });
    let bff = bff
        .settings(|settings| settings.upstreams.get_mut("weather").unwrap().hedge.enabled = true)
        .build()
        .await
        .unwrap();
    for _ in 0..30 {
        bff.get("/sky").await;
    }
    assert_eq!(view(&bff, "weather").main.hedges, 0);
    let (answer, took) = took(&bff, "/sky").await;
    assert_eq!(answer["weather"], "sun");
    assert!(took < Duration::from_millis(50), "{took:?}");
    assert_eq!((asked.load(Ordering::SeqCst), view(&bff, "weather").main.hedges), (32, 1));
}

/// Half of the second attempts win in a tail like this. What is known must not forget the first ones, or the delay shrinks
/// and ever more calls are hedged.
#[tokio::test(start_paused = true)]
async fn hedging_costs_about_as_many_calls_as_are_late() {
    fastrand::seed(5);
    let (_, bff) = weather(|_| sun().after(Duration::from_secs_f64(-0.02 * (1.0 - fastrand::f64()).ln())));
    let bff = bff
        .settings(|settings| settings.upstreams.get_mut("weather").unwrap().hedge.enabled = true)
        .build()
        .await
        .unwrap();
    for _ in 0..3000 {
        bff.get("/sky").await;
    }
    let hedges = view(&bff, "weather").main.hedges;
    assert!((60..=240).contains(&hedges), "{hedges} of 3000");
}

#[tokio::test(start_paused = true)]
async fn a_definite_no_of_the_second_attempt_is_the_answer() {
    let (_, bff) = weather(|number| match number {
        31 => sun().after(Duration::from_secs(60)),
        32 => status(404),
        _ => sun().after(Duration::from_millis(20)),
    });
    let bff = bff
        .settings(|settings| settings.upstreams.get_mut("weather").unwrap().hedge.enabled = true)
        .build()
        .await
        .unwrap();
    for _ in 0..30 {
        bff.get("/sky").await;
    }
    let (answer, took) = took(&bff, "/sky").await;
    assert_eq!((&answer["weather"], &answer["meta"]["parts"]), (&Value::Null, &json!([])));
    assert!(took < Duration::from_millis(50), "{took:?}");
}
