//! Several hosts of one upstream: one goes bad, one is added, one answers no probe. On paused time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::json;

use super::{Upstreams, builder};
use crate::testing::{Builder, Reply, TestBff};
use crate::upstream::TargetView;

/// How the host `two` is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Two {
    Well,
    Failing,
    Hanging,
}

struct World {
    two: Arc<Mutex<Two>>,
    /// Attempts by host.
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

fn three(change: impl FnOnce(&mut crate::upstream::UpstreamSettings)) -> (World, Builder<Upstreams>) {
    let world = World { two: Arc::new(Mutex::new(Two::Well)), asked: Arc::default() };
    let (two, asked) = (world.two.clone(), world.asked.clone());
    let bff = builder()
        .protected()
        .upstream("weather", move |request: Request<Bytes>| {
            let host = request.headers()["host"].to_str().unwrap().to_owned();
            let state = *two.lock().unwrap();
            if !request.uri().path().starts_with("/probe") {
                *asked.lock().unwrap().entry(host.clone()).or_default() += 1;
            }
            let reply = Reply::json(&json!(host)).after(Duration::from_millis(10));
            std::future::ready(match state {
                Two::Failing if host.starts_with("two") => Reply::status(StatusCode::SERVICE_UNAVAILABLE),
                Two::Hanging if host.starts_with("two") => reply.after(Duration::from_secs(600)),
                _ => reply,
            })
        })
        .settings(|settings| {
            let own = settings.upstreams.get_mut("weather").unwrap();
            own.url = String::new();
            own.urls = ["one", "two", "three"].map(|host| format!("http://{host}.test")).to_vec();
            own.attempt_timeout = Duration::from_millis(200);
            own.forward = vec!["x-number".to_owned()];
            change(own);
        });
    (world, bff)
}

impl World {
    fn set(&self, two: Two) {
        *self.two.lock().unwrap() = two;
        self.asked.lock().unwrap().clear();
    }

    fn asked(&self, host: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(known, _)| known.starts_with(host)).map(|(_, count)| count).sum()
    }
}

/// 100 calls a second for so long; how many failed.
async fn load(bff: &TestBff, seconds: u64) -> usize {
    let mut calls = futures::stream::FuturesUnordered::new();
    let mut failed = 0;
    for number in 0..seconds * 100 {
        calls.push(async move {
            // Each its own question, so that no flight is shared.
            let request = Request::builder().uri("/plain").header("x-number", number);
            bff.send(request, Bytes::new()).await.status
        });
        let tick = tokio::time::sleep(Duration::from_millis(10));
        tokio::pin!(tick);
        loop {
            tokio::select! {
                Some(status) = futures::StreamExt::next(&mut calls) => failed += usize::from(status != StatusCode::OK),
                () = &mut tick => break,
            }
        }
    }
    while let Some(status) = futures::StreamExt::next(&mut calls).await {
        failed += usize::from(status != StatusCode::OK);
    }
    failed
}

fn main(bff: &TestBff) -> TargetView {
    bff.app.shared.upstreams().into_iter().find(|view| view.upstream == "weather").unwrap().main
}

