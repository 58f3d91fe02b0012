//! Told to stop, it stops in order.

use mock_services::Service;
use reqwest::Response;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::program::{Process, backends, client, within};

#[tokio::test]
async fn a_signal_to_stop_loses_no_request() {
    let mocks = backends().await;
    for name in ["TERM", "INT", "QUIT"] {
        mocks.clear_requests(Service::Catalog);
        let process = Process::start(&mocks, &[]).await;
        mocks.hold(Service::Catalog);
        let held = tokio::spawn(client().get(process.url("/product-page/42")).send());
        within(mocks.wait_held(Service::Catalog, 1)).await;
        process.signal(name).await;
        process.output.wait_for("draining").await;
        within(async {
            while TcpStream::connect(process.public).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        mocks.release(Service::Catalog);
        let answer: Response = within(held).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        let page: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(page["meta"]["degraded"], false, "{name}: {page}");
        let (status, output, errors) = process.ended().await;
        assert_eq!((status.code(), errors.len()), (Some(0), 0), "{name}: {errors:?}");
        assert!(output.last().unwrap().contains("stopped"), "{name}: {output:?}");
        assert!(
            output.iter().any(|line| line.contains("\"status\":200")),
            "{name}: its log line is missing: {output:?}"
        );
    }
}

#[tokio::test]
async fn what_does_not_end_is_cut_and_said() {
    let mocks = backends().await;
    let process = Process::start(&mocks, &["--set", "server.drain_timeout=200ms"]).await;
    mocks.hold(Service::Catalog);
    let held = tokio::spawn(client().get(process.url("/product-page/42")).send());
    within(mocks.wait_held(Service::Catalog, 1)).await;
    process.signal("TERM").await;
    let (status, _, errors) = process.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(errors.concat().contains("drain_timeout"), "{errors:?}");
    assert!(within(held).await.unwrap().is_err());
}

#[tokio::test]
async fn k14a_a_signal_that_means_nothing_changes_nothing() {
    let mocks = backends().await;
    let process = Process::start(&mocks, &[]).await;
    for name in ["HUP", "USR1", "USR2"] {
        process.signal(name).await;
        process.output.wait_for(&format!("SIG{name}")).await;
        let answer = within(client().get(process.url("/product-page/42")).send()).await.unwrap();
        assert_eq!(answer.status(), 200, "{name}");
    }
    process.signal("TERM").await;
    let (status, ..) = process.ended().await;
    assert_eq!(status.code(), Some(0));
}

/// As soon as its port is open it can be told to stop.
#[tokio::test]
async fn a_signal_right_after_the_start_stops_it_in_order() {
    let mocks = backends().await;
    for _ in 0..5 {
        let process = Process::begin(&mocks, &[]);
        within(async {
            while TcpStream::connect(process.public).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        process.signal("TERM").await;
        let (status, ..) = process.ended().await;
        assert_eq!(status.code(), Some(0), "{status:?}");
    }
}
