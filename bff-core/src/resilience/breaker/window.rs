//! Calls of the recent past, and how many of them were bad.

use std::time::Duration;

use crate::clock::Instant;

/// In how many steps the window slides. Ten, as in Hystrix (`metrics.rollingStats.numBuckets`): a call is forgotten at
/// most a tenth of the window too early.
pub(super) const SLOTS: u32 = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    calls: u32,
    bad: u32,
}

/// A ring of slots and its sums: a call costs a few additions, whatever the window holds.
#[derive(Debug)]
pub(super) struct Window {
    /// How long one slot is.
    width: Duration,
    slots: [Slot; SLOTS as usize],
    newest: usize,
    /// When the newest slot ends; `None` before the first call.
    ends: Option<Instant>,
    sum: Slot,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        Self { width: length / SLOTS, slots: Default::default(), newest: 0, ends: None, sum: Slot::default() }
    }

    pub(super) fn add(&mut self, is_bad: bool, now: Instant) {
        self.slide(now);
        let bad = u32::from(is_bad);
        for slot in [&mut self.slots[self.newest], &mut self.sum] {
            slot.calls = slot.calls.saturating_add(1);
            slot.bad = slot.bad.saturating_add(bad);
        }
    }

    /// Forgets what is too old. A time before the newest slot (threads read the clock before they get the lock)
    /// counts as the newest slot's.
    pub(super) fn slide(&mut self, now: Instant) {
        let Some(mut ends) = self.ends else {
            self.ends = Some(now + self.width);
            return;
        };
        if now >= ends + self.width * SLOTS {
            self.clear();
            self.ends = Some(now + self.width);
            return;
        }
        while now >= ends {
            self.newest = (self.newest + 1) % self.slots.len();
            let old = std::mem::take(&mut self.slots[self.newest]);
            self.sum.calls = self.sum.calls.saturating_sub(old.calls);
            self.sum.bad = self.sum.bad.saturating_sub(old.bad);
            ends += self.width;
        }
        self.ends = Some(ends);
    }

    pub(super) fn clear(&mut self) {
        self.slots = Default::default();
        self.sum = Slot::default();
        self.ends = None;
    }

    pub(super) fn calls(&self) -> u32 {
        self.sum.calls
    }

    pub(super) fn bad(&self) -> u32 {
        self.sum.bad
    }
}
