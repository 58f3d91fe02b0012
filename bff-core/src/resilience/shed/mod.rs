//! The door's limit: as many requests are worked on as this process finishes in time, the next ones wait for a share of
//! their budget, and those beyond are refused.
//!
//! Rejecting early is what keeps a full server useful: work that will be too late anyway is not begun (Google, "Site
//! Reliability Engineering", ch. 21; AWS Builders' Library, "Using load shedding to avoid overload"). How many are
//! worked on at once follows what this process does ([`pace`]).
//!
//! Waiting costs less than refusing: a client that was refused comes back at once, and each time it costs the CPU that
//! pages need.

mod load;
mod pace;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::load::{Load, LoadView};
use crate::settings::{Check, Mistakes};

/// How bad it is to refuse a request while others are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// Refused last: what earns the money.
    Critical,
    /// Waits when nine tenths of the places are taken.
    #[default]
    Normal,
    /// Waits when three quarters of the places are taken: what comes back by itself, such as prefetching.
    Sheddable,
}

/// `[edge.shed]`: how many requests are worked on at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShedSettings {
    /// Whether there is a limit at all. Default `true`.
    pub enabled: bool,
    /// At most so many requests are worked on at once, however well this process does. Default 10000. How many it really
    /// is follows `lateness`.
    pub in_flight: usize,
    /// How late ready work may run in this process before it is tried whether fewer requests at once get as much done. Default
    /// 3 ms: an idle process runs 1 ms late, which is the grain of the timer, and one with a hundred pages to work on 4 ms.
    #[serde(with = "humantime_serde")]
    pub lateness: Duration,
    /// The share of its budget that a request may wait for its turn; then it is a 503 with `Retry-After`. Default 0.5. 0
    /// refuses at once what there is no place for.
    pub wait_share: f64,
    /// At most so many requests wait at once; further ones are refused at once. Default 10000.
    pub waiting: usize,
    /// The share of the places that requests of normal criticality may fill. Default 0.9.
    pub normal_share: f64,
    /// The share of the places that sheddable requests may fill. Default 0.75.
    pub sheddable_share: f64,
}

impl Default for ShedSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            in_flight: 10_000,
            lateness: Duration::from_millis(3),
            wait_share: 0.5,
            waiting: 10_000,
            normal_share: 0.9,
            sheddable_share: 0.75,
        }
    }
}

impl Check for ShedSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.in_flight == 0 {
            mistakes.note("in_flight", "0 refuses every request", "give a number above 0");
        }
        if self.lateness < Duration::from_millis(2) {
            let problem = format!("{:?} is less than the timer can tell", self.lateness);
            mistakes.note("lateness", problem, "give a time such as \"3ms\"");
        }
        if !(0.0..1.0).contains(&self.wait_share) {
            let problem = format!("{} of the budget leaves no time for the work", self.wait_share);
            mistakes.note("wait_share", problem, "give a number from 0 on and below 1");
        }
        for (key, share) in [("normal_share", self.normal_share), ("sheddable_share", self.sheddable_share)] {
            if !(share > 0.0 && share <= 1.0) {
                let problem = format!("{share} is no share of the places");
                mistakes.note(key, problem, "give a number above 0, at most 1");
            }
        }
        if self.sheddable_share > self.normal_share {
            let problem = format!("{} is more than normal requests get ({})", self.sheddable_share, self.normal_share);
            mistakes.note("sheddable_share", problem, "make it at most normal_share");
        }
    }
}
