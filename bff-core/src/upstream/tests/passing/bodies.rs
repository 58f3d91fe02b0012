//! Bodies over real connections: how they end, and that nobody keeps them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{PATIENCE, Way, passing, read_all, read_head};

const GET: &str = "GET /x HTTP/1.1\r\nhost: a\r\n\r\n";
const GET_ONCE: &str = "GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_whole_answer_is_whole() {
    let way = Way::open(passing(PATIENCE)).await;
    for (upstream, told) in [
        ("content-length: 5\r\n\r\nabcde", "content-length: 5\r\n"),
        ("transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", "transfer-encoding: chunked\r\n"),
    ] {
        let mut client = way.client(GET_ONCE).await;
        let (mut stream, head) = way.asked().await;
        assert!(head.starts_with("get /x http/1.1\r\n"), "{head}");
        stream.write_all(format!("HTTP/1.1 200 OK\r\nx-own: 1\r\n{upstream}").as_bytes()).await.unwrap();
        let head = read_head(&mut client).await;
        assert!(head.contains(told) && head.contains("x-own: 1\r\n"), "{head}");
        let body = String::from_utf8(read_all(&mut client).await).unwrap();
        assert!(body == "abcde" || body == "5\r\nabcde\r\n0\r\n\r\n", "{body:?}");
        drop(stream);
    }
    let metrics = way.metrics();
    assert!(metrics.contains(r#"bff_passed_answers_total{upstream="files",end="whole"} 2"#), "{metrics}");
}

/// The worst that a proxy can do: to make half an answer look like a short one.
#[tokio::test]
async fn half_an_answer_never_looks_like_a_whole_one() {
    let way = Way::open(passing(PATIENCE)).await;
    for upstream in [
        "content-length: 10\r\n\r\nabcde",
        "transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        "transfer-encoding: chunked\r\n\r\n8\r\nabcde",
    ] {
        let mut client = way.client(GET_ONCE).await;
        let (mut stream, _) = way.asked().await;
        stream.write_all(format!("HTTP/1.1 200 OK\r\n{upstream}").as_bytes()).await.unwrap();
        let head = read_head(&mut client).await;
        // The connection ends, and what a client has of the body is either too short or without its last chunk.
        drop(stream);
        let body = String::from_utf8(read_all(&mut client).await).unwrap();
        if head.contains("content-length: 10\r\n") {
            assert!(body.len() < 10, "{body:?}");
        } else {
            assert!(head.contains("transfer-encoding: chunked\r\n") && !body.ends_with("0\r\n\r\n"), "{head}{body:?}");
        }
    }
    let metrics = way.metrics();
    assert!(metrics.contains(r#"bff_passed_answers_total{upstream="files",end="broken"} 3"#), "{metrics}");
}

/// Over HTTP/2 it is the stream that breaks.
#[tokio::test]
async fn nor_does_it_over_http2() {
    let way = Way::open(passing(PATIENCE)).await;
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    for (upstream, whole) in [
        ("content-length: 5\r\n\r\nabcde", true),
        ("content-length: 10\r\n\r\nabcde", false),
        ("transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n", false),
    ] {
        let asked = client.get(format!("http://{}/x", way.address)).send();
        let (answer, stream) = tokio::join!(asked, async {
            let (mut stream, _) = way.asked().await;
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{upstream}").as_bytes()).await.unwrap();
            stream
        });
        let answer = answer.unwrap();
        drop(stream);
        assert_eq!(answer.bytes().await.is_ok(), whole, "{upstream}");
    }
}

#[tokio::test]
async fn what_has_no_body_gets_no_length() {
    let way = Way::open(passing(PATIENCE)).await;
    for (method, upstream, told) in [
        ("HEAD", "200 OK\r\ncontent-length: 5\r\n", Some("content-length: 5\r\n")),
        ("HEAD", "200 OK\r\n", None),
        ("GET", "304 Not Modified\r\ncontent-length: 5\r\n", Some("content-length: 5\r\n")),
        ("GET", "304 Not Modified\r\n", None),
        ("GET", "204 No Content\r\n", None),
    ] {
        let mut client = way.client(&format!("{method} /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
        let (mut stream, _) = way.asked().await;
        stream.write_all(format!("HTTP/1.1 {upstream}connection: close\r\n\r\n").as_bytes()).await.unwrap();
        let head = read_head(&mut client).await;
        let is_told =
            told.map_or(!head.contains("content-length") && !head.contains("chunked"), |told| head.contains(told));
        assert!(is_told, "{head}");
        assert_eq!(read_all(&mut client).await, b"");
    }
}

#[tokio::test]
async fn a_request_body_arrives_as_it_was_sent() {
    let way = Way::open(passing(PATIENCE)).await;
    for (method, framing, expected) in [
        ("POST", "content-length: 5\r\n\r\nabcde", "abcde"),
        ("POST", "transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", "5\r\nabcde\r\n0\r\n\r\n"),
        ("GET", "content-length: 5\r\n\r\nabcde", "abcde"),
        ("GET", "transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", "5\r\nabcde\r\n0\r\n\r\n"),
    ] {
        let text = format!("{method} /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{framing}");
        let mut client = way.client(&text).await;
        let (mut stream, head) = way.asked().await;
        let mut body = vec![0; expected.len()];
        stream.read_exact(&mut body).await.unwrap_or_else(|error| panic!("{error}: {head}"));
        assert_eq!(String::from_utf8(body).unwrap(), expected, "{head}");
        stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
        assert!(read_head(&mut client).await.starts_with("http/1.1 204 "));
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_what_was_passed_on_for_it() {
    let way = Way::open(passing(PATIENCE)).await;
    // Before the head, in the middle of an answer, in the middle of a request.
    let client = way.client(GET).await;
    let (mut stream, _) = way.asked().await;
    drop(client);
    assert_eq!(read_all(&mut stream).await, b"");

    let mut client = way.client(GET).await;
    let (mut stream, _) = way.asked().await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
    read_head(&mut client).await;
    drop(client);
    assert_eq!(read_all(&mut stream).await, b"");

    let client = way.client("PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc").await;
    let (mut stream, _) = way.asked().await;
    let mut body = [0; 3];
    stream.read_exact(&mut body).await.unwrap();
    drop(client);
    assert_eq!(read_all(&mut stream).await, b"");
    let metrics = way.metrics();
    assert!(metrics.contains(r#"bff_passed_answers_total{upstream="files",end="left"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"bff_passed_bytes_total{upstream="files",way="up"} 3"#), "{metrics}");
}

const MIB: usize = 1024 * 1024;
const ALL: usize = 64 * MIB;
/// The system's own buffers of two connections, and some of ours.
const SOME: usize = 24 * MIB;

/// Writes until all is written, and counts.
fn write_all(mut stream: TcpStream) -> (Arc<AtomicUsize>, tokio::task::JoinHandle<TcpStream>) {
    let written = Arc::new(AtomicUsize::new(0));
    let counted = written.clone();
    let writer = tokio::spawn(async move {
        let piece = vec![b'x'; 64 * 1024];
        while counted.load(Ordering::SeqCst) < ALL {
            stream.write_all(&piece).await.unwrap();
            counted.fetch_add(piece.len(), Ordering::SeqCst);
        }
        stream
    });
    (written, writer)
}

/// Comes back when nothing happens any more: paused time moves on only when nobody has anything to do.
async fn at_rest(moved: impl Fn() -> usize) {
    let mut quiet = 0;
    let mut before = moved();
    while quiet < 20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let now = moved();
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
    }
}

async fn read_exactly(stream: &mut TcpStream, mut count: usize) {
    let mut buffer = vec![0; 64 * 1024];
    while count > 0 {
        let most = count.min(buffer.len());
        let read = stream.read(&mut buffer[..most]).await.unwrap();
        assert!(read > 0, "{count} bytes are missing");
        count -= read;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_stops_the_upstream() {
    let way = Way::open(passing(PATIENCE)).await;
    let mut client = way.client(GET).await;
    let (mut stream, _) = way.asked().await;
    stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {ALL}\r\n\r\n").as_bytes()).await.unwrap();
    let (written, writer) = write_all(stream);
    at_rest(|| written.load(Ordering::SeqCst)).await;
    let stopped = written.load(Ordering::SeqCst);
    assert!(stopped < SOME, "{stopped} bytes are somewhere in between");
    read_head(&mut client).await;
    read_exactly(&mut client, ALL).await;
    writer.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_does_not_read_stops_the_client() {
    let way = Way::open(passing(PATIENCE)).await;
    let client = way.client(&format!("PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: {ALL}\r\n\r\n")).await;
    let (mut stream, _) = way.asked().await;
    let (written, writer) = write_all(client);
    at_rest(|| written.load(Ordering::SeqCst)).await;
    let stopped = written.load(Ordering::SeqCst);
    assert!(stopped < SOME, "{stopped} bytes are somewhere in between");
    read_exactly(&mut stream, ALL).await;
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert!(read_head(&mut writer.await.unwrap()).await.starts_with("http/1.1 204 "));
}
