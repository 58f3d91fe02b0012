//! Three hosts under 300 calls a second, some of which go bad and heal again; no clock, no network.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::time::Duration;

use super::*;
use crate::resilience::End;

const HOSTS: usize = 3;
const CALLS_PER_SECOND: f64 = 300.0;
const SECOND: u64 = 1_000_000;
const POLICIES: [Policy; 4] = [Policy::PeakEwma, Policy::RoundRobin, Policy::LeastInFlight, Policy::Weighted];
const FAULTS: [Fault; 3] = [Fault::Refuse, Fault::Answer500, Fault::Hang];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Refuse,
    Answer500,
    Hang,
}

impl Fault {
    /// Microseconds until the attempt has failed.
    fn takes(self) -> u64 {
        match self {
            Fault::Refuse => 200,
            Fault::Answer500 => 5_000,
            // The timeout of an attempt.
            Fault::Hang => 200_000,
        }
    }
}

#[derive(Clone)]
struct Scene {
    settings: BalanceSettings,
    fault: Fault,
    /// The first so many hosts are the bad ones.
    bad: usize,
    /// Milliseconds.
    bad_during: Range<u64>,
    seconds: u64,
    /// What a caller would do without a balancer: any host, for the retry too.
    blindly: bool,
    /// The balancer is not told of failures.
    praised: bool,
    seed: u64,
}

impl Scene {
    fn new(policy: Policy, fault: Fault, seed: u64) -> Self {
        let settings = BalanceSettings { policy, ..BalanceSettings::default() };
        let (bad, bad_during, seconds) = (1, 10_000..30_000, 90);
        Self { settings, fault, bad, bad_during, seconds, blindly: false, praised: false, seed }
    }
}

/// What happened in one second.
#[derive(Clone, Debug, Default)]
struct Second {
    calls: u64,
    failed: u64,
    attempts: [u64; HOSTS],
}

struct Outcome {
    seconds: Vec<Second>,
    /// When host 0 was ejected, and for how long, in seconds.
    ejections: Vec<(f64, f64)>,
    in_flight: u32,
}

impl Outcome {
    fn sum(&self, during: Range<u64>) -> Second {
        let mut sum = Second::default();
        for second in &self.seconds[during.start as usize..during.end as usize] {
            sum.calls += second.calls;
            sum.failed += second.failed;
            (0..HOSTS).for_each(|host| sum.attempts[host] += second.attempts[host]);
        }
        sum
    }

    fn share(&self, host: usize, during: Range<u64>) -> f64 {
        let sum = self.sum(during);
        sum.attempts[host] as f64 / sum.attempts.iter().sum::<u64>() as f64
    }
}

enum Event<'h> {
    Call,
    Answer { host: usize, ride: Ride<'h>, end: End, is_retry: bool },
}

fn run(scene: &Scene) -> Outcome {
    let hosts: Vec<HostState> = (0..HOSTS).map(|_| HostState::new(1)).collect();
    let balancer = Balancer::new(&scene.settings);
    let host = |at: usize| &hosts[at];
    let mut random = fastrand::Rng::with_seed(scene.seed);
    let base = clock::now();
    let at = |micros: u64| base + Duration::from_micros(micros);

    let mut seconds = vec![Second::default(); scene.seconds as usize + 2];
    let mut ejections = Vec::new();
    // In the order of time; an index into `events` beside it.
    let mut agenda = BinaryHeap::from([Reverse((0, 0))]);
    let mut events = vec![Some(Event::Call)];
    while let Some(Reverse((micros, index))) = agenda.pop() {
        let (now, second) = (at(micros), (micros / SECOND) as usize);
        let mut attempt = None;
        match events[index].take().unwrap() {
            Event::Call if micros >= scene.seconds * SECOND => {}
            Event::Call => {
                let next = micros + (-(1.0 - random.f64()).ln() / CALLS_PER_SECOND * 1e6) as u64;
                agenda.push(Reverse((next, events.len())));
                events.push(Some(Event::Call));
                seconds[second].calls += 1;
                attempt = Some(None);
            }
            Event::Answer { host: this, ride, end, is_retry } => {
                let told = if scene.praised { End::Good } else { end };
                let ejected = balancer.end(ride, told, HOSTS, host, now, random.u64(..));
                if let (Some(pause), 0) = (ejected, this) {
                    ejections.push((micros as f64 / 1e6, pause.as_secs_f64()));
                }
                match (end, is_retry) {
                    (End::Good, _) => {}
                    (_, false) => attempt = Some(Some(this)),
                    (_, true) => seconds[second].failed += 1,
                }
            }
        }
        let Some(failed) = attempt else { continue };
        let chosen = if scene.blindly {
            random.usize(..HOSTS)
        } else {
            balancer.choose(HOSTS, host, failed, now, random.u64(..)).unwrap()
        };
        seconds[second].attempts[chosen] += 1;
        let is_bad = chosen < scene.bad && scene.bad_during.contains(&(micros / 1000));
        let (takes, end) = if is_bad {
            (scene.fault.takes(), End::Bad)
        } else {
            // Mostly 4 to 8 ms, and one of a hundred ten times that.
            let usual = 4_000 + (-(1.0 - random.f64()).ln() * 1_500.0) as u64;
            let takes = if random.f64() < 0.01 { 10 * usual } else { usual };
            (takes, End::Good)
        };
        let ride = balancer.begin(host(chosen), now);
        agenda.push(Reverse((micros + takes, events.len())));
        events.push(Some(Event::Answer { host: chosen, ride, end, is_retry: failed.is_some() }));
    }
    Outcome { seconds, ejections, in_flight: hosts.iter().map(HostState::in_flight).sum() }
}

