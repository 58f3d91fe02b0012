//! Lets in as many requests as this process finishes in time; the next ones wait for a share of their budget, and those
//! beyond are refused early and cheaply.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use tower::Service;

use super::Door;
use super::receive::Coming;
use crate::context::Context;
use crate::error::{Error, Kind};

/// How soon a client that was refused may come back: the shortest time that `Retry-After` can say.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) async fn shed<Inner>(door: Arc<Door>, request: Request, mut inner: Inner) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    let Some(context) = request.extensions().get::<Arc<Context>>() else { return inner.call(request).await };
    // The wait counts: the deadline's clock has started.
    let until = door.load.patience(context.started(), context.deadline());
    let Some(place) = door.load.enter(door.criticality, context.holder(), until).await else {
        door.metrics.shed(&door.terms.endpoint);
        return Ok(busy().into_response());
    };
    // A body that is still to come keeps nobody busy.
    let _place = request.extensions().get::<Coming>().is_none().then_some(place);
    inner.call(request).await
}

/// There is no room for this request now.
pub(super) fn busy() -> Error {
    Error::new(Kind::Busy).with_retry_after(RETRY_AFTER)
}
