//! Answers that stream: they leave as they are made, until the budget of their request is used up.
//!
//! The head leaves first, so what is still to come can change nothing in it: such an answer has no tag, is not to be kept,
//! and is cut (the connection, or its stream) when its time is over. It is never held as a whole.

use std::pin::Pin;
use std::task::{Context as Task, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Sleep, sleep_until};

use crate::context::Scope;
use crate::error::{Error, Kind};

/// What is known to be longer is not held as a whole either: no page of a screen is as long.
const LARGEST_WHOLE: u64 = 8 * 1024 * 1024;

/// In a response's extensions: its body leaves as it is made.
#[derive(Clone, Copy)]
pub(super) struct Flows;

/// Whether a body is made while it leaves, as far as it says.
pub(super) fn flows(body: &Body) -> bool {
    !body.is_end_stream() && body.size_hint().exact().is_none_or(|size| size > LARGEST_WHOLE)
}

/// A body that flows, in the scope of its request: calls that are made for it have its deadline, id and identity.
struct Flowing {
    body: Body,
    scope: Scope,
    end: Pin<Box<Sleep>>,
    is_cut: bool,
}

/// Lets a body flow until the deadline of its request.
pub(super) fn until_deadline(body: Body, scope: Scope) -> Body {
    let end = Box::pin(sleep_until(scope.deadline));
    Body::new(Flowing { body, scope, end, is_cut: false })
}

impl http_body::Body for Flowing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.is_cut {
            return Poll::Ready(None);
        }
        if self.end.as_mut().poll(task).is_ready() {
            self.is_cut = true;
            let context = &self.scope.context;
            tracing::warn!(
                request_id = %context.request_id, route = %context.terms.route,
                "an answer was cut: its budget was over before its end"
            );
            return Poll::Ready(Some(Err(axum::Error::new(Error::new(Kind::Deadline)))));
        }
        let scope = self.scope.clone();
        scope.within(|| Pin::new(&mut self.body).poll_frame(task))
    }

    fn is_end_stream(&self) -> bool {
        self.is_cut || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
