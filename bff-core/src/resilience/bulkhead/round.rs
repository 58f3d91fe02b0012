//! What is seen of an upstream between two decisions.

use std::time::Duration;

use crate::clock::Instant;
use crate::resilience::End;

/// A round is at least this long (Netflix `WindowedLimit`: at least 100 ms) and has at least so many samples (10 there).
const ROUND: Duration = Duration::from_millis(100);
const SAMPLES: u32 = 10;
/// A trial is judged on more, because two numbers with an error each are compared (60: one eighth each).
const TRIAL_SAMPLES: u32 = 60;
/// A trial looks for the time of two calls, because calls that were sent together also end together; not for longer than this.
const LONGEST: Duration = Duration::from_secs(1);
/// A queue is given so long to drain, at most.
const DRAINED: Duration = Duration::from_secs(2);
/// One answer counts at most this many times the normal, so that one in a hundred that hangs does not make a round slow.
const CLIP: f64 = 10.0;
/// A failure that took this many times the normal is one of time; a faster one is the breaker's business.
const LATE: f64 = 3.0;
/// The same before the normal is known, in seconds.
const LATE_UNKNOWN: f64 = 0.1;
/// From this share on, refusals and late failures are a reason to shrink; below they are somebody's bad luck.
const SHARE: f64 = 0.1;
/// A time limit may be tighter than [`LATE`]. From this share on, failures that took as long as a good answer are no luck.
const MOST: f64 = 0.5;

/// The samples of one round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// May lie ahead: what ends before it still says how it was under another limit.
    since: Instant,
    length: Duration,
    samples: u32,
    good: u32,
    /// Failures that took long.
    late: u32,
    /// Failures that took as long as a good answer, but not long.
    lingering: u32,
    /// 429.
    refused: u32,
    /// Good ones whose time is known, and the sum of it, each at most [`CLIP`] times the normal.
    timed: u32,
    seconds: f64,
    bad_seconds: f64,
    in_flight: f64,
}

/// What a round says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Good answers per second.
    pub(super) goodput: f64,
    /// The mean seconds of good answers, where they are known.
    pub(super) mean: Option<f64>,
    /// Failures of time are more than bad luck.
    pub(super) is_failing: bool,
    /// It asks for fewer calls.
    pub(super) is_refusing: bool,
    /// The mean of what was under way.
    pub(super) in_flight: f64,
}

impl Seen {
    /// How long what is under way takes to be answered, one after the other: a queue that callers have given up is worked on
    /// all the same, and until then nobody is answered any sooner.
    pub(super) fn time_to_drain(self) -> Duration {
        Duration::try_from_secs_f64(self.in_flight / self.goodput).unwrap_or(DRAINED).min(DRAINED)
    }
}

impl Round {
    /// One that looks out for trouble.
    pub(super) fn watch(since: Instant) -> Self {
        Self::new(since, ROUND, SAMPLES)
    }

    /// One that can be compared with another.
    pub(super) fn compare(since: Instant, time_of_a_call: Duration) -> Self {
        Self::new(since, (time_of_a_call * 2).clamp(ROUND, LONGEST), TRIAL_SAMPLES)
    }

    fn new(since: Instant, length: Duration, samples: u32) -> Self {
        let (good, late, lingering, refused, timed) = (0, 0, 0, 0, 0);
        let (seconds, bad_seconds, in_flight) = (0.0, 0.0, 0.0);
        Self { since, length, samples, good, late, lingering, refused, timed, seconds, bad_seconds, in_flight }
    }

    pub(super) fn add(
        &mut self,
        end: End,
        took: Option<Duration>,
        normal: Option<f64>,
        is_of_this_limit: bool,
        in_flight: usize,
        now: Instant,
    ) {
        if now < self.since {
            return;
        }
        let seconds = took.map(|took| took.as_secs_f64());
        match end {
            End::Good => {
                self.good += 1;
                if let Some(seconds) = seconds {
                    self.timed += 1;
                    self.seconds += normal.map_or(seconds, |normal| seconds.min(CLIP * normal));
                }
            }
            End::Overloaded if is_of_this_limit => self.refused += 1,
            End::Bad
                if is_of_this_limit && seconds.is_some_and(|seconds| seconds >= normal.unwrap_or(LATE_UNKNOWN)) =>
            {
                let is_late = normal.is_none_or(|normal| seconds >= Some(LATE * normal));
                *(if is_late { &mut self.late } else { &mut self.lingering }) += 1;
                self.bad_seconds += seconds.unwrap_or_default();
            }
            End::Bad | End::Refused | End::Unreadable(_) | End::Overloaded | End::Nothing => return,
        }
        self.in_flight += in_flight as f64;
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        let time = now.saturating_duration_since(self.since);
        // Without any good answer there is nothing to compare.
        let samples = if self.good == 0 || time >= LONGEST { SAMPLES } else { self.samples };
        self.count() >= samples && time >= self.length
    }

    pub(super) fn seen(&self, now: Instant) -> Seen {
        let time = now.saturating_duration_since(self.since).max(ROUND);
        Seen {
            goodput: f64::from(self.good) / time.as_secs_f64(),
            mean: (self.timed > 0).then(|| self.seconds / f64::from(self.timed)),
            is_failing: self.share(self.late) >= SHARE || self.share(self.late + self.lingering) >= MOST,
            is_refusing: self.share(self.refused) >= SHARE,
            in_flight: self.in_flight / f64::from(self.count().max(1)),
        }
    }

    /// How long a call takes; a change needs as long to show.
    pub(super) fn time_of_a_call(&self) -> Duration {
        let calls = f64::from((self.timed + self.late + self.lingering).max(1));
        Duration::try_from_secs_f64((self.seconds + self.bad_seconds) / calls).unwrap_or(LONGEST).min(LONGEST)
    }

    fn count(&self) -> u32 {
        self.good + self.late + self.lingering + self.refused
    }

    fn share(&self, part: u32) -> f64 {
        f64::from(part) / f64::from(self.count().max(1))
    }
}
