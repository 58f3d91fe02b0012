//! Starting and stopping.

use std::net::TcpListener;

use mock_services::{Faults, Options, Ports, Service, start};
use tokio::net::TcpStream;

use crate::client::{get, keys, services};

#[tokio::test]
async fn a_taken_port_is_named_with_its_service_and_its_flag() {
    // A base port whose catalog port is in somebody else's hands.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().port();
    let options = Options { keys: Some(keys()), ports: Ports::From(taken - 1), ..Options::default() };
    let message = start(options).await.unwrap_err().to_string();
    assert!(message.contains("catalog"), "{message}");
    assert!(message.contains(&taken.to_string()), "{message}");
    assert!(message.contains("--base-port"), "{message}");
}

#[tokio::test]
async fn a_base_port_without_room_above_is_an_error() {
    let options = Options { keys: Some(keys()), ports: Ports::From(65_530), ..Options::default() };
    assert!(start(options).await.unwrap_err().to_string().contains("--base-port"));
}

#[tokio::test]
async fn faults_can_be_on_from_the_start() {
    let faults = vec![(Service::Reviews, Faults { error_status: Some(500), ..Faults::default() })];
    let running = start(Options { keys: Some(keys()), faults, ..Options::default() }).await.unwrap();
    assert_eq!(get(&running, Service::Reviews, "/products/42/reviews").await.status, 500);
}

#[tokio::test]
async fn a_mistake_in_a_start_fault_stops_the_start() {
    let faults = vec![(Service::Reviews, Faults { error_rate: Some(2.0), ..Faults::default() })];
    let error = start(Options { keys: Some(keys()), faults, ..Options::default() }).await.unwrap_err();
    assert!(error.to_string().contains("error_rate"), "{error}");
}

#[tokio::test]
async fn after_shutdown_nothing_listens() {
    let running = services().await;
    let address = running.backend(Service::Catalog).address();
    running.shutdown().await;
    assert!(TcpStream::connect(address).await.is_err());
}
