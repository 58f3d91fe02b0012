//! A caller that goes away is noted, wherever it waits.

use mock_services::{Faults, Running, Service, Trickle};

use crate::client::{h2, raw_get, read_head, services};

const PATH: &str = "/products/42";

fn assert_one_hung_up(running: &Running) {
    let requests = running.requests(Service::Catalog);
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].status, requests[0].hung_up), (None, true));
    assert!(requests[0].duration_ms.is_some());
}

#[tokio::test]
async fn in_front_of_the_barrier() {
    let running = services().await;
    running.hold(Service::Catalog);
    let stream = raw_get(&running, Service::Catalog, PATH).await;
    running.wait_held(Service::Catalog, 1).await;
    drop(stream);
    running.wait_hung_up(Service::Catalog, 1).await;
    assert_one_hung_up(&running);
    assert_eq!(running.backend(Service::Catalog).held(), 0);
}

#[tokio::test]
async fn at_a_backend_that_hangs() {
    let running = services().await;
    running.set_faults(Service::Catalog, Faults { hang: true, ..Faults::default() }).unwrap();
    let stream = raw_get(&running, Service::Catalog, PATH).await;
    running.wait_for_requests(Service::Catalog, 1).await;
    drop(stream);
    running.wait_hung_up(Service::Catalog, 1).await;
    assert_one_hung_up(&running);
}

#[tokio::test]
async fn in_the_middle_of_a_body() {
    let running = services().await;
    let trickle = Some(Trickle { bytes_per_second: 20 });
    running.set_faults(Service::Catalog, Faults { trickle, ..Faults::default() }).unwrap();
    let mut stream = raw_get(&running, Service::Catalog, PATH).await;
    read_head(&mut stream).await;
    drop(stream);
    running.wait_hung_up(Service::Catalog, 1).await;
    assert_one_hung_up(&running);
}

#[tokio::test]
async fn over_http_2_by_resetting_the_stream() {
    let running = services().await;
    running.hold(Service::Catalog);
    let client = h2();
    let url = format!("{}{PATH}", running.url(Service::Catalog));
    let caller = tokio::spawn(client.get(&url).send());
    running.wait_held(Service::Catalog, 1).await;
    caller.abort();
    running.wait_hung_up(Service::Catalog, 1).await;
    assert_one_hung_up(&running);
    // Only the stream is gone; the client and its connection go on.
    running.release(Service::Catalog);
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn over_http_2_in_the_middle_of_a_body() {
    let running = services().await;
    let trickle = Some(Trickle { bytes_per_second: 20 });
    running.set_faults(Service::Catalog, Faults { trickle, ..Faults::default() }).unwrap();
    let client = h2();
    let response = client.get(format!("{}{PATH}", running.url(Service::Catalog))).send().await.unwrap();
    drop(response);
    running.wait_hung_up(Service::Catalog, 1).await;
    assert_one_hung_up(&running);
}

#[tokio::test]
async fn a_whole_answer_is_not_hanging_up() {
    let running = services().await;
    let mut stream = raw_get(&running, Service::Catalog, PATH).await;
    read_head(&mut stream).await;
    drop(stream);
    running.wait_finished(Service::Catalog, 1).await;
    let request = &running.requests(Service::Catalog)[0];
    assert_eq!((request.status, request.hung_up), (Some(200), false));
}

#[tokio::test]
async fn what_was_in_flight_when_the_log_was_cleared_is_not_counted() {
    let running = services().await;
    running.hold(Service::Catalog);
    let first = raw_get(&running, Service::Catalog, PATH).await;
    running.wait_held(Service::Catalog, 1).await;
    running.clear_requests(Service::Catalog);
    let second = raw_get(&running, Service::Catalog, "/categories").await;
    running.wait_held(Service::Catalog, 2).await;
    drop(first);
    drop(second);
    running.wait_hung_up(Service::Catalog, 1).await;
    let requests = running.requests(Service::Catalog);
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].path.as_str(), requests[0].hung_up), ("/categories", true));
}