#[tokio::test(start_paused = true)]
async fn one_of_three_hosts_goes_bad_and_comes_back() {
    for bad in [Two::Failing, Two::Hanging] {
        let (world, bff) = three(|_| {});
        let bff = bff.build().await.unwrap();
        assert_eq!(load(&bff, 5).await, 0);
        assert!(world.asked("two") > 100, "{bad:?}: {}", world.asked("two"));

        world.set(bad);
        let failed = load(&bff, 2).await;
        assert!(failed <= 4, "{bad:?}: {failed} of 200 failed in the first two seconds");
        let failed = load(&bff, 10).await;
        assert!(failed < 10, "{bad:?}: {failed} of 1000 failed after that");
        assert!(world.asked("two") < 40, "{bad:?}: asked {} times", world.asked("two"));
        let view = main(&bff);
        // It is ejected, or looks so slow that it is not asked often enough for that.
        let two = view.hosts.iter().find(|host| host.host.starts_with("two")).unwrap();
        assert!(two.state.ejected_for_seconds.is_some() || two.state.load_ms > Some(100.0), "{bad:?}: {two:?}");
        // Per host the ejection: the upstream as a whole is well.
        assert_eq!(view.breaker.unwrap().opened, 0, "{bad:?}");

        world.set(Two::Well);
        assert_eq!(load(&bff, 40).await, 0);
        assert!(world.asked("two") > 200, "{bad:?}: asked {} times after it healed", world.asked("two"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_answers_no_probe_gets_no_calls() {
    let (world, bff) = three(|own| {
        own.balance.probe.path = Some("/probe".to_owned());
        own.balance.probe.every = Duration::from_secs(1);
        // Passive ejection must not be what is seen here.
        own.balance.eject.enabled = false;
    });
    let bff = bff.build().await.unwrap();
    world.set(Two::Failing);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(load(&bff, 2).await, 0);
    assert_eq!(world.asked("two"), 0);
    world.set(Two::Well);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(load(&bff, 2).await, 0);
    assert!(world.asked("two") > 20, "{}", world.asked("two"));
}

#[tokio::test(start_paused = true)]
async fn calls_go_where_the_name_leads_now() {
    let addresses: Arc<Mutex<Vec<IpAddr>>> = Arc::new(Mutex::new(vec!["10.0.0.1".parse().unwrap()]));
    let known = addresses.clone();
    let asked: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let log = asked.clone();
    let bff = builder()
        .upstream("weather", move |request: Request<Bytes>| {
            let host = request.headers()["host"].to_str().unwrap().to_owned();
            *log.lock().unwrap().entry(host.clone()).or_default() += 1;
            std::future::ready(Reply::json(&json!(host)))
        })
        .names(move |_| known.lock().unwrap().clone())
        .settings(|settings| {
            let own = settings.upstreams.get_mut("weather").unwrap();
            own.each_address = true;
            own.dns_refresh = Duration::from_secs(10);
        })
        .build()
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    bff.get("/plain").await;
    *addresses.lock().unwrap() = vec!["10.0.0.2".parse().unwrap(), "10.0.0.3".parse().unwrap()];
    tokio::time::sleep(Duration::from_secs(11)).await;
    for _ in 0..50 {
        bff.get("/plain").await;
    }
    // A name server that is down takes no host away.
    addresses.lock().unwrap().clear();
    tokio::time::sleep(Duration::from_secs(11)).await;
    bff.get("/plain").await;
    let asked = asked.lock().unwrap();
    assert_eq!(asked["10.0.0.1:80"], 1, "{asked:?}");
    assert!(asked["10.0.0.2:80"] > 5 && asked["10.0.0.3:80"] > 5, "{asked:?}");
    assert_eq!(main(&bff).hosts.len(), 2);
}

/// Without `each_address` whoever connects chooses one; only a name that leads wholly elsewhere costs the connections.
#[tokio::test(start_paused = true)]
async fn a_name_that_tells_another_of_its_addresses_has_not_moved() {
    let addresses: Arc<Mutex<Vec<IpAddr>>> = Arc::new(Mutex::new(vec!["10.0.0.1".parse().unwrap()]));
    let known = addresses.clone();
    let bff = builder()
        .answers("weather", Reply::json(&json!("sun")).after(Duration::from_millis(5)))
        .names(move |_| known.lock().unwrap().clone())
        .settings(|settings| settings.upstreams.get_mut("weather").unwrap().dns_refresh = Duration::from_secs(10))
        .build()
        .await
        .unwrap();
    let now: [(&[&str], bool); 5] = [
        (&["10.0.0.1", "10.0.0.2"], false),
        (&["10.0.0.2"], false),
        (&["10.0.0.1"], false),
        (&["10.0.9.1", "10.0.9.2"], true),
        (&["10.0.9.2"], false),
    ];
    tokio::time::sleep(Duration::from_millis(1)).await;
    for (told, moved) in now {
        bff.get("/plain").await;
        *addresses.lock().unwrap() = told.iter().map(|address| address.parse().unwrap()).collect();
        tokio::time::sleep(Duration::from_secs(11)).await;
        // A new host has no record.
        assert_eq!(main(&bff).hosts[0].state.load_ms.is_none(), moved, "{told:?}");
    }
}
