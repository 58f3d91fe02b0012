//! Answers that are kept: in memory, bounded in bytes, and behind that, for a fleet, in a store that its instances share.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use http::header::VARY;
use http::{HeaderMap, HeaderName};
use moka::Expiry;
use moka::sync::Cache;

use super::changes::Changes;
use super::directives::list;
use super::entry::LONGEST;
use super::key::EVERY_UPSTREAM;
use super::slot::{Slot, Varies};
use super::{CacheSettings, Entry, Flights, Key, SecondLevel};
use crate::clock::{self, Instant};
use crate::identity::Fingerprint;
use crate::telemetry::SecondLevelCounts;

/// What a slot without an entry costs.
const SMALL: usize = 256;
/// How long it is remembered that a question was written over: longer than any call that was sent before may take.
const WRITTEN_OVER: Duration = Duration::from_secs(60);
/// What such a memory costs.
const CHANGE: u64 = 128;
/// Of how many identities and upstreams the last write is remembered.
const MOST_WRITES: u64 = 100_000;
/// How long it is remembered that an answer was not to be shared, and of how many questions.
const UNSHARED: Duration = Duration::from_secs(5);
const MOST_UNSHARED: u64 = 10_000;
/// Beyond so many headers, what answers of one question vary on is taken anew.
const MOST_VARIED: usize = 16;
/// The share of the store in which it is remembered what was written over.
const CHANGES_SHARE: u64 = 32;
/// An entry that weighs more than this share of the store is not kept: it would push out the better part of the others.
const LARGEST_SHARE: u64 = 8;

/// What the store has for a key.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// Nothing.
    Miss,
    /// An answer inside its time.
    Fresh(Arc<Entry>),
    /// An answer that may be served while it is refreshed (RFC 5861 §3).
    Revalidate(Arc<Entry>),
    /// An answer past its time: to be confirmed, and for when that fails.
    Expired(Arc<Entry>),
}

impl Lookup {
    /// What is there.
    #[must_use]
    pub fn entry(&self) -> Option<&Arc<Entry>> {
        match self {
            Self::Miss => None,
            Self::Fresh(entry) | Self::Revalidate(entry) | Self::Expired(entry) => Some(entry),
        }
    }
}

/// What the store has for a request.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The key of the very answer: with the headers it varies on.
    pub key: Key,
    /// What is there.
    pub lookup: Lookup,
    /// Answers are kept for this question, by headers of the request.
    pub varies: bool,
}

/// Answers by key.
#[derive(Clone, Debug)]
pub struct Store {
    slots: Cache<Key, Slot>,
    second: Option<Arc<dyn SecondLevel>>,
    /// Looks into the second level, one for each question at a time.
    loads: Flights<Option<Slot>>,
    /// The last write of an identity to an upstream: what was asked for before it is not served after it.
    writes: Changes,
    /// When a question was last written over: what was asked for before is neither kept nor served after it.
    changes: Changes,
    /// Questions, by their hash, whose last answer was for nobody but who asked.
    unshared: Cache<u64, ()>,
    hasher: RandomState,
    capacity: u64,
    jitter: f64,
}

impl Store {
    /// An empty store, in front of `second`.
    #[must_use]
    pub fn new(settings: &CacheSettings, second: Option<Arc<dyn SecondLevel>>) -> Self {
        let capacity = settings.capacity.as_u64();
        let for_changes = capacity / CHANGES_SHARE;
        Self {
            slots: Cache::builder()
                .max_capacity(capacity - for_changes)
                .weigher(|key: &Key, slot: &Slot| weigh(key, slot))
                .expire_after(UpperBound)
                .build(),
            second,
            loads: Flights::default(),
            writes: Changes::new(MOST_WRITES, LONGEST),
            changes: Changes::new(for_changes / CHANGE, WRITTEN_OVER),
            unshared: Cache::builder().max_capacity(MOST_UNSHARED).time_to_live(UNSHARED).build(),
            hasher: RandomState::new(),
            capacity,
            jitter: settings.jitter,
        }
    }

    /// What is kept for `key`, in memory or behind it.
    pub async fn look_up(&self, key: &Key) -> Lookup {
        self.judge(key, self.slot(key).await)
    }

