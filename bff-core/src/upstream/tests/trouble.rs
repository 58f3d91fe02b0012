//! What operators are told of an upstream that answers, and not as it should.

use http::StatusCode;
use serde_json::json;

use super::builder;
use super::damaged::Logged;
use super::protections::{view, weather};
use crate::testing::Reply;
use crate::upstream::UpstreamView;

type Answers = Box<dyn Fn() -> Reply + Send + Sync>;

/// What is said of the weather after `asked` pages that it answered so.
async fn after(asked: usize, reply: impl Fn() -> Reply + Send + Sync + 'static) -> UpstreamView {
    let bff = builder().upstream("weather", move |_| std::future::ready(reply())).build().await.unwrap();
    for _ in 0..asked {
        assert_eq!(bff.get("/sky").await.json()["meta"]["degraded"], true);
    }
    tokio::time::advance(std::time::Duration::from_secs(7)).await;
    view(&bff, "weather")
}

#[tokio::test(start_paused = true)]
async fn what_degrades_a_part_is_known_by_its_cause() {
    let html = || Reply::status(StatusCode::OK).header("content-type", "text/html");
    let cases: [(Answers, &str, &str); 5] = [
        (Box::new(|| Reply::json(&json!({}))), "invalid_response", "wrong kind"),
        (Box::new(html), "invalid_response", "empty"),
        (
            Box::new(|| Reply::status(StatusCode::FOUND)),
            "invalid_response",
            "redirects, which is not followed: status 302",
        ),
        (Box::new(|| Reply::status(StatusCode::INTERNAL_SERVER_ERROR)), "upstream_error", "status 500"),
        (Box::new(|| Reply::status(StatusCode::BAD_REQUEST)), "rejected", "does not accept what we ask: status 400"),
    ];
    for (reply, kind, cause) in cases {
        let last = after(1, reply).await.last_error.expect(cause);
        assert_eq!((last.kind, last.seconds_ago), (kind, 7), "{last:?}");
        assert!(last.cause.contains(cause), "{last:?}");
        assert!(last.host.is_some(), "{last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_knows_us_no_more_is_seen() {
    let told = after(3, || Reply::status(StatusCode::UNAUTHORIZED)).await;
    assert_eq!((told.refused, told.refused_in_a_row), (3, 3));
    let last = told.last_error.unwrap();
    assert_eq!(
        (last.kind, last.cause.as_str()),
        ("rejected", "does not accept our credentials (request_headers): status 401")
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_counted_and_over_with_the_next_answer() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let answer = move |_| {
        let first = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        std::future::ready(if first { Reply::status(StatusCode::FORBIDDEN) } else { Reply::json(&json!("sun")) })
    };
    let bff = builder().upstream("weather", answer).build().await.unwrap();
    bff.get("/sky").await;
    assert_eq!((view(&bff, "weather").refused, view(&bff, "weather").refused_in_a_row), (1, 1));
    bff.get("/sky").await;
    assert_eq!((view(&bff, "weather").refused, view(&bff, "weather").refused_in_a_row), (1, 0));
    bff.app.shared.measure();
    let metrics = bff.app.shared.metrics.render();
    assert!(metrics.contains("bff_upstream_refused_total{upstream=\"weather\"} 1"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn the_log_says_each_cause_once_a_minute_with_whom_to_call() {
    let logged = Logged::default();
    let subscriber = tracing_subscriber::fmt().with_writer(logged.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let secret = || Reply::json(&json!({ "name": "canary-4711" })).header("x-secret", "canary-4711");
    let bff = builder()
        .upstream("weather", move |_| std::future::ready(secret()))
        .settings(|settings| {
            let weather = settings.upstreams.get_mut("weather").unwrap();
            weather.owner = "team-sky".to_owned();
            weather.request_headers.insert("x-api-key".to_owned(), "canary-4711".into());
        })
        .build()
        .await
        .unwrap();
    let said = |logged: &Logged| logged.text().matches("upstream in trouble").count();
    for _ in 0..3 {
        bff.get("/sky").await;
    }
    assert_eq!(said(&logged), 1, "{}", logged.text());
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    bff.get("/sky").await;
    assert_eq!(said(&logged), 2);
    let text = logged.text();
    for word in ["WARN", "weather", "team-sky", "host=", "invalid_response", "wrong kind", "part=\"weather\""] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_line_of_an_opened_circuit_names_whom_to_call_and_why() {
    let logged = Logged::default();
    let subscriber = tracing_subscriber::fmt().with_writer(logged.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (_, bff) = weather(|_| Reply::status(StatusCode::INTERNAL_SERVER_ERROR));
    let bff = bff
        .settings(|settings| settings.upstreams.get_mut("weather").unwrap().owner = "team-sky".to_owned())
        .build()
        .await
        .unwrap();
    for _ in 0..30 {
        bff.get("/sky").await;
    }
    let text = logged.text();
    let opened = text.lines().find(|line| line.contains("circuit open")).unwrap();
    for word in ["weather", "team-sky", "fails: status 500"] {
        assert!(opened.contains(word), "{word}: {opened}");
    }
    assert!(text.contains("not asked, because its circuit is open after: fails: status 500"), "{text}");
}
