//! The headers that every answer carries for its reader's safety.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, header};
use tower::{Service, ServiceExt};

use super::Door;
use super::problem::PassedOn;

pub(super) async fn secure<Inner>(door: Arc<Door>, request: Request, inner: Inner) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    let mut response = inner.oneshot(request).await?;
    // What an upstream says of its own answer stands.
    let passed_on = response.extensions().get::<PassedOn>().is_some();
    let headers = response.headers_mut();
    let hsts = door.settings.hsts.then_some((header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"));
    let own = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
    ];
    for (name, value) in own.into_iter().chain(hsts) {
        if !passed_on || !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    Ok(response)
}
