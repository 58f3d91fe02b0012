//! Places, and the line of those who wait for one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::oneshot;

use super::pace::{FLOOR, INITIAL, Pace, Seen};
use super::{Criticality, ShedSettings};
use crate::clock::Instant;
use crate::context::Holder;
use crate::lateness::Pulse;
use crate::resilience::{Share, Shares};

/// The places of one server.
#[derive(Debug)]
pub struct Load {
    settings: ShedSettings,
    /// At most so many at once, at present.
    limit: AtomicUsize,
    taken: AtomicUsize,
    /// Those in `line` who still wait. Added to before a last look for a place, and read after a place was given back, so
    /// that either the one or the other sees.
    waiting: AtomicUsize,
    /// Somebody had to wait since the limit was last looked at.
    was_full: AtomicBool,
    refused: AtomicU64,
    finished: AtomicU64,
    /// Who has places, and who waits for them.
    shares: Arc<Shares>,
    line: Mutex<Line>,
    pace: Mutex<Pace>,
}

/// Who waits: first those who hold less than their share of the places, then the others; among each the most critical first,
/// then in the order in which they came.
// bound: `waiting` of the settings, and as many again that have left
#[derive(Debug, Default)]
struct Line([[VecDeque<oneshot::Sender<()>>; 3]; 2]);

/// A place that is taken until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct Place<'a> {
    load: &'a Load,
    _share: Share,
}

/// How full a server is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LoadView {
    /// Requests that are being worked on.
    pub in_flight: usize,
    /// At most so many at once, at present.
    pub limit: usize,
    /// Requests that wait for a place.
    pub waiting: usize,
    /// Requests refused since the start.
    pub refused: u64,
    /// How late ready work runs in this process at present.
    pub late_seconds: f64,
}

impl Load {
    /// All places free. The limit is `in_flight` until [`Load::adapt`] is first called.
    #[must_use]
    pub fn new(settings: &ShedSettings) -> Self {
        Self {
            settings: settings.clone(),
            limit: AtomicUsize::new(if settings.enabled { settings.in_flight } else { usize::MAX >> 12 }),
            taken: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            was_full: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            shares: Arc::default(),
            line: Mutex::default(),
            pace: Mutex::default(),
        }
    }

