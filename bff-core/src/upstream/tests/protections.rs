//! Retry, breaker, bulkhead and load shedding, as a page sees them. On paused time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::{Upstreams, ada, builder, told};
use crate::clock;
use crate::testing::{Builder, Fault, Reply, TestBff};
use crate::upstream::UpstreamView;

type Counted = Arc<AtomicUsize>;

/// The weather answers by this, and counts; everything is as in production.
pub(super) fn weather(answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> (Counted, Builder<Upstreams>) {
    let asked = Counted::default();
    let counted = asked.clone();
    let bff = builder()
        .protected()
        .upstream("weather", move |_| std::future::ready(answer(counted.fetch_add(1, Ordering::SeqCst) + 1)));
    (asked, bff)
}

pub(super) fn sun() -> Reply {
    Reply::json(&json!("sun"))
}

pub(super) fn status(status: u16) -> Reply {
    Reply::status(StatusCode::from_u16(status).unwrap())
}

pub(super) fn view(bff: &TestBff, name: &str) -> UpstreamView {
    bff.app.shared.upstreams().into_iter().find(|view| view.upstream == name).unwrap()
}

pub(super) async fn took(bff: &TestBff, target: &str) -> (Value, Duration) {
    let started = clock::now();
    let answer = bff.get(target).await;
    (answer.json(), clock::now() - started)
}

#[tokio::test(start_paused = true)]
async fn what_failed_for_a_moment_is_asked_again() {
    for first in [502, 503, 504] {
        let (asked, bff) = weather(move |number| if number == 1 { status(first) } else { sun() });
        let bff = bff.build().await.unwrap();
        assert_eq!(told(&bff.get("/sky").await), (json!("sun"), json!([])), "{first}");
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{first}");
        assert_eq!(view(&bff, "weather").main.retries, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_will_fail_again_is_not_asked_again() {
    for first in [400, 401, 403, 404, 429, 500, 501] {
        let (asked, bff) = weather(move |_| status(first));
        let bff = bff.build().await.unwrap();
        bff.get("/sky").await;
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{first}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_most_two_tries_more_and_the_pauses_grow_at_random() {
    let (asked, bff) = weather(|_| status(503));
    let bff = bff.build().await.unwrap();
    let (answer, took) = took(&bff, "/sky").await;
    assert_eq!(answer["meta"]["parts"][0]["reason"], "upstream_error");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert!(took <= Duration::from_millis(25 + 50 + 3), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_says_when_is_asked_then_or_not_at_all() {
    for (seconds, calls) in [("0", 2), ("1", 1), ("3600", 1)] {
        let (asked, bff) =
            weather(move |number| if number == 1 { status(429).header("retry-after", seconds) } else { sun() });
        let bff = bff.build().await.unwrap();
        let answer = bff.get("/sky").await;
        assert_eq!(asked.load(Ordering::SeqCst), calls, "{seconds}");
        if calls == 1 {
            let part = &answer.json()["meta"]["parts"][0];
            assert_eq!(
                (&part["reason"], &part["retry_after_seconds"]),
                (&json!("overloaded"), &json!(seconds.parse::<u64>().unwrap()))
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_costs_an_attempt_and_not_the_call() {
    let (_, bff) = weather(|number| if number == 1 { sun().after(Duration::from_secs(60)) } else { sun() });
    let bff = bff
        .settings(|settings| {
            settings.upstreams.get_mut("weather").unwrap().attempt_timeout = Duration::from_millis(150)
        })
        .build()
        .await
        .unwrap();
    let (answer, took) = took(&bff, "/sky").await;
    assert_eq!(answer["weather"], "sun");
    assert!(took < Duration::from_millis(150 + 25 + 2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_call_ends_in_time_however_often_it_is_asked_again() {
    let (_, bff) = weather(|_| sun().after(Duration::from_secs(60)));
    let bff = bff.build().await.unwrap();
    let (answer, took) = took(&bff, "/sky").await;
    assert_eq!(answer["meta"]["parts"][0]["reason"], "timeout");
    assert!(took <= Duration::from_millis(501), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_write_is_sent_again_only_if_it_was_never_sent() {
    for (reply, calls) in [(503, 1), (502, 1), (429, 1)] {
        let asked = Counted::default();
        let counted = asked.clone();
        let bff = builder().protected().upstream("diary", move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(status(reply).header("retry-after", "0"))
        });
        let bff = bff.build().await.unwrap();
        bff.post_as(&ada(), "/diary", &json!("x")).await;
        assert_eq!(asked.load(Ordering::SeqCst), calls, "{reply}");
    }
    let bff = builder().protected().build().await.unwrap();
    bff.faults.upstream("diary", Fault::Refuse);
    bff.post_as(&ada(), "/diary", &json!("x")).await;
    assert_eq!(bff.faults.met(), 2);
}

/// The bound of the design, over every window of an outage.
#[tokio::test(start_paused = true)]
async fn an_outage_is_not_made_worse() {
    let times: Arc<std::sync::Mutex<Vec<clock::Instant>>> = Arc::default();
    let log = times.clone();
    let bff = builder().protected().upstream("weather", move |_| {
        log.lock().unwrap().push(clock::now());
        std::future::ready(status(503))
    });
    // The breaker would hide what the budget does.
    let bff = bff
        .settings(|settings| {
            let own = settings.upstreams.get_mut("weather").unwrap();
            own.breaker.enabled = false;
            own.forward = vec!["x-number".to_owned()];
        })
        .build()
        .await
        .unwrap();
    let mut arrivals = Vec::new();
    let mut calls = futures::stream::FuturesUnordered::new();
    for number in 0..3000 {
        arrivals.push(clock::now());
        // Each its own question, so that no flight is shared.
        let request = http::Request::builder().uri("/sky").header("x-number", number);
        calls.push(bff.send(request, bytes::Bytes::new()));
        let tick = tokio::time::sleep(Duration::from_millis(10));
        tokio::pin!(tick);
        while let futures::future::Either::Left((Some(_), _)) =
            futures::future::select(futures::StreamExt::next(&mut calls), &mut tick).await
        {}
        tick.await;
    }
    let attempts = times.lock().unwrap().clone();
    let within = |times: &[clock::Instant], from: clock::Instant, window: Duration| {
        times.iter().filter(|at| **at >= from && **at < from + window).count() as f64
    };
    for from in arrivals.iter().step_by(10) {
        for (seconds, share) in [(10, 1.2), (1, 1.5)] {
            let window = Duration::from_secs(seconds);
            let (calls, made) = (within(&arrivals, *from, window), within(&attempts, *from, window));
            // A retry follows its call by less than 100 ms, so the edges of a window may hold a few of its neighbours'.
            let most = share * calls + 10.0 * seconds as f64 + 12.0;
            assert!(made <= most, "{made} attempts for {calls} calls in {seconds} s");
        }
    }
    let whole = attempts.len() as f64 / arrivals.len() as f64;
    assert!((1.2..=1.35).contains(&whole), "{whole}");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_down_costs_nothing_once_the_circuit_is_open() {
    let (asked, bff) = weather(|_| sun().after(Duration::from_secs(60)));
    let bff = bff.build().await.unwrap();
    while view(&bff, "weather").main.breaker.unwrap().opened == 0 {
        bff.get("/sky").await;
    }
    let before = asked.load(Ordering::SeqCst);
    assert!(before <= 10, "{before}");
    let (answer, took) = took(&bff, "/sky").await;
    let part = &answer["meta"]["parts"][0];
    assert_eq!((&part["outcome"], &part["reason"]), (&json!("missing"), &json!("circuit_open")));
    assert!((1..=2).contains(&part["retry_after_seconds"].as_u64().unwrap()), "{part}");
    assert_eq!((took, asked.load(Ordering::SeqCst)), (Duration::ZERO, before));
    // Without it there is no page, and that is said at once, too.
    let answer = bff.get("/plain").await;
    assert_eq!(
        (answer.status, answer.json()["type"].as_str().unwrap().ends_with("unavailable")),
        (StatusCode::SERVICE_UNAVAILABLE, true)
    );
    assert!((1..=2).contains(&answer.header("retry-after").parse().unwrap()), "{}", answer.header("retry-after"));
}

#[tokio::test(start_paused = true)]
async fn a_circuit_closes_when_the_upstream_is_back() {
    let (_, bff) = weather(|_| sun());
    let bff = bff.build().await.unwrap();
    bff.faults.upstream("weather", Fault::Status(500));
    for _ in 0..5 {
        bff.get("/sky").await;
    }
    assert_eq!(told(&bff.get("/sky").await).1[0]["reason"], "circuit_open");
    bff.faults.clear();
    tokio::time::advance(Duration::from_secs(7)).await;
    for _ in 0..4 {
        assert_eq!(told(&bff.get("/sky").await), (json!("sun"), json!([])));
    }
    assert_eq!(view(&bff, "weather").main.breaker.unwrap().opened, 1);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_says_no_is_well() {
    for no in [400, 401, 403, 404, 409, 422, 429] {
        let (_, bff) = weather(move |_| status(no));
        let bff = bff.build().await.unwrap();
        for _ in 0..60 {
            bff.get("/sky").await;
        }
        assert_eq!(view(&bff, "weather").main.breaker.unwrap().opened, 0, "{no}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hasty_client_opens_the_circuit_for_nobody() {
    let (_, bff) = weather(|_| sun().after(Duration::from_millis(50)));
    let bff = bff.build().await.unwrap();
    for _ in 0..60 {
        let hasty = http::Request::builder().uri("/sky").header("request-timeout", "0.010");
        bff.send(hasty, bytes::Bytes::new()).await;
    }
    assert_eq!(view(&bff, "weather").main.breaker.unwrap().opened, 0);
    assert_eq!(told(&bff.get("/sky").await).0, "sun");
}

#[tokio::test(start_paused = true)]
async fn a_hang_that_every_caller_cuts_opens_the_circuit_nevertheless() {
    let (_, bff) = weather(|_| sun().after(Duration::from_secs(60)));
    let bff = bff
        .settings(|settings| {
            let own = settings.upstreams.get_mut("weather").unwrap();
            own.breaker.slow_after = Some(Duration::from_millis(200));
        })
        .build()
        .await
        .unwrap();
    for _ in 0..5 {
        // Their soft deadline is 255 ms: before the attempt's timeout, after the call is slow.
        let patient = http::Request::builder().uri("/sky").header("request-timeout", "0.3");
        bff.send(patient, bytes::Bytes::new()).await;
    }
    assert_eq!(view(&bff, "weather").main.breaker.unwrap().opened, 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_at_once_than_there_are_places() {
    let most = Counted::default();
    let now = Counted::default();
    let (peak, under_way) = (most.clone(), now.clone());
    let bff = builder().protected().upstream("diary", move |_| {
        let (peak, under_way) = (peak.clone(), under_way.clone());
        async move {
            peak.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(40)).await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            sun()
        }
    });
    let bff = bff
        .settings(|settings| {
            let own = &mut settings.upstreams.get_mut("diary").unwrap().bulkhead;
            (own.floor, own.initial, own.cap, own.queue) = (4, 4, 4, 4);
        })
        .build()
        .await
        .unwrap();
    let names: Vec<String> = (0..12).map(|number| format!("user{number}")).collect();
    let answers = futures::future::join_all(names.iter().map(|name| {
        let claims = crate::identity::Claims { subject: name.clone(), ..ada() };
        let bff = &bff;
        async move { bff.get_as(&claims, "/diary").await.json() }
    }))
    .await;
    let there = answers.iter().filter(|answer| answer["entry"] == "sun").count();
    let full = answers.iter().filter(|answer| answer["meta"]["parts"][0]["reason"] == "overloaded").count();
    assert_eq!((most.load(Ordering::SeqCst), there, full), (4, 4, 8));
    let bulkhead = view(&bff, "diary").main.bulkhead.unwrap();
    assert_eq!((bulkhead.in_flight, bulkhead.waiting, bulkhead.refused), (0, 0, 8));
    // Refused here is not failed there.
    assert_eq!(view(&bff, "diary").main.breaker.unwrap().bad, 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_server_refuses_early_and_says_when_to_come_back() {
    let (_, bff) = weather(|_| sun().after(Duration::from_millis(100)));
    let bff = bff.settings(|settings| {
        (settings.edge.shed.in_flight, settings.edge.shed.wait_share) = (10, 0.0);
    });
    let bff = bff.build().await.unwrap();
    let answers = futures::future::join_all((0..20).map(|_| bff.get("/sky"))).await;
    let (served, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::OK);
    // Nine tenths for a page of normal criticality.
    assert_eq!((served.len(), refused.len()), (9, 11));
    for answer in refused {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    assert_eq!(bff.get("/sky").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_no_place_waits_for_a_share_of_the_budget() {
    let (_, bff) = weather(|_| sun().after(Duration::from_millis(90)));
    let bff = bff.settings(|settings| settings.edge.shed.in_flight = 10).build().await.unwrap();
    let started = clock::now();
    // Nine at once; half of the budget of a second is time for five turns after the first.
    let answers = futures::future::join_all((0..60).map(|_| bff.get("/sky"))).await;
    let served = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(served, 54);
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK || answer.header("retry-after") == "1"));
    assert_eq!(clock::now() - started, Duration::from_millis(540));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_take_longer_is_not_slow() {
    let (_, bff) = weather(|_| sun().after(Duration::from_millis(450)));
    let bff = bff.build().await.unwrap();
    for _ in 0..20 {
        assert_eq!(bff.get("/patient").await.status, StatusCode::OK);
    }
    assert_eq!(view(&bff, "weather").main.breaker.unwrap().opened, 0);
}

#[tokio::test(start_paused = true)]
async fn why_a_call_failed_is_not_that_it_was_not_asked_again() {
    let (_, bff) = weather(|_| status(503));
    let bff = bff
        .settings(|settings| settings.upstreams.get_mut("weather").unwrap().forward = vec!["x-number".to_owned()])
        .build()
        .await
        .unwrap();
    // The first five open the circuit while all of them pause before their second try.
    let requests = (0..8).map(|number| http::Request::builder().uri("/sky").header("x-number", number));
    let answers = futures::future::join_all(requests.map(|request| bff.send(request, bytes::Bytes::new()))).await;
    for answer in answers {
        let reason = &told(&answer).1[0]["reason"];
        assert!(["upstream_error", "circuit_open"].contains(&reason.as_str().unwrap()), "{reason}");
        let asked = answer.json()["meta"]["parts"][0]["retry_after_seconds"].is_null();
        assert_eq!(asked, reason == "upstream_error", "{}", answer.json());
    }
    assert_eq!(view(&bff, "weather").main.breaker.unwrap().opened, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_switched_off_refuses_nobody_and_shows_as_nothing() {
    let (asked, bff) = weather(|_| status(500));
    let bff = bff
        .settings(|settings| {
            let own = settings.upstreams.get_mut("weather").unwrap();
            (own.breaker.enabled, own.bulkhead.enabled) = (false, false);
        })
        .build()
        .await
        .unwrap();
    for _ in 0..50 {
        bff.get("/sky").await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 50);
    let main = view(&bff, "weather").main;
    assert!(main.breaker.is_none() && main.bulkhead.is_none());
}
