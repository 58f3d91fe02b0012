use std::time::Duration;

use super::*;
use crate::settings::{Check, Mistakes};

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn hosts(count: usize) -> Vec<HostState> {
    (0..count).map(|_| HostState::new(1)).collect()
}

pub(super) fn balancer(policy: Policy) -> Balancer {
    Balancer::new(&BalanceSettings { policy, ..BalanceSettings::default() })
}

/// One call to that host that took 5 ms; whether it ejected the host.
fn call(balancer: &Balancer, hosts: &[HostState], at: usize, end: End, now: Instant) -> Option<Duration> {
    let ride = balancer.begin(&hosts[at], now);
    balancer.end(ride, end, hosts.len(), |at| &hosts[at], now + Duration::from_millis(5), u64::MAX / 2)
}

fn fail(times: u32, balancer: &Balancer, hosts: &[HostState], at: usize, now: Instant) {
    for _ in 0..times {
        let _ = call(balancer, hosts, at, End::Bad, now);
    }
}

pub(super) fn ejected(hosts: &[HostState], now: Instant) -> usize {
    hosts.iter().filter(|host| host.view(now).ejected_for_seconds.is_some()).count()
}

fn about(pause: Option<Duration>, seconds: u64) {
    let pause = pause.expect("ejected").as_secs_f64();
    assert!((pause - seconds as f64).abs() < 0.001, "{pause} is not {seconds}");
}

#[test]
fn it_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Balancer>();
    shared::<HostState>();
    shared::<Ride<'_>>();
}

#[test]
fn five_failures_in_a_row_eject_and_each_time_longer() {
    let (balancer, hosts, mut now) = (balancer(Policy::PeakEwma), hosts(2), clock::now());
    for end in [End::Bad, End::Bad, End::Bad, End::Bad, End::Good, End::Bad, End::Bad] {
        assert_eq!(call(&balancer, &hosts, 0, end, now), None);
    }
    // These neither count nor make good.
    for end in [End::Overloaded, End::Nothing, End::Bad, End::Bad, End::Nothing] {
        assert_eq!(call(&balancer, &hosts, 0, end, now), None);
    }
    about(call(&balancer, &hosts, 0, End::Bad, now), 30);
    assert_eq!(ejected(&hosts, now), 1);
    // Back: one failure is enough now, and the pause grows up to the longest.
    for seconds in [60, 90, 120, 150, 180, 210, 240, 270, 300, 300] {
        now += Duration::from_secs_f64(hosts[0].view(now).ejected_for_seconds.unwrap());
        assert_eq!(ejected(&hosts, now), 0);
        about(call(&balancer, &hosts, 0, End::Bad, now), seconds);
    }
    // After a success five are needed again, and for each 30 s that it stays the pause is shorter by that.
    now += Duration::from_secs(301);
    assert_eq!(call(&balancer, &hosts, 0, End::Good, now), None);
    now += 4 * Duration::from_secs(30);
    for _ in 0..4 {
        assert_eq!(call(&balancer, &hosts, 0, End::Bad, now), None);
    }
    // It was the eleventh; four forgiven, one more.
    about(call(&balancer, &hosts, 0, End::Bad, now), 240);
    now += Duration::from_secs(3600);
    assert_eq!(call(&balancer, &hosts, 0, End::Good, now), None);
    (0..4).for_each(|_| assert_eq!(call(&balancer, &hosts, 0, End::Bad, now), None));
    about(call(&balancer, &hosts, 0, End::Bad, now), 30);
    assert_eq!(hosts[0].view(now).ejections, 13);
}

#[test]
fn what_began_before_the_pause_was_over_does_not_judge_the_host_after_it() {
    let (balancer, hosts, now) = (balancer(Policy::PeakEwma), hosts(2), clock::now());
    let host = |at: usize| &hosts[at];
    let [early_good, early_bad] = [balancer.begin(&hosts[0], now), balancer.begin(&hosts[0], now)];
    fail(5, &balancer, &hosts, 0, now);
    assert_eq!(ejected(&hosts, now), 1);
    let later = now + 31 * SECOND;
    assert_eq!(balancer.end(early_bad, End::Bad, 2, host, later, 0), None);
    assert_eq!(balancer.end(early_good, End::Good, 2, host, later, 0), None);
    assert_eq!(hosts[0].view(later).load_ms, None);
    // The early success has not ended the trial.
    assert!(call(&balancer, &hosts, 0, End::Bad, later).is_some());
}

