//! The headers that every answer carries for its reader's safety.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderName, HeaderValue, header};
use tower::{Service, ServiceExt};

use super::Door;
use super::problem::PassedOn;

static OWN: [(HeaderName, HeaderValue); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'")),
];

static HSTS: (HeaderName, HeaderValue) =
    (header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains"));

pub(super) async fn secure<Inner>(door: Arc<Door>, request: Request, inner: Inner) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    let mut response = inner.oneshot(request).await?;
    // What an upstream says of its own answer stands.
    let passed_on = response.extensions().get::<PassedOn>().is_some();
    let headers = response.headers_mut();
    // Room at once for these and for the request's id.
    headers.reserve(OWN.len() + 2);
    for (name, value) in OWN.iter().chain(door.settings.hsts.then_some(&HSTS)) {
        if passed_on {
            headers.entry(name).or_insert_with(|| value.clone());
        } else {
            headers.insert(name, value.clone());
        }
    }
    Ok(response)
}
