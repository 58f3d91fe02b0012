//! How long an upstream takes when it is well.

use std::time::Duration;

use crate::clock::Instant;

/// An epoch ends when it is this old and has this many answers.
const EPOCH: Duration = Duration::from_secs(1);
const ANSWERS: u32 = 50;
/// How many epochs are kept, and how long at most: much longer than the 10 s of slowness that must not become normal.
/// (Envoy's gradient controller measures its minimum anew now and then and refuses calls meanwhile; nothing is refused
/// for this.)
const EPOCHS: usize = 120;
const MEMORY: Duration = Duration::from_secs(120);
/// With fewer answers than this nothing is said.
const FEW: u32 = 20;
/// For so long after the first answer nothing is said.
const BLIND: Duration = Duration::from_millis(100);

/// The latency that is normal: the lowest tenth of the means of the last two minutes' seconds.
///
/// A mean, because the median of a mix of fast and slow calls jumps between the two. Of the means a low one, so that
/// it takes 108 slow seconds of 120 until slow is normal, and twelve good ones until normal is normal again. The
/// lowest one would do for that too, but would follow one lucky second (cf. Netflix concurrency-limits, issue 37).
#[derive(Debug)]
pub(super) struct Baseline {
    /// A ring; in seconds.
    means: [(f64, Option<Instant>); EPOCHS],
    next: usize,
    sum: f64,
    count: u32,
    since: Option<Instant>,
    normal: Option<f64>,
    /// Of the first second, answer by answer: the lowest mean of [`FEW`].
    early: Option<f64>,
    few: (f64, u32),
}

impl Baseline {
    pub(super) fn new() -> Self {
        Self {
            means: [(0.0, None); EPOCHS],
            next: 0,
            sum: 0.0,
            count: 0,
            since: None,
            normal: None,
            early: None,
            few: (0.0, 0),
        }
    }

    /// In seconds; `None` while there were too few answers.
    ///
    /// Before the first second is over it is the lowest so far, however lucky: who starts into an overload would else
    /// take the queue that its own seats build for what is normal, and let it grow.
    pub(super) fn normal(&self) -> Option<f64> {
        self.normal.or(self.early)
    }

    /// Notes a good answer.
    pub(super) fn record(&mut self, took: f64, now: Instant) {
        let since = *self.since.get_or_insert(now);
        // Whatever comes first is fast, because the slow ones are still under way.
        if self.normal.is_none() && now.saturating_duration_since(since) >= BLIND {
            self.begin(took);
        }
        self.sum += took;
        self.count = self.count.saturating_add(1);
        if self.count < ANSWERS || now.saturating_duration_since(since) < EPOCH {
            return;
        }
        self.means[self.next] = (self.sum / f64::from(self.count), Some(now));
        self.next = (self.next + 1) % EPOCHS;
        (self.sum, self.count, self.since) = (0.0, 0, Some(now));

        let mut known = [0.0; EPOCHS];
        let mut length = 0;
        let recent = |at: Instant| now.saturating_duration_since(at) <= MEMORY;
        for (mean, _) in self.means.iter().filter(|(_, at)| at.is_some_and(recent)) {
            known[length] = *mean;
            length += 1;
        }
        let known = &mut known[..length];
        known.sort_unstable_by(f64::total_cmp);
        self.normal = known.get(length / 10).copied();
    }

    fn begin(&mut self, took: f64) {
        self.few.0 += took;
        self.few.1 += 1;
        if self.few.1 == FEW {
            let mean = self.few.0 / f64::from(FEW);
            self.early = Some(self.early.map_or(mean, |early| early.min(mean)));
            self.few = (0.0, 0);
        }
    }
}
