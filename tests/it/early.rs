//! Answers that leave before the body of the request has come: a client that first sends everything reads them all the same.

use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::scripted::over;
use crate::world::{World, read_until, status_of, within};

/// More than all buffers between two ends of a connection take.
const LARGE: usize = 8_000_000;

/// Sends a whole request before it reads, and gives the head of the answer.
async fn told_at_last(stream: &mut TcpStream, target: &str) -> String {
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: {LARGE}\r\n\r\n"
    );
    let written = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&vec![b' '; LARGE]).await
    };
    within(written).await.unwrap();
    String::from_utf8(read_until(stream, b"\r\n\r\n").await).unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn k13a_our_own_refusal() {
    let world = World::start().await;
    for (target, status) in [("/nowhere", 404), ("/cart/items", 401), ("/product-page/42", 413)] {
        for _ in 0..5 {
            let mut stream = world.mobile.raw("").await;
            let head = told_at_last(&mut stream, target).await;
            assert_eq!(status_of(head.as_bytes()), status, "{target}: {head}");
            assert!(head.contains("connection: close\r\n"), "{target}: {head}");
        }
    }
}

#[tokio::test]
async fn k13a_a_body_that_is_too_large_for_its_route() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let bff =
        over(listener.local_addr().unwrap(), |route, _| route.body_limit = Some(bytesize::ByteSize::kib(64))).await;
    for _ in 0..5 {
        let mut stream = bff.raw("").await;
        let head = told_at_last(&mut stream, "/x/a").await;
        assert_eq!(status_of(head.as_bytes()), 413, "{head}");
    }
}

#[tokio::test]
async fn k13c_the_upstreams_early_refusal() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let backend = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                read_until(&mut stream, b"\r\n\r\n").await;
                let refusal = "HTTP/1.1 413 X\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno";
                let _ = stream.write_all(refusal.as_bytes()).await;
                let mut rest = vec![0; 65536];
                while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    let bff = over(backend, |route, _| route.body_limit = Some(bytesize::ByteSize::mib(50))).await;
    for _ in 0..5 {
        let mut stream = bff.raw("").await;
        let head = told_at_last(&mut stream, "/x/a").await;
        assert_eq!(status_of(head.as_bytes()), 413, "{head}");
    }
}

/// HTTP/2 has a word for it: whatever of the body is still to come is not wanted, and nothing is wrong (RFC 9113 §8.1).
#[tokio::test]
async fn k13a_our_own_refusal_by_http2() {
    let world = World::start().await;
    let (client, connection) = h2::client::handshake(world.mobile.raw("").await).await.unwrap();
    let driver = tokio::spawn(connection);
    let request = http::Request::post(world.url("/nowhere")).header("content-length", LARGE).body(()).unwrap();
    let mut client = within(client.ready()).await.unwrap();
    let (answer, mut rest) = client.send_request(request, false).unwrap();
    assert_eq!(within(answer).await.unwrap().status(), 404);
    assert_eq!(within(poll_fn(|task| rest.poll_reset(task))).await.unwrap(), h2::Reason::NO_ERROR);
    driver.abort();
}

/// A client that asks first is told at once, and sends nothing.
#[tokio::test]
async fn a_body_that_was_never_asked_for_is_not_waited_for() {
    let world = World::start().await;
    let head = "POST /nowhere HTTP/1.1\r\nhost: shop\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n";
    let mut stream = world.mobile.raw(head).await;
    let said = String::from_utf8(read_until(&mut stream, b"\0").await).unwrap();
    assert_eq!(status_of(said.as_bytes()), 404, "and closed: {said}");
}

/// A body that has come leaves the connection as it is.
#[tokio::test]
async fn a_body_that_was_read_costs_no_connection() {
    let world = World::start().await;
    let mut stream = world.mobile.raw("").await;
    for _ in 0..2 {
        let request = "GET /product-page/42 HTTP/1.1\r\nhost: shop\r\n\r\n";
        within(stream.write_all(request.as_bytes())).await.unwrap();
        let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n").await).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200") && !head.contains("connection: close"), "{head}");
        let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        within(stream.read_exact(&mut body)).await.unwrap();
    }
}
