//! How many further attempts an upstream is asked to bear.
//!
//! The guarantee holds over every stretch of time, wherever it begins: in any 10 s the attempts granted are at most
//! `share` × the calls of those 10 s + 10 × `per_second`, and in any second at most `burst_share` × the calls of that
//! second + `per_second`. That is stricter than to look back over the last 10 s at each attempt: after a burst of calls
//! that would grant attempts into the silence behind it, and a stretch that begins there would hold attempts only.
//!
//! So let the balance be the attempts granted less the share of the calls. A stretch is within its limit if the balance
//! now lies above the lowest balance inside the stretch by no more than the reserve. Hence the lowest balance of each
//! slot of 100 ms is kept, and the height above the lowest of them is carried along: a call lowers it, an attempt raises
//! it, and when a slot leaves the ring it is found anew. Slots only decide how long a balance is remembered, and that
//! is up to 100 ms longer than it must be.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Instant;
use crate::settings::{Check, Mistakes};

const SLOT: Duration = Duration::from_millis(100);
const SLOTS_IN_10_S: usize = 100;
/// One more than the stretch: where the newest slot is not over, the oldest is still partly inside.
const SLOTS: usize = SLOTS_IN_10_S + 1;
/// An attempt. Shares are counted in millionths, rounded down, so that no sum of them drifts.
const ATTEMPT: i64 = 1_000_000;
const LARGEST_BURST: f64 = 10.0;

/// `[upstreams.<name>.retry.budget]`: how many retries (and hedges) all calls together may make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BudgetSettings {
    /// Attempts beside the first per call, over any 10 s. Default 0.2 (Finagle, linkerd, tower).
    pub share: f64,
    /// What is granted on top of the shares: so many in any second, ten times as many in any 10 s; so that an upstream
    /// with few calls gets its retries, too. It is also by how much attempts may lag behind their calls: the most that
    /// are granted at one moment without calls between them. Default 10 (Finagle, linkerd, tower).
    pub per_second: u32,
    /// Attempts beside the first per call, in any second: at least `share`, at most 10. Without it the whole reserve of
    /// 10 s would go in the first second of an outage. Default 0.5.
    pub burst_share: f64,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self { share: 0.2, per_second: 10, burst_share: 0.5 }
    }
}

impl Check for BudgetSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if !(0.0..=1.0).contains(&self.share) {
            mistakes.note("share", format!("{} is no share of calls", self.share), "give a number from 0 to 1");
        }
        if !(0.0..=LARGEST_BURST).contains(&self.burst_share) {
            let problem = format!("{} is no share of calls in one second", self.burst_share);
            mistakes.note("burst_share", problem, "give a number from share to 10");
        }
        if self.burst_share < self.share {
            let problem =
                format!("{} is less than share, {}, which is never reached then", self.burst_share, self.share);
            mistakes.note("burst_share", problem, "make it at least share");
        }
    }
}

/// A budget at one moment, for the management port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetView {
    /// Calls of the last 10 s.
    pub calls: u64,
    /// Further attempts granted in the last 10 s.
    pub extra: u64,
    /// How many were refused since the start of the process.
    pub refused: u64,
    /// How many would be granted at this moment.
    pub left: u64,
}

/// The attempts that the calls of one upstream may make together.
#[derive(Debug)]
pub struct Budget(Mutex<Ring>);

impl Budget {
    /// A budget with its whole reserve.
    #[must_use]
    pub fn new(settings: &BudgetSettings) -> Self {
        let reserve = i64::from(settings.per_second) * ATTEMPT;
        let long = Limit { share: millionths(settings.share), reserve: 10 * reserve, slots: SLOTS, height: 0 };
        let short =
            Limit { share: millionths(settings.burst_share), reserve, slots: SLOTS_IN_10_S / 10 + 1, height: 0 };
        Self(Mutex::new(Ring {
            slots: [Slot::default(); SLOTS],
            newest: 0,
            ends: None,
            limits: [long, short],
            refused: 0,
        }))
    }

    /// A call has come. Told once per call, not per attempt.
    pub fn call(&self, now: Instant) {
        self.with(now, Ring::call);
    }

    /// Whether one more attempt may be made; if so it counts as made.
    #[must_use]
    pub fn take(&self, now: Instant) -> bool {
        self.with(now, Ring::take)
    }

