//! A second attempt beside one that is late (Dean and Barroso, "The Tail at Scale", CACM 2013).

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use futures::future::{Either, select};
use http::{Request, Response};
use tower::Service;

use super::call::{Verdict, again, call_mut, call_of};
use super::stack::Upstream;
use super::target::Target;
use crate::body::Body;
use crate::clock::{self, Instant};
use crate::error::{Error, Result};

pub(super) async fn hedge<Inner>(
    upstream: Arc<Upstream>,
    mut request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error> + Send,
    Inner::Future: Send,
{
    let call = call_mut(&mut request)?;
    if !(call.hedged && call.safe) {
        return inner.call(request).await;
    }
    // In a box: few upstreams are hedged, and the two calls would make room in every other call's future.
    Box::pin(late(upstream, request, inner)).await
}

async fn late<Inner>(upstream: Arc<Upstream>, mut request: Request<Body>, mut inner: Inner) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error> + Send,
    Inner::Future: Send,
{
    let target = call_of(&request)?.target.clone();
    let started = clock::now();
    let delay = target.latency.as_ref().and_then(|latency| upstream.settings.hedge.delay(latency, started));
    let (Some(delay), Some(mut second)) = (delay, again(&request)) else {
        let result = inner.call(request).await;
        observe(&target, &result, started);
        return result;
    };
    let taken = Arc::new(OnceLock::new());
    call_mut(&mut request)?.taken = Some(taken.clone());
    let first = pin!(inner.call(request));
    let first = match select(first, pin!(tokio::time::sleep(delay))).await {
        Either::Left((result, _)) => {
            observe(&target, &result, started);
            return result;
        }
        Either::Right(((), first)) => first,
    };
    // Still in line for a place here: a second one would only lengthen the line.
    if taken.get().is_none() || !target.budget.take(clock::now()) {
        let result = first.await;
        observe(&target, &result, started);
        return result;
    }
    target.hedges.fetch_add(1, Ordering::Relaxed);
    call_mut(&mut second)?.avoid = taken.get().cloned();
    let second = pin!(inner.call(second));
    // The first answer wins, be it a definite no, and the other is cut; a failure leaves the word to the other.
    let result = match select(first, second).await {
        Either::Left((won, _)) | Either::Right((won, _)) if is_answer(&won) => won,
        Either::Left((failed, second)) => better(failed, second.await),
        Either::Right((failed, first)) => better(failed, first.await),
    };
    // From the beginning of the first, whoever won: had the second's own time counted, the late ones would vanish from
    // what is known, the delay with them, and more and more calls would be hedged.
    observe(&target, &result, started);
    result
}

fn is_answer(result: &Result<Response<Body>>) -> bool {
    matches!(Verdict::of(result), Verdict::Fine | Verdict::ClientFault)
}

/// What the second to end says, unless it failed as well.
fn better(first: Result<Response<Body>>, second: Result<Response<Body>>) -> Result<Response<Body>> {
    if is_answer(&second) { second } else { first }
}

fn observe(target: &Target, result: &Result<Response<Body>>, started: Instant) {
    if let Some(latency) = target.latency.as_ref().filter(|_| result.is_ok()) {
        let now = clock::now();
        latency.record(now - started, now);
    }
}