    /// A place for a request of `holder` that is so critical, at once or before `until`; `None` where it has to be refused.
    /// Whoever leaves while waiting loses nothing for others.
    pub async fn enter(&self, criticality: Criticality, holder: Option<Holder>, until: Instant) -> Option<Place<'_>> {
        let is_greedy = self.is_greedy(holder);
        if self.waiting.load(SeqCst) == 0 && self.take(criticality, is_greedy) {
            return Some(Place { load: self, _share: self.shares.hold(holder, 1) });
        }
        self.was_full.store(true, Relaxed);
        let place = self.wait(criticality, holder, is_greedy, until).await;
        if place.is_none() {
            self.refused.fetch_add(1, Relaxed);
        }
        place
    }

    /// Whether this one has its share of the places already, and they are scarce.
    fn is_greedy(&self, holder: Option<Holder>) -> bool {
        self.shares.are_used_up(holder, self.taken.load(Relaxed) as u64, self.limit.load(Relaxed) as u64)
    }

    async fn wait(
        &self,
        criticality: Criticality,
        holder: Option<Holder>,
        is_greedy: bool,
        until: Instant,
    ) -> Option<Place<'_>> {
        let (share, turn) = {
            let mut line = self.lock();
            let (waiting, most) = (self.waiting.load(SeqCst), self.settings.waiting);
            if waiting >= most || is_greedy && self.shares.are_used_up(holder, waiting as u64, most as u64) {
                return None;
            }
            let (called, turn) = oneshot::channel();
            line.0[usize::from(is_greedy)][criticality as usize].push_back(called);
            self.waiting.fetch_add(1, SeqCst);
            let share = self.shares.hold(holder, 1);
            self.call(&mut line);
            (share, turn)
        };
        let mut waiter = Waiter { load: self, turn, is_done: false };
        let called = tokio::time::timeout_at(until, &mut waiter.turn).await;
        // A call that came at the same time as the end of the wait is a call.
        let is_called = matches!(called, Ok(Ok(()))) || waiter.turn.try_recv().is_ok();
        waiter.is_done = is_called;
        is_called.then(|| Place { load: self, _share: share })
    }

    /// The last quarter is for those who have less than their share.
    fn take(&self, criticality: Criticality, is_greedy: bool) -> bool {
        let limit = self.share(criticality);
        let limit = if is_greedy { (limit / 4 * 3).max(1) } else { limit };
        self.taken.fetch_update(SeqCst, SeqCst, |taken| (taken < limit).then_some(taken + 1)).is_ok()
    }

    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of requests, which is small and not negative"
    )]
    fn share(&self, criticality: Criticality) -> usize {
        let limit = self.limit.load(Relaxed);
        let share = match criticality {
            Criticality::Critical => return limit,
            Criticality::Normal => self.settings.normal_share,
            Criticality::Sheddable => self.settings.sheddable_share,
        };
        ((limit as f64 * share) as usize).max(1)
    }

    /// Calls those who wait, as long as there are places for them.
    fn call(&self, line: &mut Line) {
        let classes = [Criticality::Critical, Criticality::Normal, Criticality::Sheddable];
        let groups = [false, true].into_iter().zip(&mut line.0);
        let lines = groups.flat_map(|(is_greedy, group)| {
            classes.into_iter().zip(group).map(move |(class, waiters)| (is_greedy, class, waiters))
        });
        for (is_greedy, class, waiters) in lines {
            while let Some(called) = waiters.pop_front() {
                // Left already.
                if called.is_closed() {
                    continue;
                }
                if !self.take(class, is_greedy) {
                    // Whoever is more critical may still find a place.
                    waiters.push_front(called);
                    break;
                }
                self.waiting.fetch_sub(1, SeqCst);
                // Nobody leaves while the line is locked.
                let _ = called.send(());
            }
        }
    }

    fn leave(&self) {
        self.finished.fetch_add(1, Relaxed);
        self.taken.fetch_sub(1, SeqCst);
        if self.waiting.load(SeqCst) > 0 {
            self.call(&mut self.lock());
        }
    }

    /// Moves the limit, if need be. To be called every few milliseconds with how this process does.
    pub fn adapt(&self, pulse: Pulse, now: Instant) {
        if !self.settings.enabled {
            return;
        }
        let limit = self.limit.load(Relaxed);
        let seen = Seen {
            limit,
            is_full: self.was_full.swap(false, Relaxed) || self.waiting.load(SeqCst) > 0,
            finished: self.finished.load(Relaxed),
        };
        let next = self.pace.lock().unwrap_or_else(PoisonError::into_inner).next(seen, pulse, &self.settings, now);
        self.limit.store(next, Relaxed);
        if next > limit {
            self.call(&mut self.lock());
        }
    }

    /// From here on the limit is adapted. It begins low: a server that has just started has no connections yet, and often a
    /// crowd in front of it.
    pub fn begin(&self) {
        if self.settings.enabled {
            self.limit.store(INITIAL.min(self.settings.in_flight), Relaxed);
        }
    }

    /// How long a request may wait that came at `started` and has to be answered at `deadline`.
    #[must_use]
    pub fn patience(&self, started: Instant, deadline: Instant) -> Instant {
        started + deadline.saturating_duration_since(started).mul_f64(self.settings.wait_share.clamp(0.0, 1.0))
    }

    /// How full it is.
    #[must_use]
    pub fn view(&self) -> LoadView {
        LoadView {
            in_flight: self.taken.load(Relaxed),
            limit: self.limit.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
            refused: self.refused.load(Relaxed),
            late_seconds: self.pace.lock().unwrap_or_else(PoisonError::into_inner).late(),
        }
    }

    /// Those who wait, and those who have left and are still in the line.
    #[cfg(test)]
    pub(super) fn in_line(&self) -> usize {
        self.lock().0.iter().flatten().map(VecDeque::len).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.load.leave();
    }
}

/// One who waits.
struct Waiter<'a> {
    load: &'a Load,
    turn: oneshot::Receiver<()>,
    /// The place is somebody else's to give back.
    is_done: bool,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut line = self.load.lock();
        self.turn.close();
        if self.turn.try_recv().is_ok() {
            // Called, and gone before it heard.
            drop(line);
            self.load.leave();
            return;
        }
        self.load.waiting.fetch_sub(1, SeqCst);
        // Those who have left are taken out when they are as many as those who wait.
        let length: usize = line.0.iter().flatten().map(VecDeque::len).sum();
        if length > 2 * self.load.waiting.load(SeqCst) + FLOOR {
            line.0.iter_mut().flatten().for_each(|class| class.retain(|called| !called.is_closed()));
        }
    }
}
