//! When a host is left alone: because calls to it fail (passive), or because it says that it is not well (active).

use std::time::Duration;

use serde::Serialize;

use super::{EjectSettings, ProbeSettings};
use crate::clock::Instant;

/// Whether a host is ejected, and how it got there.
#[derive(Debug, Default)]
pub(super) struct Ejection {
    /// Failures since the last success.
    in_a_row: u32,
    /// The end of the last pause, also when that is over.
    until: Option<Instant>,
    /// What the next pause is multiplied with; falls while the host stays.
    times: u32,
    /// All ejections ever.
    total: u64,
    /// It has come back, and has not answered well since: one failure ejects it again.
    trial: bool,
}

/// What active probes say of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// Nothing yet, or they are not made. It gets calls.
    #[default]
    Unknown,
    /// It is well.
    Up,
    /// It is not, and gets no calls as long as another host is healthy.
    Down,
}

/// The probes of one host.
#[derive(Debug, Default)]
pub(super) struct Probing {
    state: Probe,
    /// How the last one ended, and how many before it ended the same way.
    last: bool,
    in_a_row: u32,
}

impl Ejection {
    /// Whether the host is ejected at this moment.
    pub(super) fn is_on(&self, now: Instant) -> bool {
        self.left(now).is_some()
    }

    /// Whether the host has not answered well since it was ejected.
    pub(super) fn is_on_trial(&self) -> bool {
        self.trial
    }

    /// What is left of the pause.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        self.until.and_then(|until| until.checked_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// All ejections ever.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Whether a call that began then tells of the host as it is now, not as it was before its pause was over.
    pub(super) fn concerns(&self, begun: Instant) -> bool {
        self.until.is_none_or(|until| until <= begun)
    }

    /// A call ended well.
    pub(super) fn good(&mut self) {
        self.in_a_row = 0;
        self.trial = false;
    }

    /// A call failed; says whether the host should be ejected for it.
    pub(super) fn bad(&mut self, settings: &EjectSettings) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.trial || self.in_a_row >= settings.in_a_row
    }

    /// Ejects the host; says for how long.
    ///
    /// The pause is up to a tenth longer or shorter, lest all who call the host come back to it together.
    pub(super) fn eject(&mut self, settings: &EjectSettings, now: Instant, random: u64) -> Duration {
        let stayed = self.until.map_or(Duration::ZERO, |until| now.saturating_duration_since(until));
        let forgiven = stayed.as_nanos() / settings.pause.as_nanos().max(1);
        self.times = self.times.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX)).saturating_add(1);
        let jitter = 0.9 + 0.2 * (random as f64 / u64::MAX as f64);
        let pause = settings.pause.saturating_mul(self.times).min(settings.pause_at_most);
        let pause = pause.mul_f64(jitter).min(settings.pause_at_most);
        self.until = Some(now + pause);
        self.in_a_row = 0;
        self.total += 1;
        self.trial = true;
        pause
    }

    /// Ends the pause early.
    pub(super) fn end(&mut self, now: Instant) {
        if self.is_on(now) {
            self.until = Some(now);
        }
    }
}

impl Probing {
    /// What the probes say at present.
    pub(super) fn state(&self) -> Probe {
        self.state
    }

    /// A probe has ended; what it and those before it say, if they are enough to say anything.
    pub(super) fn saw(&mut self, ok: bool, settings: &ProbeSettings) -> Option<Probe> {
        self.in_a_row = if ok == self.last { self.in_a_row.saturating_add(1) } else { 1 };
        self.last = ok;
        let (needed, state) = if ok { (settings.successes, Probe::Up) } else { (settings.failures, Probe::Down) };
        if self.in_a_row < needed {
            return None;
        }
        self.state = state;
        Some(state)
    }

    /// What was seen so far does not count for what comes next: the host was up, and calls to it failed all the same.
    pub(super) fn start_again(&mut self) {
        self.in_a_row = 0;
    }
}
