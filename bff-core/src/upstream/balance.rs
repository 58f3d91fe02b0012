//! Chooses the host of an attempt, and remembers how it did.

use std::sync::Arc;

use http::{Request, Response};
use tower::Service;

use super::call::{call_mut, timed_end};
use super::stack::Upstream;
use crate::body::Body;
use crate::clock;
use crate::error::{Error, Kind, Result};

pub(super) async fn balance<Inner>(
    upstream: Arc<Upstream>,
    mut request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let call = call_mut(&mut request)?;
    let (target, is_upload) = (call.target.clone(), call.upload().is_some());
    let now = clock::now();
    let host = {
        let hosts = target.hosts.now();
        let index = if hosts.len() == 1 {
            0
        } else {
            let avoid = call.avoid.as_ref().and_then(|label| hosts.iter().position(|host| host.label == *label));
            let state = |index: usize| &hosts[index].state;
            target.balancer.choose(hosts.len(), state, avoid, now, fastrand::u64(..)).unwrap_or_default()
        };
        let none = || Error::new(Kind::Unreachable).never_sent().caused_by("no host is known");
        hosts.get(index).cloned().ok_or_else(none)?
    };
    if let Some(taken) = &call.taken {
        let _ = taken.set(host.label.clone());
    }
    call.host = Some(host.clone());
    let ride = target.balancer.begin(&host.state, now);
    let result = inner.call(request).await;
    let hosts = target.hosts.now();
    let (now, random) = (clock::now(), fastrand::u64(..));
    if !hosts.iter().any(|known| Arc::ptr_eq(known, &host)) {
        // The name leads elsewhere by now; nobody will ask this one again.
        drop(ride);
    } else if let Some(pause) =
        target.balancer.end(ride, timed_end(&result, is_upload), hosts.len(), |index| &hosts[index].state, now, random)
    {
        tracing::warn!(upstream = %upstream.name, host = %host.label, seconds = pause.as_secs(), "host ejected");
    }
    result.map_err(|error| error.at_host(host.label.clone()))
}
