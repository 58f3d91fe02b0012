//! Asks again where that may help, and never more often than the upstream can bear.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Request, Response};
use tower::Service;

use super::call::{Spare, call_of};
use super::stack::Upstream;
use crate::body::Body;
use crate::clock;
use crate::error::{Error, Evidence, Kind, Result};

/// So often a request that was never sent is sent again at once; an upstream that refuses more is one that refuses.
const MOST_UNSENT: u32 = 5;
/// With less time left than this a further attempt would only be cut.
const TOO_LITTLE: Duration = Duration::from_millis(5);

pub(super) async fn retry<Inner>(
    upstream: Arc<Upstream>,
    mut request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let call = call_of(&request)?;
    let (safe, most, deadline, target) = (call.safe, call.retries, call.deadline, call.target.clone());
    let required = call.required;
    target.budget.call(clock::now());
    let (mut tries, mut unsent) = (0, 0);
    let mut before: Option<Error> = None;
    loop {
        // What was never sent may be sent again whatever is said of retries.
        let spare = Spare::of(&request);
        let error = match inner.call(request).await {
            Ok(response) => return Ok(response),
            // That there was no place, or no use, for another try is not why the call failed.
            Err(error) if refused_here(&error) => return Err(before.unwrap_or(error)),
            Err(error) => error,
        };
        let Some(mut next) = spare else { return Err(error) };
        if error.evidence() == Evidence::Unsent && unsent < MOST_UNSENT {
            unsent += 1;
            target.resent.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, upstream = %upstream.name, "never sent, so sent again");
            request = next.into_request();
            continue;
        }
        if tries >= most {
            return Err(error);
        }
        // What was never sent may be sent by anybody; all else only if it changes nothing.
        if !(error.is_transient() && (safe || error.is_unsent())) {
            return Err(error);
        }
        tries += 1;
        let pause = if error.evidence() == Evidence::Refused {
            // The next connection may reach another host behind the same name, at once or not at all; what the page can do
            // without is not worth a second look at a host that nobody listens at.
            let is_worth_it = tries == 1 && (required || target.hosts.now().len() > 1);
            if !is_worth_it {
                return Err(error);
            }
            Duration::ZERO
        } else {
            upstream.settings.retry.pause(tries, error.retry_after(), fastrand::f64())
        };
        let now = clock::now();
        let too_late = deadline.is_some_and(|deadline| now + pause + TOO_LITTLE >= deadline);
        let refused = target.breaker.as_ref().is_some_and(|breaker| breaker.is_open(now));
        // Budget last: what will not be sent, or not in time, takes nothing from those who can.
        if too_late || refused || !target.budget.take(now) {
            return Err(error);
        }
        target.retries.fetch_add(1, Ordering::Relaxed);
        next.call.avoid = error.host().cloned();
        tracing::debug!(%error, upstream = %upstream.name, tries, "asking again");
        before = Some(error);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        request = next.into_request();
    }
}

fn refused_here(error: &Error) -> bool {
    error.is_unsent() && matches!(error.kind(), Kind::CircuitOpen | Kind::Overloaded)
}
