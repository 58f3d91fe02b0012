//! Load shedding: at most so many requests at once, and the least critical are refused first.
//!
//! Rejecting early is what keeps a full server useful: work that will be too late anyway is not begun (Google, "Site
//! Reliability Engineering", ch. 21; AWS Builders' Library, "Using load shedding to avoid overload").

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use crate::settings::{Check, Mistakes};

/// How bad it is to refuse a request while others are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// Refused last: what earns the money.
    Critical,
    /// Refused when nine tenths of the places are taken.
    #[default]
    Normal,
    /// Refused when three quarters of the places are taken: what comes back by itself, such as prefetching.
    Sheddable,
}

/// `[edge.shed]`: how many requests are served at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShedSettings {
    /// At most so many requests at once; further ones are a 503 with `Retry-After`. Default 1000: at a quarter of a
    /// millisecond of CPU for each, the last one waits a quarter of a second for its turn, which is within a page's budget.
    pub in_flight: usize,
    /// The share of the places that requests of normal criticality may fill. Default 0.9.
    pub normal_share: f64,
    /// The share of the places that sheddable requests may fill. Default 0.75.
    pub sheddable_share: f64,
}

impl Default for ShedSettings {
    fn default() -> Self {
        Self { in_flight: 1000, normal_share: 0.9, sheddable_share: 0.75 }
    }
}

impl Check for ShedSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.in_flight == 0 {
            mistakes.note("in_flight", "0 refuses every request", "give a number above 0");
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

/// The places of one server.
#[derive(Debug)]
pub struct Load {
    taken: AtomicUsize,
    critical: usize,
    normal: usize,
    sheddable: usize,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct Place<'a>(&'a Load);

/// How full a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LoadView {
    /// Requests that are being served.
    pub in_flight: usize,
    /// At most so many at once.
    pub limit: usize,
}

impl Load {
    /// All places free.
    #[must_use]
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of requests, which is small and not negative"
    )]
    pub fn new(settings: &ShedSettings) -> Self {
        let share = |share: f64| ((settings.in_flight as f64 * share) as usize).max(1);
        Self {
            taken: AtomicUsize::new(0),
            critical: settings.in_flight,
            normal: share(settings.normal_share),
            sheddable: share(settings.sheddable_share),
        }
    }

    /// A place for a request that is so critical; `None` where it has to be refused.
    #[must_use]
    pub fn enter(&self, criticality: Criticality) -> Option<Place<'_>> {
        let limit = match criticality {
            Criticality::Critical => self.critical,
            Criticality::Normal => self.normal,
            Criticality::Sheddable => self.sheddable,
        };
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        // Made first, so that it is given back in either case.
        let place = Place(self);
        (before < limit).then_some(place)
    }

    /// How full it is.
    #[must_use]
    pub fn view(&self) -> LoadView {
        LoadView { in_flight: self.taken.load(Ordering::Relaxed), limit: self.critical }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_critical_are_refused_first() {
        let load = Load::new(&ShedSettings { in_flight: 100, ..ShedSettings::default() });
        let mut held = Vec::new();
        while let Some(place) = load.enter(Criticality::Sheddable) {
            held.push(place);
        }
        assert_eq!(held.len(), 75);
        while let Some(place) = load.enter(Criticality::Normal) {
            held.push(place);
        }
        assert_eq!(held.len(), 90);
        while let Some(place) = load.enter(Criticality::Critical) {
            held.push(place);
        }
        assert_eq!((held.len(), load.view()), (100, LoadView { in_flight: 100, limit: 100 }));
        held.pop();
        assert!(load.enter(Criticality::Sheddable).is_none());
        let critical = load.enter(Criticality::Critical);
        assert!(critical.is_some());
        drop((critical, held));
        assert_eq!(load.view().in_flight, 0);
    }

    #[test]
    fn one_place_serves_everybody() {
        let load = Load::new(&ShedSettings { in_flight: 1, ..ShedSettings::default() });
        assert!(load.enter(Criticality::Sheddable).is_some());
    }

    #[test]
    fn settings_that_refuse_everybody_are_refused() {
        let wrong = ShedSettings { in_flight: 0, normal_share: f64::NAN, sheddable_share: -1.0 };
        let mut mistakes = Mistakes::default();
        wrong.check(&mut mistakes);
        let keys: Vec<String> = mistakes.into_inner().into_iter().map(|mistake| mistake.key).collect();
        assert_eq!(keys, ["in_flight", "normal_share", "sheddable_share"]);
    }
}
