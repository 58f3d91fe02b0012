//! The caller's patience.

use std::time::Duration;

use http::{Request, Response};
use tower::Service;

use super::call::call_mut;
use crate::body::Body;
use crate::clock;
use crate::error::{Error, Kind, Result};

/// With less time left than this no call can succeed, not even on loopback; it is not sent.
pub(super) const TOO_LITTLE: Duration = Duration::from_millis(1);

pub(super) async fn wait<Inner>((): (), mut request: Request<Body>, mut inner: Inner) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let call = call_mut(&mut request)?;
    call.patience = call.scope.as_ref().map(|scope| scope.deadline);
    // A write is never cut because its caller has no more time; what its caller is told is the client's business.
    let Some(deadline) = call.patience.filter(|_| call.safe) else { return inner.call(request).await };
    if deadline.saturating_duration_since(clock::now()) < TOO_LITTLE {
        return Err(Error::new(Kind::Deadline));
    }
    match tokio::time::timeout_at(deadline, inner.call(request)).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(Kind::Deadline)),
    }
}
