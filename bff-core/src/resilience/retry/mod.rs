//! Further attempts at a call: how many, after what pause, and how many of them an upstream is asked to bear.

mod budget;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::budget::{Budget, BudgetSettings, BudgetView};
use crate::settings::{Check, Mistakes};

/// No pause is longer: no request lives that long.
const LONGEST: Duration = Duration::from_secs(3600);
/// Ten attempts at an upstream that failed nine times are an attack.
const MOST_TRIES: u32 = 10;

/// `[upstreams.<name>.retry]`: what is done when an attempt fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetrySettings {
    /// Further tries after the first; 0 switches retries off. Default 2 (the AWS SDKs).
    pub tries: u32,
    /// The longest pause before the first retry; it doubles with each. Default 25 ms (Envoy's `base_interval`).
    #[serde(with = "humantime_serde")]
    pub backoff: Duration,
    /// What it doubles to at most. Default 250 ms, ten times the first (Envoy's `max_interval`).
    #[serde(with = "humantime_serde")]
    pub backoff_at_most: Duration,
    /// How many retries all calls together may make.
    pub budget: BudgetSettings,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            tries: 2,
            backoff: Duration::from_millis(25),
            backoff_at_most: Duration::from_millis(250),
            budget: BudgetSettings::default(),
        }
    }
}

impl Check for RetrySettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.tries > MOST_TRIES {
            let problem = format!("{} more tries at an upstream that fails", self.tries);
            mistakes.note("tries", problem, format!("give at most {MOST_TRIES}; 2 are usual"));
        }
        if self.backoff.is_zero() && self.tries > 0 {
            mistakes.note("backoff", "0 tries again at once", "give a time such as \"25ms\", or tries = 0");
        }
        if self.backoff_at_most < self.backoff {
            let problem = format!("{:?} is less than backoff, {:?}", self.backoff_at_most, self.backoff);
            mistakes.note("backoff_at_most", problem, "make it at least backoff");
        }
        if self.backoff_at_most > LONGEST {
            let problem = format!("{:?} is longer than any request lives", self.backoff_at_most);
            mistakes.note("backoff_at_most", problem, "give a time such as \"250ms\"");
        }
        if self.budget.per_second == 0 && self.tries > 0 {
            mistakes.note("budget.per_second", "0 refuses every retry", "give a number from 1 on, or tries = 0");
        }
        mistakes.within("budget", |mistakes| self.budget.check(mistakes));
    }
}

impl RetrySettings {
    /// How long to wait before a retry; the first is number 1. `random` is from 0 to 1, `retry_after` what the upstream
    /// asked for. Whether that much time is left is the caller's question.
    ///
    /// Full jitter: anything from nothing to the whole back-off, because callers that failed together must not come
    /// back together (AWS Architecture Blog, "Exponential Backoff And Jitter").
    #[must_use]
    pub fn pause(&self, try_number: u32, retry_after: Option<Duration>, random: f64) -> Duration {
        let doubled = self.backoff.saturating_mul(2_u32.saturating_pow(try_number.saturating_sub(1)));
        let longest = doubled.min(self.backoff_at_most).min(LONGEST);
        let random = if (0.0..=1.0).contains(&random) { random } else { 1.0 };
        longest.mul_f64(random).max(retry_after.unwrap_or_default())
    }
}
