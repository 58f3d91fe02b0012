//! How many calls an upstream can take at once.
//!
//! Growth follows latency, as in a gradient limit: the limit grows while it is used, as far as answers stay within twice
//! the time that is normal. Trouble (failures that took long, or answers that are slow while the limit is full) says
//! that something is wrong. It does not say that fewer calls would help: a backend that became slower with room to
//! spare only loses from a lower limit. So trouble begins a trial, and good answers per second decide it: half of the
//! seats, and if as many answers come as before, the other half only held a queue. If fewer come, the limit goes back,
//! and what it takes now is normal.
//!
//! Nothing is refused on suspicion: before anything is known there are `initial` seats.
//!
//! What was looked at: Netflix concurrency-limits. Its Vegas follows the single fastest answer (issue 37: a lucky one
//! makes the limit drop hard); its Gradient2 takes a moving mean for the normal, so that a lasting queue becomes normal
//! (issue 137). Both sink to the floor when a backend is slower without a queue. Here the normal is the lowest mean of a
//! round; only a trial that failed lets it rise.

use std::time::Duration;

use super::round::{Round, Seen};
use super::{BulkheadSettings, MOST_SEATS};
use crate::clock::Instant;
use crate::resilience::End;

/// Slow is above this many times the normal (Netflix's first gradient).
const TOLERANCE: f64 = 2.0;
/// Growth in one round at most: from 10 to 1000 in two seconds.
const GROWTH: f64 = 1.25;
/// On 429 (Netflix's AIMD: 0.9 per window; TCP: 0.5; CUBIC, RFC 9438: 0.7).
const BACK_OFF: f64 = 0.7;
/// A trial takes half of the seats away, or gives half as many on top.
const DOWN: f64 = 0.5;
const UP: f64 = 1.5;
/// Fewer seats were enough if this share of the good answers still comes; between 1 and [`DOWN`].
const KEPT: f64 = 0.75;
/// More seats were worth it if so many times the good answers come; between 1 and [`UP`].
const GAINED: f64 = 1.25;
/// The limit is full when this share of it is under way. Below half of it, it does not grow.
const FULL: f64 = 0.8;
/// After a trial that failed nothing is tried for so long; it doubles each time up to the longest.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(4);
/// Or until good answers per second are fewer by this factor than when it was found out.
const MOVED: f64 = 2.0;
/// Answers that take this share of the time that they may take will soon take more than that.
const NEARLY_LATE: f64 = 0.5;

/// The limit on what is under way to one upstream; learns from every call that ends.
#[derive(Debug)]
pub struct Limiter {
    floor: f64,
    cap: f64,
    limit: f64,
    /// Seconds that an answer may take.
    timeout: f64,
    /// Mean seconds of an answer while the upstream is well; `None` before anything is known.
    normal: Option<f64>,
    /// What was under way when it was last well.
    well: f64,
    round: Option<Round>,
    /// The round before was one of trouble. One alone may be bad luck, and half of it is from before the trouble.
    troubled: bool,
    trial: Option<Trial>,
    /// Whether the next trial goes upwards: the last one downwards failed.
    upwards: bool,
    rest: Duration,
    resting: Option<Rest>,
    changed: Option<Instant>,
}

/// Another limit is being tried.
#[derive(Clone, Copy, Debug)]
struct Trial {
    from: f64,
    /// What was seen under that one.
    before: Seen,
    /// It was looked at once, when what had been sent before was still in the way.
    is_second_look: bool,
}

/// The limit stays, because the last trial failed.
#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Instant,
    /// Good answers per second under the limit that stayed.
    goodput: f64,
}

impl Rest {
    /// What was found is no longer true when answers per second have moved far from what they were.
    fn is_over(self, seen: Seen, now: Instant) -> bool {
        now >= self.until || seen.goodput * MOVED < self.goodput
    }
}

impl Limiter {
    /// A limiter at `initial`, for calls that may take `timeout`. Settings that contradict one another are bent, the floor
    /// first.
    #[must_use]
    pub fn new(settings: &BulkheadSettings, timeout: Duration) -> Self {
        let floor = settings.floor.clamp(1, MOST_SEATS);
        let cap = settings.cap.clamp(floor, MOST_SEATS);
        let limit = settings.initial.clamp(floor, cap);
        Self {
            floor: floor as f64,
            cap: cap as f64,
            limit: limit as f64,
            timeout: timeout.as_secs_f64(),
            normal: None,
            well: floor as f64,
            round: None,
            troubled: false,
            trial: None,
            upwards: false,
            rest: REST,
            resting: None,
            changed: None,
        }
    }

