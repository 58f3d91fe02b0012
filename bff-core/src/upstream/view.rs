//! How the upstreams do, for operators: as JSON and as metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use serde::Serialize;

use super::stack::{Shared, Upstream};
use super::{LastError, TargetView};
use crate::clock;
use crate::resilience::{BreakerState, ShadowView};
use crate::telemetry::{BREAKER_STATES, Guarded};

/// How one upstream does at this moment.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamView {
    /// Its name in the configuration.
    pub upstream: String,
    /// Who to call when it fails.
    pub owner: String,
    /// Calls that it refused because of who we are (401, 407, and 403 to a call in nobody's name), since the start. They
    /// open no circuit: asking less would not help.
    pub refused: u64,
    /// The same, since it last gave an answer: it refuses everything if this only grows.
    pub refused_in_a_row: u64,
    /// What went wrong last; `null` where nothing has.
    pub last_error: Option<LastError>,
    /// Its main version.
    #[serde(flatten)]
    pub main: TargetView,
    // bound: the versions that a configuration names
    /// Its other versions.
    pub variants: BTreeMap<String, TargetView>,
    /// Where its shadow answers something else; `null` where it has none.
    pub shadow: Option<ShadowView>,
}

impl Shared {
    pub(super) fn register(&self, upstream: &Arc<Upstream>) {
        let mut upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        upstreams.retain(|known| known.strong_count() > 0);
        upstreams.push(Arc::downgrade(upstream));
    }

    pub(super) fn registered(&self) -> Vec<Arc<Upstream>> {
        let upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        upstreams.iter().filter_map(std::sync::Weak::upgrade).collect()
    }

    /// How every upstream does at this moment, in the order of their names.
    #[must_use]
    pub fn upstreams(&self) -> Vec<UpstreamView> {
        let now = clock::now();
        let mut views: Vec<_> = self
            .registered()
            .iter()
            .map(|upstream| UpstreamView {
                upstream: upstream.name.to_string(),
                owner: upstream.settings.owner.clone(),
                refused: upstream.troubles.refused().0,
                refused_in_a_row: upstream.troubles.refused().1,
                last_error: upstream.troubles.last(now),
                main: upstream.main.view(now),
                variants: upstream
                    .variants
                    .iter()
                    .filter_map(|target| Some((target.variant.as_ref()?.to_string(), target.view(now))))
                    .collect(),
                shadow: upstream.shadow.as_ref().map(|shadow| shadow.report.view()),
            })
            .collect();
        views.sort_unstable_by(|a, b| a.upstream.cmp(&b.upstream));
        views
    }

    /// Brings the metrics of the protections up to this moment; called when they are read.
    pub fn measure(&self) {
        self.metrics.kept(self.store.weight(), self.store.second_level());
        let now = clock::now();
        for upstream in self.registered() {
            for target in std::iter::once(&upstream.main).chain(&upstream.variants) {
                let view = target.view(now);
                let hosts = view.hosts.iter();
                let guarded = Guarded {
                    upstream: upstream.name.clone(),
                    variant: target.variant.clone().unwrap_or_else(|| "".into()),
                    breaker: view.breaker.map(|breaker| (word(breaker.state), breaker.opened)),
                    bulkhead: view.bulkhead.map(|bulkhead| (bulkhead.limit, bulkhead.in_flight, bulkhead.refused)),
                    retries: view.retries,
                    resent: view.resent,
                    hedges: view.hedges,
                    budget_refused: view.retry_budget.refused,
                    hosts: view.hosts.len(),
                    hosts_ejected: hosts.filter(|host| host.state.ejected_for_seconds.is_some()).count(),
                };
                self.metrics.guarded(guarded);
            }
            self.metrics.refused(&upstream.name, upstream.troubles.refused().0);
            if let Some(shadow) = &upstream.shadow {
                let view = shadow.report.view();
                self.metrics.shadow(&upstream.name, view.same, view.different);
            }
        }
    }
}

/// The state's word in [`BREAKER_STATES`].
const fn word(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => BREAKER_STATES[0],
        BreakerState::Open => BREAKER_STATES[1],
        BreakerState::HalfOpen => BREAKER_STATES[2],
    }
}
