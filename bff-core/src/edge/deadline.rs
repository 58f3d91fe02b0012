//! How much an endpoint may read, and how long it may take.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header;
use http_body::Body as _;
use http_body_util::Limited;
use tower::{Service, ServiceExt};

use super::Page;
use super::flowing::{Flows, flows, until_deadline};
use crate::context::{Context, Scope};
use crate::error::{Error, Input, Kind};

pub(super) async fn body_limit<Inner>(
    page: Arc<Page>,
    request: Request,
    mut inner: Inner,
) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    if request.body().is_end_stream() {
        return inner.call(request).await;
    }
    let limit = page.settings.body_limit.as_u64();
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit) {
        return Ok(too_large(limit).into_response());
    }
    let limited = usize::try_from(limit).unwrap_or(usize::MAX);
    inner.call(request.map(|body| Body::new(Limited::new(body, limited)))).await
}

pub(crate) fn too_large(limit: u64) -> Error {
    Error::invalid(Input::TooLarge, "", format!("send at most {limit} bytes"))
}

pub(super) async fn deadline<Inner>((): (), request: Request, inner: Inner) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    let Some(context) = request.extensions().get::<Arc<Context>>().cloned() else {
        return inner.oneshot(request).await;
    };
    let deadline = context.deadline();
    let scope = Scope::endpoint(context.clone());
    let mut response = match tokio::time::timeout_at(deadline, scope.enter(inner.oneshot(request))).await {
        Ok(response) => response?,
        Err(_) => return Ok(Error::new(Kind::Deadline).into_response()),
    };
    if flows(response.body()) {
        response.extensions_mut().insert(Flows);
        response = response.map(|body| until_deadline(body, Scope::endpoint(context)));
    }
    Ok(response)
}
