//! No more calls at once than the upstream can serve; a short wait for a place, then none.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tower::Service;

use super::call::{call_of, timed_end};
use super::stack::Upstream;
use crate::body::Body;
use crate::clock;
use crate::error::{Error, Kind, Result};

/// What a client is told who found no place: the shortest time that `Retry-After` can say.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) async fn bulkhead<Inner>(
    upstream: Arc<Upstream>,
    request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let call = call_of(&request)?;
    let (target, is_upload) = (call.target.clone(), call.upload().is_some());
    let Some(bulkhead) = &target.bulkhead else { return inner.call(request).await };
    let seat =
        bulkhead.enter().await.map_err(|_| Error::new(Kind::Overloaded).never_sent().with_retry_after(RETRY_AFTER))?;
    let started = clock::now();
    let result = inner.call(request).await;
    let now = clock::now();
    // While this process is late nobody can tell how long the upstream took.
    let took = (!upstream.shared.lateness.explains(started, now)).then(|| now - started);
    seat.leave(timed_end(&result, is_upload), took, now);
    result
}