    /// What there is to see from outside.
    #[must_use]
    pub fn view(&self, now: Instant) -> BudgetView {
        self.with(now, |ring| ring.view())
    }

    fn with<T>(&self, now: Instant, step: impl FnOnce(&mut Ring) -> T) -> T {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.slide(now);
        step(&mut ring)
    }
}

/// What is not a number, or below 0, gives nothing.
fn millionths(share: f64) -> i64 {
    (share.clamp(0.0, LARGEST_BURST) * 1e6) as i64
}

/// 100 ms.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    calls: u32,
    taken: u32,
    /// The lowest balance inside the slot, for each limit, measured from that at its beginning. Never above 0.
    lowest: [i64; 2],
}

impl Slot {
    /// By how much the balance has changed since the slot began.
    fn balance(&self, share: i64) -> i64 {
        i64::from(self.taken) * ATTEMPT - i64::from(self.calls) * share
    }
}

#[derive(Debug)]
struct Limit {
    /// What a call gives, in millionths of an attempt.
    share: i64,
    reserve: i64,
    /// How many slots are remembered, the newest one included.
    slots: usize,
    /// How far the balance lies above the lowest that is remembered. Never above the reserve.
    height: i64,
}

impl Limit {
    fn left(&self) -> i64 {
        (self.reserve - self.height) / ATTEMPT
    }
}

#[derive(Debug)]
struct Ring {
    slots: [Slot; SLOTS],
    newest: usize,
    /// When the newest slot ends; `None` before the first call.
    ends: Option<Instant>,
    /// Over 10 s, and over one.
    limits: [Limit; 2],
    refused: u64,
}

impl Ring {
    fn call(&mut self) {
        let slot = &mut self.slots[self.newest];
        slot.calls = slot.calls.saturating_add(1);
        for (at, limit) in self.limits.iter_mut().enumerate() {
            limit.height = (limit.height - limit.share).max(0);
            slot.lowest[at] = slot.lowest[at].min(slot.balance(limit.share));
        }
    }

    fn take(&mut self) -> bool {
        if self.limits.iter().any(|limit| limit.left() < 1) {
            self.refused = self.refused.saturating_add(1);
            return false;
        }
        let slot = &mut self.slots[self.newest];
        slot.taken = slot.taken.saturating_add(1);
        for limit in &mut self.limits {
            limit.height += ATTEMPT;
        }
        true
    }

    fn view(&self) -> BudgetView {
        let (mut calls, mut extra) = (0, 0);
        for slot in self.back().take(SLOTS_IN_10_S) {
            calls += u64::from(slot.calls);
            extra += u64::from(slot.taken);
        }
        let left = self.limits.iter().map(Limit::left).min().unwrap_or_default();
        BudgetView { calls, extra, refused: self.refused, left: u64::try_from(left).unwrap_or_default() }
    }

    /// Forgets what is too old. A time before the newest slot (threads read the clock before they get the lock)
    /// counts as the newest slot's.
    fn slide(&mut self, now: Instant) {
        let Some(mut ends) = self.ends else {
            self.ends = Some(now + SLOT);
            return;
        };
        if now < ends {
            return;
        }
        if now.duration_since(ends) >= SLOT * SLOTS as u32 {
            self.slots = [Slot::default(); SLOTS];
            ends = now + SLOT;
        }
        while now >= ends {
            self.newest = (self.newest + 1) % SLOTS;
            self.slots[self.newest] = Slot::default();
            ends += SLOT;
        }
        self.ends = Some(ends);
        for at in 0..self.limits.len() {
            self.limits[at].height = self.height(at);
        }
    }

    /// How far the balance lies above the lowest of the ring. Once per slot, so its hundred steps cost nothing.
    fn height(&self, at: usize) -> i64 {
        let Limit { share, slots, .. } = self.limits[at];
        let (mut above, mut height) = (0, 0);
        for slot in self.back().take(slots) {
            // From now down to the slot's beginning, and on to its lowest.
            above += slot.balance(share);
            height = height.max(above - slot.lowest[at]);
        }
        height
    }

    /// The slots from the newest back.
    fn back(&self) -> impl Iterator<Item = &Slot> {
        let (newer, older) = self.slots.split_at(self.newest + 1);
        newer.iter().rev().chain(older.iter().rev())
    }
}
