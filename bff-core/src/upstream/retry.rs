//! Asks again where that may help, and never more often than the upstream can bear.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Request, Response};
use tower::Service;

use super::call::{Spare, call_of};
use super::stack::Upstream;
use crate::body::Body;
use crate::clock::{self, Instant};
use crate::error::{Error, Evidence, Kind, Result};

/// So often a request that met a connection at its end is sent again at once. Whoever meets more of them gives others time: to be seen
/// as closed, or to be served by a host that takes a few requests for each connection.
const AT_ONCE: u32 = 5;
/// The longest pause of one that was left out: the host is well, and the next connection takes the next few.
const LEFT_OUT: Duration = Duration::from_millis(16);
/// So often in a row a request that was turned away is sent again at once; an upstream that turns away more is one that is busy,
/// and has back-off and budget.
const TURNED_AWAY: u32 = 3;
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
    let mut tries = 0;
    let mut unseen = Unseen::default();
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
        if let Some(pause) = unseen.pause(&upstream, &error) {
            // No attempt, hence no matter of the budget; only the time of the call ends it.
            if is_too_late(deadline, clock::now() + pause) {
                return Err(error);
            }
            target.resent.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, upstream = %upstream.name, "never looked at, so sent again");
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            (request, before) = (next.into_request(), Some(error));
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
            pause(&upstream, tries, &error)
        };
        let now = clock::now();
        let too_late = is_too_late(deadline, now + pause);
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

/// What a call met so far that never looked at it.
#[derive(Default)]
struct Unseen {
    closed: u32,
    left_out: u32,
    turned_away: u32,
}

impl Unseen {
    /// After what pause it goes again without being an attempt; `None` where it does not.
    fn pause(&mut self, upstream: &Upstream, error: &Error) -> Option<Duration> {
        match error.evidence() {
            Evidence::Unsent => {
                (self.closed, self.turned_away) = (self.closed + 1, 0);
                let round = self.closed.checked_sub(AT_ONCE).filter(|round| *round > 0);
                Some(round.map_or(Duration::ZERO, |round| pause(upstream, round, error)))
            }
            Evidence::LeftOut => {
                (self.left_out, self.turned_away) = (self.left_out + 1, 0);
                let longest = if self.left_out > AT_ONCE { LEFT_OUT } else { Duration::ZERO };
                Some(longest.mul_f64(fastrand::f64()))
            }
            Evidence::TurnedAway => {
                self.turned_away += 1;
                (self.turned_away <= TURNED_AWAY).then_some(Duration::ZERO)
            }
            _ => None,
        }
    }
}

fn pause(upstream: &Upstream, tries: u32, error: &Error) -> Duration {
    upstream.settings.retry.pause(tries, error.retry_after(), fastrand::f64())
}

fn is_too_late(deadline: Option<Instant>, next: Instant) -> bool {
    deadline.is_some_and(|deadline| next + TOO_LITTLE >= deadline)
}

fn refused_here(error: &Error) -> bool {
    error.is_unsent() && matches!(error.kind(), Kind::CircuitOpen | Kind::Overloaded)
}
