//! Which of several hosts of an upstream a call goes to.
//!
//! - `settings.rs`: what can be configured, and where the defaults come from;
//! - `load.rs`: how long a host takes, as a peak-sensitive moving average;
//! - `eject.rs`: a host that fails is left alone for a while; what active probes say of it;
//! - `host.rs`: both for one host, shared by all who call it.
//!
//! Nothing here does I/O, draws random numbers or (but for a [`Ride`] that is dropped) asks for the time.

mod eject;
mod host;
mod load;
mod settings;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use eject::Probe;
pub use host::{HostState, HostView};
pub use settings::{BalanceSettings, EjectSettings, Policy, ProbeSettings};

use crate::clock::{self, Instant};
use crate::resilience::End;

/// Chooses hosts and learns from how their calls end; one per upstream, shared by all its calls.
///
/// It does not hold the hosts: they come with each call, so that they can be exchanged when their names resolve anew.
#[derive(Debug)]
pub struct Balancer {
    policy: Policy,
    decay: Duration,
    eject: EjectSettings,
    /// Whose turn it is, for round robin.
    turn: AtomicUsize,
    /// Held while the ejected hosts are counted and one is added, lest two calls that end together eject one too many.
    ejecting: Mutex<()>,
}

/// A call that is under way to a host, and counts as its load.
///
/// Give it to [`Balancer::end`] when the call has ended. Dropped, it is a call that was cut: the host has one less in
/// flight, and was at least that slow. Without the latter a host that hangs would look idle as soon as its callers
/// give up.
#[derive(Debug)]
#[must_use = "a call counts as in flight only as long as its ride is kept"]
pub struct Ride<'h> {
    host: &'h HostState,
    begun: Instant,
    decay: Duration,
    ended: bool,
}

impl Balancer {
    /// A balancer whose first turn is host 0.
    #[must_use]
    pub fn new(settings: &BalanceSettings) -> Self {
        let mut eject = settings.eject.clone();
        eject.pause_at_most = eject.pause_at_most.min(settings::LONGEST_PAUSE);
        Self {
            policy: settings.policy,
            // `check` refuses 0; here it only must not divide.
            decay: settings.decay.max(Duration::from_millis(1)),
            eject,
            turn: AtomicUsize::new(0),
            ejecting: Mutex::new(()),
        }
    }

    /// The index of the host to call, among `count` of them; `None` only for no hosts.
    ///
    /// `avoid` is a host that has just failed this call: a retry or a hedge goes elsewhere if any other is healthy. If
    /// none is healthy, it chooses among all: a call that may succeed is better than one that is not made (Envoy's
    /// panic threshold).
    pub fn choose<'h>(
        &self,
        count: usize,
        host: impl Fn(usize) -> &'h HostState,
        avoid: Option<usize>,
        now: Instant,
        random: u64,
    ) -> Option<usize> {
        let rank = |at: usize| (host(at).standing(now), Some(at) == avoid);
        let best = (0..count).map(rank).min()?;
        // Another call may eject a host between this and the pick: then one that is worse is better than none.
        self.pick(count, &host, |at| rank(at) <= best, now, random).or(Some(0))
    }

    /// A call to `host` begins.
    pub fn begin<'h>(&self, host: &'h HostState, now: Instant) -> Ride<'h> {
        host.begin();
        Ride { host, begun: now, decay: self.decay, ended: false }
    }

    /// A call has ended. If that ejects its host: for how long, for the log.
    ///
    /// `count` and `host` are all hosts of the upstream, because only a share of them may be ejected; `random` jitters
    /// the pause.
    pub fn end<'h>(
        &self,
        mut ride: Ride<'_>,
        end: End,
        count: usize,
        host: impl Fn(usize) -> &'h HostState,
        now: Instant,
        random: u64,
    ) -> Option<Duration> {
        ride.ended = true;
        if !ride.host.ended(end, ride.begun, now, self.decay, &self.eject) {
            return None;
        }
        let _one_at_a_time = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        // The only host there is is never ejected, whatever the share: nobody would be spared by it.
        let at_most = if count < 2 { 0 } else { (self.eject.at_most_share * count as f64) as usize };
        let ejected = (0..count).filter(|at| host(*at).is_ejected(now)).count();
        if ejected < at_most { ride.host.eject(&self.eject, now, random) } else { None }
    }

    /// One of the hosts that are `allowed`; `None` where there is none.
    fn pick<'h>(
        &self,
        count: usize,
        host: &impl Fn(usize) -> &'h HostState,
        allowed: impl Fn(usize) -> bool,
        now: Instant,
        random: u64,
    ) -> Option<usize> {
        let open = || (0..count).filter(|at| allowed(*at));
        let places = open().count();
        if places < 2 {
            return open().next();
        }
        match self.policy {
            Policy::PeakEwma => {
                let (first, second) = two_below(random, places);
                let (first, second) = (open().nth(first)?, open().nth(second)?);
                let cost = |at: usize| host(at).cost(now, self.decay);
                Some(if cost(second) < cost(first) { second } else { first })
            }
            Policy::RoundRobin => open().nth(self.turn.fetch_add(1, Ordering::Relaxed) % places),
            // Beginning anywhere, so that ties do not all go to the first.
            Policy::LeastInFlight => open()
                .cycle()
                .skip(below(random, places as u64) as usize)
                .take(places)
                .min_by_key(|at| host(*at).in_flight()),
            Policy::Weighted => {
                let weight = |at: usize| u64::from(host(at).weight());
                let mut point = below(random, open().map(weight).sum());
                open().find(|at| match point.checked_sub(weight(*at)) {
                    Some(rest) => {
                        point = rest;
                        false
                    }
                    None => true,
                })
            }
        }
    }
}

impl Drop for Ride<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.host.cut(self.begun, clock::now(), self.decay);
        }
        self.host.leave();
    }
}

/// A number below `limit`, spread as evenly as `random` is; 0 for a limit of 0.
fn below(random: u64, limit: u64) -> u64 {
    ((u128::from(random) * u128::from(limit)) >> 64) as u64
}

/// Two different numbers below `limit`, which is 2 or more.
fn two_below(random: u64, limit: usize) -> (usize, usize) {
    let first = below(random, limit as u64) as usize;
    // The lower half of the bits, moved up: the upper half has decided the first.
    let second = below(random << 32, limit as u64 - 1) as usize;
    (first, second + usize::from(second >= first))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod tests;
