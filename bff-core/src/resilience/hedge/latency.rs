//! How long the good answers of an upstream took of late.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Instant;

/// What is shorter counts as this, in nanoseconds.
const SHORTEST: u64 = 50_000;
/// What is longer counts as this.
const LONGEST: u64 = 60_000_000_000;
/// Every power of two is cut into 2⁴ equal buckets, as in `HdrHistogram`; the middle of a bucket is at most 1/32 away.
const CUT: u32 = 4;
/// The power of two below [`SHORTEST`].
const FIRST: u32 = SHORTEST.ilog2();
const BUCKETS: usize = ((LONGEST.ilog2() - FIRST + 1) << CUT) as usize;
/// How long a generation collects; it is forgotten after as long again.
const GENERATION: Duration = Duration::from_secs(10);
/// With fewer observations a 95th percentile is one of the largest two.
const ENOUGH: u64 = 20;
/// How long a quantile is used before it is computed again.
const FRESH: Duration = Duration::from_millis(100);

/// The latencies of the last 10 to 20 seconds, in buckets: 3 KiB, whatever the traffic.
///
/// Knows a latency to within 1/32, from 50 µs to 60 s; what is outside counts as the border.
pub struct Latency(Mutex<Generations>);

struct Generations {
    counts: [[u32; BUCKETS]; 2],
    totals: [u64; 2],
    /// Which of the two collects.
    young: usize,
    /// Since when it does; `None` before the first observation.
    since: Option<Instant>,
    last: Option<Computed>,
}

struct Computed {
    q: f64,
    at: Instant,
    value: Duration,
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Latency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Latency").field("totals", &self.lock().totals).finish_non_exhaustive()
    }
}

impl Latency {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new(Generations { counts: [[0; BUCKETS]; 2], totals: [0; 2], young: 0, since: None, last: None }))
    }

    /// Notes how long a good answer took. Failures do not belong here: a fast one would move the hedge too early, a
    /// timeout would move it out of reach.
    pub fn record(&self, took: Duration, now: Instant) {
        let mut all = self.lock();
        all.age(now);
        let young = all.young;
        let count = &mut all.counts[young][bucket(took)];
        *count = count.saturating_add(1);
        all.totals[young] += 1;
    }

    /// The time within which the share `q` of the recent answers came (nearest rank); `None` with fewer than 20 of
    /// them. Asked again for the same `q` within 100 ms it gives the same answer, so that it can be asked for every call.
    #[must_use]
    pub fn quantile(&self, q: f64, now: Instant) -> Option<Duration> {
        let mut all = self.lock();
        all.age(now);
        if let Some(last) = &all.last
            && last.q.to_bits() == q.to_bits()
            && now.saturating_duration_since(last.at) < FRESH
        {
            return Some(last.value);
        }
        let value = all.quantile(q)?;
        all.last = Some(Computed { q, at: now, value });
        Some(value)
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn age(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let age = now.saturating_duration_since(since);
        if age < GENERATION {
            return;
        }
        // After a silence of both generations the young one is as old as the other.
        let is_gap = age >= 2 * GENERATION;
        if is_gap {
            self.clear(self.young);
        }
        self.young = 1 - self.young;
        self.clear(self.young);
        self.since = Some(if is_gap { now } else { since + GENERATION });
        self.last = None;
    }

    fn clear(&mut self, generation: usize) {
        self.counts[generation].fill(0);
        self.totals[generation] = 0;
    }

    fn quantile(&self, q: f64) -> Option<Duration> {
        let total = self.totals[0] + self.totals[1];
        if total < ENOUGH {
            return None;
        }
        let rank = ((q * total as f64).ceil() as u64).clamp(1, total);
        let mut passed = 0;
        for (at, (one, other)) in self.counts[0].iter().zip(&self.counts[1]).enumerate() {
            passed += u64::from(*one) + u64::from(*other);
            if passed >= rank {
                return Some(middle(at));
            }
        }
        // Only after four thousand million observations in one bucket, where counting ends.
        Some(Duration::from_nanos(LONGEST))
    }
}

fn bucket(took: Duration) -> usize {
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(LONGEST).clamp(SHORTEST, LONGEST);
    let power = nanos.ilog2();
    let within = (nanos >> (power - CUT)) & ((1 << CUT) - 1);
    (((power - FIRST) << CUT) as usize) + within as usize
}

fn middle(bucket: usize) -> Duration {
    let power = FIRST + (bucket >> CUT) as u32;
    let within = (bucket & ((1 << CUT) - 1)) as u64;
    let width = 1 << (power - CUT);
    Duration::from_nanos((1 << power) + within * width + width / 2)
}
