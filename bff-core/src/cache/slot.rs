//! What is kept for one question, and its form in the second level.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use super::entry::LONGEST;
use super::{Entry, Key};
use crate::clock;

/// What is kept for one question.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// An answer.
    Entry(Arc<Entry>),
    /// Answers are kept by what the request says in these headers.
    Varies(Arc<Varies>),
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Varies {
    /// Tells what is kept by this rule from what was kept by one that is gone.
    pub(super) generation: u64,
    pub(super) names: Vec<String>,
}

impl Varies {
    pub(super) fn key(&self, key: &Key, headers: &HeaderMap) -> Key {
        let names: Vec<HeaderName> = self.names.iter().filter_map(|name| name.parse().ok()).collect();
        key.varied(self.generation, &names, headers)
    }
}

impl Slot {
    /// The bytes for the second level, and for how long they are of use.
    pub(super) fn write(&self) -> Option<(Bytes, Duration)> {
        let (kind, bytes, ttl) = match self {
            Self::Entry(entry) => (b'e', entry.write()?, entry.kept_until.saturating_duration_since(clock::now())),
            Self::Varies(rule) => (b'v', postcard::to_stdvec(&**rule).ok()?.into(), LONGEST),
        };
        let mut value = BytesMut::with_capacity(1 + bytes.len());
        value.put_u8(kind);
        value.put_slice(&bytes);
        Some((value.freeze(), ttl))
    }

    /// What some instance wrote. Bytes that are none are a miss, and said in the log once.
    pub(super) fn read(value: &Bytes) -> Option<Self> {
        let slot = match value.first() {
            Some(b'e') => Entry::read(&value.slice(1..)).map(|entry| Self::Entry(Arc::new(entry))),
            Some(b'v') => postcard::from_bytes(&value[1..]).ok().map(|rule| Self::Varies(Arc::new(rule))),
            _ => None,
        };
        if slot.is_none() {
            static SAID: std::sync::Once = std::sync::Once::new();
            SAID.call_once(|| tracing::warn!("the shared cache holds entries that this version cannot read: misses"));
        }
        slot
    }
}
