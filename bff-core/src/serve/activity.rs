//! Whether anything happens on a connection, and whether its client reads what it is sent.

use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::clock::{self, Instant};

/// What happens on one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicUsize,
    ended: AtomicUsize,
    /// Pieces of answers that were handed to the connection.
    moved: AtomicUsize,
    /// Answers of which the connection has a piece that its client has not taken.
    waiting: AtomicUsize,
    /// Long answers on their way.
    // bound: the streams of a connection
    long: Mutex<Vec<Weak<Long>>>,
}

/// What was counted at one moment; the same twice is no progress between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    begun: usize,
    ended: usize,
    moved: usize,
}

impl Activity {
    /// Notes a request, until what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.begun.fetch_add(1, Relaxed);
        Busy(self.clone())
    }

    /// How many requests there have been, if none is under way.
    pub(super) fn at_rest(&self) -> Option<usize> {
        let begun = self.begun.load(Relaxed);
        (begun == self.ended.load(Relaxed)).then_some(begun)
    }

    /// What has happened so far, if nothing can happen before the client reads.
    pub(super) fn stalled(&self) -> Option<Moment> {
        let (begun, ended, moved) = (self.begun.load(Relaxed), self.ended.load(Relaxed), self.moved.load(Relaxed));
        let open = begun.saturating_sub(ended);
        (open > 0 && self.waiting.load(Relaxed) >= open).then_some(Moment { begun, ended, moved })
    }

    /// Lets go of what stands behind answers of which the client has taken nothing for `patience`.
    pub(super) fn give_up(&self, patience: Duration, now: Instant) {
        let mut dropped = Vec::new();
        self.lock().retain(|long| {
            let Some(long) = long.upgrade() else { return false };
            match long.give_up(patience, now) {
                Some(body) => {
                    dropped.push(body);
                    false
                }
                None => true,
            }
        });
        // What is dropped may run code of others; not under the lock.
        drop(dropped);
    }

    fn watch(&self, long: &Arc<Long>) {
        let mut watched = self.lock();
        // Those that have ended are taken out before the list has to grow.
        if watched.len() == watched.capacity() {
            watched.retain(|long| long.strong_count() > 0);
        }
        watched.push(Arc::downgrade(long));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Long>>> {
        self.long.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Relaxed);
    }
}

/// An answer that may be taken away from its connection: of HTTP/2 a single stream can stall, and nobody asks for its body
/// then.
#[derive(Debug)]
struct Long(Mutex<Stalling>);

#[derive(Debug)]
struct Stalling {
    /// `None` once it was given up.
    body: Option<Body>,
    /// Since when the client has a piece that it has not taken.
    waits_since: Option<Instant>,
}

impl Long {
    fn give_up(&self, patience: Duration, now: Instant) -> Option<Body> {
        let mut long = self.lock();
        let is_over = long.waits_since.is_some_and(|since| now.saturating_duration_since(since) >= patience);
        if is_over { long.body.take() } else { None }
    }

    fn lock(&self) -> MutexGuard<'_, Stalling> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
enum Source {
    Short(Body),
    Long(Arc<Long>),
}

/// An answer's body; the request is under way until its end.
#[derive(Debug)]
pub(super) struct Leaving {
    source: Source,
    /// What does not fit into one piece.
    rest: Bytes,
    /// The largest piece: as much as the connection may hold of this answer beside its own buffers.
    piece: usize,
    /// The connection has a piece, and has not asked for the next one.
    is_waiting: bool,
    busy: Busy,
}

/// A connection of HTTP/1 has one answer at a time; of HTTP/2 each stream has one.
const PIECE: usize = 64 * 1024;
const PIECE_OF_STREAM: usize = 16 * 1024;

impl Leaving {
    pub(super) fn new(body: Body, busy: Busy, is_http2: bool) -> Self {
        let piece = if is_http2 { PIECE_OF_STREAM } else { PIECE };
        let is_long = is_http2 && body.size_hint().upper().is_none_or(|size| size > piece as u64);
        let source = if is_long {
            let long = Arc::new(Long(Mutex::new(Stalling { body: Some(body), waits_since: Some(clock::now()) })));
            busy.0.watch(&long);
            Source::Long(long)
        } else {
            Source::Short(body)
        };
        busy.0.waiting.fetch_add(1, Relaxed);
        Self { source, rest: Bytes::new(), piece, is_waiting: true, busy }
    }

    /// The next piece of a body, and what is noted of it.
    fn next(&mut self, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let long = match &mut self.source {
            Source::Short(body) => return Pin::new(body).poll_frame(task),
            Source::Long(long) => long.clone(),
        };
        let mut long = long.lock();
        let Some(body) = &mut long.body else {
            return Poll::Ready(Some(Err(axum::Error::new("the client takes nothing"))));
        };
        let next = Pin::new(body).poll_frame(task);
        long.waits_since = next.is_ready().then(clock::now);
        next
    }

