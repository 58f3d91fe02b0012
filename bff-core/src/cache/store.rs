//! Answers kept in memory, bounded in bytes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytesize::ByteSize;
use moka::Expiry;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use super::{Freshness, Key};
use crate::clock::{self, Instant};
use crate::identity::Fingerprint;
use crate::settings::{Check, Mistakes};

/// What an entry costs beside its key and body: the map's slot, counters, the entry itself.
const OVERHEAD: usize = 256;
/// How long a write is remembered at least; no entry lives longer than this.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// `[cache]`: the store of upstream answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheSettings {
    /// What all entries together may weigh. Default 64 MiB; `"0"` keeps nothing.
    pub capacity: ByteSize,
    /// By how much of its time an entry may end earlier, at random, so that entries made together do not end
    /// together. Default 0.05.
    pub jitter: f64,
    /// How many refreshes behind an answer (stale-while-revalidate) may be under way at once. Default 64.
    pub background_refreshes: usize,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { capacity: ByteSize::mib(64), jitter: 0.05, background_refreshes: 64 }
    }
}

impl Check for CacheSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if !(0.0..=0.5).contains(&self.jitter) {
            mistakes.note("jitter", format!("{} is no share of a time", self.jitter), "give a number from 0 to 0.5");
        }
    }
}

/// An answer that is kept.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The body of the 200.
    pub body: Bytes,
    /// When the call that brought it was sent.
    asked: Instant,
    received: Instant,
    /// How old it was when it arrived.
    initial_age: Duration,
    fresh_until: Instant,
    revalidate_until: Instant,
    error_until: Instant,
    /// It says that it belongs to one user.
    pub private: bool,
}

impl Entry {
    /// Since the upstream made it.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.initial_age + clock::now().saturating_duration_since(self.received)
    }

    /// What is left of its time.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.fresh_until.saturating_duration_since(clock::now())
    }

    /// Whether it may stand in for a refresh that failed (RFC 5861 §4).
    #[must_use]
    pub fn usable_on_error(&self) -> bool {
        clock::now() < self.error_until
    }
}

/// What the store has for a key.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// Nothing.
    Miss,
    /// An answer inside its time.
    Fresh(Arc<Entry>),
    /// An answer that may be served while it is refreshed (RFC 5861 §3).
    Revalidate(Arc<Entry>),
    /// An answer past its time, for when the refresh fails.
    Expired(Arc<Entry>),
}

/// Answers by key.
#[derive(Clone, Debug)]
pub struct Store {
    entries: Cache<Key, Arc<Entry>>,
    /// The last write of an identity to an upstream: what was asked for before it is not served after it.
    writes: Cache<(Arc<str>, Fingerprint), Instant>,
    /// The latest write that had to be forgotten; what was asked for before it counts as written over.
    forgotten: Arc<std::sync::Mutex<Option<Instant>>>,
    capacity: u64,
    jitter: f64,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(settings: &CacheSettings) -> Self {
        let forgotten = Arc::new(std::sync::Mutex::new(None));
        let floor = forgotten.clone();
        Self {
            entries: Cache::builder()
                .max_capacity(settings.capacity.as_u64())
                .weigher(weigh)
                .expire_after(UpperBound)
                .build(),
            writes: Cache::builder()
                .max_capacity(100_000)
                // The oldest write goes first, so that what has to be assumed for it is long past.
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(LONGEST)
                .eviction_listener(move |_, at: Instant, cause| {
                    if cause == RemovalCause::Size {
                        let mut floor = lock(&floor);
                        *floor = Some(floor.map_or(at, |known: Instant| known.max(at)));
                    }
                })
                .build(),
            forgotten,
            capacity: settings.capacity.as_u64(),
            jitter: settings.jitter,
        }
    }

