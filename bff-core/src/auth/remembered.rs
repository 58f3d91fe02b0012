//! Tokens whose signature was checked a moment ago.
//!
//! Why this is safe:
//!
//! - The key is SHA-256 over the whole token, signature included. Whoever presents the same bytes presents
//!   the token that was verified; any other bytes are another key, and are verified in full. Nothing is
//!   ever found by a part of a token.
//! - Only verified tokens are put in, so nobody can fill it with forged ones; nothing is remembered about
//!   tokens that were refused.
//! - An entry ends with the token's `exp` (by our clock), after `remember` at the latest, and at once when
//!   its issuer's keys change: it carries the number of the set that vouched for it.
//! - All other rules (audience, type, algorithms) are settings, which do not change while the process runs.
//! - The token itself is not kept, only its hash: a memory dump has no credentials from here.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256};
use moka::sync::Cache;

use crate::clock::{self, Instant};
use crate::identity::Identity;

/// More tokens than this are not remembered at once.
const MOST: u64 = 10_000;

/// The bounded memory of one authenticator; `None` inside when it is switched off.
pub(super) struct Remembered {
    entries: Option<Cache<Fingerprint, Entry>>,
    keep: Duration,
}

/// SHA-256 over a whole token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

/// What was found out about a token, and how long it holds.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) identity: Arc<Identity>,
    /// Which of the authenticator's issuers vouched for it.
    pub(super) issuer: usize,
    /// With which of that issuer's key sets.
    pub(super) generation: u64,
    /// The first second in which the token is no longer valid.
    pub(super) end: u64,
    pub(super) since: Instant,
}

impl Remembered {
    pub(super) fn new(keep: Duration) -> Self {
        // moka's own clock is not ours: its limit only frees memory, `find` decides.
        let build = || Cache::builder().max_capacity(MOST).time_to_live(keep).build();
        Self { entries: (!keep.is_zero()).then(build), keep }
    }

    /// `None` when nothing is remembered, so that nobody hashes for nothing.
    pub(super) fn fingerprint(&self, token: &str) -> Option<Fingerprint> {
        self.entries.as_ref()?;
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest::digest(&SHA256, token.as_bytes()).as_ref());
        Some(Fingerprint(fingerprint))
    }

    /// The identity of a token that was verified, while that still holds. `generation` says which key set
    /// of an issuer is believed now.
    pub(super) fn find(
        &self,
        token: &Fingerprint,
        generation: impl FnOnce(usize) -> Option<u64>,
    ) -> Option<Arc<Identity>> {
        let entries = self.entries.as_ref()?;
        let entry = entries.get(token)?;
        let holds = clock::unix_seconds() < entry.end
            && clock::now().saturating_duration_since(entry.since) < self.keep
            && generation(entry.issuer) == Some(entry.generation);
        if !holds {
            entries.invalidate(token);
            return None;
        }
        Some(entry.identity)
    }

    pub(super) fn insert(&self, token: Fingerprint, entry: Entry) {
        if let Some(entries) = &self.entries {
            entries.insert(token, entry);
        }
    }
}
