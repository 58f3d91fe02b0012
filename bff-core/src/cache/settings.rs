//! `[cache]`.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::RedisSettings;
use crate::settings::{Check, Mistakes};

/// `[cache]`: the store of upstream answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheSettings {
    /// What all entries together may weigh. One entry may weigh an eighth of it. Default 64 MiB; `"0"` keeps nothing.
    pub capacity: ByteSize,
    /// By how much of its time an entry may end earlier, at random, so that entries made together do not end
    /// together. Default 0.05.
    pub jitter: f64,
    /// How many refreshes behind an answer (stale-while-revalidate) may be under way at once. Default 64.
    pub background_refreshes: usize,
    /// The second level, shared by the instances of a fleet. Default: none.
    pub redis: RedisSettings,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { capacity: ByteSize::mib(64), jitter: 0.05, background_refreshes: 64, redis: RedisSettings::default() }
    }
}

impl Check for CacheSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if !(0.0..=0.5).contains(&self.jitter) {
            mistakes.note("jitter", format!("{} is no share of a time", self.jitter), "give a number from 0 to 0.5");
        }
        mistakes.within("redis", |mistakes| self.redis.check(mistakes));
    }
}
