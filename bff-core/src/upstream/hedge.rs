//! A second attempt beside one that is late (Dean and Barroso, "The Tail at Scale", CACM 2013).

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use futures::future::{Either, select};
use http::{Request, Response};
use tower::Service;

use super::call::{again, call_mut, call_of};
use super::stack::Upstream;
use crate::body::Body;
use crate::clock;
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
    if !target.budget.take(clock::now()) {
        let result = first.await;
        observe(&target, &result, started);
        return result;
    }
    target.hedges.fetch_add(1, Ordering::Relaxed);
    call_mut(&mut second)?.avoid = taken.get().cloned();
    let asked_again = clock::now();
    let second = pin!(inner.call(second));
    // The first good answer wins and the other is cut; a failure leaves the word to the other.
    match select(first, second).await {
        Either::Left((Err(error), second)) => match second.await {
            Ok(response) => {
                observe_good(&target, asked_again);
                Ok(response)
            }
            Err(_) => Err(error),
        },
        Either::Right((Err(_), first)) => {
            let result = first.await;
            observe(&target, &result, started);
            result
        }
        Either::Left((won, _)) => {
            observe(&target, &won, started);
            won
        }
        Either::Right((won, _)) => {
            observe(&target, &won, asked_again);
            won
        }
    }
}

fn observe(target: &super::target::Target, result: &Result<Response<Body>>, started: clock::Instant) {
    if result.is_ok() {
        observe_good(target, started);
    }
}

fn observe_good(target: &super::target::Target, started: clock::Instant) {
    if let Some(latency) = &target.latency {
        let now = clock::now();
        latency.record(now - started, now);
    }
}
