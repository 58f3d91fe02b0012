//! What is kept of answers, here and in Redis.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Metrics, raise};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// What has become of what was asked of the second level since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecondLevelCounts {
    /// Entries that it had.
    pub hits: u64,
    /// Entries that it did not have.
    pub misses: u64,
    /// Entries that were not asked for, because it had failed just before or was not connected yet.
    pub skipped: u64,
    /// Commands that were not answered in time, or with an error.
    pub failures: u64,
    /// Entries that were not written, because too many were on their way or it had failed just before.
    pub dropped: u64,
    /// Removals that were given up; such an entry stays until its time is over.
    pub lost: u64,
    /// Whether there is a connection that works as far as is known.
    pub connected: bool,
}

/// The store in memory, and the one behind it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    bytes: Gauge,
    gets: Family<ResultLabels, Counter>,
    failures: Counter,
    dropped: Counter,
    lost: Counter,
    connected: Gauge,
}

impl Kept {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("cache_bytes", "What all entries in memory weigh", self.bytes.clone());
        let gets = "What became of looks into Redis: hit, miss, or skipped because it failed just before";
        registry.register("cache_redis_gets", gets, self.gets.clone());
        let failures = "Commands to Redis without an answer in time, or with an error";
        registry.register("cache_redis_failures", failures, self.failures.clone());
        registry.register("cache_redis_writes_dropped", "Entries not written to Redis", self.dropped.clone());
        registry.register("cache_redis_removals_lost", "Removals from Redis given up", self.lost.clone());
        let connected = "1 while there is a connection to Redis that works";
        registry.register("cache_redis_connected", connected, self.connected.clone());
    }
}

impl Metrics {
    /// What is kept at this moment, and what became of what was asked of the second level, if there is one.
    pub fn kept(&self, bytes: u64, second: Option<SecondLevelCounts>) {
        let own = &self.kept;
        own.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        let Some(counts) = second else { return };
        for (result, total) in [("hit", counts.hits), ("miss", counts.misses), ("skipped", counts.skipped)] {
            raise(&own.gets.get_or_create(&ResultLabels { result }), total);
        }
        raise(&own.failures, counts.failures);
        raise(&own.dropped, counts.dropped);
        raise(&own.lost, counts.lost);
        own.connected.set(i64::from(counts.connected));
    }
}
