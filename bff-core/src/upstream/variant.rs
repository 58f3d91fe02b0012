//! Which version of the upstream a call goes to: canary and A-B.

use std::sync::Arc;

use http::{Request, Response};
use tower::Service;

use super::call::call_mut;
use super::stack::Upstream;
use super::target::Target;
use crate::body::Body;
use crate::clock;
use crate::context::Context;
use crate::error::{Error, Result};

pub(super) async fn variant<Inner>(
    upstream: Arc<Upstream>,
    mut request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    if !upstream.rules.is_empty() {
        let call = call_mut(&mut request)?;
        // What a route passes on has its version already: it is part of the key of what is kept.
        if let Some(context) = call.scope.as_ref().map(|scope| scope.context.clone())
            && let Some(target) = chosen(&upstream, &context)?
        {
            call.target = target.clone();
        }
    }
    inner.call(request).await
}

/// The version that a request goes to, if it is another than the main one.
///
/// # Errors
/// When it depends on who asks, and that cannot be known now.
pub(super) fn chosen<'a>(upstream: &'a Upstream, context: &Context) -> Result<Option<&'a Arc<Target>>> {
    if upstream.rules.is_empty() {
        return Ok(None);
    }
    // Weights go by who asks; a visitor without a name stays with the main version, whose pages everybody may then share.
    // Reading the identity makes the page private.
    let known = upstream.rules.has_weights() && context.peek_identity().is_some();
    let identity = if known { context.identity()? } else { None };
    let sticky = identity.map(|identity| mixed(identity.person().sticky(), &upstream.name));
    let chosen = upstream.rules.choose(&context.headers, sticky).and_then(|index| upstream.variants.get(index));
    // A version that fails as a whole costs nobody a page while there is the main one.
    let is_open = |target: &&Arc<Target>| target.breaker.as_ref().is_some_and(|breaker| breaker.is_open(clock::now()));
    Ok(chosen.filter(|target| !is_open(target)))
}

/// Another choice for each upstream, or the same people would get every canary. (FNV-1a, which stays the same on every
/// machine and after every start.)
fn mixed(sticky: u64, upstream: &str) -> u64 {
    upstream.bytes().fold(sticky, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
