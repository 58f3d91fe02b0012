//! A backend with limited capacity, overloaded or slow for a while: open-loop load on paused time. Work that was begun
//! or queued goes on although its caller has left, as in real backends; that is what keeps an outage alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::{Request, StatusCode};
use serde_json::json;
use tokio::sync::{Semaphore, oneshot};

use super::{Upstreams, builder};
use crate::clock;
use crate::testing::{Builder, Fault, Reply, TestBff};

/// Four at once, 20 ms each: 200 calls a second.
const WORKERS: usize = 4;
const SERVICE: u64 = 20;
const CAPACITY: u64 = 200;
/// What a client waits for.
const PATIENCE: Duration = Duration::from_millis(1000);

struct Backend {
    workers: Semaphore,
    service_ms: AtomicU64,
}

fn limited() -> (Arc<Backend>, Builder<Upstreams>) {
    // The same run each time: everything at random (jitter, back-off) comes from here, and all of it is on this thread.
    fastrand::seed(8);
    let backend = Arc::new(Backend { workers: Semaphore::new(WORKERS), service_ms: AtomicU64::new(SERVICE) });
    let serving = backend.clone();
    let bff = builder().protected().upstream("weather", move |_| {
        let (done, waiting) = oneshot::channel();
        let serving = serving.clone();
        tokio::spawn(async move {
            let _worker = serving.workers.acquire().await;
            tokio::time::sleep(Duration::from_millis(serving.service_ms.load(Ordering::SeqCst))).await;
            let _ = done.send(());
        });
        async move {
            let _ = waiting.await;
            Reply::json(&json!("sun"))
        }
    });
    let bff = bff.settings(|settings| {
        // Each page asks its own question, so that no flight is shared.
        settings.upstreams.get_mut("weather").unwrap().forward = vec!["x-number".to_owned()];
    });
    (backend, bff)
}

/// What people configure who mean well: more retries, more time, no bound on anything.
fn naive(bff: Builder<Upstreams>) -> Builder<Upstreams> {
    bff.settings(|settings| {
        let own = settings.upstreams.get_mut("weather").unwrap();
        own.timeout = Duration::from_secs(5);
        own.attempt_timeout = Duration::from_millis(1200);
        own.retry.tries = 3;
        (own.retry.budget.share, own.retry.budget.burst_share, own.retry.budget.per_second) = (1.0, 10.0, 100_000);
        own.breaker.enabled = false;
        own.bulkhead.enabled = false;
        settings.edge.shed.in_flight = 1_000_000;
        settings.endpoints.entry("getPlain".to_owned()).or_default().budget = Some(Duration::from_secs(10));
    })
}

/// Good pages in each of the coming seconds, at so many arrivals a second; by when they arrived.
async fn load(bff: &TestBff, rate: u64, seconds: u64, number: &mut u64) -> Vec<u64> {
    let mut good = vec![0; usize::try_from(seconds).unwrap()];
    let mut pages = FuturesUnordered::new();
    let began = clock::now();
    for arrival in 0..rate * seconds {
        *number += 1;
        let (at, own) = (began + Duration::from_millis(arrival * 1000 / rate), *number);
        let due = tokio::time::sleep_until(at);
        tokio::pin!(due);
        loop {
            tokio::select! {
                biased;
                Some(second) = pages.next() => count(&mut good, second),
                () = &mut due => break,
            }
        }
        pages.push(async move {
            let request = Request::builder().uri("/plain").header("x-number", own);
            let answer = tokio::time::timeout(PATIENCE, bff.send(request, Bytes::new())).await;
            answer.is_ok_and(|answer| answer.status == StatusCode::OK).then_some(arrival / rate)
        });
    }
    while let Some(second) = pages.next().await {
        count(&mut good, second);
    }
    good
}

fn count(good: &mut [u64], second: Option<u64>) {
    if let Some(second) = second {
        good[usize::try_from(second).unwrap()] += 1;
    }
}

/// 70 % load; ten times slower for ten seconds; then well again. Good pages a second: before, and after.
async fn outage(bff: &TestBff, backend: &Backend) -> (u64, Vec<u64>) {
    let rate = CAPACITY * 7 / 10;
    let mut number = 0;
    let before = load(bff, rate, 5, &mut number).await;
    backend.service_ms.store(10 * SERVICE, Ordering::SeqCst);
    let meanwhile = load(bff, rate, 10, &mut number).await;
    backend.service_ms.store(SERVICE, Ordering::SeqCst);
    let after = load(bff, rate, 10, &mut number).await;
    println!("before {before:?} meanwhile {meanwhile:?} after {after:?}");
    (before[2..].iter().sum::<u64>() / 3, after)
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_the_load_is_served_again() {
    let (backend, bff) = limited();
    let (before, after) = outage(&bff.build().await.unwrap(), &backend).await;
    assert!(after[4..].iter().all(|good| good * 100 >= before * 95), "{before} a second before, then {after:?}");
}

/// The same run fails with naive settings: the test above can fail.
#[tokio::test(start_paused = true)]
async fn with_naive_settings_the_outage_outlives_its_cause() {
    let (backend, bff) = limited();
    let (before, after) = outage(&naive(bff).build().await.unwrap(), &backend).await;
    assert!(after.iter().all(|good| *good < before / 2), "{before} a second before, then {after:?}");
}

#[tokio::test(start_paused = true)]
async fn three_times_what_the_backend_can_do_costs_hardly_any_goodput() {
    // From a good day, and (slower, because nothing is known yet) from the first call on.
    for (warm, learning) in [(5, 2), (0, 9)] {
        let (_, bff) = limited();
        let bff = bff.build().await.unwrap();
        let mut number = 0;
        load(&bff, CAPACITY * 7 / 10, warm, &mut number).await;
        let good = load(&bff, CAPACITY * 3, 20, &mut number).await;
        println!("3 x after {warm} s: {good:?}");
        let learnt = &good[learning..];
        let goodput = learnt.iter().sum::<u64>() / learnt.len() as u64;
        assert!(goodput * 100 >= CAPACITY * 90, "{goodput} of {CAPACITY} a second: {good:?}");
    }
}

/// Well for a second, down for a second. No protection serves every second page; a breaker that stays open through the good
/// seconds would serve none.
#[tokio::test(start_paused = true)]
async fn a_backend_that_flaps_is_used_while_it_is_well() {
    let mut good = Vec::new();
    for seed in 0..4 {
        let (_, bff) = limited();
        fastrand::seed(seed);
        let bff = bff.build().await.unwrap();
        let mut number = 0;
        load(&bff, CAPACITY / 2, 3, &mut number).await;
        for second in 0..24 {
            match second % 2 {
                0 => bff.faults.upstream("weather", Fault::Refuse),
                _ => bff.faults.clear(),
            }
            good.extend(load(&bff, CAPACITY / 2, 1, &mut number).await);
        }
    }
    println!("flapping {good:?}");
    // A quarter of what could be had.
    let (served, arrived) = (good.iter().sum::<u64>(), CAPACITY / 2 * good.len() as u64);
    assert!(served * 8 >= arrived, "{served} of {arrived}: {good:?}");
}
