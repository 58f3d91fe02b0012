//! The limits of a call and of one attempt. They belong to the upstream, not to a caller.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tower::Service;

use super::call::{call_mut, call_of};
use super::stack::Upstream;
use crate::body::Body;
use crate::clock;
use crate::error::{Error, Evidence, Kind, Result};

pub(super) async fn call<Inner>((): (), request: Request<Body>, inner: Inner) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let limit = call_of(&request)?.timeout;
    within(limit, request, inner).await
}

pub(super) async fn attempt<Inner>(
    upstream: Arc<Upstream>,
    request: Request<Body>,
    inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let limit = call_of(&request)?.attempt_timeout;
    let started = clock::now();
    within(limit, request, inner).await.map_err(|error| match error.kind() {
        Kind::Timeout if upstream.shared.lateness.explains(started, clock::now()) => {
            error.transient().with_evidence(Evidence::Nothing)
        }
        // Another attempt may be luckier, at another host for one; the whole call's own end is nobody's to repeat.
        Kind::Timeout => error.transient(),
        _ => error,
    })
}

async fn within<Inner>(limit: Duration, mut request: Request<Body>, mut inner: Inner) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let call = call_mut(&mut request)?;
    let own = clock::now() + limit;
    let upload = call.upload().cloned();
    // Until the head of the answer is here. While a client sends a body, only the upstream's own silence counts.
    // An outer limit that ends earlier ends the call by itself; the tighter one is told to the upstream.
    call.deadline = Some(call.deadline.map_or(own, |outer| outer.min(own)));
    let over = async move {
        match upload {
            None => tokio::time::sleep_until(own).await,
            Some(upload) => upload.too_long(limit).await,
        }
    };
    tokio::select! {
        biased;
        result = inner.call(request) => result,
        () = over => Err(Error::new(Kind::Timeout)),
    }
}
