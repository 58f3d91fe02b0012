//! Small bodies of clients, kept while they are passed on, so that a request that was never looked at can be sent again whole.
//!
//! Over HTTP/2 the first piece is on its way before the upstream has said whether it wants any (RFC 9113 §8.7). Nothing is waited
//! for here: the body streams as every other does, and what was taken of it is remembered.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body as _, Frame, SizeHint};
use tokio::sync::Notify;

use crate::body::{Body, BodyError};

/// Bodies up to this size are kept: what an endpoint takes unless it is told otherwise.
const SMALL: u64 = 64 * 1024;

/// A small body, as far as it was taken, and what is left of it.
pub(super) struct Kept {
    /// How long its client may send nothing.
    pub(super) idle: Duration,
    state: Mutex<State>,
    back: Notify,
}

#[derive(Default)]
struct State {
    // bound: SMALL bytes, for only so many may come
    taken: VecDeque<Bytes>,
    /// While nobody takes any of it.
    rest: Option<Body>,
    /// It broke off.
    is_lost: bool,
}

impl fmt::Debug for Kept {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Kept").finish_non_exhaustive()
    }
}

/// The same body, kept from now on if its length is known and small.
pub(super) fn keep(headers: &HeaderMap, body: Body, idle: Duration) -> (Body, Option<Arc<Kept>>) {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if body.as_bytes().is_some() || body.is_end_stream() || length.is_none_or(|length| length > SMALL) {
        return (body, None);
    }
    let kept = Arc::new(Kept { idle, state: Mutex::default(), back: Notify::new() });
    (Body::stream(Taking { kept: kept.clone(), again: VecDeque::new(), rest: body }), Some(kept))
}

impl Kept {
    /// The body from its beginning, once nobody takes the rest of it any more; `None` where it broke off.
    pub(super) async fn again(self: &Arc<Self>) -> Option<Body> {
        loop {
            let back = self.back.notified();
            {
                let mut state = self.state();
                if state.is_lost {
                    return None;
                }
                if let Some(rest) = state.rest.take() {
                    return Some(Body::stream(Taking { kept: self.clone(), again: state.taken.clone(), rest }));
                }
            }
            back.await;
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One reading of the body.
struct Taking {
    kept: Arc<Kept>,
    /// What an earlier reading took.
    again: VecDeque<Bytes>,
    rest: Body,
}

impl http_body::Body for Taking {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(piece) = this.again.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let frame = Pin::new(&mut this.rest).poll_frame(task);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(piece) = frame.data_ref() {
                    this.kept.state().taken.push_back(piece.clone());
                }
            }
            Poll::Ready(Some(Err(_))) => this.kept.state().is_lost = true,
            Poll::Ready(None) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.again.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let again = self.again.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + again);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + again);
        }
        hint
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.kept.state().rest = Some(std::mem::take(&mut self.rest));
        self.kept.back.notify_one();
    }
}
