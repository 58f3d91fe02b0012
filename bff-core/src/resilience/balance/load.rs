//! How long a host takes, with the weight on the latest and the worst: Finagle's peak EWMA.

use std::time::Duration;

use crate::clock::Instant;

/// What a failure counts as at most, in seconds, if it did not itself take longer; also what it counts as where nothing
/// better is known of the host. About the longest that a call of this framework takes: worse than a failure is nothing.
const FAILURE: f64 = 1.0;

/// By how much a failure raises a host's cost.
///
/// A host that fails fast must not look fast. But a fixed second would, at 5 ms a call, take a host out of use for ten
/// seconds after one failure among thousands. Doubling shifts calls away a little after one failure, and altogether
/// after several.
const FAILURE_FACTOR: f64 = 2.0;

/// The cost, in seconds, of a host that has a call in flight and has not answered any lately: more than any latency.
const UNANSWERED: f64 = 1e9;

/// Below this latency, in seconds, hosts are equally fast, and what is in flight decides.
const LEAST: f64 = 1e-6;

/// A moving average of a host's latency that jumps up at once and comes down slowly.
///
/// What is older than the decay time is not known any more. So a host that looked bad gets one call per decay time
/// (not none until its figure, which nobody corrects, has faded below that of the others: 53 s from 1 s to 5 ms),
/// and one that is new gets one call until that has been answered. Finagle does the same for new hosts; a first guess
/// instead (tower, linkerd) is either low, and everybody runs to the new host while it warms up, or high, and
/// nobody comes.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// Seconds.
    ewma: f64,
    /// When it was last corrected; `None` where nothing is known.
    seen: Option<Instant>,
    /// A call has told how long the host takes, not only that it takes longer than somebody would wait.
    answered: bool,
}

impl Load {
    /// A call was answered.
    pub(super) fn answered(&mut self, took: Duration, now: Instant, decay: Duration) {
        self.observe(took.as_secs_f64(), now, decay);
        self.answered = true;
    }

    /// A call failed.
    pub(super) fn failed(&mut self, took: Duration, now: Instant, decay: Duration) {
        let known = self.answered && self.age(now, decay).is_some();
        let penalty = if known { (self.ewma * FAILURE_FACTOR).min(FAILURE) } else { FAILURE };
        self.observe(took.as_secs_f64().max(penalty), now, decay);
        self.answered = true;
    }

    /// A call was cut: the host takes at least this long. Where that is less than what is known, it says nothing.
    pub(super) fn cut(&mut self, took: Duration, now: Instant, decay: Duration) {
        let took = took.as_secs_f64();
        if self.age(now, decay).is_none() {
            self.answered = false;
        } else if took <= self.ewma {
            return;
        }
        self.observe(took, now, decay);
    }

    /// Nothing is known of the host any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// What one more call would cost: the latency to expect, for each that would be in flight.
    pub(super) fn cost(&self, in_flight: u32, now: Instant, decay: Duration) -> f64 {
        let known = self.age(now, decay).is_some();
        if in_flight > 0 && !(known && self.answered) {
            return UNANSWERED + f64::from(in_flight);
        }
        let latency = if known { self.ewma.max(LEAST) } else { LEAST };
        latency * (f64::from(in_flight) + 1.0)
    }

    /// The latest figure, in milliseconds, however old.
    pub(super) fn milliseconds(&self) -> Option<f64> {
        self.seen.map(|_| self.ewma * 1e3)
    }

    fn observe(&mut self, took: f64, now: Instant, decay: Duration) {
        self.ewma = match self.age(now, decay) {
            Some(age) if took < self.ewma => {
                let kept = (-age.as_secs_f64() / decay.as_secs_f64()).exp();
                self.ewma * kept + took * (1.0 - kept)
            }
            _ => took,
        };
        self.seen = Some(now);
    }

    /// How old the figure is; `None` where it is too old to count.
    fn age(&self, now: Instant, decay: Duration) -> Option<Duration> {
        self.seen.map(|seen| now.saturating_duration_since(seen)).filter(|age| *age <= decay)
    }
}
