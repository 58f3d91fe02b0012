//! How many calls an upstream can take at once.
//!
//! Latency says *that* something is wrong: it is above twice the normal. It does not say that fewer calls would help:
//! a backend ten times slower with room to spare only loses from a lower limit. So latency opens a trial, half the
//! seats, and goodput decides: if as many good answers come as before, those seats only held a queue, and the next
//! trial begins; if fewer come, the limit goes back and rests, and the next trial goes upwards.
//!
//! What was looked at: Netflix concurrency-limits. Its Vegas follows the single fastest answer (issue 37: a lucky one
//! makes the limit drop hard); its Gradient2 takes a moving mean for the normal, so that what lasts becomes normal and
//! the limit grows (issue 137: steady timeouts); by their formulas both sink to the floor when a backend is slower
//! without a queue.
//! Taken from it: the tolerance of 2, no growth while less than half of the limit is used, one decision per window.

use std::time::Duration;

use super::baseline::Baseline;
use super::round::{Round, Seen};
use super::{BulkheadSettings, MOST_SEATS};
use crate::clock::Instant;
use crate::resilience::End;

/// Slow is above this many times the normal (Netflix's first gradient: 2.0; its second: 1.5).
const TOLERANCE: f64 = 2.0;
/// Growth per healthy round: from 10 to 1000 in 21 rounds, two seconds.
const GROWTH: f64 = 1.25;
/// On 429 (Netflix's AIMD: 0.9 per window; TCP: 0.5; CUBIC, RFC 9438: 0.7).
const BACK_OFF: f64 = 0.7;
/// A trial takes half the seats away, or gives half as many on top.
const DOWN: f64 = 0.5;
const UP: f64 = 1.5;
/// Fewer seats were enough if goodput is at least this: between 1 (they held a queue) and [`DOWN`] (they were used).
const KEPT: f64 = 0.75;
/// More seats were worth it: between 1 and [`UP`].
const GAINED: f64 = 1.25;
/// Answers under more seats are as fast as before up to this: between 1 (they were used) and [`UP`] (they held a queue).
const AS_FAST: f64 = 1.2;
/// Goodput that moved further than this from what it was says that a trial's result is no longer true.
const MOVED: f64 = 1.5;
/// How long a result is trusted. Before seats are taken away again it doubles each time, because that costs answers if
/// they were used; a try with more seats only costs time.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(16);
/// A limit that is in the way for so long although the upstream is well, or that has run into trouble so often without
/// ever being out of the way, holds a standing queue, which would creep into the normal. A trial looks for its end.
const SUSPICIOUS: Duration = Duration::from_secs(10);
const RELAPSES: u32 = 5;
/// One step down in so long is taken on trust; trouble that comes and goes must not go down by steps nobody checks.
const TRUST: Duration = Duration::from_secs(10);

/// The limit on what is under way to one upstream; learns from every call that ends.
#[derive(Debug)]
pub struct Limiter {
    floor: f64,
    cap: f64,
    limit: f64,
    baseline: Baseline,
    round: Option<Round>,
    phase: Phase,
    rest: Duration,
    /// Since when the limit has been in the way of a healthy upstream.
    bound_since: Option<Instant>,
    /// When a step down was last taken on trust.
    trusted: Option<Instant>,
    /// Troubles since the limit was last out of the way.
    relapses: u32,
    /// The last change other than growth.
    changed: Option<Instant>,
    /// The last growth.
    grown: Option<Instant>,
    /// What was under way when the upstream was last seen well.
    well_with: f64,
    /// A latency above the normal of which trials have shown that it is no queue; until it is below again.
    accepted: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Grows while it is used and the upstream is well.
    Free,
    /// Tries another limit than `from`, under which `seen` was seen.
    Trial { up: bool, from: f64, seen: Seen, because: Cause },
    /// `seen` is the best there is; asks again at `until`, upwards or downwards.
    Rest { until: Instant, seen: Seen, up: bool, because: Cause },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Slow, or failing late.
    Trouble,
    /// In the way for [`SUSPICIOUS`], or [`RELAPSES`].
    Suspicion,
}

impl Limiter {
    /// A limiter at `initial`. Settings that contradict one another are bent, the floor first.
    #[must_use]
    pub fn new(settings: &BulkheadSettings) -> Self {
        let floor = settings.floor.clamp(1, MOST_SEATS);
        let cap = settings.cap.clamp(floor, MOST_SEATS);
        let limit = settings.initial.clamp(floor, cap);
        Self {
            floor: floor as f64,
            cap: cap as f64,
            limit: limit as f64,
            baseline: Baseline::new(),
            round: None,
            phase: Phase::Free,
            rest: REST,
            bound_since: None,
            trusted: None,
            relapses: 0,
            changed: None,
            grown: None,
            well_with: floor as f64,
            accepted: None,
        }
    }

