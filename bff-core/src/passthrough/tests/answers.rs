//! What the client gets.

use std::time::Duration;

use http::StatusCode;

use super::*;
use crate::testing::Fault;

const PLAIN: &str = "[routes.it]\npath = '/v1/*'\nupstream = 'files'\n";

fn html(status: StatusCode) -> Reply {
    Reply { body: "<h1>so</h1>".into(), ..Reply::status(status) }.header("content-type", "text/html")
}

#[tokio::test]
async fn an_answer_comes_down_as_it_is() {
    for status in [200, 201, 302, 404, 409, 418, 429, 500, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        let reply = html(status).header("etag", "\"1\"").header("cache-control", "max-age=5").header("x-own", "1");
        let world = World::new(PLAIN, reply.header("retry-after", "7")).await;
        let answer = world.get("/v1").await;
        assert_eq!((answer.status, &answer.body[..]), (status, &b"<h1>so</h1>"[..]));
        for (name, value) in [("content-type", "text/html"), ("etag", "\"1\""), ("x-own", "1"), ("retry-after", "7")] {
            assert_eq!(answer.header(name), value, "{status} {name}");
        }
        assert_eq!(answer.header("cache-control"), "max-age=5");
    }
}

#[tokio::test]
async fn our_own_failures_are_problems() {
    let world = World::new(PLAIN, html(StatusCode::OK).after(Duration::from_secs(9))).await;
    tokio::time::pause();
    let answer = world.get("/v1").await;
    assert_problem(&answer, 504, "timeout");
    assert_eq!(answer.json()["reason"], "timeout");
    let world =
        World::new(&format!("{PLAIN}timeout = '10s'\n"), html(StatusCode::OK).after(Duration::from_secs(9))).await;
    assert_eq!(world.get("/v1").await.status, 200);
    assert_problem(&world.with("/v1", &[("request-timeout", "1.5")]).await, 504, "timeout");
    world.bff.faults.upstream("files", Fault::Refuse);
    assert_problem(&world.get("/v1").await, 502, "upstream-failed");
}

#[tokio::test]
async fn what_is_not_for_the_client_stays_here() {
    let reply = html(StatusCode::OK)
        .header("connection", "x-once")
        .header("x-once", "1")
        .header("keep-alive", "1")
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2")
        .header("access-control-allow-origin", "*")
        .header("content-security-policy", "default-src 'self'")
        .header("x-powered-by", "x");
    let world = World::new(PLAIN, reply.clone()).await;
    let answer = world.get("/v1").await;
    for name in ["connection", "x-once", "keep-alive", "set-cookie"] {
        assert_eq!(answer.header(name), "", "{name}");
    }
    // What the upstream says stands; what it does not say is said.
    assert_eq!(answer.header("content-security-policy"), "default-src 'self'");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("access-control-allow-origin"), "*");

    let rules =
        "cookies = true\nresponse_headers = { set = { x-frame-options = 'DENY' }, remove = ['x-powered-by'] }\n";
    let own = |settings: &mut Settings| settings.edge.cors_origins = vec!["https://a.test".to_owned()];
    let world = World::changed(&format!("{PLAIN}{rules}"), reply, own).await;
    let answer = world.with("/v1", &[("origin", "https://a.test")]).await;
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!((answer.header("x-frame-options"), answer.header("x-powered-by")), ("DENY", ""));
    assert_eq!(answer.headers.get_all("access-control-allow-origin").iter().collect::<Vec<_>>(), ["https://a.test"]);
}

#[tokio::test]
async fn nothing_is_said_of_the_length_of_no_body() {
    let head = |method: &str| with("/v1", &[]).method(method);
    let world = World::new(PLAIN, Reply::status(StatusCode::OK)).await;
    assert_eq!(world.bff.send(head("HEAD"), Bytes::new()).await.headers.get("content-length"), None);
    let world = World::new(PLAIN, Reply::status(StatusCode::OK).header("content-length", "42")).await;
    assert_eq!(world.bff.send(head("HEAD"), Bytes::new()).await.header("content-length"), "42");
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
        let world = World::new(PLAIN, Reply::status(status)).await;
        assert_eq!(world.bff.send(head("GET"), Bytes::new()).await.headers.get("content-length"), None);
    }
}

#[tokio::test]
async fn a_route_is_counted_by_its_name() {
    let world = World::new(PLAIN, html(StatusCode::OK)).await;
    world.get("/v1/a").await;
    world.bff.send(with("/v1/a", &[]).method("TRACE"), Bytes::new()).await;
    world.get("/v2").await;
    let metrics = world.bff.app.shared.metrics.render();
    for line in [
        "bff_requests_total{endpoint=\"it\",status=\"200\"} 1",
        "bff_requests_total{endpoint=\"it\",status=\"405\"} 1",
        "bff_requests_total{endpoint=\"unmatched\",status=\"404\"} 1",
    ] {
        assert!(metrics.lines().any(|shown| shown == line), "{line}\n{metrics}");
    }
}