#[test]
fn at_most_a_share_of_the_hosts_is_ejected() {
    let check = |count: usize, share: f64, most: usize| {
        let mut settings = BalanceSettings::default();
        settings.eject.at_most_share = share;
        let (balancer, hosts, now) = (Balancer::new(&settings), hosts(count), clock::now());
        (0..count).for_each(|at| fail(20, &balancer, &hosts, at, now));
        assert_eq!(ejected(&hosts, now), most, "{share} of {count}");
    };
    check(1, 0.5, 0);
    check(1, 1.0, 0);
    check(2, 0.5, 1);
    check(3, 0.5, 1);
    check(4, 0.5, 2);
    check(4, 1.0, 4);
    check(4, 0.0, 0);
    check(4, f64::NAN, 0);
}

#[test]
fn calls_that_end_together_do_not_eject_too_many() {
    for _ in 0..50 {
        let (balancer, hosts, now) = (balancer(Policy::PeakEwma), hosts(8), clock::now());
        (0..8).for_each(|at| fail(4, &balancer, &hosts, at, now));
        // Gives way while the ejected hosts are counted, so that all count at once if they can.
        let host = |at: usize| {
            std::thread::yield_now();
            &hosts[at]
        };
        std::thread::scope(|scope| {
            for host_of_call in &hosts {
                let ride = balancer.begin(host_of_call, now);
                let (balancer, host) = (&balancer, &host);
                scope.spawn(move || balancer.end(ride, End::Bad, 8, host, now, 0));
            }
        });
        assert_eq!(ejected(&hosts, now), 4);
    }
}

#[test]
fn nothing_is_ejected_where_that_is_switched_off() {
    let mut settings = BalanceSettings::default();
    settings.eject.enabled = false;
    let (balancer, hosts, now) = (Balancer::new(&settings), hosts(2), clock::now());
    (0..100).for_each(|_| assert_eq!(call(&balancer, &hosts, 0, End::Bad, now), None));
}

#[test]
fn probes_take_a_host_down_and_up_and_end_a_pause() {
    let (balancer, hosts, now) = (balancer(Policy::RoundRobin), hosts(2), clock::now());
    let probes = ProbeSettings::default();
    let probed = |ok: bool| hosts[0].probed(ok, &probes, now);
    let chosen = || balancer.choose(2, |at| &hosts[at], None, now, 0);
    assert_eq!([probed(false), probed(false), probed(true), probed(false), probed(false)], [None; 5]);
    assert_eq!(hosts[0].view(now).probe, Probe::Unknown);
    assert_eq!(probed(false), Some(Probe::Down));
    assert_eq!([chosen(), chosen()], [Some(1), Some(1)]);
    assert_eq!([probed(true), probed(false), probed(true)], [None; 3]);
    assert_eq!(probed(true), Some(Probe::Up));
    assert_ne!(chosen(), chosen());

    // It was up when it was ejected: that alone does not bring it back, but probes made since do.
    fail(5, &balancer, &hosts, 0, now);
    assert_eq!(probed(true), None);
    assert_eq!(ejected(&hosts, now), 1);
    assert_eq!(probed(true), None);
    assert_eq!(ejected(&hosts, now), 0);
    assert_ne!(chosen(), chosen());
    about(call(&balancer, &hosts, 0, End::Bad, now), 60);
}

