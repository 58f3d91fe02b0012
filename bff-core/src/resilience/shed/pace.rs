//! How many requests are worked on at once.
//!
//! While there are more requests than places, the limit climbs: twice as many are let in for a moment, or half as many, and
//! what gets done by it decides. Where the CPU is full, more at once only wait there, and few at once are done sooner than
//! many (their memory is still in the cache). While the CPU is not full, more are let in without a trial: pages that wait
//! for upstreams cost nothing, however many they are, and those must not keep others out; the same goes for places that nobody
//! gives back. Ready work that runs late is a reason to try fewer although nobody waits, as in WeChat's DAGOR ("Overload
//! Control for Scaling WeChat Microservices", SoCC 2018); what gets done decides there too.

use std::time::Duration;

use super::ShedSettings;
use crate::clock::Instant;
use crate::lateness::Pulse;

/// The limit before anything is known. A server that has just started has no connections yet, and often a crowd in front.
pub(super) const INITIAL: usize = 128;
/// It is never less. Sixteen keep a CPU busy whose backends are near.
pub(super) const FLOOR: usize = 16;
/// Below this share of its time the CPU is not full.
const BUSY: f64 = 0.8;
/// What is measured is a mean over about so many measurements. Lateness: one hiccup of the machine is no load. Business: a
/// crowd is noticed before many more are let in.
const LATE_OVER: f64 = 10.0;
const BUSY_OVER: f64 = 4.0;
/// Twice as many at once have to bring so many times as much, and half as many this share of it.
const GAINED: f64 = 1.2;
const KEPT: f64 = 0.95;
/// Finished requests are counted for at least so long, and until each place has been used once.
const LOOK: Duration = Duration::from_millis(100);
/// Places of which not a quarter is given back within this time are held by requests that wait, most likely for an upstream: a
/// CPU that is full gets more done.
const HELD: Duration = Duration::from_millis(250);
/// How long a limit stays when another one was no better; doubles up to the longest.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(16);

/// How it is at the door.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) limit: usize,
    /// There are more requests than places.
    pub(super) is_full: bool,
    /// Requests that were finished since the start.
    pub(super) finished: u64,
}

/// What the limit brings.
#[derive(Debug)]
pub(super) struct Pace {
    /// How late ready work runs, in seconds, and which share of its time the CPU is at work.
    late: f64,
    busy: f64,
    /// When the present look began, and how many requests had been finished by then.
    look: Option<(Instant, u64)>,
    /// Each place has been used once since the limit was last changed.
    is_settled: bool,
    /// The limit before another one was tried, and what it brought in a second.
    before: Option<(usize, f64)>,
    /// The next one to be tried is half of it and not twice.
    is_downwards: bool,
    /// How many other limits in a row were no better.
    turns: u32,
    rests_until: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        // Nothing is let in on trust.
        let busy = 1.0;
        Self {
            late: 0.0,
            busy,
            look: None,
            is_settled: false,
            before: None,
            is_downwards: false,
            turns: 0,
            rests_until: None,
        }
    }
}

impl Pace {
    /// How late ready work runs, in seconds.
    pub(super) fn late(&self) -> f64 {
        self.late
    }

    /// The limit from now on.
    pub(super) fn next(&mut self, seen: Seen, pulse: Pulse, settings: &ShedSettings, now: Instant) -> usize {
        self.late += (pulse.late.as_secs_f64() - self.late) / LATE_OVER;
        self.busy += (pulse.busy - self.busy) / BUSY_OVER;
        let is_late = self.late > settings.lateness.as_secs_f64();
        if !seen.is_full && !is_late {
            // Everybody finds a place, in time: the limit is in nobody's way.
            self.begin();
            return seen.limit;
        }
        let (since, _) = *self.look.get_or_insert((now, seen.finished));
        let next = if seen.is_full && self.busy < BUSY {
            let is_time = now.saturating_duration_since(since) >= LOOK / 2;
            if is_time {
                self.begin();
            }
            seen.limit << u32::from(is_time)
        } else {
            self.is_downwards |= is_late && !seen.is_full;
            self.climb(seen, now)
        };
        next.clamp(FLOOR.min(settings.in_flight), settings.in_flight)
    }

    /// From here on it is looked anew.
    fn begin(&mut self) {
        (self.look, self.is_settled, self.before) = (None, false, None);
    }

    #[allow(clippy::cast_precision_loss, reason = "a number of requests in a moment, which is small")]
    fn climb(&mut self, Seen { limit, finished, .. }: Seen, now: Instant) -> usize {
        let (since, before) = *self.look.get_or_insert((now, finished));
        let time = now.saturating_duration_since(since);
        let done = finished.saturating_sub(before);
        if time >= HELD && done < limit as u64 / 4 {
            self.begin();
            return limit * 2;
        }
        if time < LOOK || done < limit as u64 {
            return limit;
        }
        self.look = Some((now, finished));
        if !std::mem::replace(&mut self.is_settled, true) {
            return limit;
        }
        let rate = done as f64 / time.as_secs_f64();
        if let Some((from, known)) = self.before.take() {
            if rate < known * if limit > from { GAINED } else { KEPT } {
                self.turn(now);
                return from;
            }
            self.turns = 0;
        } else if self.rests_until.is_some_and(|until| now < until) {
            return limit;
        }
        if self.is_downwards && limit <= FLOOR {
            self.turn(now);
            return limit;
        }
        (self.before, self.is_settled) = (Some((limit, rate)), false);
        if self.is_downwards { limit / 2 } else { limit * 2 }
    }

    /// This direction leads nowhere. The other one is tried; at once if it may lead somewhere, else after a rest.
    fn turn(&mut self, now: Instant) {
        self.is_downwards = !self.is_downwards;
        self.turns = self.turns.saturating_add(1);
        let rest = REST.saturating_mul(2_u32.saturating_pow(self.turns.saturating_sub(2))).min(LONGEST_REST);
        self.rests_until = (self.turns > 1).then(|| now + rest);
        self.is_settled = false;
    }
}
