//! Writes: once sent, they run to their end.

use std::sync::Arc;

use http::{Request, Response};

use super::call::Call;
use super::stack::{Stack, Upstream};
use super::wait::TOO_LITTLE;
use crate::body::Body;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::identity::Fingerprint;

/// Sends a write so that nothing its caller does can cut it, and makes old what it may have changed.
pub(super) async fn write(
    upstream: &Arc<Upstream>,
    stack: &Stack,
    request: Request<Body>,
    invalidates: &'static [&'static str],
) -> Result<Response<Body>> {
    let call: Option<&Call> = request.extensions().get();
    let scope = call.and_then(|call| call.scope.clone());
    let identity = scope.as_ref().and_then(|scope| scope.context.peek_identity()).map(|own| own.person());
    let name = upstream.name.clone();
    if scope.as_ref().is_some_and(|scope| scope.deadline.saturating_duration_since(clock::now()) < TOO_LITTLE) {
        // Not begun, so what became of it is known.
        return Err(Error::new(Kind::Deadline).from_upstream(name));
    }
    let context = scope.as_ref().map(|scope| scope.context.clone());
    let upstream = upstream.clone();
    let background = upstream.shared.background.clone();
    let forget = move || {
        invalidate(&upstream, identity, invalidates);
        if let Some(context) = &context {
            context.memory.clear();
        }
    };
    // Before, because a client that is told "outcome unknown" reads while the write may still be under way; after,
    // because what was read in between may be old; and also when it failed, because it may have happened.
    forget();
    let call = stack(request);
    let sent = background.spawn(async move {
        let result = call.await;
        forget();
        result
    });
    let ended = match scope {
        Some(scope) => match tokio::time::timeout_at(scope.deadline, sent).await {
            Ok(ended) => ended,
            Err(_) => return Err(Error::new(Kind::Deadline).from_upstream(name).of_write()),
        },
        None => sent.await,
    };
    ended.unwrap_or_else(|_| Err(Error::internal("a write panicked"))).map_err(Error::of_write)
}

pub(super) fn invalidate(upstream: &Upstream, identity: Option<Fingerprint>, others: &'static [&'static str]) {
    let Some(identity) = identity else { return };
    upstream.shared.store.written(&upstream.name, identity);
    for other in others {
        upstream.shared.store.written(&Arc::from(*other), identity);
    }
}