    /// What is kept for a request with these headers.
    pub async fn select(&self, key: &Key, headers: &HeaderMap) -> Selected {
        let selected = match self.slot(key).await {
            Some(Slot::Varies(rule)) => {
                let key = rule.key(key, headers);
                let lookup = self.look_up(&key).await;
                Selected { key, lookup, varies: true }
            }
            slot => Selected { key: key.clone(), lookup: self.judge(key, slot), varies: false },
        };
        let changed = self.written_over(key);
        match (selected.lookup.entry(), changed) {
            (Some(entry), Some(at)) if entry.asked <= at => Selected { lookup: Lookup::Miss, ..selected },
            _ => selected,
        }
    }

    /// Keeps an answer to `key`, if it has not been written over since it was asked for. Says whether it is kept.
    pub fn keep(&self, key: &Key, entry: &Arc<Entry>) -> bool {
        let newer = matches!(self.slots.get(key), Some(Slot::Entry(kept)) if kept.asked > entry.asked);
        let written = self.last_write(key).is_some_and(|write| entry.asked <= write);
        if newer || written || entry.kept_until <= clock::now() {
            return false;
        }
        if !self.has_room_for(entry.weight() + key.text().len()) {
            self.supersede(key, entry.asked);
            return false;
        }
        self.put(key, Slot::Entry(entry.clone()));
        true
    }

    /// Keeps an answer to `key` by a request with these headers, under those that its `Vary` names (RFC 9111 §4.1). Says
    /// whether it is kept.
    pub fn keep_varied(&self, key: &Key, headers: &HeaderMap, entry: &Arc<Entry>) -> bool {
        if self.written_over(key).is_some_and(|at| entry.asked <= at) {
            return false;
        }
        let mut names: Vec<String> = Vec::new();
        for name in entry.headers.get_all(VARY).iter().flat_map(|line| list(line.as_bytes())) {
            if let Ok(name) = HeaderName::from_bytes(name) {
                names.push(name.as_str().to_owned());
            }
        }
        names.sort_unstable();
        names.dedup();
        let rule = match self.slots.get(key) {
            // One answer names fewer headers than another did: by the rule that covers both, both are found again.
            Some(Slot::Varies(rule)) if names.iter().all(|name| rule.names.contains(name)) => rule,
            _ if names.is_empty() => return self.keep(key, entry),
            before => {
                if let Some(Slot::Varies(rule)) = before
                    && rule.names.len() + names.len() <= MOST_VARIED
                {
                    names.extend(rule.names.iter().cloned());
                    names.sort_unstable();
                    names.dedup();
                }
                let rule = Arc::new(Varies { generation: fastrand::u64(..), names });
                self.put(key, Slot::Varies(rule.clone()));
                rule
            }
        };
        self.keep(&rule.key(key, headers), entry)
    }

    /// Drops what is kept for `key` and was asked for before `asked`: there is an answer since that nobody may keep.
    pub fn supersede(&self, key: &Key, asked: Instant) {
        if let Some(Slot::Entry(kept)) = self.slots.get(key)
            && kept.asked <= asked
        {
            self.forget(key);
        }
    }

    /// Whether something is kept for `key` that may be served while its upstream fails; not that there is none (`null`).
    #[must_use]
    pub fn stands_in(&self, key: &Key) -> bool {
        matches!(self.slots.get(key), Some(Slot::Entry(kept))
            if (kept.usable_on_error() || kept.usable_while_revalidating()) && *kept.body != *b"null")
    }

    fn forget(&self, key: &Key) {
        self.slots.invalidate(key);
        if let Some(second) = self.second.as_ref().filter(|_| key.owner().is_none()) {
            second.remove(key.text());
        }
    }

    /// Like [`supersede`](Self::supersede), for the answer to a request with these headers.
    pub fn supersede_varied(&self, key: &Key, headers: &HeaderMap, asked: Instant) {
        match self.slots.get(key) {
            Some(Slot::Varies(rule)) => self.supersede(&rule.key(key, headers), asked),
            _ => self.supersede(key, asked),
        }
    }

    /// When what `key` asks for was last written over, where that is remembered.
    #[must_use]
    pub fn written_over(&self, key: &Key) -> Option<Instant> {
        self.changes.last(key)
    }

    /// What `key` asks for was written over (RFC 9111 §4.4): nothing that was asked for before is served from now on.
    pub fn write_over(&self, key: &Key) {
        self.changes.note(key);
        self.forget(key);
    }

    /// The answer to `key` was for nobody but who asked: for a while who asks does not wait for others' answers.
    pub fn not_shared(&self, key: &Key) {
        self.unshared.insert(self.hasher.hash_one(key), ());
    }

