//! One request on its way: log, barrier, faults, answer, wire.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::{
    body::{Aborted, Pace, ReplyBody},
    handle::Inner,
    socket::Ending,
};
use crate::{
    faults::Faults,
    reply::{Problem, Reply},
};

/// The largest request body that is read.
const MAX_BODY: usize = 1024 * 1024;

/// Takes one request from its head to the start of its answer.
///
/// Dropping the future, which hyper does when the caller closes, notes that the caller hung up.
pub(super) async fn exchange(
    backend: Arc<Inner>,
    connection: Arc<Ending>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Aborted> {
    let (mut head, body) = request.into_parts();
    let entry = backend.log.arrived(&head, Arc::clone(&connection));
    let version = head.version;

    // The body is read whole first: while hyper waits for us, it then sees a caller that closes.
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB");
            return Ok(send(problem.into(), &Method::GET, Pace::AtOnce, entry));
        }
        Err(_) => return Err(Aborted),
    };
    backend.gate.pass().await;

    let faults = backend.faults();
    if faults.refuse {
        // A connection from before the port was closed.
        connection.reset();
        return Err(Aborted);
    }
    let faults = if faults.touch(head.uri.path()) { faults } else { Arc::new(Faults::default()) };

    let (wait, error) = backend.draw(&faults);
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    if faults.hang {
        std::future::pending::<()>().await;
    }

    if faults.truncate || faults.trickle.is_some() {
        // There is nothing to cut or to slow down in a 304.
        head.headers.remove(header::IF_NONE_MATCH);
    }
    let request = Request::from_parts(head, body);
    let reply = match error {
        Some(status) => failure(status, &faults),
        None => backend.answer(&request),
    };
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    let reply = spoil(reply, &faults);

    if faults.reset {
        // Over HTTP/2 the error resets this stream only.
        if version < Version::HTTP_2 {
            connection.reset();
        }
        entry.spoilt("reset");
        return Err(Aborted);
    }
    let pace = match faults.trickle {
        _ if faults.truncate => Pace::CutShort { flushed: false },
        Some(trickle) => Pace::slowly(trickle.bytes_per_second),
        None => Pace::AtOnce,
    };
    Ok(send(reply, request.method(), pace, entry))
}

fn failure(status: StatusCode, faults: &Faults) -> Reply {
    let reply: Reply = Problem::new(status, "failed on demand").into();
    match faults.retry_after_seconds {
        Some(seconds) => reply.with(header::RETRY_AFTER, &seconds.to_string()),
        None => reply,
    }
}

/// Changes the answer as the faults want it.
fn spoil(mut reply: Reply, faults: &Faults) -> Reply {
    if faults.garbage {
        reply.status = StatusCode::OK;
        reply.body = Bytes::from_static(b"{\"id\": \"42\", \"name\": \"Ket\x00\xff\xfe<<<<\n");
        reply = reply.with(header::CONTENT_TYPE, "application/json");
    }
    if faults.wrong_content_type {
        reply.status = StatusCode::OK;
        reply.body = Bytes::from_static(
            b"<!doctype html><html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>\n",
        );
        reply = reply.with(header::CONTENT_TYPE, "text/html; charset=utf-8");
    }
    if faults.garbage || faults.wrong_content_type {
        reply.headers.remove(header::ETAG);
    }
    if faults.lie_public {
        reply = reply.with(header::CACHE_CONTROL, "public, max-age=3600");
    }
    match faults.cache_control.as_deref() {
        Some("") => {
            reply.headers.remove(header::CACHE_CONTROL);
        }
        Some(value) => reply = reply.with(header::CACHE_CONTROL, value),
        None => {}
    }
    reply
}

fn send(reply: Reply, method: &Method, pace: Pace, entry: super::log::Entry) -> Response<ReplyBody> {
    let Reply { status, mut headers, mut body, .. } = reply;
    let mut pace = pace;
    let bodiless = status == StatusCode::NOT_MODIFIED || status == StatusCode::NO_CONTENT;
    if !bodiless {
        let mut length = body.len();
        if matches!(pace, Pace::CutShort { .. }) && *method != Method::HEAD {
            length = length.max(2);
            body.truncate(length / 2);
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if bodiless || *method == Method::HEAD {
        body = Bytes::new();
        pace = Pace::AtOnce;
    }
    let mut response = Response::new(ReplyBody::new(body, status, pace, entry));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
