//! Counts calls and gives calls and attempts their span.

use std::sync::Arc;

use http::{Request, Response};
use tower::Service;
use tracing::Instrument;

use super::call::{Answer, Verdict, call_of};
use super::stack::Upstream;
use crate::body::Body;
use crate::clock::{self, Instant};
use crate::context::CallOutcome;
use crate::error::{Error, Kind, Result};

pub(super) async fn call<Inner>(
    upstream: Arc<Upstream>,
    request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let started = clock::now();
    let span = tracing::debug_span!("call", upstream = %upstream.name, method = %request.method());
    let mut cut = Cut { upstream: &upstream, started, armed: true };
    let result = inner.call(request).instrument(span).await;
    cut.armed = false;
    let result = result.map_err(|error| error.from_upstream(upstream.name.clone()));
    let outcome = match &result {
        Ok(response) => outcome(response),
        Err(error) if error.kind() == Kind::NotFound => CallOutcome::Absent,
        Err(error) => CallOutcome::Failed(error.kind()),
    };
    if let Err(error) = &result
        && error.kind() == Kind::Deadline
    {
        // Its caller left before the call ended, so nobody below knows.
        upstream.troubles.failed(&upstream, None, error);
    }
    upstream.shared.metrics.call(&upstream.name, outcome, result.as_ref().err(), clock::now() - started);
    result
}

/// What a route passes on has no [`Answer`]: there a failure is an answer, too.
fn outcome(response: &Response<Body>) -> CallOutcome {
    match response.extensions().get::<Answer>() {
        Some(Answer { is_nothing: true, .. }) => CallOutcome::Absent,
        Some(answer) => answer.outcome,
        None => match response.extensions().get() {
            Some(Verdict::UpstreamFault) => CallOutcome::Failed(Kind::UpstreamError),
            Some(Verdict::Overloaded) => CallOutcome::Failed(Kind::Overloaded),
            _ => CallOutcome::Live,
        },
    }
}

/// A call whose waiter left: counted too, or an outage would look like less traffic.
struct Cut<'a> {
    upstream: &'a Upstream,
    started: Instant,
    armed: bool,
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        if self.armed {
            let took = clock::now() - self.started;
            self.upstream.shared.metrics.call(&self.upstream.name, CallOutcome::Cut, None, took);
        }
    }
}

pub(super) async fn attempt<Inner>(
    upstream: Arc<Upstream>,
    request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let call = call_of(&request)?;
    let host = call.host.as_ref().map(|host| &*host.label);
    let part = call.part.as_deref();
    let span = tracing::debug_span!("attempt", upstream = %upstream.name, owner = %upstream.settings.owner, host, part);
    let attempt = async {
        let result = inner.call(request).await;
        if let Err(error) = &result
            && error.kind() != Kind::NotFound
        {
            tracing::debug!(%error, "attempt failed");
        }
        result
    };
    attempt.instrument(span).await
}
