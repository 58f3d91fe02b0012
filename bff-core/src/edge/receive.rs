//! A request's body comes in, before anybody is asked to work: who sends it slowly holds nothing that others need.
//!
//! What an endpoint reads, and what is small, is read to its end first. What is larger streams through a route; it is no work
//! while it comes, but an open body, and it has to come at [`min_rate`](crate::resilience::BodySettings::min_rate).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::Sleep;
use tower::Service;

use super::Door;
use super::arrive::Refused;
use super::deadline::too_large;
use crate::body::BodyError;
use crate::clock::{self, Instant};
use crate::context::Context;
use crate::error::{Error, Input, Result};
use crate::resilience::{OpenBody, STREAMING};

/// A body of a declared length up to this is read first, also where it is passed on.
const SMALL: u64 = 64 * 1024;
/// For so long nothing is asked of the pace of a body: a connection has to find its own first.
const GRACE: Duration = Duration::from_secs(5);

/// What a door takes of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receives {
    /// Nothing: nobody reads it.
    Nothing,
    /// All of it, at most so many bytes, within the request's deadline.
    Whole {
        /// In bytes.
        limit: u64,
    },
    /// It as it comes, to be passed on; a small one whole.
    Stream {
        /// In bytes. Whoever passes it on holds larger ones to it.
        limit: u64,
        /// How long a client may send nothing.
        idle: Duration,
        /// It may come as slowly as it likes, and a small one is not waited for.
        is_long: bool,
        /// A GET or a HEAD may have one.
        on_get: bool,
    },
}

/// In a request's extensions: its body, which is all here.
#[derive(Clone, Debug)]
pub(crate) struct Received(pub(crate) Bytes);

/// In a request's extensions: its body is still to come, so that it is no work yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coming;

pub(super) async fn receive<Inner>(
    door: Arc<Door>,
    mut request: Request,
    mut inner: Inner,
) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    if request.body().is_end_stream() || door.receives == Receives::Nothing {
        return inner.call(request).await;
    }
    let Some(context) = request.extensions().get::<Arc<Context>>().cloned() else { return inner.call(request).await };
    if context.survey || request.extensions().get::<Refused>().is_some() {
        return inner.call(request).await;
    }
    let declared = declared(request.headers());
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    let (limit, reads_first, on_get) = match door.receives {
        Receives::Nothing => return inner.call(request).await,
        Receives::Whole { limit } => (limit, true, false),
        Receives::Stream { limit, is_long, on_get, .. } => {
            (limit, !is_long && declared.is_some_and(|length| length <= SMALL), on_get)
        }
    };
    if declared.is_some_and(|length| length > limit) {
        // Refused without a look, by those who know who asks.
        return inner.call(request).await;
    }
    let is_refused_get = is_get && !on_get;
    if is_refused_get && declared.is_some_and(|length| length > 0) {
        return Ok(body_on_get().into_response());
    }
    let memory = if reads_first { declared.unwrap_or(limit) } else { STREAMING };
    let open = door.bodies.begin(context.holder(), memory);
    let body = std::mem::take(request.body_mut());
    let coming = Paced::new(body, door.bodies.min_rate());
    if reads_first || is_refused_get {
        // A GET whose body has no declared length may still have none.
        let read = match door.receives {
            Receives::Stream { idle, .. } => read(coming, limit.min(SMALL), |now| now.checked_add(idle)).await,
            _ => read(coming, limit, |_| Some(context.deadline())).await,
        };
        let body = match read {
            Ok(body) if is_refused_get && !body.is_empty() => return Ok(body_on_get().into_response()),
            Ok(body) => body,
            Err(error) => return Ok(error.into_response()),
        };
        request.extensions_mut().insert(Received(body.clone()));
        *request.body_mut() = Body::from(body);
        let response = inner.call(request).await;
        drop(open);
        return response;
    }
    request.extensions_mut().insert(Coming);
    *request.body_mut() = Body::new(Counted { body: coming, _open: open });
    inner.call(request).await
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// RFC 9110 §9.3.1: it has no meaning there, and has been used to hide a second request.
fn body_on_get() -> Error {
    Error::invalid(Input::Malformed, "", "send GET and HEAD without a body")
}

/// The whole of a body. `until` says, from now, how long the next piece is waited for.
async fn read(mut body: Paced, limit: u64, until: impl Fn(Instant) -> Option<Instant>) -> Result<Bytes> {
    let too_slow = || Error::invalid(Input::TooSlow, "", "the body did not arrive in time");
    let mut all: Option<BytesMut> = None;
    let mut first = Bytes::new();
    loop {
        let frame = match until(clock::now()) {
            Some(until) => tokio::time::timeout_at(until, body.frame()).await.map_err(|_| too_slow())?,
            None => body.frame().await,
        };
        let piece = match frame {
            None => break,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) => piece,
                // Trailers: nobody asks for them.
                Err(_) => continue,
            },
            Some(Err(error)) => return Err(error.downcast::<Error>().map_or_else(cut_off, |error| *error)),
        };
        let so_far = all.as_ref().map_or(first.len(), BytesMut::len) + piece.len();
        if so_far as u64 > limit {
            return Err(too_large(limit));
        }
        match &mut all {
            Some(all) => all.extend_from_slice(&piece),
            // Nearly always there is one piece, which need not be copied.
            None if first.is_empty() => first = piece,
            None => {
                let mut both = BytesMut::with_capacity(so_far);
                both.extend_from_slice(&first);
                both.extend_from_slice(&piece);
                all = Some(both);
            }
        }
    }
    Ok(all.map_or(first, BytesMut::freeze))
}

fn cut_off(cause: BodyError) -> Error {
    Error::invalid(Input::Malformed, "", "the body broke off").caused_by(cause)
}

/// A body that has to come at a pace. Only the time counts in which the client is waited for.
struct Paced {
    body: Body,
    /// Bytes per second; 0 for any.
    least: u64,
    bytes: u64,
    waited: Duration,
    waits_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    fn new(body: Body, least: u64) -> Self {
        Self { body, least, bytes: 0, waited: Duration::ZERO, waits_since: None, timer: None }
    }

    /// Until when more has to come.
    fn due(&self, since: Instant) -> Option<Instant> {
        let earned = Duration::try_from_secs_f64(self.bytes as f64 / self.least as f64).ok()?;
        since.checked_add((GRACE + earned).saturating_sub(self.waited))
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(task) {
            Poll::Ready(frame) => {
                if let Some(since) = this.waits_since.take() {
                    this.waited += clock::now().saturating_duration_since(since);
                }
                if let Some(Ok(frame)) = &frame {
                    this.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending if this.least == 0 => Poll::Pending,
            Poll::Pending => {
                let is_new = this.waits_since.is_none();
                let since = *this.waits_since.get_or_insert_with(clock::now);
                let Some(due) = this.due(since) else { return Poll::Pending };
                let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
                if is_new {
                    timer.as_mut().reset(due);
                }
                if timer.as_mut().poll(task).is_pending() {
                    return Poll::Pending;
                }
                let detail = format!("send at least {} bytes a second", this.least);
                Poll::Ready(Some(Err(Error::invalid(Input::TooSlow, "", detail).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that is counted as long as it is there.
pub(super) struct Counted<Inner> {
    pub(super) body: Inner,
    pub(super) _open: OpenBody,
}

impl<Inner: http_body::Body + Unpin> http_body::Body for Counted<Inner> {
    type Data = Inner::Data;
    type Error = Inner::Error;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<Inner::Data>, Inner::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(task)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
