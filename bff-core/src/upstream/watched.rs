//! A body that shows whether its request has got as far as a stream of its own.
//!
//! hyper gives a request the error of its connection also in the moment after its head was sent, and that is no proof of anything: a
//! GOAWAY that came just then may name this very stream as the last one that was answered. From when its body is asked for, only an
//! error of the stream itself reaches it. So a request that changes something is not sent again on a GOAWAY before that.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http_body::{Frame, SizeHint};

/// Whether the body was asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Arc<AtomicBool>);

impl Asked {
    pub(super) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same body. An empty one, too, has to be asked for its end.
pub(super) fn watch<B>(body: B, asked: &Asked) -> Watched<B> {
    Watched { body, asked: asked.clone() }
}

pub(super) struct Watched<B> {
    body: B,
    asked: Asked,
}

impl<B: http_body::Body + Unpin> http_body::Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.get_mut();
        this.asked.0.store(true, Ordering::Relaxed);
        Pin::new(&mut this.body).poll_frame(task)
    }

    fn is_end_stream(&self) -> bool {
        self.asked.is_so() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
