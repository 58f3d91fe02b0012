//! What is kept and past its time is confirmed, not sent again (RFC 9111 §4.3), and survives what fails.

use http::header::IF_NONE_MATCH;

use super::*;

/// Sends its answer once; after that it says 304 to whoever knows it.
fn confirming(
    first: &'static str,
    then: &'static str,
) -> (Arc<AtomicUsize>, impl Fn(Request<bytes::Bytes>) -> std::future::Ready<Reply>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let answer = move |request: Request<bytes::Bytes>| {
        let knows = request.headers().get(IF_NONE_MATCH).is_some_and(|tag| tag == "\"one\"");
        let reply = if knows {
            Reply::status(http::StatusCode::NOT_MODIFIED).header("cache-control", then)
        } else {
            counted.fetch_add(1, Ordering::SeqCst);
            Reply::json(&json!("clear")).header("cache-control", first)
        };
        std::future::ready(reply.header("etag", "\"one\""))
    };
    (sent, answer)
}

#[tokio::test(start_paused = true)]
async fn rfc9111_4_3_3_a_304_gives_what_is_kept_new_time() {
    let (sent, answer) = confirming("max-age=10", "max-age=60");
    let bff = builder().upstream("weather", answer).build().await.unwrap();
    assert_eq!(bff.get("/sky").await.json()["weather"], "clear");
    tokio::time::advance(Duration::from_secs(11)).await;
    let confirmed = bff.get("/sky").await;
    assert_eq!(confirmed.json()["weather"], "clear");
    assert_eq!(confirmed.header("cache-control"), "public, max-age=60");
    tokio::time::advance(Duration::from_secs(40)).await;
    assert_eq!(bff.get("/sky").await.json()["weather"], "clear");
    assert_eq!(sent.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn rfc9111_5_2_2_4_no_cache_is_kept_and_confirmed_each_time() {
    let (sent, answer) = confirming("no-cache", "no-cache");
    let bff = builder().upstream("weather", answer).build().await.unwrap();
    for _ in 0..3 {
        let answer = bff.get("/sky").await;
        assert_eq!((answer.json()["weather"].as_str(), answer.header("cache-control")), (Some("clear"), "no-cache"));
    }
    assert_eq!(sent.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn inside_stale_while_revalidate_the_refresh_asks_for_confirmation() {
    let (sent, answer) = confirming("max-age=10, stale-while-revalidate=100", "max-age=60");
    let bff = builder().upstream("weather", answer).build().await.unwrap();
    bff.get("/sky").await;
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(bff.get("/sky").await.json()["weather"], "clear");
    bff.app.shared.background.close();
    bff.app.shared.background.wait().await;
    assert_eq!(bff.get("/sky").await.header("cache-control"), "public, max-age=60");
    assert_eq!(sent.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_304_for_something_else_is_no_answer_and_drops_nothing() {
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = move |_: Request<bytes::Bytes>| {
        let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        let reply = if first {
            Reply::json(&json!("clear")).header("etag", "\"one\"")
        } else {
            Reply::status(http::StatusCode::NOT_MODIFIED).header("etag", "\"two\"")
        };
        std::future::ready(reply.header("cache-control", "max-age=10, stale-if-error=100"))
    };
    let bff = builder().upstream("weather", answer).build().await.unwrap();
    bff.get("/sky").await;
    tokio::time::advance(Duration::from_secs(20)).await;
    for _ in 0..2 {
        let stale = bff.get("/sky").await;
        assert_eq!(stale.json()["weather"], "clear");
        assert_eq!(stale.header("bff-degraded"), "weather;outcome=stale;reason=invalid_response;age=20");
    }
}

#[tokio::test(start_paused = true)]
async fn rfc9111_5_2_2_10_what_is_said_to_shared_caches_is_not_said_to_clients() {
    for (said, told) in [
        ("max-age=0, s-maxage=600", "no-cache"),
        ("max-age=30, s-maxage=600", "public, max-age=30"),
        ("s-maxage=600", "no-cache"),
    ] {
        let (asked, bff) = weather(said).await;
        assert_eq!(bff.get("/sky").await.header("cache-control"), told, "{said}");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(bff.get("/sky").await.header("cache-control"), "no-cache", "{said}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{said}");
    }
}