fn each_policy_and_fault(seeds: Range<u64>, mut check: impl FnMut(Scene)) {
    for policy in POLICIES {
        for fault in FAULTS {
            for seed in seeds.clone() {
                check(Scene::new(policy, fault, seed));
            }
        }
    }
}

#[test]
fn a_bad_host_costs_next_to_nothing_and_gets_its_calls_back() {
    each_policy_and_fault(1..4, |scene| {
        let outcome = run(&scene);
        let what = format!("{:?} {:?} {}", scene.settings.policy, scene.fault, scene.seed);
        let first = outcome.sum(10..12);
        assert!(first.attempts[0] <= 60, "{what}: {first:?}");
        for second in 12..30 {
            let Second { calls, failed, .. } = outcome.sum(second..second + 1);
            assert!(failed * 100 < calls, "{what}: {failed} of {calls} in second {second}");
        }
        let bad = outcome.sum(12..30);
        assert!(bad.attempts[0] * 200 <= bad.calls, "{what}: {bad:?}");
        // It healed at 30 s. The first pause is at most 33 s, and it may have begun just before.
        let back = match outcome.ejections.last() {
            Some((at, pause)) => (at + pause + 10.0).max(40.0),
            None => 40.0,
        };
        assert!(back <= 30.0 + 33.0 + 10.0, "{what}: {:?}", outcome.ejections);
        let share = outcome.share(0, back as u64 + 1..back as u64 + 11);
        assert!(share >= 0.2, "{what}: {share}, {:?}", outcome.ejections);
        assert_eq!(outcome.in_flight, 0, "{what}");
    });
}

#[test]
fn a_long_outage_is_tried_ever_less_often() {
    each_policy_and_fault(1..2, |scene| {
        let outcome = run(&Scene { bad_during: 10_000..400_000, seconds: 800, ..scene.clone() });
        let what = format!("{:?} {:?} {}", scene.settings.policy, scene.fault, scene.seed);
        let bad = outcome.sum(12..400);
        assert!(bad.attempts[0] <= 50, "{what}: {bad:?}");
        assert!(bad.failed * 1000 < bad.calls, "{what}: {bad:?}");
        let (at, pause) = *outcome.ejections.last().unwrap();
        assert!(pause > 90.0, "{what}: {:?}", outcome.ejections);
        let back = (at + pause + 10.0) as u64 + 1;
        let share = outcome.share(0, back..back + 10);
        assert!(share >= 0.2, "{what}: {share}, {:?}", outcome.ejections);
    });
}

#[test]
fn blind_choice_does_not_pass_this_simulation() {
    for fault in FAULTS {
        let outcome = run(&Scene { blindly: true, ..Scene::new(Policy::PeakEwma, fault, 1) });
        let Second { calls, failed, .. } = outcome.sum(12..30);
        assert!(failed * 100 > 8 * calls, "{fault:?}: {failed} of {calls}");
    }
}

#[test]
fn a_host_that_fails_fast_would_look_best_if_failures_did_not_count() {
    let scene = Scene::new(Policy::PeakEwma, Fault::Refuse, 1);
    let share = run(&Scene { praised: true, ..scene.clone() }).share(0, 12..30);
    assert!(share > 0.3, "{share}");
    let mut without_ejection = scene;
    without_ejection.settings.eject.enabled = false;
    let share = run(&without_ejection).share(0, 12..30);
    assert!(share < 0.01, "the load alone keeps calls away: {share}");
}

#[test]
fn when_most_hosts_are_bad_the_load_finds_the_good_one() {
    for fault in FAULTS {
        let outcome = run(&Scene { bad: 2, ..Scene::new(Policy::PeakEwma, fault, 1) });
        let Second { calls, failed, .. } = outcome.sum(12..30);
        assert!(failed * 100 < calls, "{fault:?}: {failed} of {calls}");
    }
}

/// With a fixed penalty of a second the share of such a host is 0 for ten seconds.
#[test]
fn a_single_failure_does_not_take_a_host_out_of_use() {
    let mut shares = Vec::new();
    for seed in 1..=20 {
        let scene = Scene::new(Policy::PeakEwma, Fault::Refuse, seed);
        let outcome = run(&Scene { bad_during: 10_000..10_010, seconds: 20, ..scene });
        let Second { calls, attempts, .. } = outcome.sum(10..11);
        if attempts.iter().sum::<u64>() > calls {
            shares.push(outcome.share(0, 10..20));
        }
    }
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    assert!(shares.len() >= 5 && mean > 0.15, "{mean}: {shares:?}");
}
