//! Refuses early and cheaply what cannot be served in time: the least critical first.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use tower::Service;

use super::Door;
use crate::error::{Error, Kind};

/// How soon a client that was refused may come back: the shortest time that `Retry-After` can say.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) async fn shed<Inner>(door: Arc<Door>, request: Request, mut inner: Inner) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    let Some(_place) = door.load.enter(door.criticality) else {
        door.metrics.shed(&door.terms.endpoint);
        return Ok(Error::new(Kind::Busy).with_retry_after(RETRY_AFTER).into_response());
    };
    inner.call(request).await
}
