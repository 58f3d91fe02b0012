//! The backend that answers from a closure.

use std::time::Duration;

use mock_services::{Faults, Reply, scripted};

use crate::client::ask;

#[tokio::test]
async fn it_answers_from_the_closure_and_logs() {
    let backend = scripted::start(|request| match request.uri().path() {
        "/echo" => Reply::json(request.body().clone()).with(http::header::VARY, "Accept"),
        "/slow" => Reply::json("{}").after(Duration::from_millis(30)),
        _ => Reply::new(http::StatusCode::NOT_FOUND, ""),
    })
    .await
    .unwrap();
    let echo = ask("POST", &format!("{}/echo", backend.url()), &[("x-trace", "7")], r#"{"a":1}"#).await.unwrap();
    assert_eq!((echo.status, echo.body.as_str(), echo.header("vary")), (200, r#"{"a":1}"#, "Accept"));
    assert_eq!(ask("GET", &format!("{}/slow?x=1", backend.url()), &[], "").await.unwrap().status, 200);
    assert_eq!(ask("GET", &format!("{}/else", backend.url()), &[], "").await.unwrap().status, 404);
    let log = backend.requests();
    assert_eq!(log[0].header("x-trace"), Some("7"));
    assert_eq!(log[1].path, "/slow?x=1");
    assert!(log[1].duration_ms.unwrap() >= 30);
    assert_eq!(log[2].status, Some(404));
}

#[tokio::test]
async fn it_has_the_controls_of_every_backend() {
    let backend = scripted::start(|_| Reply::json("{}")).await.unwrap();
    backend.set_faults(Faults { error_status: Some(502), ..Faults::default() }).unwrap();
    assert_eq!(ask("GET", &backend.url(), &[], "").await.unwrap().status, 502);
    let url = backend.url();
    backend.shutdown().await;
    assert!(ask("GET", &url, &[], "").await.is_err());
}
