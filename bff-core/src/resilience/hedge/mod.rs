//! A second attempt for the few calls that are late.
//!
//! Dean and Barroso, The Tail at Scale (CACM 56(2), 2013): ask a second time once the first attempt has been
//! outstanding for longer than the 95th percentile of its kind. That costs about 5 % more calls and cuts the tail off.
//! Only reads may be hedged, and a hedge is paid from the retry budget; both are the caller's business.
//! When a whole upstream gets slow, more than 5 % are late: it is the budget that keeps hedges from making it worse.

mod latency;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use latency::Latency;
use serde::{Deserialize, Serialize};

use crate::clock::Instant;
use crate::settings::{Check, Mistakes};

/// When a second attempt is started beside the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HedgeSettings {
    /// Whether reads are hedged at all. Default `false`: an upstream has to be able to bear it.
    pub enabled: bool,
    /// The share of good answers that a second attempt waits for, between 0.5 and 1. Default 0.95 (The Tail at Scale).
    pub percentile: f64,
    /// No second attempt earlier than this: below it the second costs more than it can win. Default 10 ms.
    #[serde(with = "humantime_serde")]
    pub after_at_least: Duration,
    /// A second attempt no later than this, and the delay while too little is known. Default: none; the timeout of
    /// the attempt bounds it anyway, and nothing is hedged while too little is known.
    #[serde(with = "humantime_serde")]
    pub after_at_most: Option<Duration>,
}

impl Default for HedgeSettings {
    fn default() -> Self {
        Self { enabled: false, percentile: 0.95, after_at_least: Duration::from_millis(10), after_at_most: None }
    }
}

impl HedgeSettings {
    /// How long after the first attempt the second one starts; `None` for no second one: because it is switched off,
    /// or because too little is known about this upstream and nothing else is said.
    #[must_use]
    pub fn delay(&self, latency: &Latency, now: Instant) -> Option<Duration> {
        if !self.enabled {
            return None;
        }
        let Some(observed) = latency.quantile(self.percentile, now) else { return self.after_at_most };
        let delay = observed.max(self.after_at_least);
        Some(self.after_at_most.map_or(delay, |most| delay.min(most)))
    }
}

impl Check for HedgeSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        // NaN is in no range.
        if !(self.percentile > 0.5 && self.percentile < 1.0) {
            mistakes.note(
                "percentile",
                format!("{} is not between 0.5 and 1", self.percentile),
                "give the share of answers a second attempt waits for, such as 0.95",
            );
        }
        if self.after_at_least.is_zero() {
            mistakes.note("after_at_least", "zero would send every call twice", "give a duration, such as \"10ms\"");
        }
        if let Some(most) = self.after_at_most
            && most < self.after_at_least
        {
            mistakes.note(
                "after_at_most",
                format!(
                    "{} is less than after_at_least ({})",
                    humantime::format_duration(most),
                    humantime::format_duration(self.after_at_least)
                ),
                "give at least after_at_least, or leave it out",
            );
        }
    }
}
