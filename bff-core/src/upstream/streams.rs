//! The bodies that a route passes on, watched on their way.
//!
//! Nothing is kept here: a piece is asked for when the other side wants one, so a slow reader slows the writer.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::StreamBody;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::call::Passed;
use super::stack::Upstream;
use crate::body::{Body, BodyError};
use crate::clock;
use crate::context::Context;
use crate::error::{Error, Input, Kind};
use crate::telemetry::Way;

/// A body on its way from a client to an upstream, as those see it who wait for the answer.
#[derive(Debug)]
pub(super) struct Upload {
    idle: Duration,
    /// All of it is through, or the rest will never be.
    over: CancellationToken,
    bytes: AtomicU64,
    /// The upstream has asked for a piece that the client has not sent yet.
    waits_for_client: AtomicBool,
    /// Why the client's part of it failed.
    failed: OnceLock<Error>,
}

impl Upload {
    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Ends when all of it is through, or the rest will never be.
    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Ends when the upstream has let a client wait for too long: `limit` after the whole body, or, before that, without
    /// taking any of it for the idle time (or up to twice that: it is looked at once in each).
    pub(super) async fn too_long(&self, limit: Duration) {
        loop {
            let before = self.bytes();
            tokio::select! {
                () = self.over.cancelled() => return tokio::time::sleep(limit).await,
                () = tokio::time::sleep(self.idle) => {}
            }
            // Whether the client is too slow is seen where its pieces are waited for.
            if self.bytes() == before && !self.waits_for_client.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

impl Passed {
    /// A request that its client did not bring to its end is not the upstream's failure, whatever was seen of it there.
    pub(super) fn whose_failure(&self, seen: Error) -> Error {
        self.upload.as_ref().and_then(|upload| upload.failed.get().cloned()).unwrap_or(seen)
    }
}

/// Measures how long one side is waited for, and only that: between two pieces that nobody asks for no time passes.
#[derive(Debug)]
struct Patience {
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

impl Patience {
    fn new(idle: Duration) -> Self {
        Self { idle, timer: None, is_waiting: false }
    }

    fn rest(&mut self) {
        self.is_waiting = false;
    }

    /// Whether the wait, which begins with the first call after a [`rest`](Self::rest), has lasted too long.
    fn is_over(&mut self, task: &mut Task<'_>) -> bool {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.idle)));
        if !self.is_waiting {
            self.is_waiting = true;
            if let Some(end) = clock::now().checked_add(self.idle) {
                timer.as_mut().reset(end);
            }
        }
        timer.as_mut().poll(task).is_ready()
    }
}

/// The client's body for `upstream`; without an upload where nothing of it is still to come.
pub(super) fn up(body: Body, idle: Duration, upstream: &Arc<Upstream>) -> (Body, Option<Arc<Upload>>) {
    if body.is_end_stream() {
        return (Body::empty(), None);
    }
    if matches!(body, Body::Bytes(_)) {
        return (body, None);
    }
    let upload = Arc::new(Upload {
        idle,
        over: CancellationToken::new(),
        bytes: AtomicU64::new(0),
        waits_for_client: AtomicBool::new(false),
        failed: OnceLock::new(),
    });
    let patience = Patience::new(idle);
    let going = Going { body, patience, upload: upload.clone(), upstream: upstream.clone() };
    (Body::stream(going), Some(upload))
}

/// A client's body, read by the upstream.
struct Going {
    body: Body,
    patience: Patience,
    upload: Arc<Upload>,
    upstream: Arc<Upstream>,
}

impl Going {
    fn fail(&self, error: BodyError) -> BodyError {
        let error = match error.downcast::<Error>() {
            // Whoever stands in front has said what is wrong with it (too large, for one).
            Ok(known) => *known,
            // Most likely the client is gone, and nobody will read this.
            Err(other) => Error::new(Kind::Invalid(Input::Malformed)).caused_by(other),
        };
        let _ = self.upload.failed.set(error.clone());
        error.into()
    }
}

impl http_body::Body for Going {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(task);
        this.upload.waits_for_client.store(frame.is_pending(), Ordering::Relaxed);
        match frame {
            Poll::Pending if this.patience.is_over(task) => {
                let error = Error::new(Kind::Invalid(Input::TooSlow)).caused_by("the client sent nothing for too long");
                Poll::Ready(Some(Err(this.fail(error.into()))))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(this.fail(error)))),
            Poll::Ready(frame) => {
                this.patience.rest();
                this.upload.bytes.fetch_add(size(frame.as_ref()), Ordering::Relaxed);
                Poll::Ready(frame)
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

impl Drop for Going {
    /// Whoever reads it drops it after the last piece, or when nothing more of it is wanted.
    fn drop(&mut self) {
        self.upload.over.cancel();
        self.upstream.shared.metrics.passed_bytes(&self.upstream.name, Way::Up, self.upload.bytes());
    }
}

fn size<E>(frame: Option<&Result<Frame<Bytes>, E>>) -> u64 {
    let data = frame.and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref);
    data.map_or(0, |data| data.len() as u64)
}

/// The upstream's body for the client.
pub(super) fn down(
    body: Body,
    idle: Duration,
    upstream: &Arc<Upstream>,
    context: &Arc<Context>,
    upload: Option<Arc<Upload>>,
    is_events: bool,
) -> Body {
    if body.is_end_stream() {
        upstream.shared.metrics.passed_answer(&upstream.name, WHOLE);
        // Without a length of its own: what a HEAD or a 304 says of the length it says in its headers, or not at all.
        return Body::stream(StreamBody::new(stream::empty::<Result<_, BodyError>>()));
    }
    let stopping = is_events.then(|| Box::pin(upstream.shared.closing.clone().cancelled_owned()));
    Body::stream(Coming {
        body,
        stopping,
        patience: Patience::new(idle),
        uploaded: 0,
        upload,
        bytes: 0,
        end: None,
        upstream: upstream.clone(),
        context: context.clone(),
    })
}

const WHOLE: &str = "whole";
const BROKEN: &str = "broken";
const LEFT: &str = "left";
const STOPPED: &str = "stopped";

/// An upstream's body, read by the client.
struct Coming {
    body: Body,
    /// A stream of events has no end that could be waited for: it ends when this BFF stops, and its client comes again.
    stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    patience: Patience,
    /// While the client still sends, an upstream may well wait for more of that before it goes on.
    upload: Option<Arc<Upload>>,
    /// How much of it there was when that was last looked at.
    uploaded: u64,
    bytes: u64,
    end: Option<&'static str>,
    upstream: Arc<Upstream>,
    context: Arc<Context>,
}

impl Coming {
    /// An error is the only end by which a client can tell half an answer from a whole one: its connection (over HTTP/2 its
    /// stream) is broken off.
    fn broken(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.end = Some(BROKEN);
        let error = error.from_upstream(self.upstream.name.clone());
        let (upstream, request_id) = (&*self.upstream.name, &*self.context.request_id);
        tracing::warn!(upstream, request_id, bytes = self.bytes, %error, "an answer broke off while it was passed on");
        Poll::Ready(Some(Err(error.into())))
    }

    fn is_silent(&mut self, task: &mut Task<'_>) -> bool {
        while self.patience.is_over(task) {
            let uploaded = self.upload.as_ref().map_or(0, |upload| upload.bytes());
            if uploaded == self.uploaded {
                return true;
            }
            self.uploaded = uploaded;
            self.patience.rest();
        }
        false
    }
}

impl http_body::Body for Coming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.stopping.as_mut().is_some_and(|stopping| stopping.as_mut().poll(task).is_ready()) {
            this.end = Some(STOPPED);
            return Poll::Ready(None);
        }
        match Pin::new(&mut this.body).poll_frame(task) {
            Poll::Pending if this.is_silent(task) => {
                let error = Error::new(Kind::Timeout).caused_by("the upstream sent nothing for too long");
                this.broken(error)
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Err(error))) => this.broken(Error::new(Kind::Unreachable).caused_by(error)),
            Poll::Ready(frame) => {
                this.patience.rest();
                this.bytes += size(frame.as_ref());
                if frame.is_none() {
                    this.end = Some(WHOLE);
                }
                Poll::Ready(frame)
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

impl Drop for Coming {
    fn drop(&mut self) {
        // Who knows the length asks no further than the last piece.
        let end = self.end.unwrap_or(if self.body.is_end_stream() { WHOLE } else { LEFT });
        let metrics = &self.upstream.shared.metrics;
        metrics.passed_answer(&self.upstream.name, end);
        metrics.passed_bytes(&self.upstream.name, Way::Down, self.bytes);
        let (upstream, request_id) = (&*self.upstream.name, &*self.context.request_id);
        tracing::debug!(upstream, request_id, bytes = self.bytes, end, "passed on");
    }
}
