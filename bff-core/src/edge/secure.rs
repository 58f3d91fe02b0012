//! The headers that every answer carries for its reader's safety.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, header};
use tower::{Service, ServiceExt};

use super::Door;

pub(super) async fn secure<Inner>(door: Arc<Door>, request: Request, inner: Inner) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    let mut response = inner.oneshot(request).await?;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'"));
    if door.settings.hsts {
        headers
            .insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    }
    Ok(response)
}
