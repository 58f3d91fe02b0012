//! The admin console, as curl would use it.

use mock_services::{Running, Service};

use crate::client::{Answer, ask, get, raw_get, read_head, services};

async fn console(running: &Running, method: &str, path: &str, body: &str) -> Answer {
    ask(method, &format!("{}{path}", running.admin_url()), &[], body).await.unwrap()
}

#[tokio::test]
async fn the_help_lists_services_and_faults() {
    let running = services().await;
    let help = console(&running, "GET", "/", "").await.body;
    for service in Service::ALL {
        assert!(help.contains(service.name()) && help.contains(&running.url(service)), "{service}");
    }
    assert!(help.contains("lie_public") && help.contains("/rotate"));
}

#[tokio::test]
async fn faults_are_put_shown_and_deleted() {
    let running = services().await;
    let put = console(&running, "PUT", "/reviews/faults", r#"{"error_rate":1,"error_status":500}"#).await;
    assert_eq!(put.body, "{\"error_rate\":1.0,\"error_status\":500}\n");
    assert_eq!(get(&running, Service::Reviews, "/products/42/reviews").await.status, 500);
    assert_eq!(console(&running, "GET", "/reviews/faults", "").await.body, put.body);
    assert_eq!(console(&running, "DELETE", "/reviews/faults", "").await.body, "{}\n");
    assert_eq!(get(&running, Service::Reviews, "/products/42/reviews").await.status, 200);
}

#[tokio::test]
async fn a_mistake_in_the_json_names_the_field() {
    let running = services().await;
    let check = async |body: &str, part: &str| {
        let answer = console(&running, "PUT", "/reviews/faults", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(answer.body.contains(part), "{body}: {}", answer.body);
    };
    check(r#"{"hangs":true}"#, "hangs").await;
    check(r#"{"hang":"yes"}"#, "hang").await;
    check(r#"{"trickle":{"bytes_per_second":"x"}}"#, "trickle.bytes_per_second").await;
    check(r#"{"error_rate":2}"#, "error_rate").await;
    check("nonsense", "expected").await;
    assert_eq!(console(&running, "PUT", "/shop/faults", "{}").await.status, 404);
    assert_eq!(console(&running, "POST", "/reviews/faults", "{}").await.status, 405);
}

#[tokio::test]
async fn the_log_is_read_and_cleared() {
    let running = services().await;
    get(&running, Service::Catalog, "/products?ids=1,2").await;
    let log = console(&running, "GET", "/catalog/requests", "").await.json();
    let request = &log["requests"][0];
    assert_eq!((&request["method"], &request["path"]), (&"GET".into(), &"/products?ids=1,2".into()));
    assert_eq!((&request["status"], &request["hung_up"]), (&200.into(), &false.into()));
    assert!(request["headers"]["host"].is_string());
    console(&running, "DELETE", "/catalog/requests", "").await;
    assert!(running.requests(Service::Catalog).is_empty());
}

#[tokio::test]
async fn the_barrier_counts_and_opens() {
    let running = services().await;
    let put = console(&running, "PUT", "/catalog/barrier", "").await.json();
    assert_eq!((&put["holding"], &put["held"]), (&true.into(), &0.into()));
    let mut stream = raw_get(&running, Service::Catalog, "/products/42").await;
    running.wait_held(Service::Catalog, 1).await;
    assert_eq!(console(&running, "GET", "/catalog/barrier", "").await.json()["held"], 1);
    assert_eq!(console(&running, "DELETE", "/catalog/barrier", "").await.json()["released"], 1);
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn off_and_on_keep_the_other_faults() {
    let running = services().await;
    console(&running, "PUT", "/pricing/faults", r#"{"error_status":500}"#).await;
    let url = format!("{}/quotes/42", running.url(Service::Pricing));
    assert_eq!(console(&running, "PUT", "/pricing/off", "").await.status, 200);
    assert!(ask("GET", &url, &[], "").await.unwrap_err().is_connect());
    assert_eq!(console(&running, "PUT", "/pricing/on", "").await.body, "{\"error_status\":500}\n");
    assert_eq!(ask("GET", &url, &[], "").await.unwrap().status, 500);
}
