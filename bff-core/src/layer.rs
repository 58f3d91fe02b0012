//! A tower layer made from one async function, for both stacks.
//!
//! Every layer of ours is always ready and does its work around one call, so it needs neither `poll_ready`
//! nor a named future: `async fn layer(state, request, inner) -> …` says all of it, and nothing is boxed.
//!
//! In front of another layer of ours it says `inner.call(request)`; in front of anything else (the network, an
//! endpoint, a layer of a library) `inner.oneshot(request)`, which waits until that is ready. A future that waits
//! first moves everything inside it once more, at every layer; over a whole stack that shows in a profile.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower::{Layer, Service};

/// Wraps every call in `run(state, request, inner)`; `state` is cloned for each call, so keep it behind an `Arc`.
pub(crate) fn around<State, Run>(state: State, run: Run) -> Around<State, Run> {
    Around { state, run }
}

/// The layer made by [`around`].
#[derive(Clone, Debug)]
pub(crate) struct Around<State, Run> {
    state: State,
    run: Run,
}

impl<Inner, State: Clone, Run: Clone> Layer<Inner> for Around<State, Run> {
    type Service = AroundService<State, Run, Inner>;

    fn layer(&self, inner: Inner) -> Self::Service {
        AroundService { state: self.state.clone(), run: self.run.clone(), inner: Arc::new(inner) }
    }
}

/// The service made by [`around`].
#[derive(Clone, Debug)]
pub(crate) struct AroundService<State, Run, Inner> {
    state: State,
    run: Run,
    /// Shared, so that a clone for one call is a clone of this layer and not of all below it.
    inner: Arc<Inner>,
}

impl<State, Run, Inner, Request, Output, Response, Error> Service<Request> for AroundService<State, Run, Inner>
where
    State: Clone,
    Inner: Clone,
    Run: Fn(State, Request, Inner) -> Output,
    Output: Future<Output = Result<Response, Error>>,
{
    type Response = Response;
    type Error = Error;
    type Future = Output;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Output {
        (self.run)(self.state.clone(), request, Inner::clone(&self.inner))
    }
}