#[test]
fn when_none_is_healthy_all_are_tried() {
    let (balancer, hosts, now) = (balancer(Policy::RoundRobin), hosts(3), clock::now());
    for host in &hosts {
        let last = (0..3).filter_map(|_| host.probed(false, &ProbeSettings::default(), now)).last();
        assert_eq!(last, Some(Probe::Down));
    }
    let mut chosen: Vec<_> = (0..3).filter_map(|_| balancer.choose(3, |at| &hosts[at], None, now, 0)).collect();
    chosen.sort_unstable();
    assert_eq!(chosen, [0, 1, 2]);
    assert_ne!(balancer.choose(3, |at| &hosts[at], Some(1), now, 0), Some(1));
    assert_eq!(balancer.choose(0, |at| &hosts[at], None, now, 0), None);
    assert_eq!(balancer.choose(1, |at| &hosts[at], Some(0), now, 0), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_ride_leaves_the_host_and_tells_that_it_was_slow() {
    let (balancer, hosts) = (balancer(Policy::PeakEwma), hosts(1));
    let load = || hosts[0].view(clock::now()).load_ms.map(f64::round);
    assert_eq!(call(&balancer, &hosts, 0, End::Good, clock::now()), None);
    assert_eq!(load(), Some(5.0));
    let (short, long) = (balancer.begin(&hosts[0], clock::now()), balancer.begin(&hosts[0], clock::now()));
    assert_eq!(hosts[0].view(clock::now()).in_flight, 2);
    tokio::time::advance(Duration::from_millis(2)).await;
    drop(short);
    assert_eq!(load(), Some(5.0));
    tokio::time::advance(Duration::from_millis(398)).await;
    drop(long);
    assert_eq!(load(), Some(400.0));
    assert_eq!(hosts[0].view(clock::now()).in_flight, 0);
}

#[test]
fn a_new_host_gets_one_call_until_that_is_answered() {
    let (balancer, hosts, now) = (balancer(Policy::PeakEwma), hosts(2), clock::now());
    let mut random = fastrand::Rng::with_seed(1);
    let mut chosen = |now| balancer.choose(2, |at| &hosts[at], None, now, random.u64(..)).unwrap();
    assert_eq!(call(&balancer, &hosts, 0, End::Good, now), None);
    let now = now + Duration::from_millis(5);
    assert_eq!(chosen(now), 1);
    let first = balancer.begin(&hosts[1], now);
    // The other one is busy, and known to answer.
    let busy: Vec<_> = (0..50).map(|_| balancer.begin(&hosts[0], now)).collect();
    assert!((0..50).all(|_| chosen(now) == 0));
    // A call that was never sent tells nothing: still one at a time.
    assert_eq!(balancer.end(first, End::Nothing, 2, |at| &hosts[at], now, 0), None);
    assert_eq!(chosen(now), 1);
    let second = balancer.begin(&hosts[1], now);
    assert!((0..50).all(|_| chosen(now) == 0));
    assert_eq!(balancer.end(second, End::Good, 2, |at| &hosts[at], now + Duration::from_millis(5), 0), None);
    let now = now + Duration::from_millis(5);
    let spread: Vec<_> = (0..40).map(|_| balancer.begin(&hosts[1], now)).collect();
    assert!((0..50).all(|_| chosen(now) == 1), "40 in flight beside 50");
    drop((busy, spread));
}

#[test]
fn a_slow_host_is_tried_again_after_the_decay_time_and_believed() {
    let (balancer, hosts, mut now) = (balancer(Policy::PeakEwma), hosts(2), clock::now());
    let ride = balancer.begin(&hosts[0], now);
    now += SECOND;
    assert_eq!(balancer.end(ride, End::Good, 2, |at| &hosts[at], now, 0), None);
    let mut random = fastrand::Rng::with_seed(1);
    let mut tried_after = None;
    for step in 0..1200 {
        let at = balancer.choose(2, |at| &hosts[at], None, now, random.u64(..)).unwrap();
        if at == 0 {
            tried_after = tried_after.or(Some(step * 10));
        }
        assert_eq!(call(&balancer, &hosts, at, End::Good, now), None);
        now += Duration::from_millis(10);
    }
    assert_eq!(tried_after, Some(10_010));
    assert_eq!(hosts[0].view(now).load_ms.map(f64::round), Some(5.0));
}

#[test]
fn every_mistake_is_noted() {
    let keys = |settings: &BalanceSettings| {
        let mut mistakes = Mistakes::default();
        settings.check(&mut mistakes);
        settings.check_hosts(3, &mut mistakes);
        mistakes.into_inner().into_iter().map(|mistake| mistake.key).collect::<Vec<_>>()
    };
    assert!(keys(&BalanceSettings::default()).is_empty());
    let weighted = |weights: &[u32]| {
        keys(&BalanceSettings { policy: Policy::Weighted, weights: weights.to_vec(), ..BalanceSettings::default() })
    };
    assert!(weighted(&[1, 2, 3]).is_empty());
    assert_eq!(weighted(&[]), ["weights"]);
    assert_eq!(weighted(&[1, 2, 0]), ["weights"]);
    assert_eq!(weighted(&[1, 2]), ["weights"]);
    assert_eq!(keys(&BalanceSettings { weights: vec![1; 3], ..BalanceSettings::default() }), ["weights"]);
    let zero = Duration::ZERO;
    let eject = EjectSettings {
        enabled: true,
        in_a_row: 0,
        pause: zero,
        pause_at_most: 25 * 3600 * SECOND,
        at_most_share: f64::NAN,
    };
    let probe =
        ProbeSettings { path: Some("health".to_owned()), every: zero, timeout: zero, failures: 0, successes: 0 };
    assert_eq!(
        keys(&BalanceSettings { policy: Policy::PeakEwma, weights: Vec::new(), decay: zero, eject, probe }),
        [
            "decay",
            "eject.in_a_row",
            "eject.pause",
            "eject.pause_at_most",
            "eject.at_most_share",
            "probe.path",
            "probe.every",
            "probe.timeout",
            "probe.timeout",
            "probe.failures",
            "probe.successes"
        ]
    );
    let shorter = EjectSettings { pause_at_most: SECOND, ..EjectSettings::default() };
    assert_eq!(keys(&BalanceSettings { eject: shorter, ..BalanceSettings::default() }), ["eject.pause_at_most"]);
    let text = serde_json::to_string(&BalanceSettings::default()).unwrap();
    assert!(text.contains(r#""policy":"peak_ewma""#) && text.contains(r#""pause":"30s""#), "{text}");
    assert_eq!(serde_json::from_str::<BalanceSettings>(&text).unwrap(), BalanceSettings::default());
}
