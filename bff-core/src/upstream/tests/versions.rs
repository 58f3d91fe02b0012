//! Canary, A-B and shadow. On paused time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use serde_json::json;

use super::{Upstreams, ada, builder, told};
use crate::identity::Claims;
use crate::resilience::VariantSettings;
use crate::testing::{Builder, Reply};

/// Each host says which one it is.
fn versions(variant: VariantSettings) -> Builder<Upstreams> {
    let answer = |request: Request<Bytes>| {
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        std::future::ready(Reply::json(&json!(host)).header("cache-control", "public, max-age=60"))
    };
    builder().upstream("weather", answer).upstream("diary", answer).settings(move |settings| {
        for name in ["weather", "diary"] {
            let own = settings.upstreams.get_mut(name).unwrap();
            own.variants
                .insert("next".to_owned(), VariantSettings { url: "http://next.test".to_owned(), ..variant.clone() });
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_header_chooses_the_version_and_the_answer_says_so() {
    let bff = versions(VariantSettings { header: Some("x-try: next".to_owned()), ..VariantSettings::default() });
    let bff = bff.build().await.unwrap();
    for (tried, host) in [("next", "next.test:80"), ("no", "weather.test:80"), ("next", "next.test:80")] {
        let answer = bff.send(Request::builder().uri("/sky").header("x-try", tried), Bytes::new()).await;
        // Kept apart, too: the second "next" comes from the store.
        assert_eq!(told(&answer).0, host);
        let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
        assert_eq!(vary, ["accept-encoding", "x-try"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cookie_chooses_the_version_and_does_not_travel() {
    let seen = Arc::new(AtomicUsize::new(0));
    let cookies = seen.clone();
    let bff = versions(VariantSettings { cookie: Some("try=next".to_owned()), ..VariantSettings::default() })
        .upstream("weather", move |request| {
            cookies.fetch_add(usize::from(request.headers().contains_key("cookie")), Ordering::SeqCst);
            std::future::ready(Reply::json(&json!(request.headers()["host"].to_str().unwrap())))
        })
        .build()
        .await
        .unwrap();
    let answer = bff.send(Request::builder().uri("/sky").header("cookie", "a=b; try=next"), Bytes::new()).await;
    assert_eq!(told(&answer).0, "next.test:80");
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_canary_gets_its_share_of_people_and_each_stays_where_they_are() {
    let bff = versions(VariantSettings { weight: 20.0, ..VariantSettings::default() }).build().await.unwrap();
    let mut first = BTreeSet::new();
    for round in 0..2 {
        for number in 0..200 {
            let claims = Claims { subject: format!("user{number}"), ..ada() };
            let answer = bff.get_as(&claims, "/diary").await;
            if answer.json()["entry"] == "next.test:80" {
                assert!(round == 0 || first.contains(&number), "{number} has moved");
                first.insert(number);
            } else {
                assert!(!first.contains(&number), "{number} has moved");
            }
        }
    }
    assert!((20..=60).contains(&first.len()), "{}", first.len());
    // Who has no name stays with the main version, and their page is everybody's.
    let answer = bff.get("/sky").await;
    assert_eq!((told(&answer).0, answer.header("cache-control")), (json!("weather.test:80"), "public, max-age=60"));
    let answer = bff.get_as(&ada(), "/sky").await;
    assert_eq!(answer.header("cache-control"), "private, no-cache");
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_is_down_costs_nobody_a_page() {
    let bff = versions(VariantSettings { header: Some("x-try: next".to_owned()), ..VariantSettings::default() })
        .protected()
        .upstream("weather", |request: Request<Bytes>| {
            let host = request.headers()["host"].to_str().unwrap().to_owned();
            let down = Reply::status(http::StatusCode::INTERNAL_SERVER_ERROR);
            std::future::ready(if host.starts_with("next") { down } else { Reply::json(&json!(host)) })
        })
        .build()
        .await
        .unwrap();
    let next = || Request::builder().uri("/sky").header("x-try", "next");
    for _ in 0..5 {
        assert_eq!(told(&bff.send(next(), Bytes::new()).await).1[0]["reason"], "upstream_error");
    }
    assert_eq!(told(&bff.send(next(), Bytes::new()).await), (json!("weather.test:80"), json!([])));
    let view = bff.app.shared.upstreams();
    let weather = view.iter().find(|view| view.upstream == "weather").unwrap();
    assert_eq!(
        (weather.main.breaker.as_ref().unwrap().opened, weather.variants["next"].breaker.as_ref().unwrap().opened),
        (0, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_shadow_is_compared_and_nobody_waits_for_it() {
    let bff = builder()
        .upstream("weather", |request: Request<Bytes>| {
            let real = !request.headers()["host"].to_str().unwrap().starts_with("shadow");
            let body = json!(if real { "sun" } else { "rain" });
            let reply = Reply::json(&body);
            std::future::ready(if real { reply } else { reply.after(std::time::Duration::from_millis(300)) })
        })
        .settings(|settings| {
            let own = settings.upstreams.get_mut("weather").unwrap();
            own.shadow.url = "http://shadow.test".to_owned();
            own.breaker.enabled = true;
        })
        .build()
        .await
        .unwrap();
    let started = crate::clock::now();
    assert_eq!(told(&bff.get("/sky").await), (json!("sun"), json!([])));
    assert_eq!(crate::clock::now(), started);
    tokio::time::sleep(std::time::Duration::from_millis(301)).await;
    let view = bff.app.shared.upstreams();
    let weather = view.iter().find(|view| view.upstream == "weather").unwrap();
    let shadow = weather.shadow.as_ref().unwrap();
    assert_eq!((shadow.compared, shadow.same, shadow.different), (1, 0, 1));
    // A shadow that failed would say nothing about the upstream either.
    assert_eq!(weather.main.breaker.as_ref().unwrap().calls, 1);
}
