//! When the circuit opens, for how long, and what closes it again.

use std::collections::VecDeque;
use std::time::Duration;

use super::window::Window;
use super::{BreakerSettings, BreakerState, BreakerView, LONGEST, SHORTEST_WINDOW};
use crate::clock::Instant;
use crate::resilience::End;

/// What a call hears that comes while all probes are out. They end within an attempt's time, so a second is plenty.
pub(super) const PROBES_OUT: Duration = Duration::from_secs(1);

/// By what share the open time is moved at most, up or down, so that a fleet does not probe at the same moment.
const JITTER: f64 = 0.2;

/// How much longer it is open after each probe that fails. With 2 (as in Finagle) it would be open for half of the time that
/// the outage took; so for a third of it.
const GROWTH: f64 = 1.5;

/// For so long nothing good must have come from an upstream with much traffic, where each failure ended quickly: at a
/// thousand calls a second a few in a row are one connection that broke.
const OUTAGE: Duration = Duration::from_secs(1);

/// An upstream that refuses connections is left alone for this share of the time: being refused costs neither side
/// anything, and it may be back at any moment.
const REFUSED_SHARE: u32 = 20;

/// So many questions with answers that could not be read are remembered.
const QUESTIONS: usize = 16;

#[derive(Debug)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen { under_way: u32, good: u32, bad: u32 },
}

/// What a call carries from its beginning to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    /// Which of the machine's states let it in. When it ends in another one it says nothing any more.
    pub(super) epoch: u64,
    pub(super) since: Instant,
    /// From when on this call is slow.
    pub(super) slow_after: Duration,
}

/// The state machine: no clock, no chance, no log.
#[derive(Debug)]
pub(super) struct Machine {
    settings: BreakerSettings,
    slow_after: Duration,
    window: Window,
    in_a_row: u32,
    /// When the first of them ended.
    run_since: Option<Instant>,
    /// How many of the last ones of them were refused connections.
    refused_in_a_row: u32,
    /// When the last good one ended.
    last_good: Option<Instant>,
    /// Questions whose answers could not be read, and when.
    // bound: QUESTIONS
    unreadable: VecDeque<(u64, Instant)>,
    /// How many probes in a row have failed.
    level: u32,
    opened: u64,
    /// Counts the changes of state.
    epoch: u64,
    state: State,
}

impl Machine {
    /// Takes settings that were not checked, too: what cannot be is replaced by the nearest that can.
    pub(super) fn new(settings: &BreakerSettings, slow_after: Duration) -> Self {
        let settings = BreakerSettings {
            window: settings.window.clamp(SHORTEST_WINDOW, LONGEST),
            min_calls: settings.min_calls.max(1),
            in_a_row: settings.in_a_row.max(1),
            open_for: settings.open_for.min(LONGEST),
            open_at_most: settings.open_at_most.min(LONGEST),
            probes: settings.probes.max(1),
            ..settings.clone()
        };
        let window = Window::new(settings.window);
        let state = State::Closed;
        Self {
            settings,
            slow_after,
            window,
            in_a_row: 0,
            run_since: None,
            refused_in_a_row: 0,
            last_good: None,
            unreadable: VecDeque::new(),
            level: 0,
            opened: 0,
            epoch: 0,
            state,
        }
    }

