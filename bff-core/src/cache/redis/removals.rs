//! What Redis has still to forget.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many names wait at most: some 1.5 MiB. The oldest goes first, for its entry is the next to end by itself.
pub(super) const MOST: usize = 10_000;
/// How many go in one command.
const AT_ONCE: usize = 256;

/// Names that wait to be removed, and whether somebody is at it.
#[derive(Debug, Default)]
pub(super) struct Removals {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    // bound: MOST
    names: VecDeque<String>,
    swept: bool,
}

/// What became of a name that was added.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Added {
    /// Nobody is at it: whoever added the name has to begin.
    pub(super) begin: bool,
    /// The oldest name was given up for this one.
    pub(super) lost: bool,
}

impl Removals {
    pub(super) fn add(&self, name: String) -> Added {
        let mut waiting = self.lock();
        let lost = waiting.names.len() >= MOST && waiting.names.pop_front().is_some();
        waiting.names.push_back(name);
        Added { begin: !std::mem::replace(&mut waiting.swept, true), lost }
    }

    /// Takes the names away in turn, for the one who was told to begin.
    pub(super) fn sweep(&self) -> Sweep<'_> {
        Sweep { removals: self, ended: false }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever is at it. Dropped before the end, the next name that is added begins anew.
#[derive(Debug)]
pub(super) struct Sweep<'a> {
    removals: &'a Removals,
    ended: bool,
}

impl Iterator for Sweep<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        let mut waiting = self.removals.lock();
        if waiting.names.is_empty() {
            waiting.swept = false;
            self.ended = true;
            return None;
        }
        let count = waiting.names.len().min(AT_ONCE);
        Some(waiting.names.drain(..count).collect())
    }
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.removals.lock().swept = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sweep_takes_what_many_have_added() {
        let removals = Removals::default();
        let added: Vec<_> = (0..AT_ONCE + 1).map(|index| removals.add(index.to_string())).collect();
        assert_eq!(added.iter().filter(|added| added.begin).count(), 1);
        assert_eq!(removals.sweep().map(|names| names.len()).collect::<Vec<_>>(), [AT_ONCE, 1]);
        assert_eq!(removals.add("again".into()), Added { begin: true, lost: false });
    }

    #[test]
    fn a_sweep_that_was_dropped_is_begun_anew() {
        let removals = Removals::default();
        removals.add("a".into());
        drop(removals.sweep());
        assert!(removals.add("b".into()).begin);
        assert_eq!(removals.sweep().next().unwrap(), ["a", "b"]);
    }

    #[test]
    fn the_oldest_gives_way() {
        let removals = Removals::default();
        let lost = (0..MOST + 2).filter(|index| removals.add(index.to_string()).lost).count();
        assert_eq!((lost, removals.sweep().next().unwrap()[0].as_str()), (2, "2"));
    }
}
