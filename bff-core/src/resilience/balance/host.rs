//! One host of an upstream, as the balancer knows it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::eject::{Ejection, Probe, Probing};
use super::load::Load;
use super::{EjectSettings, ProbeSettings};
use crate::clock::Instant;
use crate::resilience::End;

/// Load and health of one host; shared by all calls to it, and kept by whoever knows its address.
#[derive(Debug)]
pub struct HostState {
    weight: u32,
    in_flight: AtomicU32,
    /// It may be ejected, on trial or down: the lock has to be asked. Written only under the lock, and `false` for nearly
    /// all hosts nearly all the time, so that choosing looks at most of them without a lock.
    out: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    load: Load,
    ejection: Ejection,
    probing: Probing,
}

/// Whether a host should get calls, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Healthy,
    /// It is back from a pause, and the one call that tries it is still under way: if it hangs, no more than that one
    /// call finds it out.
    Tried,
    /// Ejected, or down.
    Out,
}

/// What is known of a host, for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostView {
    /// Calls under way.
    pub in_flight: u32,
    /// The peak-sensitive average of its latency, with failures counted as slow; `None` where nothing is known of it.
    pub load_ms: Option<f64>,
    /// How long it will still be left alone; `None` for a host that gets calls.
    pub ejected_for_seconds: Option<f64>,
    /// How often it was ejected since the start.
    pub ejections: u64,
    /// What active probes say.
    pub probe: Probe,
}

impl HostState {
    /// A host of which nothing is known. Its weight counts only for the policy `weighted`; 0 counts as 1.
    #[must_use]
    pub fn new(weight: u32) -> Self {
        Self {
            weight: weight.max(1),
            in_flight: AtomicU32::new(0),
            out: AtomicBool::new(false),
            known: Mutex::default(),
        }
    }

    /// What is known of it at this moment.
    #[must_use]
    pub fn view(&self, now: Instant) -> HostView {
        let known = self.lock();
        HostView {
            in_flight: self.in_flight(),
            load_ms: known.load.milliseconds(),
            ejected_for_seconds: known.ejection.left(now).map(|left| left.as_secs_f64()),
            ejections: known.ejection.total(),
            probe: known.probing.state(),
        }
    }

    /// A probe has ended. If that changes what probes say of the host: what they say now, for the log.
    ///
    /// Enough good ones end a passive ejection before its time (Envoy), but only those made since it began.
    pub fn probed(&self, ok: bool, settings: &ProbeSettings, now: Instant) -> Option<Probe> {
        let mut known = self.lock();
        let before = known.probing.state();
        let after = known.probing.saw(ok, settings)?;
        if after == Probe::Up && (before == Probe::Down || known.ejection.is_on(now)) {
            known.ejection.end(now);
            known.load.forget();
        }
        self.out.store(true, Ordering::Release);
        (after != before).then_some(after)
    }

    pub(super) fn weight(&self) -> u32 {
        self.weight
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        if !self.out.load(Ordering::Acquire) {
            return Standing::Healthy;
        }
        let known = self.lock();
        if known.ejection.is_on(now) || known.probing.state() == Probe::Down {
            return Standing::Out;
        }
        let on_trial = known.ejection.is_on_trial();
        self.out.store(on_trial, Ordering::Release);
        if on_trial && self.in_flight() > 0 { Standing::Tried } else { Standing::Healthy }
    }

    pub(super) fn is_ejected(&self, now: Instant) -> bool {
        self.out.load(Ordering::Acquire) && self.lock().ejection.is_on(now)
    }

    pub(super) fn cost(&self, now: Instant, decay: Duration) -> f64 {
        self.lock().load.cost(self.in_flight(), now, decay)
    }

    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Learns from the end of a call; says whether the host should be ejected for it.
    pub(super) fn ended(
        &self,
        end: End,
        begun: Instant,
        now: Instant,
        decay: Duration,
        settings: &EjectSettings,
    ) -> bool {
        let mut known = self.lock();
        if !known.ejection.concerns(begun) {
            return false;
        }
        let took = now.saturating_duration_since(begun);
        match end {
            End::Good => {
                known.load.answered(took, now, decay);
                known.ejection.good();
                false
            }
            End::Bad | End::Refused => {
                known.load.failed(took, now, decay);
                settings.enabled && known.ejection.bad(settings)
            }
            // It is well, but it should get fewer calls, and its quick refusals are no sign of speed.
            End::Overloaded => {
                known.load.failed(took, now, decay);
                false
            }
            End::Nothing | End::Unreadable(_) => {
                known.load.cut(took, now, decay);
                false
            }
        }
    }

    /// A call was dropped before its end.
    pub(super) fn cut(&self, begun: Instant, now: Instant, decay: Duration) {
        let mut known = self.lock();
        if known.ejection.concerns(begun) {
            known.load.cut(now.saturating_duration_since(begun), now, decay);
        }
    }

    /// Ejects the host, unless another call has just done so; says for how long.
    pub(super) fn eject(&self, settings: &EjectSettings, now: Instant, random: u64) -> Option<Duration> {
        let mut known = self.lock();
        if known.ejection.is_on(now) {
            return None;
        }
        let pause = known.ejection.eject(settings, now, random);
        // When it comes back it is a host of which nothing is known: one call, and more when that was answered.
        known.load.forget();
        known.probing.start_again();
        self.out.store(true, Ordering::Release);
        Some(pause)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