    /// Which state this is; another one after every change.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Lets a call in, or says after what time it is worth asking again.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        if let Some(wait) = self.refuses(now) {
            return Err(wait);
        }
        if let State::Open { .. } = self.state {
            self.enter(State::HalfOpen { under_way: 0, good: 0, bad: 0 });
        }
        if let State::HalfOpen { under_way, .. } = &mut self.state {
            *under_way += 1;
        }
        Ok(Ticket { epoch: self.epoch, since: now, slow_after: self.slow_after })
    }

    /// How long a call would have to wait; `None` if it would be let in.
    pub(super) fn refuses(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Open { until } if now < until => Some(until.duration_since(now)),
            State::HalfOpen { under_way, .. } if under_way >= self.settings.probes => Some(PROBES_OUT),
            _ => None,
        }
    }

    /// A call has ended; `end` is `None` if its caller cut it. `random` (0 to 1) moves the open time.
    pub(super) fn end(
        &mut self,
        ticket: Ticket,
        end: Option<End>,
        retry_after: Option<Duration>,
        now: Instant,
        random: f64,
    ) {
        if ticket.epoch != self.epoch {
            return;
        }
        let is_slow = now.saturating_duration_since(ticket.since) >= ticket.slow_after;
        let end = match end {
            Some(End::Good) | None if is_slow => End::Bad,
            Some(End::Unreadable(question)) if self.is_known(question, now) => End::Nothing,
            Some(End::Unreadable(_)) => End::Bad,
            Some(end) => end,
            None => End::Nothing,
        };
        match &mut self.state {
            State::Closed => {
                if self.is_enough(end, ticket.since, is_slow, now) {
                    self.open(end, retry_after, now, random);
                }
            }
            State::HalfOpen { under_way, good, bad } => {
                *under_way = under_way.saturating_sub(1);
                match end {
                    End::Nothing | End::Unreadable(_) => return,
                    End::Refused => return self.open(end, retry_after, now, random),
                    End::Bad => *bad += 1,
                    End::Good | End::Overloaded => *good += 1,
                }
                let (good, bad, BreakerSettings { probes, failure_rate, .. }) = (*good, *bad, &self.settings);
                // What is tolerated while it is closed is tolerated here. A slow one is not: it costs a caller all its time.
                if end == End::Bad && (is_slow || f64::from(bad) / f64::from(*probes) >= *failure_rate) {
                    self.level = self.level.saturating_add(1);
                    self.open(end, retry_after, now, random);
                } else if good + bad >= *probes {
                    self.window.clear();
                    (self.in_a_row, self.refused_in_a_row, self.run_since) = (0, 0, None);
                    self.last_good = Some(now);
                    // Not kept in mind: of what flaps half of the probes fail, and it would end up open for good.
                    self.level = 0;
                    self.enter(State::Closed);
                }
            }
            // Nothing is let in while it is open, so no ticket is of this epoch.
            State::Open { .. } => {}
        }
    }

    /// Whether the answer to this question could not be read before, within the window; from now on it is known.
    fn is_known(&mut self, question: u64, now: Instant) -> bool {
        let window = self.settings.window;
        self.unreadable.retain(|(_, at)| now.saturating_duration_since(*at) <= window);
        if self.unreadable.iter().any(|(known, _)| *known == question) {
            return true;
        }
        if self.unreadable.len() == QUESTIONS {
            self.unreadable.pop_front();
        }
        self.unreadable.push_back((question, now));
        false
    }

    /// Counts a call of the closed state that was let in at `since`; whether the upstream now counts as down.
    fn is_enough(&mut self, end: End, since: Instant, is_slow: bool, now: Instant) -> bool {
        match end {
            End::Good => {
                self.window.add(false, now);
                (self.in_a_row, self.refused_in_a_row, self.run_since) = (0, 0, None);
                self.last_good = Some(now);
                return false;
            }
            End::Bad | End::Refused => self.window.add(true, now),
            End::Overloaded | End::Nothing | End::Unreadable(_) => return false,
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.refused_in_a_row = if end == End::Refused { self.refused_in_a_row.saturating_add(1) } else { 0 };
        let run_since = *self.run_since.get_or_insert(now);

        let BreakerSettings { min_calls, failure_rate, in_a_row, .. } = self.settings;
        let (calls, bad) = (self.window.calls(), self.window.bad());
        // At low traffic a row is all there is, for a rate says nothing there. At high traffic a row alone is not enough: with
        // 30 % of errors at random, five in a row happen every few seconds at 100 calls/s, and seven calls in ten are good.
        let is_quiet = calls < min_calls
            // Nothing good came for as long as a slow call waited.
            || is_slow && self.last_good.is_none_or(|good| good < since)
            || now.saturating_duration_since(run_since) >= OUTAGE
            || self.refused_in_a_row >= min_calls;
        // Divided, not multiplied: in floats 55 of 100 are 0.55, but 100 × 0.55 is above 55.
        let is_rate = calls >= min_calls && f64::from(bad) / f64::from(calls) >= failure_rate;
        is_rate || self.in_a_row >= in_a_row && is_quiet
    }

    fn open(&mut self, end: End, retry_after: Option<Duration>, now: Instant, random: f64) {
        let BreakerSettings { open_for, open_at_most, .. } = self.settings;
        let random = if (0.0..=1.0).contains(&random) { random } else { 0.5 };
        let grown = open_for.as_secs_f64() * GROWTH.powi(i32::try_from(self.level).unwrap_or(i32::MAX));
        let time = Duration::try_from_secs_f64(grown).unwrap_or(open_at_most).min(open_at_most);
        let time = if end == End::Refused { open_for / REFUSED_SHARE } else { time };
        let time = time.mul_f64(1.0 - JITTER + 2.0 * JITTER * random);
        let time = time.max(retry_after.unwrap_or_default().min(open_at_most));
        self.opened = self.opened.saturating_add(1);
        self.enter(State::Open { until: now + time });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }

    /// What there is to see from outside.
    pub(super) fn view(&mut self, now: Instant) -> BreakerView {
        self.window.slide(now);
        let state = match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { until } if now < until => BreakerState::Open,
            State::Open { .. } | State::HalfOpen { .. } => BreakerState::HalfOpen,
        };
        BreakerView {
            state,
            calls: self.window.calls(),
            bad: self.window.bad(),
            in_a_row: self.in_a_row,
            opened: self.opened,
            retry_after_seconds: self.refuses(now).map(|wait| wait.as_secs_f64()),
        }
    }
}
