//! No more calls at once than the upstream can serve; a short wait for a seat, then none.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tower::Service;

use super::call::{call_of, end, timed_end};
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
    let (target, holder, upload) = (call.target.clone(), call.holder, call.upload().cloned());
    let Some(bulkhead) = &target.bulkhead else { return inner.call(request).await };
    let full = |_| Error::new(Kind::Overloaded).never_sent().with_retry_after(RETRY_AFTER);
    let seat = bulkhead.enter(holder).await.map_err(full)?;
    if let Some(upload) = upload {
        // While its client still sends it, the upstream has nothing to work on.
        drop(seat);
        // On the heap: kept here it would make every call's future as large again, and futures are moved.
        let mut answer = Box::pin(inner.call(request));
        tokio::select! {
            biased;
            result = &mut answer => return result,
            () = upload.over() => {}
        }
        let mut late = pin!(bulkhead.enter_late(holder));
        let seat = tokio::select! {
            biased;
            result = &mut answer => return result,
            seat = &mut late => seat,
        };
        let result = answer.await;
        if let Some(seat) = seat {
            seat.leave(timed_end(&result, true), None, clock::now());
        }
        return result;
    }
    let started = clock::now();
    let result = inner.call(request).await;
    let now = clock::now();
    // While this process is late nobody can tell how long the upstream took.
    let took = (!upstream.shared.lateness.explains(started, now)).then(|| now - started);
    seat.leave(end(&result), took, now);
    result
}