    /// Whether the last answer to `key` was for nobody but who asked.
    #[must_use]
    pub fn is_not_shared(&self, key: &Key) -> bool {
        self.unshared.contains_key(&self.hasher.hash_one(key))
    }

    /// An identity has written to an upstream: what it was told before is not served to it again.
    pub fn written(&self, upstream: &Arc<str>, identity: Fingerprint) {
        self.writes.note((&**upstream, identity));
        self.writes.note((EVERY_UPSTREAM, identity));
    }

    /// The last write that touches this key; `None` for shared answers, which no write of one identity touches.
    #[must_use]
    pub fn last_write(&self, key: &Key) -> Option<Instant> {
        self.writes.last((&**key.upstream(), key.owner()?))
    }

    /// Whether an entry of this weight may be kept.
    #[must_use]
    pub fn has_room_for(&self, weight: usize) -> bool {
        weight as u64 <= self.capacity / LARGEST_SHARE
    }

    /// By which share of its time the next entry ends earlier than it has to.
    #[must_use]
    pub fn cut(&self) -> f64 {
        if self.jitter > 0.0 { self.jitter * fastrand::f64() } else { 0.0 }
    }

    /// What all entries together weigh, in bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.slots.run_pending_tasks();
        self.slots.weighted_size() + self.changes.count() * CHANGE
    }

    /// What has become of what was asked of the second level; `None` without one.
    #[must_use]
    pub fn second_level(&self) -> Option<SecondLevelCounts> {
        self.second.as_ref().map(|second| second.counts())
    }

    /// What is kept, of the two levels what is newer.
    async fn slot(&self, key: &Key) -> Option<Slot> {
        let here = self.slots.get(key);
        let Some(second) = self.second.as_ref().filter(|_| key.owner().is_none()) else { return here };
        match &here {
            Some(Slot::Entry(entry)) if entry.remaining().is_zero() => {}
            Some(_) => return here,
            None => {}
        }
        // One question, however many ask it now.
        let (load, _) = self.loads.board(key, None, None, || {
            let (second, key) = (second.clone(), key.clone());
            async move { second.get(key.text()).await.and_then(|bytes| Slot::read(&bytes)) }
        });
        let there = load.await;
        // It may have been brought meanwhile.
        let here = self.slots.get(key);
        match (here, there) {
            (Some(Slot::Entry(here)), Some(Slot::Entry(there))) if here.asked >= there.asked => Some(Slot::Entry(here)),
            (_, Some(there)) => {
                self.slots.insert(key.clone(), there.clone());
                Some(there)
            }
            (here, None) => here,
        }
    }

    fn put(&self, key: &Key, slot: Slot) {
        // What is told to one identity stays here: its writes would have to reach every instance.
        if let Some(second) = self.second.as_ref().filter(|_| key.owner().is_none())
            && let Some((value, ttl)) = slot.write()
        {
            second.set(key.text(), value, ttl);
        }
        self.slots.insert(key.clone(), slot);
    }

    fn judge(&self, key: &Key, slot: Option<Slot>) -> Lookup {
        let Some(Slot::Entry(entry)) = slot else { return Lookup::Miss };
        if self.last_write(key).is_some_and(|write| entry.asked <= write) {
            self.slots.invalidate(key);
            return Lookup::Miss;
        }
        if !entry.remaining().is_zero() {
            Lookup::Fresh(entry)
        } else if entry.usable_while_revalidating() {
            Lookup::Revalidate(entry)
        } else if clock::now() < entry.kept_until {
            Lookup::Expired(entry)
        } else {
            Lookup::Miss
        }
    }
}

fn weigh(key: &Key, slot: &Slot) -> u32 {
    let own = match slot {
        Slot::Entry(entry) => entry.weight(),
        Slot::Varies(rule) => SMALL + rule.names.iter().map(|name| name.len() + 32).sum::<usize>(),
    };
    u32::try_from(own + key.text().len()).unwrap_or(u32::MAX)
}

/// moka has a clock of its own, so it only sweeps; whether an entry may be used is asked of [`clock`].
struct UpperBound;

impl Expiry<Key, Slot> for UpperBound {
    fn expire_after_create(&self, _: &Key, slot: &Slot, _: std::time::Instant) -> Option<Duration> {
        Some(match slot {
            Slot::Entry(entry) => entry.kept_until.saturating_duration_since(clock::now()),
            Slot::Varies(_) => LONGEST,
        })
    }

    fn expire_after_update(
        &self,
        key: &Key,
        slot: &Slot,
        now: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, slot, now)
    }
}
