//! The circuit breaker: an upstream that does not answer is left alone for a while.
//!
//! Callers of an upstream that is down get their answer at once (`circuit open`) and not after the attempt timeout,
//! and the upstream gets the quiet that it needs to come back.

mod machine;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod window;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::machine::{Machine, Ticket};
use super::End;
use crate::clock::{self, Instant};
use crate::settings::{Check, Mistakes};

/// No time of a breaker is longer: whoever waits a day for an upstream wants it removed, not guarded.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// A tenth of it is a slot, and the clock is not much finer than that.
const SHORTEST_WINDOW: Duration = Duration::from_millis(10);

/// `[upstreams.<name>.breaker]`: when an upstream counts as down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BreakerSettings {
    /// Whether there is a breaker; without one every call is let in. Default: yes.
    pub enabled: bool,
    /// How far back the failure rate looks. Default 10 s (Hystrix).
    #[serde(with = "humantime_serde")]
    pub window: Duration,
    /// How many calls the window must hold before its failure rate says anything. As many refused connections in a row open
    /// it whatever the window holds. Default 20 (Hystrix).
    pub min_calls: u32,
    /// Which share of the window's calls must be bad, above 0 and at most 1. Default 0.5 (Hystrix, resilience4j).
    pub failure_rate: f64,
    /// How many bad calls in a row open it: at once while the window holds fewer than `min_calls`; else when nothing good
    /// came for a second, or for as long as a slow call among them waited. Default 5 (Envoy's `consecutive_5xx`).
    pub in_a_row: u32,
    /// From when on a call is slow, which is as bad as a failure. Default: the attempt timeout.
    #[serde(with = "humantime_serde")]
    pub slow_after: Option<Duration>,
    /// How long it is open the first time; half as long again after each probe that fails, and moved by up to 20 % at
    /// random. A twentieth of it, each time, where connections are refused, which costs nothing. Default 1 s. (Hystrix and Finagle begin with 5 s, Envoy with 30 s. Three probes after a second cost nothing,
    /// and five seconds would sleep through all the good ones of a backend that flaps.)
    #[serde(with = "humantime_serde")]
    pub open_for: Duration,
    /// How long it is open at most, before the 20 %; an upstream's `Retry-After` is obeyed up to this. Default 60 s:
    /// the 300 s of Envoy and Finagle are meant for one host of many, this is the whole upstream.
    #[serde(with = "humantime_serde")]
    pub open_at_most: Duration,
    /// How many calls try at once whether the upstream is back. It opens again if one of them is slow, or if the share that
    /// fails is `failure_rate`, as in resilience4j. Default 3: the 1 of Hystrix believes one lucky call, the 10 of resilience4j are a load for one that is coming up.
    pub probes: u32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            window: Duration::from_secs(10),
            min_calls: 20,
            failure_rate: 0.5,
            in_a_row: 5,
            slow_after: None,
            open_for: Duration::from_secs(1),
            open_at_most: Duration::from_secs(60),
            probes: 3,
        }
    }
}

impl Check for BreakerSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.window < SHORTEST_WINDOW {
            mistakes.note("window", format!("{:?} holds no call", self.window), "give a time such as \"10s\"");
        }
        for (key, time) in [("open_for", self.open_for), ("open_at_most", self.open_at_most)] {
            if time.is_zero() {
                mistakes.note(key, "0 never keeps a call away", "give a time such as \"5s\", or enabled = false");
            }
        }
        if self.slow_after.is_some_and(|time| time.is_zero()) {
            mistakes.note("slow_after", "0 makes every call slow", "give a time, or leave it out");
        }
        for (key, time) in [("window", self.window), ("open_for", self.open_for), ("open_at_most", self.open_at_most)] {
            if time > LONGEST {
                mistakes.note(key, format!("{time:?} is more than a day"), "give a time such as \"10s\"");
            }
        }
        if self.open_at_most < self.open_for {
            let problem = format!("{:?} is less than open_for, {:?}", self.open_at_most, self.open_for);
            mistakes.note("open_at_most", problem, "make it at least open_for");
        }
        for (key, count) in [("min_calls", self.min_calls), ("in_a_row", self.in_a_row), ("probes", self.probes)] {
            if count == 0 {
                mistakes.note(key, "0 calls prove nothing", "give a number from 1 on");
            }
        }
        if self.in_a_row > self.min_calls {
            let problem = format!("{} is never reached: min_calls, {}, opens it first", self.in_a_row, self.min_calls);
            mistakes.note("in_a_row", problem, "make it at most min_calls");
        }
        if !(self.failure_rate > 0.0 && self.failure_rate <= 1.0) {
            let problem = format!("{} is no share of calls", self.failure_rate);
            mistakes.note("failure_rate", problem, "give a number above 0 and up to 1");
        }
    }
}

/// What a circuit does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// All are let in.
    Closed,
    /// None is.
    Open,
    /// A few are, to see whether the upstream is back.
    HalfOpen,
}

/// A breaker at one moment, for the management port.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BreakerView {
    /// What it does with calls.
    pub state: BreakerState,
    /// Calls in the window that were good or bad. They are counted while it is closed.
    pub calls: u32,
    /// Those of them that were bad.
    pub bad: u32,
    /// The bad ones since the last good one.
    pub in_a_row: u32,
    /// How often it has opened since the start of the process.
    pub opened: u64,
    /// After what time it is worth asking again; nothing where a call would be let in now.
    pub retry_after_seconds: Option<f64>,
}

/// The breaker of one upstream.
#[derive(Debug)]
pub struct Breaker {
    upstream: Box<str>,
    /// Who to call.
    owner: Box<str>,
    slow_after: Duration,
    /// The epoch of the machine, and in the lowest bit whether it is closed. So a call to a healthy upstream is let in
    /// without the lock.
    gate: AtomicU64,
    machine: Mutex<Machine>,
}