    fn waits(&mut self, is_waiting: bool) {
        match (mem::replace(&mut self.is_waiting, is_waiting), is_waiting) {
            (false, true) => self.busy.0.waiting.fetch_add(1, Relaxed),
            (true, false) => self.busy.0.waiting.fetch_sub(1, Relaxed),
            _ => return,
        };
    }

    /// A piece that is not too large, of one that may be.
    fn cut(&mut self, mut data: Bytes) -> Frame<Bytes> {
        if data.len() > self.piece {
            self.rest = data.split_off(self.piece);
        }
        Frame::data(data)
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let next = if this.rest.is_empty() {
            this.next(context)
        } else {
            if let Source::Long(long) = &this.source {
                long.lock().waits_since = Some(clock::now());
            }
            let rest = mem::take(&mut this.rest);
            Poll::Ready(Some(Ok(this.cut(rest))))
        };
        match next {
            Poll::Pending => {
                this.waits(false);
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => {
                this.busy.0.moved.fetch_add(1, Relaxed);
                this.waits(true);
                let frame = match frame.into_data() {
                    Ok(data) => this.cut(data),
                    Err(frame) => frame,
                };
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(end) => {
                this.waits(false);
                Poll::Ready(end)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
            && match &self.source {
                Source::Short(body) => body.is_end_stream(),
                Source::Long(long) => long.lock().body.as_ref().is_some_and(HttpBody::is_end_stream),
            }
    }

    fn size_hint(&self) -> SizeHint {
        let hint = match &self.source {
            Source::Short(body) => body.size_hint(),
            Source::Long(long) => long.lock().body.as_ref().map(HttpBody::size_hint).unwrap_or_default(),
        };
        if self.rest.is_empty() {
            return hint;
        }
        let rest = self.rest.len() as u64;
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.waits(false);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http_body_util::BodyExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn an_answer_leaves_in_pieces_and_nothing_of_it_is_lost() {
        let activity = Arc::new(Activity::default());
        let whole: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
        let mut leaving = Leaving::new(Body::from(whole.clone()), activity.begin(), false);
        assert_eq!(leaving.size_hint().exact(), Some(200_000));
        let mut got = Vec::new();
        while let Some(frame) = leaving.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            assert!(data.len() <= PIECE);
            got.extend_from_slice(&data);
            assert_eq!(leaving.size_hint().exact(), Some(200_000 - got.len() as u64));
        }
        assert!(leaving.is_end_stream());
        assert_eq!(got, whole);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_client_does_not_take_is_given_up_and_what_it_waits_for_is_not() {
        let activity = Arc::new(Activity::default());
        let (_sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, axum::Error>>(1);
        let (held, gone) = tokio::sync::oneshot::channel::<()>();
        let pieces = futures::stream::unfold((receiver, held, 0), |(mut receiver, held, number)| async move {
            if number == 1 {
                receiver.recv().await?.ok()?;
            }
            Some((Ok::<_, axum::Error>(Bytes::from_static(b"piece")), (receiver, held, number + 1)))
        });
        let mut leaving = Leaving::new(Body::from_stream(pieces), activity.begin(), true);
        leaving.frame().await.unwrap().unwrap();
        assert!(leaving.frame().now_or_never().is_none());
        assert_eq!(activity.stalled(), None, "the backend is waited for, not the client");
        let later = clock::now() + PATIENCE * 3;
        activity.give_up(PATIENCE, later);
        assert!(leaving.frame().now_or_never().is_none(), "that is nobody's fault here");

        let mut stalling = Leaving::new(Body::from(vec![0; 100_000]), activity.begin(), true);
        stalling.frame().await.unwrap().unwrap();
        activity.give_up(PATIENCE, clock::now() + PATIENCE - SECOND);
        stalling.frame().await.unwrap().unwrap();
        activity.give_up(PATIENCE, clock::now() + PATIENCE);
        while let Some(Ok(_)) = stalling.frame().await {}
        drop(leaving);
        gone.await.unwrap_err();
    }

    #[tokio::test]
    async fn a_connection_is_stalled_when_all_its_answers_wait_for_the_client() {
        let activity = Arc::new(Activity::default());
        assert_eq!(activity.stalled(), None, "nothing was asked");
        let busy = activity.begin();
        assert_eq!(activity.stalled(), None, "the answer is not made yet");
        let mut leaving = Leaving::new(Body::from("answer"), busy, true);
        let before = activity.stalled();
        assert!(before.is_some());
        leaving.frame().await.unwrap().unwrap();
        assert_ne!(activity.stalled(), before);
        assert!(leaving.frame().await.is_none());
        drop(leaving);
        assert_eq!(activity.stalled(), None);
        assert_eq!(activity.at_rest(), Some(1));
    }
}