    /// The limit at present.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Notes a call that ended after `took`, while `in_flight` (with it) were under way; gives the limit from now on.
    pub fn sample(&mut self, end: End, took: Duration, in_flight: usize, now: Instant) -> usize {
        let seconds = took.as_secs_f64();
        let normal = self.baseline.normal();
        if end == End::Good {
            self.baseline.record(Round::clip(seconds, normal), now);
        }
        let sent_before = self.changed.is_some_and(|changed| took > now.saturating_duration_since(changed));
        let round = self.round.get_or_insert_with(|| Round::watch(now));
        if !round.has_begun(now) {
            return self.limit();
        }
        round.add(end, seconds, normal, sent_before, in_flight);
        if round.is_over(now) {
            let (seen, call) = (round.seen(now), round.time_of_a_call());
            self.decide(seen, now);
            let since = if self.changed == Some(now) || self.grown == Some(now) { now + call } else { now };
            self.round = Some(match self.phase {
                Phase::Free => Round::watch(since),
                Phase::Trial { .. } | Phase::Rest { .. } => Round::compare(since, call),
            });
        }
        self.limit()
    }

    fn decide(&mut self, seen: Seen, now: Instant) {
        if seen.is_refusing {
            // It says so itself; nothing has to be found out.
            self.free();
            self.set(self.limit * BACK_OFF, now);
            return;
        }
        if self.room(seen, None) >= 1.0 {
            self.accepted = None;
        }
        let is_slow = self.room(seen, self.accepted) < 1.0;
        let in_trouble = is_slow || seen.is_failing;
        let is_unused = seen.in_flight * 2.0 < self.limit;
        // A limit from better days is in nobody's way, and too many can be under way all the same.
        let is_piling_up = in_trouble && seen.in_flight > 2.0 * self.well_with && matches!(self.phase, Phase::Free);
        if !in_trouble {
            self.well_with = seen.in_flight.max(self.floor);
        }
        if is_unused && is_piling_up {
            self.limit = (seen.in_flight * 2.0).clamp(self.floor, self.limit);
            self.first_step(seen, now);
            return;
        }
        if is_unused {
            self.unused(seen, now);
            return;
        }
        if in_trouble {
            self.bound_since = None;
        }
        match self.phase {
            Phase::Free if in_trouble && self.relapses >= RELAPSES => {
                self.try_other(false, seen, Cause::Suspicion, now);
            }
            Phase::Free if in_trouble => self.first_step(seen, now),
            Phase::Free => self.grow(seen, now),
            // Timeouts of calls sent before the trial do not count in it, so it can look well and yet have cost answers.
            Phase::Trial { up: false, from, seen: before, because: Cause::Trouble }
                if !in_trouble && seen.goodput < KEPT * before.goodput =>
            {
                self.set(from, now);
                self.free();
            }
            Phase::Trial { because: Cause::Trouble, .. } | Phase::Rest { because: Cause::Trouble, .. }
                if !in_trouble =>
            {
                self.free();
                self.grow(seen, now);
            }
            Phase::Trial { up, from, seen: before, because } => self.judge(up, from, (before, seen), because, now),
            Phase::Rest { because: Cause::Suspicion, .. } if in_trouble => {
                self.try_other(false, seen, Cause::Trouble, now);
            }
            Phase::Rest { seen: before, because, .. } if seen.is_elsewhere(before) => {
                // What broke in is a reason to look for less, what rose one to look for more.
                self.rest = REST;
                self.try_other(seen.goodput > before.goodput, seen, because, now);
            }
            Phase::Rest { until, up, because, .. } if now >= until => self.try_other(up, seen, because, now),
            Phase::Rest { .. } => {}
        }
    }

    /// How many times slower it could be before it is slow.
    fn room(&self, seen: Seen, accepted: Option<f64>) -> f64 {
        let normal = self.baseline.normal().map(|normal| accepted.map_or(normal, |accepted| accepted.max(normal)));
        // Where one of them is unknown, or both are nothing, there is room.
        let room = seen.clipped.zip(normal).map_or(GROWTH, |(mean, normal)| TOLERANCE * normal / mean);
        if room.is_nan() { GROWTH } else { room }
    }

