//! Clients that are slow, silent or greedy, and one that is not: it is served.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytesize::ByteSize;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;

use crate::one_route::one_route;
use crate::world::{Answer, PATIENCE, Served, client, read_until, status_of, within};

/// What a backend does on each connection, after it has read a head.
async fn backend<F: Future<Output = ()> + Send + 'static>(
    answer: impl Fn(TcpStream, String) -> F + Clone + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let head = read_until(&mut stream, b"\r\n\r\n").await;
                answer(stream, String::from_utf8_lossy(&head).into_owned()).await;
            });
        }
    });
    address
}

/// Answers at once, and reads on.
async fn quick(mut stream: TcpStream, _: String) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}

/// Answers when the whole request is here.
async fn patient(mut stream: TcpStream, head: String) {
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).await.is_ok() {
        quick(stream, String::new()).await;
    }
}

/// An answer without end, as fast as it is read; told when that was no longer possible.
async fn endless(mut stream: TcpStream, gone: mpsc::Sender<()>) {
    let mut went_well = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\n\r\n").await.is_ok();
    while went_well {
        went_well = stream.write_all(&[b'x'; 16 * 1024]).await.is_ok();
    }
    let _ = gone.send(()).await;
}

async fn protections(bff: &Served) -> Value {
    Answer::to(client().get(format!("http://{}/protections", bff.management))).await.json()
}

/// Asks until it is so.
async fn until(bff: &Served, is_so: impl Fn(&Value) -> bool) {
    within(async { while !is_so(&protections(bff).await) {} }).await;
}

async fn get(bff: &Served) -> Answer {
    Answer::to(client().get(format!("http://{}/x/a", bff.address))).await
}

/// A header of the head that the backend saw.
fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
    line.map_or("", |line| line[name.len() + 1..].trim())
}

