//! What only sockets show: the upstream is played by hand.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::*;
use crate::serve::{Listeners, ServerSettings, serve};

/// A BFF that listens, with one route to an upstream.
struct Wire {
    address: SocketAddr,
    upstream: TcpListener,
    /// It is stopped when this is dropped.
    _stop: oneshot::Sender<()>,
}

impl Wire {
    async fn new(rules: &str) -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", upstream.local_addr().unwrap());
        let toml = format!("[routes.it]\npath = '/v1/*'\nupstream = 'files'\ntimeout = '60s'\n{rules}");
        let routes = settings(&toml).routes;
        let builder = Builder::new(bff()).unwrap().network("files", &url).settings(|settings| settings.routes = routes);
        let app = builder.build().await.unwrap().app;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = ServerSettings { listen: any, management: any, ..ServerSettings::default() };
        let listeners = Listeners::bind(&settings).await.unwrap();
        let address = listeners.public_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let _ = serve(app, listeners, &settings, async {
                let _ = stopped.await;
            })
            .await;
        });
        Self { address, upstream, _stop: stop }
    }

    async fn client(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// The upstream's end of the next connection, and the head of the request that comes by it.
    async fn asked(&self) -> (TcpStream, String) {
        let (mut stream, _) = self.upstream.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        (stream, head)
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

fn has(head: &str, line: &str) -> bool {
    head.lines().any(|own| own == line)
}

#[tokio::test]
async fn hosts_and_where_from() {
    for (rules, preserved) in [("", false), ("preserve_host = true\n", true)] {
        let wire = Wire::new(rules).await;
        let mut client = wire.client("GET /v1/a HTTP/1.1\r\nHost: here.test:81\r\n\r\n").await;
        let (mut upstream, head) = wire.asked().await;
        let own = wire.upstream.local_addr().unwrap().to_string();
        assert!(has(&head, &format!("host: {}", if preserved { "here.test:81" } else { &own })), "{head}");
        assert!(has(&head, "x-forwarded-for: 127.0.0.1") && has(&head, "x-forwarded-host: here.test:81"), "{head}");
        upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await.unwrap();
        let head = read_head(&mut client).await;
        assert!(has(&head, "content-length: 2") && !head.contains("connection:"), "{head}");
        let mut body = [0; 2];
        client.read_exact(&mut body).await.unwrap();
        assert_eq!(&body, b"ok");
    }
}

#[tokio::test]
async fn answers_without_a_body_leave_the_connection_usable() {
    let wire = Wire::new("").await;
    let mut client = wire.client("HEAD /v1/a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (mut upstream, _) = wire.asked().await;
    for (answer, next, length) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n",
            "GET /v1/b HTTP/1.1\r\nHost: a\r\n\r\n",
            Some("content-length: 42"),
        ),
        ("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n", "HEAD /v1/c HTTP/1.1\r\nHost: a\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET /v1/d HTTP/1.1\r\nHost: a\r\n\r\n", None),
        ("HTTP/1.1 204 No Content\r\n\r\n", "", None),
    ] {
        upstream.write_all(answer.as_bytes()).await.unwrap();
        let head = read_head(&mut client).await;
        match length {
            Some(length) => assert!(has(&head, length), "{head}"),
            None => assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}"),
        }
        if !next.is_empty() {
            client.write_all(next.as_bytes()).await.unwrap();
            read_head(&mut upstream).await;
        }
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_at_the_limit() {
    let wire = Wire::new("body_limit = 8\n").await;
    let head = "POST /v1/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n";
    let mut client = wire.client(head).await;
    let (_upstream, head) = wire.asked().await;
    assert!(has(&head, "transfer-encoding: chunked"), "{head}");
    client.write_all(b"5\r\nefghi\r\n0\r\n\r\n").await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("http/1.1 413 ") && has(&head, "content-type: application/problem+json"), "{head}");
}

#[tokio::test]
async fn a_websocket_is_passed_on_where_that_is_asked_for() {
    let ask =
        "GET /v1/a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";
    let wire = Wire::new("websocket = true\n").await;
    let mut client = wire.client(ask).await;
    let (mut upstream, head) = wire.asked().await;
    assert!(
        has(&head, "upgrade: websocket") && has(&head, "connection: upgrade") && has(&head, "sec-websocket-key: k"),
        "{head}"
    );
    let agreed = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello";
    upstream.write_all(agreed).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("http/1.1 101 ") && has(&head, "upgrade: websocket"), "{head}");
    assert!(has(&head, "sec-websocket-accept: x") && !head.contains("content-length"), "{head}");
    let mut said = [0; 5];
    client.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"hello");
    client.write_all(b"there").await.unwrap();
    upstream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"there");

    let wire = Wire::new("").await;
    let _client = wire.client(ask).await;
    let (_upstream, head) = wire.asked().await;
    assert!(!head.contains("\r\nupgrade") && !head.contains("\r\nconnection"), "{head}");
}