    fn judge(&mut self, up: bool, from: f64, (before, after): (Seen, Seen), because: Cause, now: Instant) {
        let is_better = if up { after.is_worth_more_than(before) } else { after.goodput >= KEPT * before.goodput };
        if !is_better {
            self.set(from, now);
            self.rest(!up, before, because, now);
        } else if up && because == Cause::Suspicion {
            // There is room after all.
            (self.bound_since, self.relapses) = (None, 0);
            self.free();
        } else {
            self.rest = REST;
            self.try_other(up, after, because, now);
        }
    }

    /// Less than half of the limit is used: it does not grow, and nothing is learnt about it.
    fn unused(&mut self, seen: Seen, now: Instant) {
        match self.phase {
            Phase::Trial { up: false, from, .. } => self.set(from, now),
            // All that want to are under way, and they are still slow: so it was no queue.
            Phase::Trial { .. } | Phase::Rest { .. } if !seen.is_failing && self.room(seen, None) < 1.0 => {
                self.accepted = seen.clipped;
            }
            _ => {}
        }
        self.relapses = 0;
        self.bound_since = None;
        self.free();
    }

    /// The first step down: not compared with anything, because what was seen is half from before the trouble.
    fn first_step(&mut self, seen: Seen, now: Instant) {
        self.relapses = self.relapses.saturating_add(1);
        let is_trusted = self.trusted.is_none_or(|at| now.saturating_duration_since(at) >= TRUST);
        if is_trusted {
            self.trusted = Some(now);
            self.limit = (self.well_with * 2.0 / DOWN).clamp(self.floor, self.limit);
        }
        let goodput = if is_trusted { 0.0 } else { seen.goodput };
        self.try_other(false, Seen { goodput, ..seen }, Cause::Trouble, now);
    }

    /// Begins again at the floor. What is normal stays known.
    pub(super) fn restart(&mut self, now: Instant) {
        self.free();
        self.set(self.floor, now);
        (self.round, self.bound_since, self.relapses) = (None, None, 0);
    }

    fn free(&mut self) {
        self.phase = Phase::Free;
        self.rest = REST;
    }

    /// By what latency leaves up to the tolerance, so that the limit comes to rest there.
    fn grow(&mut self, seen: Seen, now: Instant) {
        if self.baseline.normal().is_none() {
            // What grew now might be a queue, and would pass for normal.
            return;
        }
        let bound_since = *self.bound_since.get_or_insert(now);
        if self.limit < self.cap && now.saturating_duration_since(bound_since) >= SUSPICIOUS {
            self.try_other(false, seen, Cause::Suspicion, now);
        } else {
            let limit = (self.limit * self.room(seen, self.accepted).clamp(1.0, GROWTH)).min(self.cap);
            // What it leads to shows after the time of one call; until then it would grow on what was before.
            self.grown = (limit > self.limit).then_some(now);
            self.limit = limit;
        }
    }

    fn try_other(&mut self, up: bool, seen: Seen, because: Cause, now: Instant) {
        let from = self.limit;
        self.set(from * if up { UP } else { DOWN }, now);
        if self.limit() == from as usize {
            // At the floor or the cap.
            self.rest(!up, seen, because, now);
        } else {
            self.phase = Phase::Trial { up, from, seen, because };
        }
    }

    fn rest(&mut self, up: bool, seen: Seen, because: Cause, now: Instant) {
        let until = now + if up { REST } else { self.rest };
        self.phase = Phase::Rest { until, seen, up, because };
        if !up {
            self.rest = (self.rest * 2).min(LONGEST_REST);
        }
    }

    fn set(&mut self, limit: f64, now: Instant) {
        self.limit = limit.clamp(self.floor, self.cap);
        self.changed = Some(now);
    }
}

impl Seen {
    /// With more seats: more good answers, or as fast ones, so that the seats held no queue. What is cut by a timeout
    /// is not slow, so with timeouts only the number counts.
    fn is_worth_more_than(self, before: Self) -> bool {
        let is_as_fast = self.mean.zip(before.mean).is_some_and(|(after, before)| after <= AS_FAST * before);
        self.goodput > 0.0 && (self.goodput >= GAINED * before.goodput || (is_as_fast && !self.is_failing))
    }

    fn is_elsewhere(self, before: Self) -> bool {
        self.goodput * MOVED < before.goodput || self.goodput > before.goodput * MOVED
    }
}