/// A call that was let in. Tell it how the call ended; if it is dropped instead, the call was cut by its caller: that
/// is bad if it ran as long as a slow one, and else says nothing.
#[derive(Debug)]
#[must_use = "dropped at once it says that the call was cut"]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    /// Taken when the end is told.
    ticket: Option<Ticket>,
}

/// A call that was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// After what time it is worth asking again.
    pub retry_after: Duration,
}

impl Breaker {
    /// A closed circuit. `upstream` is its name in the log, `slow_after` holds where the settings do not say from when
    /// on a call is slow: the attempt timeout.
    #[must_use]
    pub fn new(upstream: &str, settings: &BreakerSettings, slow_after: Duration) -> Self {
        let slow_after = settings.slow_after.unwrap_or(slow_after);
        let machine = Machine::new(settings, slow_after);
        Self {
            upstream: upstream.into(),
            owner: "".into(),
            slow_after,
            gate: AtomicU64::new(gate(&machine)),
            machine: Mutex::new(machine),
        }
    }

    /// The same, whose log names who to call.
    #[must_use]
    pub fn owned_by(self, owner: &str) -> Self {
        Self { owner: owner.into(), ..self }
    }

    /// Lets a call in.
    ///
    /// # Errors
    ///
    /// Refuses while the upstream counts as down, and while enough calls are finding out whether it still is.
    pub fn admit(&self, now: Instant) -> Result<Pass<'_>, Refused> {
        let ticket = match self.epoch_if_closed() {
            Some(epoch) => Ticket { epoch, since: now, slow_after: self.slow_after },
            None => self
                .drive(now, &String::new, |machine| machine.admit(now))
                .map_err(|retry_after| Refused { retry_after })?,
        };
        Ok(Pass { breaker: self, ticket: Some(ticket) })
    }

    /// Whether a call would be refused at this moment. The next one may find it otherwise.
    #[must_use]
    pub fn is_open(&self, now: Instant) -> bool {
        self.epoch_if_closed().is_none() && self.drive(now, &String::new, |machine| machine.refuses(now)).is_some()
    }

    /// What there is to see from outside.
    #[must_use]
    pub fn view(&self, now: Instant) -> BreakerView {
        self.drive(now, &String::new, |machine| machine.view(now))
    }

    fn epoch_if_closed(&self) -> Option<u64> {
        let gate = self.gate.load(Ordering::Acquire);
        (gate & 1 == 1).then_some(gate >> 1)
    }

    /// Whether this end has closed the circuit.
    fn end(
        &self,
        ticket: Ticket,
        end: Option<End>,
        retry_after: Option<Duration>,
        now: Instant,
        cause: &dyn Fn() -> String,
    ) -> bool {
        self.drive(now, cause, |machine| {
            let was_closed = machine.is_closed();
            machine.end(ticket, end, retry_after, now, fastrand::f64());
            !was_closed && machine.is_closed()
        })
    }

    /// Takes one step, and makes its change of state known.
    fn drive<T>(&self, now: Instant, cause: &dyn Fn() -> String, step: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let before = machine.epoch();
        let answer = step(&mut machine);
        let changed = (machine.epoch() != before).then(|| {
            self.gate.store(gate(&machine), Ordering::Release);
            machine.view(now)
        });
        drop(machine);
        if let Some(view) = changed {
            self.log(&view, cause);
        }
        answer
    }

    fn log(&self, view: &BreakerView, cause: &dyn Fn() -> String) {
        let (upstream, owner) = (&*self.upstream, &*self.owner);
        let BreakerView { state, calls, bad, in_a_row, opened, retry_after_seconds } = view;
        match state {
            BreakerState::Open => {
                let seconds = retry_after_seconds.unwrap_or_default();
                let cause = cause();
                tracing::warn!(upstream, owner, cause, seconds, calls, bad, in_a_row, opened, "circuit open");
            }
            BreakerState::HalfOpen => tracing::info!(upstream, owner, opened, "circuit half-open"),
            BreakerState::Closed => tracing::info!(upstream, owner, opened, "circuit closed"),
        }
    }
}

/// What [`Breaker::gate`] says of this machine.
fn gate(machine: &Machine) -> u64 {
    machine.epoch() << 1 | u64::from(machine.is_closed())
}

impl Pass<'_> {
    /// Whether the call has taken as long as a slow one by now.
    #[must_use]
    pub fn is_slow(&self, now: Instant) -> bool {
        self.ticket.is_some_and(|ticket| now.saturating_duration_since(ticket.since) >= ticket.slow_after)
    }

    /// This call may take longer by so much before it is slow.
    pub fn allow(mut self, longer: Duration) -> Self {
        if let Some(ticket) = &mut self.ticket {
            ticket.slow_after += longer;
        }
        self
    }

    /// The call has ended. `retry_after` is what the upstream asked for with its failure. Gives whether this has closed the
    /// circuit: the upstream is back, and had better not get all its calls at once.
    pub fn end(self, end: End, retry_after: Option<Duration>, now: Instant) -> bool {
        self.end_because(end, retry_after, now, &String::new)
    }

    /// The same; `cause` says for the log why, if that opens the circuit.
    pub fn end_because(
        mut self,
        end: End,
        retry_after: Option<Duration>,
        now: Instant,
        cause: &dyn Fn() -> String,
    ) -> bool {
        let ticket = self.ticket.take();
        ticket.is_some_and(|ticket| self.breaker.end(ticket, Some(end), retry_after, now, cause))
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.end(ticket, None, None, clock::now(), &String::new);
        }
    }
}
