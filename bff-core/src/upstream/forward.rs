//! Says to the upstream who asks, passes on the headers that are configured, and makes the key from both.

use std::sync::Arc;

use http::header::{AUTHORIZATION, USER_AGENT};
use http::{HeaderName, Request, Response};
use tower::Service;

use super::call::{call_mut, call_of};
use super::stack::Upstream;
use crate::body::Body;
use crate::cache::Key;
use crate::error::{Error, Kind, Result};
use crate::identity::Fingerprint;

/// Draft-ietf-httpapi-idempotency-key-header; passed on with writes so that the backend can tell a repetition.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(super) async fn forward<Inner>(
    upstream: Arc<Upstream>,
    mut request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let call = call_of(&request)?;
    if call.passed().is_some() {
        return inner.call(request).await;
    }
    let context = call.scope.as_ref().map(|scope| scope.context.clone());
    let (safe, per_identity) = (call.safe, call.per_identity);
    if upstream.settings.forward_authorization && !per_identity {
        let cause = "a call that is declared shared, to an upstream with forward_authorization: say per_identity()";
        return Err(Error::internal(cause));
    }
    let identity = match (per_identity, &context) {
        (false, _) => None,
        (true, None) => return Err(Error::new(Kind::Anonymous)),
        (true, Some(context)) => match context.identity()? {
            Some(identity) => Some(identity.clone()),
            // Without an identity there is nobody to ask for: nothing is sent.
            None => return Err(Error::new(Kind::Anonymous)),
        },
    };
    let headers = request.headers_mut();
    if let Some(context) = &context {
        for name in upstream.forwarded.iter() {
            if *name == USER_AGENT && context.headers.contains_key(name) {
                // Our own word for who calls is for where no other is asked for.
                headers.remove(name);
            }
            if headers.contains_key(name) {
                // What the call says of itself stands.
                continue;
            }
            for value in context.headers.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        if !safe && let Some(key) = context.headers.get(IDEMPOTENCY_KEY) {
            headers.insert(IDEMPOTENCY_KEY, key.clone());
        }
    }
    if let Some(identity) = &identity {
        for (name, value) in identity.headers() {
            headers.insert(name.clone(), value.clone());
        }
    }
    let token = context.as_ref().filter(|_| upstream.settings.forward_authorization);
    let token = token.and_then(|context| context.headers.get(AUTHORIZATION)).cloned();
    if let Some(token) = &token {
        headers.insert(AUTHORIZATION, token.clone());
    }
    if safe {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let key = match &identity {
            Some(identity) => {
                Key::per_identity(identity, &upstream.name, target, &upstream.forwarded, request.headers())
            }
            None => Key::shared(&upstream.name, target, &upstream.forwarded, request.headers()),
        };
        let call = call_mut(&mut request)?;
        let key = match call.mark {
            Some(mark) => key.marked(mark),
            None => key,
        };
        // Two tokens of one person may mean two answers to an upstream that reads them.
        let key = match &token {
            Some(token) => key.marked(Fingerprint::of_fields([&b"token"[..], token.as_bytes()])),
            None => key,
        };
        call.key = Some(match &call.target.variant {
            Some(variant) => key.of_variant(variant),
            None => key,
        });
    }
    inner.call(request).await
}
