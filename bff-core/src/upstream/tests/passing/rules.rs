//! What the stack makes of a request that is passed on, and when it gives up. On paused time, without a network.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tower::service_fn;
use tower::util::BoxCloneSyncService;

use super::{passing, read_body};
use crate::body::{Body, BodyError};
use crate::cache::CacheSettings;
use crate::clock;
use crate::context::{Context, TraceContext, Wishes};
use crate::error::{Error, Input, Kind, Result};
use crate::upstream::{Client, Location, Shared, Transport, UpstreamSettings, Verdict};

const IDLE: Duration = Duration::from_secs(10);
const MS: Duration = Duration::from_millis(1);

/// An upstream that is a function.
fn client<Fut>(play: impl Fn(Request<Body>) -> Fut + Clone + Send + Sync + 'static) -> Client
where
    Fut: Future<Output = Result<Response<Body>>> + Send + 'static,
{
    let own = UpstreamSettings { url: "http://up.test".to_owned(), ..UpstreamSettings::default() };
    let network = move |_: &str, _: &UpstreamSettings, _: &Location| -> Result<Transport> {
        Ok(BoxCloneSyncService::new(service_fn(play.clone())))
    };
    Client::new("files", own, Shared::new(&CacheSettings::default(), Arc::default()).unwrap(), &network).unwrap()
}

fn answer(status: StatusCode, body: Body) -> Result<Response<Body>> {
    let verdict = if status.is_server_error() { Verdict::UpstreamFault } else { Verdict::Fine };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.extensions_mut().insert(verdict);
    Ok(response)
}

fn request(method: Method, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = "/a/b?c=%2F".parse().unwrap();
    request
}

/// These pieces, each after its pause.
fn pieces<const N: usize>(
    pieces: [(Duration, &'static str); N],
) -> BoxStream<'static, Result<Frame<Bytes>, BodyError>> {
    let piece = |(pause, text): (Duration, &'static str)| async move {
        tokio::time::sleep(pause).await;
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    };
    stream::iter(pieces).then(piece).boxed()
}

fn body(pieces: BoxStream<'static, Result<Frame<Bytes>, BodyError>>) -> Body {
    Body::stream(StreamBody::new(pieces))
}

fn silence() -> BoxStream<'static, Result<Frame<Bytes>, BodyError>> {
    stream::pending().boxed()
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_an_answer_and_the_breaker_counts_it() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let client = client(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(answer(StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(b"come later").into()))
    });
    for number in 1..=5 {
        let response = client.pass(request(Method::GET, Body::empty()), passing(IDLE)).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(read_body(response.into_body()).await.unwrap(), "come later");
        assert_eq!(asked.load(Ordering::SeqCst), number, "nobody asks for another answer");
    }
    let error = client.pass(request(Method::GET, Body::empty()), passing(IDLE)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::CircuitOpen);
    let metrics = client.upstream.shared.metrics.render();
    assert!(
        metrics.contains(r#"bff_upstream_calls_total{upstream="files",outcome="failed",reason=""} 5"#),
        "{metrics}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_answer_at_all_is_asked_for_again_where_that_is_safe() {
    for (method, body, expected) in
        [(Method::GET, Body::empty(), 3), (Method::POST, Body::empty(), 1), (Method::GET, body(pieces([(MS, "a")])), 1)]
    {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let client = client(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Err(Error::new(Kind::Unreachable).transient()))
        });
        let error = client.pass(request(method.clone(), body), passing(IDLE)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (Kind::Unreachable, method == Method::POST));
        assert_eq!(asked.load(Ordering::SeqCst), expected, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_added_but_the_trace() {
    let seen = Arc::new(Mutex::new(None));
    let kept = seen.clone();
    let client = client(move |request: Request<Body>| {
        *kept.lock().unwrap() = Some((request.uri().clone(), request.headers().clone()));
        std::future::ready(answer(StatusCode::OK, Body::empty()))
    });
    let mut asked = request(Method::GET, Body::empty());
    asked.headers_mut().insert("x-own", "1".parse().unwrap());
    client.pass(asked, passing(IDLE)).await.unwrap();
    let (uri, mut headers) = seen.lock().unwrap().take().unwrap();
    assert_eq!(uri, "/a/b?c=%2F");
    assert!(headers.remove("traceparent").is_some());
    assert_eq!((headers.len(), headers["x-own"].as_bytes()), (1, b"1".as_slice()));
}

#[tokio::test(start_paused = true)]
async fn time_is_limited_until_the_head_is_here() {
    let client = client(|_| async {
        tokio::time::sleep(300 * MS).await;
        answer(StatusCode::OK, body(pieces([(5000 * MS, "a"), (5000 * MS, "b")])))
    });
    let mut how = passing(IDLE);
    let response = client.pass(request(Method::GET, Body::empty()), how.clone()).await.unwrap();
    assert_eq!(read_body(response.into_body()).await.unwrap(), "ab");
    how.timeout = Some(200 * MS);
    let begun = clock::now();
    let error = client.pass(request(Method::GET, Body::empty()), how).await.unwrap_err();
    assert_eq!((error.kind(), clock::now() - begun), (Kind::Timeout, 200 * MS));
}

/// The trap of a client without patience: it may leave, and that says nothing about the upstream.
#[tokio::test(start_paused = true)]
async fn what_a_client_wishes_blames_nobody() {
    let client = client(|_| std::future::pending());
    for _ in 0..10 {
        let mut how = passing(IDLE);
        let wishes = Wishes { timeout: Some(10 * MS), ..Wishes::default() };
        let (terms, trace) = (how.context.terms.clone(), TraceContext::begin());
        how.context = Arc::new(Context::new(None, trace, terms, wishes, http::HeaderMap::new()));
        let begun = clock::now();
        let error = client.pass(request(Method::GET, Body::empty()), how).await.unwrap_err();
        assert_eq!((error.kind(), clock::now() - begun), (Kind::Deadline, 10 * MS));
    }
    assert_eq!(client.upstream.main.view(clock::now()).breaker.unwrap().bad, 0);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_falls_silent_ends_the_answer_as_an_error() {
    let client = client(|_| async { answer(StatusCode::OK, body(pieces([(MS, "a")]).chain(silence()).boxed())) });
    let response = client.pass(request(Method::GET, Body::empty()), passing(IDLE)).await.unwrap();
    let begun = clock::now();
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.downcast::<Error>().unwrap().kind(), Kind::Timeout);
    assert_eq!(clock::now() - begun, IDLE + MS);
    drop(body);
    let metrics = client.upstream.shared.metrics.render();
    assert!(metrics.contains(r#"bff_passed_answers_total{upstream="files",end="broken"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"bff_passed_bytes_total{upstream="files",way="down"} 1"#), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_is_not_the_upstreams_silence() {
    let client =
        client(|_| async { answer(StatusCode::OK, body(pieces([(IDLE - MS, "a"), (IDLE - MS, "b"), (MS, "c")]))) });
    let response = client.pass(request(Method::GET, Body::empty()), passing(IDLE)).await.unwrap();
    let mut body = response.into_body();
    for expected in ["a", "b", "c"] {
        tokio::time::sleep(3 * IDLE).await;
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), expected);
    }
    assert!(body.frame().await.is_none());
}

/// Reads all of it, and answers how much that was.
async fn taking(request: Request<Body>) -> Result<Response<Body>> {
    let taken = read_body(request.into_body()).await.map_err(|error| Error::new(Kind::Unreachable).caused_by(error))?;
    answer(StatusCode::CREATED, Bytes::from(taken.len().to_string()).into())
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_client_takes_to_send_is_its_own() {
    let client = client(taking);
    for _ in 0..10 {
        let body = body(pieces([(IDLE - MS, "a"), (IDLE - MS, "b"), (IDLE - MS, "c")]));
        let response = client.pass(request(Method::PUT, body), passing(IDLE)).await.unwrap();
        assert_eq!(read_body(response.into_body()).await.unwrap(), "3");
    }
    let view = client.upstream.main.view(clock::now());
    assert_eq!(view.breaker.unwrap().bad, 0, "a slow client is no slow upstream");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_sending_is_told_so_and_nobody_else_is_blamed() {
    let client = client(taking);
    let begun = clock::now();
    let body = body(pieces([(MS, "a")]).chain(silence()).boxed());
    let error = client.pass(request(Method::PUT, body), passing(IDLE)).await.unwrap_err();
    assert_eq!((error.kind(), clock::now() - begun), (Kind::Invalid(Input::TooSlow), IDLE + MS));
    let view = client.upstream.main.view(clock::now());
    assert_eq!(view.breaker.unwrap().bad, 0);
    // What stands in front of the body has the word about it.
    let too_large: BodyError = Error::new(Kind::Invalid(Input::TooLarge)).into();
    let body = Body::stream(StreamBody::new(stream::iter([Err::<Frame<Bytes>, _>(too_large)])));
    let error = client.pass(request(Method::PUT, body), passing(IDLE)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid(Input::TooLarge));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_takes_all_and_says_nothing_has_as_long_as_ever() {
    let client = client(|request: Request<Body>| async {
        drop(read_body(request.into_body()).await);
        std::future::pending().await
    });
    let begun = clock::now();
    let body = body(pieces([(2000 * MS, "a"), (2000 * MS, "b")]));
    let error = client.pass(request(Method::PUT, body), passing(IDLE)).await.unwrap_err();
    // The attempt timeout of the upstream, after the last piece.
    assert_eq!((error.kind(), clock::now() - begun), (Kind::Timeout, 4400 * MS));
    assert!(error.outcome_unknown());
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_takes_nothing_is_not_waited_for() {
    let client = client(|request: Request<Body>| async move {
        let _kept = request;
        std::future::pending().await
    });
    let begun = clock::now();
    let error = client.pass(request(Method::PUT, body(pieces([(MS, "a")]))), passing(IDLE)).await.unwrap_err();
    assert_eq!((error.kind(), clock::now() - begun), (Kind::Timeout, IDLE));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_answers_while_it_reads_may_wait_for_more() {
    let client = client(|request: Request<Body>| async {
        let end = stream::once(async {
            let taken = read_body(request.into_body()).await?;
            Ok(Frame::data(taken))
        });
        answer(StatusCode::OK, body(end.boxed()))
    });
    let slow = body(pieces([(IDLE - MS, "a"), (IDLE - MS, "b"), (IDLE - MS, "c")]));
    let response = client.pass(request(Method::POST, slow), passing(IDLE)).await.unwrap();
    assert_eq!(read_body(response.into_body()).await.unwrap(), "abc");
}
