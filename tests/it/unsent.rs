//! What was provably never looked at is sent again, whatever it is; what may have been is not.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bff_core::upstream::UpstreamSettings;
use futures::StreamExt;
use futures::stream;
use mock_services::Service;
use reqwest::{Client, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::scripted::over;
use crate::scripted_h2::{Asked, Then, scripted_h2};
use crate::world::{Answer, Served, World, client, read_until, status_of, within};

/// Nothing is asked again as an attempt, so that what is sent again was no attempt.
fn no_attempts(upstream: &mut UpstreamSettings) {
    upstream.http2 = true;
    upstream.retry.tries = 0;
    no_budget(upstream);
}

fn no_budget(upstream: &mut UpstreamSettings) {
    let budget = &mut upstream.retry.budget;
    (budget.share, budget.burst_share, budget.per_second) = (0.0, 0.0, 0);
}

async fn status(bff: &Served, method: Method, body: &str) -> u16 {
    by(&client(), bff, method, body).await
}

/// The same by a client that is here: making one takes longer than asking.
async fn by(client: &Client, bff: &Served, method: Method, body: &str) -> u16 {
    let request = client.request(method, format!("http://{}/x/a", bff.address));
    Answer::to(if body.is_empty() { request } else { request.body(body.to_owned()) }).await.status
}

/// A metric of the route's backend.
async fn metric(bff: &Served, name: &str) -> u64 {
    let all = bff.metrics().await;
    let line = all.lines().find(|line| line.starts_with(name) && line.contains("\"x\""));
    line.unwrap_or_else(|| panic!("{name} in {all}")).rsplit(' ').next().unwrap().parse().unwrap()
}

/// Passes one request on to `behind` and its answer back, says that the connection is over, and reads on: what is written on it now
/// is lost, and counted.
async fn answers_once(mut stream: TcpStream, behind: SocketAddr, late: Arc<AtomicUsize>) {
    let mut request = read_until(&mut stream, b"\r\n\r\n").await;
    let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let Some(length) = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()) else {
        return;
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    request.extend(body);
    let mut backend = TcpStream::connect(behind).await.unwrap();
    backend.write_all(&request).await.unwrap();
    let mut answer = read_until(&mut backend, b"\r\n\r\n").await;
    let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap();
    let mut body = vec![0; length];
    backend.read_exact(&mut body).await.unwrap();
    answer.extend(body);
    stream.write_all(&answer).await.unwrap();
    tokio::task::yield_now().await;
    stream.shutdown().await.unwrap();
    if stream.read_u8().await.is_ok() {
        late.fetch_add(1, Ordering::SeqCst);
    }
}

/// Each connection is closed right after its answer, while the next write is on its way: it goes by another connection, or was written
/// on the old one, which nobody can call back. None is lost in between, and none is made twice.
#[tokio::test]
async fn k08a_a_write_meets_a_connection_that_closed_a_moment_ago() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let backend = listener.local_addr().unwrap();
    let world = World::with(|settings| {
        let carts = settings.upstreams.get_mut("carts").unwrap();
        carts.url = format!("http://{backend}");
        no_budget(carts);
        carts.breaker.enabled = false;
    })
    .await;
    let behind = world.mocks.url(Service::Carts).trim_start_matches("http://").parse().unwrap();
    let late = Arc::new(AtomicUsize::new(0));
    let counted = late.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answers_once(stream, behind, counted.clone()));
        }
    });
    let mut failed = 0;
    for number in 0..120 {
        let body = format!(r#"{{"product_id":"{}","quantity":1}}"#, number % 12 + 1);
        let request = world.request(Method::POST, "/cart/items").header("content-type", "application/json");
        let answer = Answer::to(request.bearer_auth(world.token("ada")).body(body)).await;
        if answer.status != 200 {
            assert_eq!(answer.json()["type"], "/problems/upstream-failed", "{}", answer.text());
            failed += 1;
        }
    }
    let late = late.load(Ordering::SeqCst);
    assert_eq!(world.seen(Service::Carts) + failed, 120, "none is lost, and none is made twice");
    assert!(failed <= late, "{failed} failed, and {late} were written on a connection that was over");
}

#[tokio::test]
async fn k08b_a_refused_stream_is_sent_again_whatever_the_method() {
    for (method, body) in [
        (Method::POST, "abc"),
        (Method::POST, ""),
        (Method::PUT, "abc"),
        (Method::PATCH, "abc"),
        (Method::DELETE, ""),
        (Method::GET, ""),
    ] {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let seen = bodies.clone();
        let backend = scripted_h2(move |asked| {
            if !asked.is_whole {
                return Then::Wait;
            }
            seen.lock().unwrap().push(String::from_utf8(asked.body.clone()).unwrap());
            if asked.begun == 0 { Then::Refuse } else { Then::Answer }
        })
        .await;
        let bff = over(backend, |_, upstream| no_attempts(upstream)).await;
        assert_eq!(status(&bff, method.clone(), body).await, 200, "{method}");
        assert_eq!(*bodies.lock().unwrap(), [body, body], "{method}");
        assert_eq!(metric(&bff, "bff_upstream_resent_total").await, 1, "{method}");
        assert_eq!(metric(&bff, "bff_upstream_retries_total").await, 0, "{method}");
    }
}

