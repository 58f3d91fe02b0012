//! Holding requests, and letting them go.

use mock_services::Service;
use tokio::task::JoinSet;

use crate::client::{ask, raw_get, read_head, services};

#[tokio::test]
async fn held_requests_arrive_together_and_go_together() {
    let running = services().await;
    let catalog = running.hold(Service::Catalog).clone();
    let url = format!("{}/products/42", catalog.url());
    let mut callers = JoinSet::new();
    for _ in 0..5 {
        let url = url.clone();
        callers.spawn(async move { ask("GET", &url, &[], "").await.unwrap().status });
    }
    running.wait_held(Service::Catalog, 5).await;
    assert_eq!(catalog.held(), 5);
    assert!(running.requests(Service::Catalog).iter().all(|request| request.status.is_none()));
    assert_eq!(running.release(Service::Catalog), 5);
    assert_eq!(callers.join_all().await, [200; 5]);
    assert_eq!(catalog.held(), 0);
    assert_eq!(ask("GET", &url, &[], "").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_release_reaches_all_even_where_the_barrier_closes_again_at_once() {
    let running = services().await;
    running.hold(Service::Catalog);
    let mut stream = raw_get(&running, Service::Catalog, "/products/42").await;
    running.wait_held(Service::Catalog, 1).await;
    running.release(Service::Catalog);
    running.hold(Service::Catalog);
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn other_services_are_not_held() {
    let running = services().await;
    running.hold(Service::Catalog);
    let url = format!("{}/quotes/42", running.url(Service::Pricing));
    assert_eq!(ask("GET", &url, &[], "").await.unwrap().status, 200);
}
