//! Who holds how much of what there is only so much of.
//!
//! While there is room nobody is asked: a thousand clients behind one address are no attack. Once more than three quarters
//! are taken, nobody gets more than an even share of the whole, so that whoever holds most waits, or is refused, before
//! anybody else is (max-min fairness with equal weights; Demers, Keshav, Shenker, "Analysis and Simulation of a Fair Queueing
//! Algorithm", 1989).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::context::Holder;

/// Who holds how much of one thing.
#[derive(Debug, Default)]
pub struct Shares(Mutex<Held>);

// bound: what is held, one entry at least for each
type Held = HashMap<u64, u64, BuildHasherDefault<Hashed>>;

impl Shares {
    /// Notes that `holder` holds `amount` more, until what comes back is dropped.
    pub fn hold(self: &Arc<Self>, holder: Option<Holder>, amount: u64) -> Share {
        if let Some(holder) = holder {
            *self.lock().entry(holder.number()).or_default() += amount;
        }
        Share { shares: self.clone(), holder, amount }
    }

    /// Whether `holder` has to stand back, while `taken` of `bound` are taken: things are scarce, and it holds its even share
    /// or more.
    #[must_use]
    pub fn are_used_up(&self, holder: Option<Holder>, taken: u64, bound: u64) -> bool {
        if !is_scarce(taken, bound) {
            return false;
        }
        let Some(holder) = holder else { return false };
        let held = self.lock();
        let own = held.get(&holder.number()).copied().unwrap_or_default();
        own > 0 && own.saturating_mul(held.len() as u64) >= bound
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether more than three quarters are taken.
fn is_scarce(taken: u64, bound: u64) -> bool {
    taken > bound / 4 * 3
}

/// What one holder holds, until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives back what is held"]
pub struct Share {
    shares: Arc<Shares>,
    holder: Option<Holder>,
    amount: u64,
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(holder) = self.holder else { return };
        let mut held = self.shares.lock();
        if let Some(own) = held.get_mut(&holder.number()) {
            *own = own.saturating_sub(self.amount);
            if *own == 0 {
                held.remove(&holder.number());
            }
        }
    }
}

/// A holder's number is a keyed hash already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(number: u8) -> Option<Holder> {
        Some(Holder::address([192, 0, 2, number].into()))
    }

    #[test]
    fn with_room_to_spare_one_may_hold_all_and_after_that_the_largest_stands_back() {
        let shares = Arc::new(Shares::default());
        let greedy: Vec<Share> = (0..75).map(|_| shares.hold(holder(1), 1)).collect();
        assert!(!shares.are_used_up(holder(1), 75, 100), "nobody else is there, and a quarter is free");
        let modest = shares.hold(holder(2), 1);
        assert!(shares.are_used_up(holder(1), 76, 100));
        assert!(!shares.are_used_up(holder(2), 76, 100));
        assert!(!shares.are_used_up(holder(3), 76, 100), "who holds nothing is never in the way");
        assert!(!shares.are_used_up(None, 100, 100), "nor who is not known");
        drop(greedy);
        assert!(!shares.are_used_up(holder(1), 76, 100));
        drop(modest);
        assert_eq!(shares.lock().len(), 0, "nobody is remembered who holds nothing");
    }

    #[test]
    fn alone_one_may_hold_all() {
        let shares = Arc::new(Shares::default());
        let _all: Vec<Share> = (0..99).map(|_| shares.hold(holder(1), 1)).collect();
        assert!(!shares.are_used_up(holder(1), 99, 100));
    }

    #[test]
    fn a_share_may_be_of_bytes() {
        let shares = Arc::new(Shares::default());
        let _large = shares.hold(holder(1), 80);
        let _small = shares.hold(holder(2), 1);
        assert!(shares.are_used_up(holder(1), 81, 100));
        assert!(!shares.are_used_up(holder(2), 81, 100));
    }
}
