//! When something was last changed, as far as there is memory for that.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::clock::{self, Instant};

/// The last change of each thing, for a while.
///
/// What has to be forgotten before its time counts for everything: a thing nobody remembers counts as changed when the latest of the
/// forgotten ones was. Things are known by their hash, and two that share one count as one. So too little memory costs hits, and never
/// serves what is old.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    known: Cache<u64, Instant>,
    hasher: RandomState,
    forgotten: Arc<ArcSwapOption<Instant>>,
}

impl Changes {
    /// At most `most` things, each for `time`.
    pub(super) fn new(most: u64, time: Duration) -> Self {
        let forgotten = Arc::new(ArcSwapOption::<Instant>::empty());
        let floor = forgotten.clone();
        let known = Cache::builder()
            .max_capacity(most)
            // The oldest goes first, so that what has to be assumed for it is long past.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(time)
            .eviction_listener(move |_, at: Instant, cause| {
                if cause == RemovalCause::Size {
                    floor.rcu(|latest| Some(latest.as_deref().map_or(at, |latest| at.max(*latest)).into()));
                }
            })
            .build();
        Self { known, hasher: RandomState::new(), forgotten }
    }

    /// It changes now.
    pub(super) fn note(&self, thing: impl Hash) {
        self.known.insert(self.hasher.hash_one(thing), clock::now());
    }

    /// When it last changed; `None` where that is not known of it, nor had anything to be forgotten.
    pub(super) fn last(&self, thing: impl Hash) -> Option<Instant> {
        self.known.get(&self.hasher.hash_one(thing)).max(self.forgotten.load().as_deref().copied())
    }

    /// How many are remembered.
    pub(super) fn count(&self) -> u64 {
        self.known.run_pending_tasks();
        self.known.entry_count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_had_to_be_forgotten_counts_as_changed() {
        let changes = Changes::new(2, Duration::from_secs(60));
        assert_eq!(changes.last(1), None);
        for thing in 1..=3 {
            tokio::time::advance(Duration::from_secs(1)).await;
            changes.note(thing);
        }
        assert_eq!(changes.count(), 2);
        let (first, third) = (changes.last(1).unwrap(), changes.last(3).unwrap());
        assert_eq!(third - first, Duration::from_secs(2));
        // And so does what was never changed.
        assert_eq!(changes.last(9), Some(first));
    }
}