    /// What is kept for `key`.
    #[must_use]
    pub fn look_up(&self, key: &Key) -> Lookup {
        let Some(entry) = self.entries.get(key) else { return Lookup::Miss };
        if self.last_write(key).is_some_and(|write| entry.asked <= write) {
            self.entries.invalidate(key);
            return Lookup::Miss;
        }
        let now = clock::now();
        if now < entry.fresh_until {
            Lookup::Fresh(entry)
        } else if now < entry.revalidate_until {
            Lookup::Revalidate(entry)
        } else if now < entry.error_until {
            Lookup::Expired(entry)
        } else {
            Lookup::Miss
        }
    }

    /// Keeps the body of a 200 that was asked for at `asked`, if its headers allow that.
    pub fn keep(&self, key: &Key, body: &Bytes, freshness: &Freshness, asked: Instant) {
        let weight = (body.len() + key.text().len() + OVERHEAD) as u64;
        // What was kept before is older than this answer in any case.
        let before = self.entries.get(key);
        let newer = before.as_ref().is_some_and(|kept| kept.asked > asked);
        if newer || self.last_write(key).is_some_and(|write| asked <= write) {
            return;
        }
        // One entry never pushes out the better part of the others.
        if !freshness.storable || weight > self.capacity / 8 {
            if before.is_some() {
                self.forget(key);
            }
            return;
        }
        let remaining = freshness.remaining.unwrap_or_default().min(LONGEST);
        let cut = if self.jitter > 0.0 { remaining.mul_f64(self.jitter * fastrand::f64()) } else { Duration::ZERO };
        let received = clock::now();
        let fresh_until = received + (remaining - cut);
        let last = received + LONGEST;
        let revalidate_until = (fresh_until + freshness.while_revalidate.min(LONGEST)).min(last);
        let error_until = (fresh_until + freshness.if_error.min(LONGEST)).min(last);
        if revalidate_until.max(error_until) <= received {
            return self.forget(key);
        }
        let entry = Entry {
            // A copy of its own: what arrives is a slice of the connection's buffer, which may be far larger.
            body: Bytes::copy_from_slice(body),
            asked,
            received,
            initial_age: freshness.age,
            fresh_until,
            revalidate_until,
            error_until,
            private: freshness.private,
        };
        self.entries.insert(key.clone(), Arc::new(entry));
    }

    /// Drops what is kept for `key`: its upstream says that there is no such thing.
    pub fn forget(&self, key: &Key) {
        self.entries.invalidate(key);
    }

    /// An identity has written to an upstream: what it was told before is not served to it again.
    pub fn written(&self, upstream: &Arc<str>, identity: Fingerprint) {
        self.writes.insert((upstream.clone(), identity), clock::now());
    }

    /// The last write that touches this key; `None` for shared answers, which no write of one identity touches.
    #[must_use]
    pub fn last_write(&self, key: &Key) -> Option<Instant> {
        let owner = key.owner()?;
        let known = self.writes.get(&(key.upstream().clone(), owner));
        known.max(*lock(&self.forgotten))
    }

    /// What all entries together weigh, in bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.weighted_size()
    }
}

fn lock(floor: &std::sync::Mutex<Option<Instant>>) -> std::sync::MutexGuard<'_, Option<Instant>> {
    floor.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn weigh(key: &Key, entry: &Arc<Entry>) -> u32 {
    // The key's text is held once by the key and once by the map's own copy of it.
    u32::try_from(entry.body.len() + key.text().len() + OVERHEAD).unwrap_or(u32::MAX)
}

/// moka has a clock of its own, so it only sweeps; whether an entry may be used is asked of [`clock`].
struct UpperBound;

impl Expiry<Key, Arc<Entry>> for UpperBound {
    fn expire_after_create(&self, _: &Key, entry: &Arc<Entry>, _: std::time::Instant) -> Option<Duration> {
        let last = entry.revalidate_until.max(entry.error_until);
        Some(last.saturating_duration_since(entry.received))
    }

    fn expire_after_update(
        &self,
        key: &Key,
        entry: &Arc<Entry>,
        now: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, entry, now)
    }
}
