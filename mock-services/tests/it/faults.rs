//! Every fault, as the caller really sees it on the wire.

use std::io::ErrorKind;

use mock_services::{Faults, Latency, Service, Trickle};
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::client::{get, get_as, h2, raw_get, read_head, services};

const PATH: &str = "/products/42";

fn with(change: impl FnOnce(&mut Faults)) -> Faults {
    let mut faults = Faults::default();
    change(&mut faults);
    faults
}

#[tokio::test]
async fn errors_come_with_their_status_and_retry_after() {
    let running = services().await;
    let faults = with(|f| (f.error_rate, f.retry_after_seconds) = (Some(1.0), Some(7)));
    running.set_faults(Service::Catalog, faults).unwrap();
    let answer = get(&running, Service::Catalog, PATH).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "7"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    running.set_faults(Service::Catalog, with(|f| f.error_status = Some(429))).unwrap();
    assert_eq!(get(&running, Service::Catalog, PATH).await.status, 429);
    running.clear_faults(Service::Catalog).unwrap();
    assert_eq!(get(&running, Service::Catalog, PATH).await.status, 200);
}

#[tokio::test]
async fn an_error_rate_is_a_share() {
    let running = services().await;
    running.set_faults(Service::Catalog, with(|f| f.error_rate = Some(0.5))).unwrap();
    let mut failed = 0;
    for _ in 0..100 {
        failed += u32::from(get(&running, Service::Catalog, PATH).await.status == 503);
    }
    assert!((30..=70).contains(&failed), "{failed}");
}

#[tokio::test]
async fn latency_is_waited_out_before_the_answer() {
    let running = services().await;
    let faults = with(|f| {
        f.latency_ms = Some(60);
        f.latency = Some(Latency { p50_ms: 1.0, p99_ms: 2.0 });
    });
    running.set_faults(Service::Catalog, faults).unwrap();
    assert_eq!(get(&running, Service::Catalog, PATH).await.status, 200);
    let took = running.requests(Service::Catalog)[0].duration_ms.unwrap();
    assert!(took >= 60, "{took}");
}

#[tokio::test]
async fn a_reset_is_a_tcp_reset_and_not_a_close() {
    let running = services().await;
    running.set_faults(Service::Catalog, with(|f| f.reset = true)).unwrap();
    let mut stream = raw_get(&running, Service::Catalog, PATH).await;
    let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let logged = &running.requests(Service::Catalog)[0];
    assert_eq!((logged.status, logged.hung_up, logged.fault), (None, false, Some("reset")));
}

#[tokio::test]
async fn over_http_2_a_reset_takes_the_stream_and_leaves_the_connection() {
    let running = services().await;
    let client = h2();
    let url = format!("{}{PATH}", running.url(Service::Catalog));
    running.set_faults(Service::Catalog, with(|f| f.reset = true)).unwrap();
    assert!(client.get(&url).send().await.is_err());
    running.clear_faults(Service::Catalog).unwrap();
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_promised() {
    let running = services().await;
    let whole = get(&running, Service::Catalog, PATH).await.body;
    running.set_faults(Service::Catalog, with(|f| f.truncate = true)).unwrap();
    let mut stream = raw_get(&running, Service::Catalog, PATH).await;
    let head = read_head(&mut stream).await;
    assert!(head.contains(&format!("content-length: {}\r\n", whole.len())), "{head}");
    let mut body = String::new();
    stream.read_to_string(&mut body).await.unwrap();
    assert_eq!(body, whole[..body.len()]);
    assert_eq!(body.len(), whole.len() / 2);
    let url = format!("{}{PATH}", running.url(Service::Catalog));
    let response = h2().get(&url).send().await.unwrap();
    assert!(response.text().await.is_err());
}

#[tokio::test]
async fn a_trickled_body_sends_its_head_at_once() {
    let running = services().await;
    let trickle = Trickle { bytes_per_second: 50 };
    running.set_faults(Service::Catalog, with(|f| f.trickle = Some(trickle))).unwrap();
    let mut stream = raw_get(&running, Service::Catalog, PATH).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
    let mut some = [0; 64];
    let read = stream.read(&mut some).await.unwrap();
    assert!(read <= 10, "{read}");
    // The body is far from complete: nothing is noted as answered.
    assert_eq!(running.requests(Service::Catalog)[0].status, None);
}

#[tokio::test]
async fn garbage_says_json_and_is_not() {
    let running = services().await;
    running.set_faults(Service::Catalog, with(|f| f.garbage = true)).unwrap();
    let answer = get(&running, Service::Catalog, PATH).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert!(serde_json::from_str::<serde_json::Value>(&answer.body).is_err());
    assert_eq!(answer.header("etag"), "");
}

#[tokio::test]
async fn the_wrong_content_type_is_a_page() {
    let running = services().await;
    running.set_faults(Service::Catalog, with(|f| f.wrong_content_type = true)).unwrap();
    let answer = get(&running, Service::Catalog, PATH).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(answer.body.starts_with("<!doctype html>"));
}

#[tokio::test]
async fn cache_headers_can_lie_change_and_vanish() {
    let running = services().await;
    let check = async |faults: Faults, expect: &str| {
        running.set_faults(Service::Carts, faults).unwrap();
        assert_eq!(get_as(&running, "ada", Service::Carts, "/cart").await.header("cache-control"), expect);
    };
    check(with(|f| f.lie_public = true), "public, max-age=3600").await;
    check(with(|f| f.cache_control = Some("max-age=1".into())), "max-age=1").await;
    check(with(|f| f.cache_control = Some(String::new())), "").await;
    check(Faults::default(), "private, no-store").await;
}

#[tokio::test]
async fn a_path_narrows_a_fault() {
    let running = services().await;
    let faults = with(|f| (f.error_status, f.path) = (Some(500), Some("/search".into())));
    running.set_faults(Service::Catalog, faults).unwrap();
    assert_eq!(get(&running, Service::Catalog, PATH).await.status, 200);
    assert_eq!(get(&running, Service::Catalog, "/search?q=kettle").await.status, 500);
}

#[tokio::test]
async fn a_refusing_port_closes_and_opens_again_at_the_same_number() {
    let running = services().await;
    let address = running.backend(Service::Catalog).address();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}{PATH}", running.url(Service::Catalog));
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    for _ in 0..3 {
        running.set_faults(Service::Catalog, with(|f| f.refuse = true)).unwrap();
        assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        // The connection that the client kept is gone, too.
        assert!(client.get(&url).send().await.is_err());
        running.clear_faults(Service::Catalog).unwrap();
        assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn closing_the_port_is_not_hanging_up() {
    let running = services().await;
    running.hold(Service::Catalog);
    let mut stream = raw_get(&running, Service::Catalog, PATH).await;
    running.wait_held(Service::Catalog, 1).await;
    running.set_faults(Service::Catalog, with(|f| f.refuse = true)).unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    running.wait_finished(Service::Catalog, 1).await;
    let logged = &running.requests(Service::Catalog)[0];
    assert_eq!((logged.status, logged.hung_up, logged.fault), (None, false, Some("refuse")));
}

#[tokio::test]
async fn mistakes_are_refused_and_change_nothing() {
    let running = services().await;
    let error = running.set_faults(Service::Catalog, with(|f| f.path = Some("search".into()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(running.backend(Service::Catalog).faults(), Faults::default());
}
