//! Answers that leave before the request's body has come: the connection is closed in stages (RFC 9112 §9.6).
//!
//! A client that writes all of its request before it reads would lose the answer if the connection were closed at once: the
//! system tells it by a reset, which throws away what it has not read yet. So the rest is read and dropped for a while.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderMap, HeaderValue, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// So much is read and dropped at most (nginx reads for as long as `lingering_time` allows; 16 MiB are that at 5 Mbit/s).
const MOST: u64 = 16 * 1024 * 1024;
/// For so long at most (nginx: `lingering_time`, 30 s), and for so long after the last piece (`lingering_timeout`, 5 s).
const LONGEST: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(5);
/// So many connections are closed in stages at once; further ones are closed as they are.
pub(super) const AT_ONCE: usize = 1024;

/// A request's body. What nobody has read of it when it is dropped is read and dropped.
pub(super) struct Arriving {
    /// `None` only while it is dropped.
    body: Option<Incoming>,
    /// HTTP/2 has a way of its own to say that the rest is not wanted (RFC 9113 §8.1).
    by_stages: bool,
    /// The client sends its body only when it is asked for.
    is_held_back: bool,
    has_ended: Arc<AtomicBool>,
    room: Arc<Semaphore>,
}

/// Whether a body has come to its end, for those who answer.
pub(super) struct Rest {
    has_ended: Arc<AtomicBool>,
    version: Version,
}

impl Arriving {
    pub(super) fn new(body: Incoming, version: Version, headers: &HeaderMap, room: &Arc<Semaphore>) -> (Self, Rest) {
        let has_ended = Arc::new(AtomicBool::new(body.is_end_stream()));
        let rest = Rest { has_ended: has_ended.clone(), version };
        let arriving = Self {
            body: Some(body),
            by_stages: version < Version::HTTP_2,
            is_held_back: headers.contains_key(EXPECT),
            has_ended,
            room: room.clone(),
        };
        (arriving, rest)
    }
}

impl Rest {
    /// Says in an answer that leaves before the body has come that nothing more can be asked on this connection.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        if self.version < Version::HTTP_2 && !self.has_ended.load(Ordering::Relaxed) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        this.is_held_back = false;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let frame = Pin::new(&mut *body).poll_frame(task);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) || body.is_end_stream() {
            this.has_ended.store(true, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if !self.by_stages || self.is_held_back || self.has_ended.load(Ordering::Relaxed) {
            return;
        }
        let (Some(body), Ok(place), Ok(runtime)) =
            (self.body.take(), self.room.clone().try_acquire_owned(), Handle::try_current())
        else {
            return;
        };
        runtime.spawn(async move {
            let _ = tokio::time::timeout(LONGEST, read_and_drop(body)).await;
            drop(place);
        });
    }
}

async fn read_and_drop(mut body: Incoming) {
    let mut left = MOST;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(SILENCE, body.frame()).await {
        let read = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(read) {
            Some(less) => left = less,
            None => return,
        }
    }
}