/// A small body is read to its end before it is sent, so it is here whole.
#[tokio::test]
async fn k08b_a_small_body_that_comes_in_pieces_is_sent_again() {
    let backend = scripted_h2(|asked| match (asked.begun, &asked.body[..]) {
        (0, b"abcdef") => Then::Refuse,
        (1, b"abcdef") if asked.is_whole => Then::Answer,
        _ => Then::Wait,
    })
    .await;
    let bff = over(backend, |_, upstream| no_attempts(upstream)).await;
    let mut stream = bff.raw("POST /x/a HTTP/1.1\r\nhost: shop\r\ncontent-length: 6\r\n\r\nabc").await;
    stream.write_all(b"def").await.unwrap();
    assert_eq!(status_of(&read_until(&mut stream, b"\r\n").await), 200);
    assert_eq!(metric(&bff, "bff_upstream_resent_total").await, 1);
}

/// nginx ends a connection after `keepalive_requests`: it says which stream is the last, and does not look at those above it.
#[tokio::test]
async fn k08d_a_connection_that_ends_after_so_many_requests_loses_none() {
    for most in [5, 3] {
        let done = Arc::new(Mutex::new(Vec::new()));
        let seen = done.clone();
        let backend = scripted_h2(move |asked| {
            if !asked.is_whole {
                return Then::Wait;
            }
            seen.lock().unwrap().push(String::from_utf8(asked.body.clone()).unwrap());
            if asked.answered + 1 == most { Then::AnswerAndLeave } else { Then::Answer }
        })
        .await;
        let bff = over(backend, |_, upstream| no_attempts(upstream)).await;
        let client = client();
        for method in [Method::POST, Method::GET] {
            let ask = |number: usize| {
                let (client, bff, method) = (&client, &bff, method.clone());
                let body = if method == Method::POST { number.to_string() } else { String::new() };
                async move { by(client, bff, method, &body).await }
            };
            let answers: Vec<u16> = stream::iter(0..400).map(ask).buffer_unordered(16).collect().await;
            let failed = answers.iter().filter(|status| **status != 200).count();
            assert_eq!(failed, 0, "{method} with {most} for each connection");
            let mut done = std::mem::take(&mut *done.lock().unwrap());
            assert_eq!(done.len(), 400, "{method} with {most} for each connection: none twice");
            done.sort();
            done.dedup();
            assert_eq!(done.len(), if method == Method::POST { 400 } else { 1 });
        }
    }
}

/// Who refuses again and again is busy: that is for back-off and budget.
#[tokio::test]
async fn streams_that_are_refused_in_a_row_become_attempts() {
    for (has_budget, sent) in [(true, 6), (false, 4)] {
        let begun = Arc::new(AtomicUsize::new(0));
        let seen = begun.clone();
        let backend = scripted_h2(move |_| {
            seen.fetch_add(1, Ordering::SeqCst);
            Then::Refuse
        })
        .await;
        let bff = over(backend, |_, upstream| {
            upstream.http2 = true;
            if !has_budget {
                no_budget(upstream);
            }
        })
        .await;
        assert_eq!(status(&bff, Method::POST, "").await, 502);
        assert_eq!(begun.load(Ordering::SeqCst), sent);
        assert_eq!(metric(&bff, "bff_upstream_resent_total").await, 3);
        assert_eq!(metric(&bff, "bff_upstream_retries_total").await, if has_budget { 2 } else { 0 });
    }
}

/// Nobody has the pieces of a stream any more when it is refused.
#[tokio::test]
async fn a_stream_of_which_a_byte_was_taken_is_not_sent_again() {
    let begun = Arc::new(AtomicUsize::new(0));
    let seen = begun.clone();
    let backend = scripted_h2(move |asked: &Asked| {
        seen.fetch_max(asked.begun + 1, Ordering::SeqCst);
        if asked.body.is_empty() { Then::Wait } else { Then::Refuse }
    })
    .await;
    let bff = over(backend, |_, upstream| upstream.http2 = true).await;
    let head = "POST /x/a HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
    assert_eq!(within(bff.raw_status(head)).await, 502);
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}

/// The upstream answers before the body has come, and the client goes on to ask by the same connection.
#[tokio::test]
async fn k13d_an_answer_before_the_body_over_http2() {
    let backend = scripted_h2(|_| Then::Answer).await;
    let bff = over(backend, |_, upstream| upstream.http2 = true).await;
    for _ in 0..20 {
        let mut answers = 0;
        let mut stream = bff.raw("POST /x/a HTTP/1.1\r\nhost: shop\r\ncontent-length: 3\r\n\r\n").await;
        // The other one is answered when this one was asked.
        assert_eq!(status(&bff, Method::GET, "").await, 200);
        stream.write_all(b"abcGET /x/b HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        let mut is_over = false;
        while !is_over {
            let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n").await).unwrap().to_ascii_lowercase();
            assert_eq!(status_of(head.as_bytes()), 200, "an answer, or that there will be none: {head}");
            assert_eq!(read_until(&mut stream, b"ok\r\n0\r\n\r\n").await.len(), 12, "2, the body, the last chunk");
            is_over = head.contains("connection: close") || answers == 1;
            answers += 1;
        }
    }
}

/// The same with a body that is not waited for: the client is told that the connection ends.
#[tokio::test]
async fn k13d_an_answer_before_a_large_body_over_http2() {
    let backend = scripted_h2(|_| Then::Answer).await;
    let bff = over(backend, |route, upstream| {
        upstream.http2 = true;
        route.body_limit = Some(bytesize::ByteSize::mib(50));
    })
    .await;
    for _ in 0..20 {
        let mut stream = bff.raw("POST /x/a HTTP/1.1\r\nhost: shop\r\ncontent-length: 100000\r\n\r\n").await;
        let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n").await).unwrap().to_ascii_lowercase();
        assert_eq!(status_of(head.as_bytes()), 200, "{head}");
        assert!(head.contains("connection: close"), "{head}");
        // Whoever writes everything first can.
        within(stream.write_all(&vec![b' '; 100_000])).await.unwrap();
    }
}