    /// The limit at present.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Notes a call that ended while `in_flight` (with it) were under way; gives the limit from now on. `took` is the
    /// upstream's own time; `None` where nobody can tell it from the time of this process.
    pub fn sample(&mut self, end: End, took: Option<Duration>, in_flight: usize, now: Instant) -> usize {
        let round = self.round.get_or_insert_with(|| Round::watch(now));
        // A call that was sent under another limit says how it was under that.
        let is_of_this_limit =
            self.changed.is_none_or(|changed| took.unwrap_or_default() <= now.saturating_duration_since(changed));
        round.add(end, took, self.normal, is_of_this_limit, in_flight, now);
        if round.is_over(now) {
            let seen = round.seen(now);
            let call = round.time_of_a_call();
            let before = self.limit;
            self.decide(seen, now);
            let has_changed = self.limit != before;
            if has_changed {
                self.changed = Some(now);
            }
            // What a change leads to shows after the time of one call; what fewer lead to, when the queue that many left is gone.
            self.round = Some(match self.trial {
                Some(_) => Round::compare(if has_changed { now + call.max(seen.time_to_drain()) } else { now }, call),
                None => Round::watch(if has_changed { now + call } else { now }),
            });
        }
        self.limit()
    }

    fn decide(&mut self, seen: Seen, now: Instant) {
        if seen.is_refusing {
            // It says so itself; nothing has to be found out.
            self.trial = None;
            self.set(seen.in_flight.min(self.limit) * BACK_OFF);
            return;
        }
        if let Some(trial) = self.trial.take()
            && !self.passes(trial, seen, now)
        {
            return;
        }
        let is_full = seen.in_flight >= FULL * self.limit;
        let is_slow = self.room(seen) < 1.0;
        let is_piling_up = seen.in_flight > 2.0 * self.well;
        let is_nearly_late = seen.mean.is_some_and(|mean| mean >= NEARLY_LATE * self.timeout);
        if seen.is_failing || is_slow && (is_full || is_nearly_late) {
            let may_help = is_full || is_piling_up;
            if std::mem::replace(&mut self.troubled, true)
                && may_help
                && self.resting.is_none_or(|rest| rest.is_over(seen, now))
            {
                self.try_other(seen);
            }
            return;
        }
        (self.troubled, self.upwards) = (false, false);
        if let Some(mean) = seen.mean {
            self.normal = Some(self.normal.map_or(mean, |normal| normal.min(mean)));
        }
        // Little's law: so many at once gave these answers, whoever else is under way by now.
        if !is_slow {
            let served = seen.mean.map_or(seen.in_flight, |mean| seen.goodput * mean);
            self.well = served.max(0.9 * self.well).max(self.floor);
        }
        if seen.in_flight * 2.0 >= self.limit {
            self.set(self.limit * self.room(seen).clamp(1.0, GROWTH));
        }
    }

    /// Whether what was tried is as good as what was before; if not, it goes back.
    fn passes(&mut self, trial: Trial, seen: Seen, now: Instant) -> bool {
        let Trial { from, before, is_second_look } = trial;
        let was_up = self.limit > from;
        let is_faster = seen.mean.zip(before.mean).is_some_and(|(mean, before)| mean <= KEPT * before);
        let passes = if was_up {
            seen.goodput > 0.0 && seen.goodput >= GAINED * before.goodput
        } else {
            is_faster || seen.goodput >= KEPT * before.goodput
        };
        if passes {
            // Fewer made an end of the failures. How many that need not be so few is found from here.
            self.upwards |= !was_up && before.is_failing && !seen.is_failing;
            return true;
        }
        if !was_up && !is_second_look {
            self.trial = Some(Trial { is_second_look: true, ..trial });
            return false;
        }
        // With fewer it failed as well: that they were too few is not what was seen.
        self.set(if was_up || !seen.is_failing { from } else { from.min(self.limit / DOWN) });
        if self.resting.is_some_and(|rest| now > rest.until + LONGEST_REST) {
            self.rest = REST;
        }
        self.upwards = !was_up;
        if !was_up && !seen.is_failing {
            // Those seats were in use: what an answer takes is its own time and not that of a queue.
            self.normal = seen.mean.or(self.normal);
        }
        self.resting = Some(Rest { until: now + self.rest, goodput: before.goodput });
        self.rest = (self.rest * 2).min(LONGEST_REST);
        false
    }

    fn try_other(&mut self, seen: Seen) {
        // A limit from better days is no place to go back to.
        let from = self.limit.min((2.0 * seen.in_flight).max(self.floor));
        if self.upwards {
            self.set(from * UP);
        } else {
            // Straight to twice what it was well with; from there by halves.
            let used = seen.in_flight.min(from);
            self.set(if used * DOWN > 2.0 * self.well { 2.0 * self.well } else { used * DOWN });
        }
        if self.limit() == from as usize {
            // At the floor so few are under way that no queue of ours can be what takes long.
            if !self.upwards {
                self.normal = seen.mean.or(self.normal);
            }
            self.upwards = !self.upwards;
        } else {
            self.trial = Some(Trial { from, before: seen, is_second_look: false });
        }
    }

    /// How many times slower it could be before it is slow.
    fn room(&self, seen: Seen) -> f64 {
        match (seen.mean, self.normal) {
            (Some(mean), Some(normal)) if mean > 0.0 => TOLERANCE * normal / mean,
            _ => GROWTH,
        }
    }

    /// Begins again with what it was last well with, after an outage.
    pub(super) fn restart(&mut self) {
        self.set(2.0 * self.well);
        (self.round, self.trial, self.troubled, self.upwards) = (None, None, false, false);
        (self.rest, self.resting) = (REST, None);
    }

    fn set(&mut self, limit: f64) {
        self.limit = limit.clamp(self.floor, self.cap);
    }
}
