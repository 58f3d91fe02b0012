//! Does not ask an upstream that fails: the answer is at once what it would be after waiting.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tower::Service;

use super::call::{call_of, end};
use super::collect::asked_to_wait;
use super::stack::Upstream;
use super::trouble::Trouble;
use crate::body::Body;
use crate::clock::{self, Instant};
use crate::error::{Error, Kind, Result};
use crate::lateness::Lateness;
use crate::resilience::{End, Pass};

/// Longer than anything takes.
const ANY: Duration = Duration::from_secs(365 * 24 * 3600);

pub(super) async fn breaker<Inner>(
    upstream: Arc<Upstream>,
    request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let call = call_of(&request)?;
    let target = call.target.clone();
    let attempt_timeout = call.attempt_timeout;
    let Some(breaker) = &target.breaker else { return inner.call(request).await };
    // Its place in line here is not the upstream's slowness, nor is the patience that this call asked for.
    let wait = if target.bulkhead.is_some() { upstream.settings.bulkhead.wait } else { Duration::ZERO };
    let allowed = match call.upload() {
        // How long the client sends is not the upstream's slowness; silence after that is a failure of its own.
        Some(_) => ANY,
        None => wait + attempt_timeout.saturating_sub(upstream.settings.attempt_timeout),
    };
    let started = clock::now();
    let pass = breaker
        .admit(started)
        .map_err(|refused| Error::new(Kind::CircuitOpen).never_sent().with_retry_after(refused.retry_after))?;
    let admitted = Admitted { pass: Some(pass.allow(allowed)), started, lateness: &upstream.shared.lateness };
    let result = inner.call(request).await;
    let retry_after = match &result {
        // Only a route's answer comes with its headers.
        Ok(response) => asked_to_wait(response.headers()),
        Err(error) => error.retry_after(),
    };
    let cause = || match &result {
        Err(error) => Trouble::of(error).map_or_else(|| "slow answers".to_owned(), |trouble| trouble.cause),
        Ok(response) if response.status().is_server_error() => format!("fails: status {}", response.status().as_u16()),
        Ok(_) => "slow answers".to_owned(),
    };
    let has_closed = admitted.end(end(&result), retry_after, &cause);
    if let Some(bulkhead) = target.bulkhead.as_ref().filter(|_| has_closed) {
        // As many places as before may be as many calls at once as brought it down.
        bulkhead.restart();
    }
    result
}

/// A call that was let in. What took long because this process was late is not held against the upstream, whether the call
/// ended or was cut by its caller.
struct Admitted<'a> {
    pass: Option<Pass<'a>>,
    started: Instant,
    lateness: &'a Lateness,
}

impl Admitted<'_> {
    fn end(mut self, end: End, retry_after: Option<Duration>, cause: &dyn Fn() -> String) -> bool {
        let Some(pass) = self.pass.take() else { return false };
        let now = clock::now();
        let is_ours = pass.is_slow(now) && self.lateness.explains(self.started, now);
        let pass = if is_ours { pass.allow(ANY) } else { pass };
        pass.end_because(end, retry_after, now, cause)
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let now = clock::now();
        if let Some(pass) = self.pass.take_if(|pass| pass.is_slow(now) && self.lateness.explains(self.started, now)) {
            pass.end(End::Nothing, None, now);
        }
    }
}
