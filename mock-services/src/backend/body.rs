//! The body of an answer: at once, slowly, or cut short; it notes when the caller hangs up.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::log::Entry;

/// The exchange was ended on purpose by a fault.
#[derive(Debug)]
pub(super) struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ended by a fault on demand")
    }
}

impl std::error::Error for Aborted {}

/// How the body goes over the wire.
pub(super) enum Pace {
    AtOnce,
    Slowly { chunk: usize, tick: Duration, next: Pin<Box<Sleep>> },
    CutShort { flushed: bool },
}

impl Pace {
    /// So many bytes per second, in at most ten steps a second; the first step is not at once.
    pub(super) fn slowly(bytes_per_second: u64) -> Self {
        let rate = bytes_per_second.max(1);
        let (chunk, tick) = if rate >= 10 {
            (usize::try_from(rate / 10).unwrap_or(usize::MAX), Duration::from_millis(100))
        } else {
            (1, Duration::from_millis(1000 / rate))
        };
        Self::Slowly { chunk, tick, next: Box::pin(tokio::time::sleep(tick)) }
    }
}

/// The body of one answer.
pub(super) struct ReplyBody {
    left: Bytes,
    status: StatusCode,
    pace: Pace,
    entry: Option<Entry>,
}

impl ReplyBody {
    pub(super) fn new(left: Bytes, status: StatusCode, pace: Pace, entry: Entry) -> Self {
        let mut body = Self { left, status, pace, entry: Some(entry) };
        if body.is_end_stream() {
            body.complete();
        }
        body
    }

    fn complete(&mut self) {
        if let Some(entry) = self.entry.take() {
            entry.answered(self.status);
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let body = self.get_mut();
        let chunk = match &mut body.pace {
            Pace::CutShort { flushed } if body.left.is_empty() => {
                if !*flushed {
                    // One turn for hyper to send what it has; an error at once would throw it away.
                    *flushed = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if let Some(entry) = body.entry.take() {
                    entry.spoilt("truncate");
                }
                return Poll::Ready(Some(Err(Aborted)));
            }
            _ if body.left.is_empty() => return Poll::Ready(None),
            Pace::AtOnce | Pace::CutShort { .. } => std::mem::take(&mut body.left),
            Pace::Slowly { chunk, tick, next } => {
                ready!(next.as_mut().poll(cx));
                let due = next.deadline() + *tick;
                next.as_mut().reset(due);
                body.left.split_to((*chunk).min(body.left.len()))
            }
        };
        if body.is_end_stream() {
            body.complete();
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && !matches!(self.pace, Pace::CutShort { .. })
    }

    fn size_hint(&self) -> SizeHint {
        match self.pace {
            Pace::CutShort { .. } => SizeHint::default(),
            _ => SizeHint::with_exact(self.left.len() as u64),
        }
    }
}
