//! `[upstreams.<name>.balance]`: how a host is chosen, and when it is left alone.

use std::time::Duration;

use http::uri::PathAndQuery;
use serde::{Deserialize, Serialize};

use crate::settings::{Check, Mistakes};

/// A longer pause is one that nobody wants, and could not be added to the time.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// How calls are spread over the hosts of an upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BalanceSettings {
    /// How a host is chosen. Default `peak_ewma`.
    pub policy: Policy,
    /// How much of the calls each URL gets, in the order of the URLs; only for the policy `weighted`. Default: none.
    pub weights: Vec<u32>,
    /// How long what was seen of a host's latency counts, for `peak_ewma`. Default 10 s (Finagle, linkerd). A host that
    /// has not answered for this long is tried again with one call, so it is also how soon a host that was slow and
    /// has healed gets its calls back.
    #[serde(with = "humantime_serde")]
    pub decay: Duration,
    /// When a host that fails is left alone.
    pub eject: EjectSettings,
    /// Whether hosts are asked how they are.
    pub probe: ProbeSettings,
}

/// How a host is chosen among those that are healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Of two at random the one with the least latency × calls in flight (Mitzenmacher's power of two choices, with
    /// Finagle's load). The default: it sees a slow host before its calls time out.
    #[default]
    PeakEwma,
    /// One after the other.
    RoundRobin,
    /// The one with the fewest calls in flight.
    LeastInFlight,
    /// At random, in the proportion of `weights`.
    Weighted,
}

/// When a host that fails is left alone, and for how long: Envoy's outlier detection, with its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EjectSettings {
    /// Whether it happens at all. Default: yes.
    pub enabled: bool,
    /// After how many failures in a row. Default 5 (Envoy).
    pub in_a_row: u32,
    /// How long, times the number of times it has happened. Default 30 s (Envoy). The number falls by one for every
    /// such time that the host stays.
    #[serde(with = "humantime_serde")]
    pub pause: Duration,
    /// The longest pause. Default 5 min (Envoy).
    #[serde(with = "humantime_serde")]
    pub pause_at_most: Duration,
    /// Which share of the hosts may be ejected at once, rounded down. Default 0.5: the other half can mostly carry the
    /// load of all. If more fail, the trouble is not with single hosts, and ejecting would only crowd the rest.
    pub at_most_share: f64,
}

/// Whether and how hosts are asked how they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeSettings {
    /// The path to ask, such as `/healthz`. Default: none, hosts are not asked.
    pub path: Option<String>,
    /// How often. Default 5 s.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// How long an answer may take. Default 1 s (Kubernetes). Shorter than `every`.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// After how many bad answers in a row a host is down. Default 3 (HAProxy, Kubernetes).
    pub failures: u32,
    /// After how many good answers in a row it is up. Default 2 (HAProxy).
    pub successes: u32,
}

impl Default for BalanceSettings {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            weights: Vec::new(),
            decay: Duration::from_secs(10),
            eject: EjectSettings::default(),
            probe: ProbeSettings::default(),
        }
    }
}

impl Default for EjectSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            in_a_row: 5,
            pause: Duration::from_secs(30),
            pause_at_most: Duration::from_secs(300),
            at_most_share: 0.5,
        }
    }
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self { path: None, every: Duration::from_secs(5), timeout: Duration::from_secs(1), failures: 3, successes: 2 }
    }
}

impl BalanceSettings {
    /// Notes what only shows when the number of URLs is known.
    pub fn check_hosts(&self, urls: usize, mistakes: &mut Mistakes) {
        if !self.weights.is_empty() && self.weights.len() != urls {
            let problem = format!("{} weights for {urls} URLs", self.weights.len());
            mistakes.note("weights", problem, "give one weight per URL");
        }
    }
}

impl Check for BalanceSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        match (self.policy, self.weights.is_empty()) {
            (Policy::Weighted, true) => {
                mistakes.note("weights", "are missing for the policy \"weighted\"", "give one weight per URL");
            }
            (Policy::Weighted, false) | (_, true) => {}
            (_, false) => {
                mistakes.note("weights", "only the policy \"weighted\" looks at them", "set policy = \"weighted\"");
            }
        }
        if self.weights.contains(&0) {
            mistakes.note("weights", "0 gives a host no calls", "take its URL out, or give a number above 0");
        }
        if self.decay.is_zero() {
            mistakes.note("decay", "0 remembers nothing", "give a time above 0, such as \"10s\"");
        }
        mistakes.within("eject", |mistakes| self.eject.check(mistakes));
        mistakes.within("probe", |mistakes| self.probe.check(mistakes));
    }
}

impl Check for EjectSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.in_a_row == 0 {
            mistakes.note("in_a_row", "0 ejects without a failure", "give a number above 0, or set enabled = false");
        }
        if self.pause.is_zero() {
            mistakes.note("pause", "0 ejects for no time", "give a time above 0, or set enabled = false");
        }
        if self.pause_at_most < self.pause {
            let problem = format!(
                "{} is shorter than pause, {}",
                humantime::format_duration(self.pause_at_most),
                humantime::format_duration(self.pause)
            );
            mistakes.note("pause_at_most", problem, "make it at least as long as pause");
        }
        if self.pause_at_most > LONGEST_PAUSE {
            let problem = format!("{} is more than a day", humantime::format_duration(self.pause_at_most));
            mistakes.note("pause_at_most", problem, "give at most \"1d\"");
        }
        if !(self.at_most_share > 0.0 && self.at_most_share <= 1.0) {
            mistakes.note(
                "at_most_share",
                format!("{} is no share of the hosts", self.at_most_share),
                "give a number above 0 and at most 1, or set enabled = false",
            );
        }
    }
}

impl Check for ProbeSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if let Some(path) = &self.path
            && !(path.starts_with('/') && path.parse::<PathAndQuery>().is_ok())
        {
            mistakes.note("path", format!("{path:?} is no path"), "write one such as \"/healthz\"");
        }
        for (key, time) in [("every", self.every), ("timeout", self.timeout)] {
            if time.is_zero() {
                mistakes.note(key, "0 leaves no time for a probe", "give a time above 0, such as \"1s\"");
            }
        }
        if self.timeout >= self.every {
            let problem = format!(
                "a probe may take {}, and the next one comes after {}",
                humantime::format_duration(self.timeout),
                humantime::format_duration(self.every)
            );
            mistakes.note("timeout", problem, "make it shorter than every");
        }
        for (key, number) in [("failures", self.failures), ("successes", self.successes)] {
            if number == 0 {
                mistakes.note(key, "0 decides without a probe", "give a number above 0");
            }
        }
    }
}