#[tokio::test]
async fn who_sends_slowly_holds_neither_a_place_nor_a_seat() {
    // Small bodies, which are read first; larger ones and such of unknown length, which stream.
    for framing in ["content-length: 1000", "content-length: 100000", "transfer-encoding: chunked"] {
        let backend = backend(patient).await;
        let bff = one_route(backend, |settings| {
            settings.edge.shed.in_flight = 2;
            settings.edge.body_limit = ByteSize::mib(1);
            let bulkhead = &mut settings.upstreams.get_mut("x").unwrap().bulkhead;
            (bulkhead.floor, bulkhead.initial, bulkhead.cap) = (2, 2, 2);
        })
        .await;
        let mut slow = Vec::new();
        for _ in 0..20 {
            slow.push(bff.raw(format!("POST /x/a HTTP/1.1\r\nhost: shop\r\n{framing}\r\n\r\n1")).await);
        }
        until(&bff, |seen| seen["bodies"]["open"] == 20).await;
        for _ in 0..5 {
            assert_eq!(get(&bff).await.status, 200, "{framing}");
        }
        let seen = protections(&bff).await;
        assert_eq!(seen["edge"]["in_flight"], 0, "{framing}: {seen}");
        drop(slow);
        until(&bff, |seen| seen["bodies"]["open"] == 0 && seen["bodies"]["bytes"] == 0).await;
    }
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_a_408_unless_the_route_is_for_such() {
    let backend = backend(patient).await;
    // Nothing is as fast as this, once the five seconds of grace are over.
    let rate = |settings: &mut bff_core::config::Settings| settings.edge.bodies.min_rate = ByteSize::gib(1);
    let bff = one_route(backend, rate).await;
    let slow = "POST /x/a HTTP/1.1\r\nhost: shop\r\ncontent-length: 10\r\n\r\n1";
    assert_eq!(bff.raw_status(slow).await, 408);

    let bff = one_route(backend, |settings| {
        rate(settings);
        settings.routes.get_mut("x").unwrap().streaming = true;
    })
    .await;
    let mut stream = bff.raw(slow).await;
    until(&bff, |seen| seen["bodies"]["open"] == 1).await;
    within(stream.write_all(b"234567890")).await.unwrap();
    assert_eq!(status_of(&read_until(&mut stream, b"\r\n").await), 200);
}

#[tokio::test]
async fn a_get_has_no_body_unless_the_route_asks_for_it() {
    let backend = backend(patient).await;
    let bff = one_route(backend, |_| {}).await;
    let bodies = ["content-length: 3\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"];
    for method in ["GET", "HEAD"] {
        for body in bodies {
            let asked = format!("{method} /x/a HTTP/1.1\r\nhost: shop\r\n{body}");
            assert_eq!(bff.raw_status(asked).await, 400, "{method} {body}");
        }
        for nothing in ["content-length: 0\r\n\r\n", "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"] {
            let asked = format!("{method} /x/a HTTP/1.1\r\nhost: shop\r\n{nothing}");
            assert_eq!(bff.raw_status(asked).await, 200, "{method} {nothing}");
        }
    }
    let bff = one_route(backend, |settings| settings.routes.get_mut("x").unwrap().body_on_get = true).await;
    assert_eq!(bff.raw_status(format!("GET /x/a HTTP/1.1\r\nhost: shop\r\n{}", bodies[0])).await, 200);
}

#[tokio::test]
async fn answers_that_nobody_reads_are_bounded_and_are_no_work() {
    let (gone, mut left) = mpsc::channel(16);
    let backend = backend(move |stream, _| endless(stream, gone.clone())).await;
    let bff = one_route(backend, |settings| settings.edge.bodies.open = 4).await;
    let mut readers = Vec::new();
    for number in 1..=4 {
        readers.push(bff.raw("GET /x/a HTTP/1.1\r\nhost: shop\r\n\r\n").await);
        until(&bff, |seen| seen["bodies"]["open"] == number).await;
    }
    assert_eq!(protections(&bff).await["edge"]["in_flight"], 0);
    let refused = get(&bff).await;
    refused.assert_problem(503, "unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    drop(readers);
    until(&bff, |seen| seen["bodies"]["open"] == 0).await;
    for _ in 0..4 {
        within(left.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn a_reader_that_opens_no_window_is_given_up_with_all_that_stands_behind_it() {
    let (gone, mut left) = mpsc::channel(16);
    let backend = backend(move |stream, _| endless(stream, gone.clone())).await;
    let bff = one_route(backend, |settings| settings.server.write_timeout = Duration::from_millis(100)).await;
    let stream = TcpStream::connect(bff.address).await.unwrap();
    let (mut client, connection) =
        h2::client::Builder::new().initial_window_size(0).handshake::<_, bytes::Bytes>(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut answers = Vec::new();
    for _ in 0..3 {
        let asked = http::Request::get(format!("http://{}/x/a", bff.address)).body(()).unwrap();
        let (answer, _) = client.send_request(asked, true).unwrap();
        answers.push(within(answer).await.unwrap());
    }
    for _ in 0..3 {
        within(left.recv()).await.unwrap();
    }
    assert!(within(connection).await.is_ok(), "and the connection is closed, as none of its streams gets on");
    until(&bff, |seen| seen["bodies"]["open"] == 0).await;
}

#[tokio::test]
async fn open_event_streams_keep_nobody_from_a_place() {
    let backend = backend(|mut stream: TcpStream, _| async move {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n";
        let _ = stream.write_all(head).await;
        let _ = stream.read_u8().await;
    })
    .await;
    let bff = one_route(backend, |settings| settings.edge.shed.in_flight = 1).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        let mut stream = bff.raw("GET /x/events HTTP/1.1\r\nhost: shop\r\n\r\n").await;
        assert_eq!(status_of(&read_until(&mut stream, b"\r\n\r\n").await), 200);
        open.push(stream);
    }
    let seen = protections(&bff).await;
    assert_eq!((&seen["edge"]["in_flight"], &seen["bodies"]["open"]), (&0.into(), &10.into()), "{seen}");
}

/// A connection from another address of this machine.
#[cfg(target_os = "linux")]
async fn from(address: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// The status of an answer; 0 where the connection is closed.
async fn asks(mut stream: TcpStream) -> (TcpStream, u16) {
    let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nhost: shop\r\n\r\n").await;
    let status = status_of(&read_until(&mut stream, b"\r\n\r\n").await);
    (stream, status)
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn where_connections_are_scarce_nobody_gets_more_than_a_share() {
    let backend = backend(quick).await;
    let bff = one_route(backend, |settings| settings.server.max_connections = 20).await;
    let (greedy, modest) = (Ipv4Addr::new(127, 0, 0, 9), Ipv4Addr::new(127, 0, 0, 8));
    let mut open = Vec::new();
    for number in 0..16 {
        let (stream, status) = asks(from(greedy, bff.address).await).await;
        assert_eq!(status, 200, "there is room: {number}");
        open.push(stream);
    }
    let (other, status) = asks(from(modest, bff.address).await).await;
    assert_eq!(status, 200);
    assert_eq!(asks(from(greedy, bff.address).await).await.1, 0, "it has its share and more");
    assert_eq!(asks(from(modest, bff.address).await).await.1, 200, "and there is room for others");
    drop(other);
}

/// The header of the PROXY protocol, version 2, that names this client.
fn proxy_header(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend_from_slice(&client);
    header.extend_from_slice(&[127, 0, 0, 1, 0x10, 0, 0, 80]);
    header
}

#[tokio::test]
async fn a_balancer_that_speaks_the_proxy_protocol_says_who_asks() {
    let (seen, mut heads) = mpsc::channel(16);
    let backend = backend(move |stream, head: String| {
        let _ = seen.try_send(head);
        quick(stream, String::new())
    })
    .await;
    let bff = one_route(backend, |settings| {
        settings.server.proxy_protocol = true;
        settings.edge.trusted_proxies = vec!["127.0.0.1".to_owned()];
    })
    .await;
    let asked = b"GET /x/a HTTP/1.1\r\nhost: shop\r\nx-forwarded-for: 198.51.100.1\r\n\r\n";
    let named = [proxy_header([203, 0, 113, 9]), asked.to_vec()].concat();
    assert_eq!(bff.raw_status(named).await, 200);
    let head = within(heads.recv()).await.unwrap();
    assert_eq!(header(&head, "x-forwarded-for"), "203.0.113.9", "{head}");

    assert_eq!(bff.raw_status(asked).await, 0, "without it nothing is answered");
    let mut local = proxy_header([203, 0, 113, 9]);
    local[12] = 0x20;
    assert_eq!(bff.raw_status([local, asked.to_vec()].concat()).await, 200, "the balancer asks for itself");
    let head = within(heads.recv()).await.unwrap();
    assert_eq!(header(&head, "x-forwarded-for"), "198.51.100.1, 127.0.0.1", "{head}");

    let mut other = proxy_header([203, 0, 113, 9]);
    other[12] = 0x11;
    assert_eq!(bff.raw_status([other, asked.to_vec()].concat()).await, 0, "another version");

    let bff = one_route(bff.address, |settings| {
        settings.server.proxy_protocol = true;
        settings.edge.trusted_proxies = vec!["192.0.2.0/24".to_owned()];
    })
    .await;
    let named = [proxy_header([203, 0, 113, 9]), asked.to_vec()].concat();
    assert_eq!(bff.raw_status(named).await, 0, "a stranger is not believed");
}

#[tokio::test]
async fn a_long_upload_that_goes_on_is_not_cut() {
    let backend = backend(patient).await;
    let bff = one_route(backend, |settings| {
        settings.edge.body_limit = ByteSize::mib(64);
        settings.server.write_timeout = Duration::from_millis(100);
        settings.server.header_timeout = PATIENCE;
    })
    .await;
    let length = 32 * 1024 * 1024;
    let mut stream = bff.raw(format!("POST /x/a HTTP/1.1\r\nhost: shop\r\ncontent-length: {length}\r\n\r\n")).await;
    for _ in 0..length / 65536 {
        within(stream.write_all(&[b'x'; 65536])).await.unwrap();
    }
    assert_eq!(status_of(&read_until(&mut stream, b"\r\n").await), 200);
}
