//! What is seen of an upstream between two decisions.

use std::time::Duration;

use crate::clock::Instant;
use crate::resilience::End;

/// A round is at least this long (Netflix `WindowedLimit`: at least 100 ms) and has at least so many samples (10 there).
const ROUND: Duration = Duration::from_millis(100);
const SAMPLES: u32 = 10;
/// A trial is judged on more, because two numbers with an error each are compared (60: one eighth each).
const TRIAL_SAMPLES: u32 = 60;
/// A change is given the time of one call to show, and is then looked at for two (calls that were admitted together also
/// end together, so that shorter looks see a crowd or nobody), but neither for longer than this.
const LONGEST: Duration = Duration::from_secs(1);
/// One answer counts at most this many times the normal, so that one in a hundred that hangs does not make a round slow.
const CLIP: f64 = 10.0;
/// A failure that took this many times the normal is one of time; a faster one is the breaker's business.
const LATE: f64 = 3.0;
/// The same before the normal is known, in seconds.
const LATE_UNKNOWN: f64 = 0.1;
/// From this share on, refusals and late failures are a reason to shrink; below they are somebody's bad luck.
const SHARE: f64 = 0.1;
/// A timeout may be tighter than [`LATE`]. From this share on, failures that took as long as a good answer are no luck.
const MOST: f64 = 0.5;

/// The samples of one round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// May lie ahead: what ends before it still says how it was under another limit.
    since: Instant,
    /// At least so long, with at least so many.
    length: Duration,
    samples: u32,
    good: u32,
    /// Failures that took long.
    late: u32,
    /// Failures that took as long as a good answer, but not long.
    lingering: u32,
    /// 429.
    refused: u32,
    /// Seconds of good ones.
    good_took: f64,
    /// The same, each at most [`CLIP`] times the normal.
    clipped: f64,
    bad_took: f64,
    in_flight: f64,
}

/// What a round says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Good answers per second.
    pub(super) goodput: f64,
    /// The mean seconds of good answers, where there were any.
    pub(super) mean: Option<f64>,
    /// The same without outliers.
    pub(super) clipped: Option<f64>,
    /// Failures of time are more than bad luck.
    pub(super) is_failing: bool,
    /// It asks for fewer calls.
    pub(super) is_refusing: bool,
    /// The mean of what was under way.
    pub(super) in_flight: f64,
}

impl Round {
    /// One that looks out for trouble.
    pub(super) fn watch(since: Instant) -> Self {
        Self::new(since, ROUND, SAMPLES)
    }

    /// One that can be compared with another.
    pub(super) fn compare(since: Instant, time_of_a_call: Duration) -> Self {
        Self::new(since, (time_of_a_call * 2).clamp(ROUND, LONGEST), TRIAL_SAMPLES)
    }

    fn new(since: Instant, length: Duration, samples: u32) -> Self {
        let (good, late, lingering, refused) = (0, 0, 0, 0);
        let (good_took, clipped, bad_took, in_flight) = (0.0, 0.0, 0.0, 0.0);
        Self { since, length, samples, good, late, lingering, refused, good_took, clipped, bad_took, in_flight }
    }

    /// What an outlier counts as.
    pub(super) fn clip(seconds: f64, normal: Option<f64>) -> f64 {
        normal.map_or(seconds, |normal| seconds.min(CLIP * normal))
    }

    /// Notes one. `sent_before` says that it was sent under another limit: a failure then belongs to what was seen under
    /// that, so that one burst is one decrease.
    pub(super) fn add(&mut self, end: End, seconds: f64, normal: Option<f64>, sent_before: bool, in_flight: usize) {
        match end {
            End::Good => {
                self.good += 1;
                self.good_took += seconds;
                self.clipped += Self::clip(seconds, normal);
            }
            End::Overloaded if !sent_before => self.refused += 1,
            End::Bad if !sent_before && seconds >= normal.unwrap_or(LATE_UNKNOWN) => {
                let is_late = seconds >= normal.map_or(LATE_UNKNOWN, |normal| LATE * normal);
                *(if is_late { &mut self.late } else { &mut self.lingering }) += 1;
                self.bad_took += seconds;
            }
            End::Bad | End::Overloaded | End::Nothing => return,
        }
        self.in_flight += in_flight as f64;
    }

    /// Whether this time belongs to it.
    pub(super) fn has_begun(&self, now: Instant) -> bool {
        now >= self.since
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        // Without any good answer there is nothing to compare.
        let samples = if self.good == 0 { SAMPLES } else { self.samples };
        self.count() >= samples && now.saturating_duration_since(self.since) >= self.length
    }

    pub(super) fn seen(&self, now: Instant) -> Seen {
        let time = now.saturating_duration_since(self.since).max(ROUND);
        let good = f64::from(self.good);
        Seen {
            goodput: good / time.as_secs_f64(),
            mean: (self.good > 0).then(|| self.good_took / good),
            clipped: (self.good > 0).then(|| self.clipped / good),
            is_failing: self.share(self.late) >= SHARE || self.share(self.late + self.lingering) >= MOST,
            is_refusing: self.share(self.refused) >= SHARE,
            in_flight: self.in_flight / f64::from(self.count().max(1)),
        }
    }

    /// How long a call takes; a change needs as long to show.
    pub(super) fn time_of_a_call(&self) -> Duration {
        let calls = f64::from((self.good + self.late + self.lingering).max(1));
        Duration::try_from_secs_f64((self.good_took + self.bad_took) / calls).unwrap_or(LONGEST).min(LONGEST)
    }

    fn count(&self) -> u32 {
        self.good + self.late + self.lingering + self.refused
    }

    fn share(&self, part: u32) -> f64 {
        f64::from(part) / f64::from(self.count().max(1))
    }
}
