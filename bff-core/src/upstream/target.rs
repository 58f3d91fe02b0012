//! One version of an upstream: its hosts, and what guards them. An upstream has one, and one more for each variant.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::UpstreamSettings;
use super::hosts::{Hosts, Network};
use crate::clock::Instant;
use crate::error::Result;
use crate::resilience::{
    Balancer, Breaker, BreakerView, Budget, BudgetView, Bulkhead, BulkheadView, HostView, Latency,
};

/// One version of an upstream.
#[derive(Debug)]
pub(super) struct Target {
    /// The variant's name; `None` for the main version.
    pub(super) variant: Option<Arc<str>>,
    pub(super) hosts: Hosts,
    pub(super) balancer: Balancer,
    /// `None` where the configuration switches it off; so are the others.
    pub(super) breaker: Option<Breaker>,
    pub(super) bulkhead: Option<Bulkhead>,
    /// Shared by retries and hedges: both are attempts that nobody asked for.
    pub(super) budget: Budget,
    /// How long good answers take, for those who hedge.
    pub(super) latency: Option<Latency>,
    pub(super) retries: AtomicU64,
    /// Requests that were never sent, and were sent again for that.
    pub(super) resent: AtomicU64,
    pub(super) hedges: AtomicU64,
}

impl Target {
    pub(super) fn new(
        name: &str,
        variant: Option<&str>,
        settings: &UpstreamSettings,
        urls: &[String],
        network: &dyn Network,
    ) -> Result<Self> {
        let shown = variant.map_or_else(|| name.to_owned(), |variant| format!("{name}~{variant}"));
        // Weights are written for the URLs of the main version.
        let weights: &[u32] = if variant.is_none() { &settings.balance.weights } else { &[] };
        let slow_after = settings.breaker.slow_after.unwrap_or(settings.attempt_timeout);
        Ok(Self {
            variant: variant.map(Arc::from),
            hosts: Hosts::new(name, settings, urls, weights, network)?,
            balancer: Balancer::new(&settings.balance),
            breaker: settings
                .breaker
                .enabled
                .then(|| Breaker::new(&shown, &settings.breaker, slow_after).owned_by(&settings.owner)),
            bulkhead: settings.bulkhead.enabled.then(|| Bulkhead::new(&settings.bulkhead, settings.attempt_timeout)),
            budget: Budget::new(&settings.retry.budget),
            latency: settings.hedge.enabled.then(Latency::new),
            retries: AtomicU64::new(0),
            resent: AtomicU64::new(0),
            hedges: AtomicU64::new(0),
        })
    }

    /// Whether work that nobody waits for should wait for better times.
    pub(super) fn is_busy(&self) -> bool {
        self.bulkhead.as_ref().is_some_and(Bulkhead::is_half_full)
    }

    /// How it does, for operators.
    pub(super) fn view(&self, now: Instant) -> TargetView {
        let hosts = self.hosts.now();
        let host = |host: &Arc<super::hosts::Host>| LabelledHost {
            host: host.label.to_string(),
            url: host.location.url.to_string(),
            state: host.state.view(now),
        };
        TargetView {
            breaker: self.breaker.as_ref().map(|breaker| breaker.view(now)),
            bulkhead: self.bulkhead.as_ref().map(Bulkhead::view),
            retry_budget: self.budget.view(now),
            retries: self.retries.load(Ordering::Relaxed),
            resent: self.resent.load(Ordering::Relaxed),
            hedges: self.hedges.load(Ordering::Relaxed),
            hosts: hosts.iter().map(host).collect(),
        }
    }
}

/// How one version of an upstream does.
#[derive(Clone, Debug, Serialize)]
pub struct TargetView {
    /// The circuit breaker; `null` where it is switched off.
    pub breaker: Option<BreakerView>,
    /// Bounded concurrency; `null` where it is switched off.
    pub bulkhead: Option<BulkheadView>,
    /// How many further attempts may be made.
    pub retry_budget: BudgetView,
    /// Retries since the start.
    pub retries: u64,
    /// Requests that were never sent, and were sent again for that, since the start. They are no attempts.
    pub resent: u64,
    /// Hedges since the start.
    pub hedges: u64,
    /// Its hosts.
    pub hosts: Vec<LabelledHost>,
}

/// How one host does.
#[derive(Clone, Debug, Serialize)]
pub struct LabelledHost {
    /// Its address, or host and port of its URL.
    pub host: String,
    /// Its URL.
    pub url: String,
    /// Load and ejection.
    #[serde(flatten)]
    pub state: HostView,
}
