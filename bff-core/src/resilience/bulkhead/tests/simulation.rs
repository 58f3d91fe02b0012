//! A backend with so many workers and one queue, callers who do not wait for one another, and the limiter between.
//! What its caller has given up the backend works off all the same.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use crate::clock::{self, Instant};
use crate::resilience::End;
use crate::resilience::bulkhead::{BulkheadSettings, Limiter};

/// Microseconds since the start.
type Time = u64;
const SECOND: Time = 1_000_000;

/// Few, for a build without optimisation; the numbers hold for hundreds.
const SEEDS: u64 = 2;

type Service = Box<dyn Fn(Time, &mut fastrand::Rng) -> Time>;

struct Scenario {
    workers: usize,
    arrivals_per_second: fn(Time) -> f64,
    timeout: Time,
    initial: usize,
    cap: usize,
    is_fixed: bool,
    /// The time the backend works on a call that it begins at this time.
    service: Service,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            workers: 50,
            arrivals_per_second: |_| 1000.0,
            timeout: SECOND,
            initial: 100,
            cap: 1000,
            is_fixed: false,
            service: Box::new(|_, _| 10_000),
        }
    }
}

/// One second.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    arrived: u32,
    refused: u32,
    good: u32,
    late: u32,
    took: Time,
    lowest: usize,
    limit: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Done(usize),
    TimedOut(usize),
    Arrival,
}

struct Run {
    limiter: Limiter,
    start: Instant,
    in_flight: usize,
    seconds: Vec<Second>,
}

impl Run {
    fn ends(&mut self, end: End, took: Time, at: Time) {
        let now = self.start + Duration::from_micros(at);
        let limit = self.limiter.sample(end, Some(Duration::from_micros(took)), self.in_flight, now);
        self.in_flight -= 1;
        let second = &mut self.seconds[(at / SECOND) as usize];
        match end {
            End::Good => (second.good, second.took) = (second.good + 1, second.took + took),
            _ => second.late += 1,
        }
        second.limit = limit;
        second.lowest = second.lowest.min(limit);
    }
}

fn run(scenario: &Scenario, seed: u64, seconds: u64) -> Vec<Second> {
    let mut random = fastrand::Rng::with_seed(seed);
    let initial = scenario.initial;
    let own = BulkheadSettings::default();
    let (floor, cap) = if scenario.is_fixed { (initial, initial) } else { (own.floor, scenario.cap) };
    let settings = BulkheadSettings { initial, floor, cap, ..own };
    let second = Second { lowest: usize::MAX, ..Second::default() };
    let mut run = Run {
        limiter: Limiter::new(&settings, Duration::from_micros(scenario.timeout)),
        start: clock::now(),
        in_flight: 0,
        seconds: vec![second; seconds as usize],
    };
    let mut events = BinaryHeap::from([Reverse((0, Event::Arrival))]);
    // When a call was sent, and whether its caller still waits.
    let mut calls: Vec<(Time, bool)> = Vec::new();
    let mut queue = VecDeque::new();
    let mut busy = 0;
    while let Some(Reverse((at, event))) = events.pop() {
        if at >= seconds * SECOND {
            break;
        }
        match event {
            Event::Arrival => {
                let gap = -(1.0 - random.f64()).ln() / (scenario.arrivals_per_second)(at) * SECOND as f64;
                events.push(Reverse((at + gap as Time, Event::Arrival)));
                run.seconds[(at / SECOND) as usize].arrived += 1;
                if run.in_flight >= run.limiter.limit() {
                    run.seconds[(at / SECOND) as usize].refused += 1;
                    continue;
                }
                run.in_flight += 1;
                calls.push((at, true));
                queue.push_back(calls.len() - 1);
                events.push(Reverse((at + scenario.timeout, Event::TimedOut(calls.len() - 1))));
            }
            Event::TimedOut(call) => {
                if std::mem::take(&mut calls[call].1) {
                    run.ends(End::Bad, scenario.timeout, at);
                }
            }
            Event::Done(call) => {
                busy -= 1;
                if std::mem::take(&mut calls[call].1) {
                    run.ends(End::Good, at - calls[call].0, at);
                }
            }
        }
        while busy < scenario.workers
            && let Some(call) = queue.pop_front()
        {
            busy += 1;
            let service = (scenario.service)(at, &mut random);
            events.push(Reverse((at + service, Event::Done(call))));
        }
    }
    run.seconds
}

fn print(name: &str, seed: u64, seconds: &[Second]) {
    if seed > 0 {
        return;
    }
    println!("\n{name}\n   s arrived refused    good    late  mean ms  limit lowest");
    for (at, second) in seconds.iter().enumerate() {
        let Second { arrived, refused, good, late, took, lowest, limit } = second;
        let mean = *took as f64 / 1e3 / f64::from((*good).max(1));
        println!("{at:4} {arrived:7} {refused:7} {good:7} {late:7} {mean:8.1} {limit:6} {lowest:6}");
    }
}

fn good(seconds: &[Second]) -> f64 {
    seconds.iter().map(|second| f64::from(second.good)).sum::<f64>() / seconds.len() as f64
}

/// Of those who came.
fn share(seconds: &[Second]) -> f64 {
    good(seconds) * seconds.len() as f64 / seconds.iter().map(|second| f64::from(second.arrived)).sum::<f64>()
}

fn exponential(mean: f64, random: &mut fastrand::Rng) -> Time {
    (-(1.0 - random.f64()).ln() * mean) as Time
}

/// 10 ms, and 100 ms from second 10 to second 20.
fn slow_for_ten_seconds(at: Time) -> f64 {
    if (10 * SECOND..20 * SECOND).contains(&at) { 100_000.0 } else { 10_000.0 }
}

#[test]
fn ten_times_slower_for_ten_seconds() {
    // The last number: how much at least of what it can do while it is slow is done.
    for (name, is_exponential, timeout, initial, least) in [
        ("fixed times", false, SECOND, 100, 0.9),
        ("exponential times", true, SECOND, 100, 0.7),
        ("short timeout", true, SECOND / 4, 100, 0.5),
        ("a limit far too high", true, SECOND, 1000, 0.4),
        // Seconds of work that nobody waits for are in its queue before the first call is late.
        ("a limit far too high, short timeout", true, SECOND / 4, 1000, 0.2),
    ] {
        for seed in 0..SEEDS {
            let scenario = Scenario {
                // 70 % of what it can do; seven times that while it is slow.
                arrivals_per_second: |_| 3500.0,
                timeout,
                initial,
                service: Box::new(move |at, random| {
                    let mean = slow_for_ten_seconds(at);
                    if is_exponential { exponential(mean, random) } else { mean as Time }
                }),
                ..Scenario::default()
            };
            let seconds = run(&scenario, seed, 30);
            print(name, seed, &seconds);
            assert!(share(&seconds[2..10]) > 0.99, "{name}, {seed}");
            // After two seconds what is under way is what 50 workers can do, within the timeout.
            assert!(seconds[12..20].iter().all(|second| second.limit <= 250), "{name}, {seed}");
            let slow = good(&seconds[12..20]);
            assert!(slow > least * 500.0, "{name}, {seed}: {slow} of 500");
            let healed = share(&seconds[23..]);
            assert!(healed >= 0.95, "{name}, {seed}: {healed}");
        }
    }
}

#[test]
fn the_same_with_a_fixed_limit_stays_full_of_what_nobody_waits_for() {
    // So that the tests above can fail.
    let scenario = Scenario {
        arrivals_per_second: |_| 3500.0,
        timeout: SECOND / 4,
        is_fixed: true,
        initial: 1000,
        service: Box::new(|at, random| exponential(slow_for_ten_seconds(at), random)),
        ..Scenario::default()
    };
    let seconds = run(&scenario, 0, 30);
    print("fixed limit", 0, &seconds);
    assert!(good(&seconds[12..20]) < 50.0);
}

#[test]
fn from_the_floor_to_full_throughput() {
    for seed in 0..SEEDS {
        let scenario = Scenario {
            // Needs 350 under way.
            workers: 1000,
            arrivals_per_second: |at| if at < 10 * SECOND { 100.0 } else { 7_000.0 },
            initial: 10,
            service: Box::new(|_, random| exponential(50_000.0, random)),
            ..Scenario::default()
        };
        let seconds = run(&scenario, seed, 20);
        print("from the floor", seed, &seconds);
        assert!(share(&seconds[15..]) >= 0.95, "{seed}");
    }
}

#[test]
fn ordinary_variance_costs_nothing() {
    type Mix = fn(&mut fastrand::Rng) -> Time;
    let mixes: [(&str, Mix); 5] = [
        ("5 ms and 50 ms", |random| if random.bool() { 5_000 } else { 50_000 }),
        ("one in ten 50 ms", |random| if random.u8(..10) == 0 { 50_000 } else { 5_000 }),
        ("exponential", |random| exponential(20_000.0, random)),
        ("exponential, one in twenty three times that", |random| {
            exponential(if random.u8(..20) == 0 { 60_000.0 } else { 20_000.0 }, random)
        }),
        ("one in two hundred hangs", |random| if random.u8(..200) == 0 { 3 * SECOND } else { 20_000 }),
    ];
    for (name, service) in mixes {
        // With the cap at 100 the last ones always need more than half of the limit, so that nothing is overlooked.
        type Load = (f64, fn(Time) -> f64, usize);
        let loads: [Load; 4] =
            [(30.0, |_| 30.0, 1000), (300.0, |_| 300.0, 1000), (2000.0, |_| 2000.0, 1000), (2000.0, |_| 2000.0, 100)];
        for (load, arrivals_per_second, cap) in loads {
            for seed in 0..SEEDS {
                let scenario = Scenario {
                    workers: 1000,
                    arrivals_per_second,
                    cap,
                    service: Box::new(move |_, random| service(random)),
                    ..Scenario::default()
                };
                let seconds = run(&scenario, seed, 30);
                let refused: u32 = seconds[1..].iter().map(|second| second.refused).sum();
                let arrived: u32 = seconds[1..].iter().map(|second| second.arrived).sum();
                if seed == 0 {
                    println!(
                        "{name}, {load}/s, cap {cap}: {refused} of {arrived} refused, limit {}",
                        seconds[29].limit
                    );
                }
                // A few while the first second is learnt, at most.
                assert!(refused * 1000 <= arrived, "{name}, {load}/s, {cap}, {seed}: {refused} of {arrived}");
            }
        }
    }
}

#[test]
fn three_times_too_many_calls() {
    for seed in 0..SEEDS {
        let scenario = Scenario {
            workers: 20,
            arrivals_per_second: |at| if at < 5 * SECOND { 250.0 } else { 1500.0 },
            service: Box::new(|_, random| exponential(40_000.0, random)),
            ..Scenario::default()
        };
        // Five minutes, so that a standing queue would have become normal several times over.
        let seconds = run(&scenario, seed, 300);
        if seed == 0 {
            print("three times too many, the first minute", seed, &seconds[..60]);
            print("the last minute", seed, &seconds[240..]);
        }
        for part in [&seconds[7..60], &seconds[240..]] {
            let good = good(part);
            assert!(good >= 0.85 * 500.0, "{seed}: {good}");
            let mean = part.iter().map(|second| second.took).sum::<Time>() as f64
                / f64::from(part.iter().map(|second| second.good).sum::<u32>());
            assert!(mean < 160_000.0, "{seed}: {mean} µs");
        }
    }
}

#[test]
fn a_backend_with_room_that_gets_slower_for_good() {
    for seed in 0..SEEDS {
        let scenario = Scenario {
            workers: 10_000,
            arrivals_per_second: |_| 1000.0,
            service: Box::new(|at, random| exponential(if at < 20 * SECOND { 10_000.0 } else { 100_000.0 }, random)),
            ..Scenario::default()
        };
        let seconds = run(&scenario, seed, 100);
        print("slower for good", seed, &seconds);
        // It needs 100 under way now. Trials find that out long before it has become the normal.
        assert!(share(&seconds[22..45]) >= 0.5, "{seed}");
        let good = share(&seconds[45..]);
        assert!(good >= 0.98, "{seed}: {good}");
    }
}

#[test]
fn a_start_into_an_overload() {
    for seed in 0..SEEDS {
        let scenario = Scenario {
            arrivals_per_second: |_| 3500.0,
            timeout: SECOND / 4,
            initial: 1000,
            service: Box::new(|at, random| exponential(if at < 10 * SECOND { 100_000.0 } else { 10_000.0 }, random)),
            ..Scenario::default()
        };
        let seconds = run(&scenario, seed, 20);
        print("a start into an overload", seed, &seconds);
        let good = share(&seconds[13..]);
        assert!(good >= 0.95, "{seed}: {good}");
    }
}

#[test]
fn one_call_in_five_hangs() {
    for seed in 0..SEEDS {
        let scenario = Scenario {
            workers: 10_000,
            arrivals_per_second: |_| 200.0,
            service: Box::new(|at, random| {
                if (10 * SECOND..30 * SECOND).contains(&at) && random.u8(..5) == 0 { 5 * SECOND } else { 20_000 }
            }),
            ..Scenario::default()
        };
        let seconds = run(&scenario, seed, 40);
        print("one call in five hangs", seed, &seconds);
        // Four in five can be good; a limit at the floor would let through a quarter.
        let (hanging, after) = (share(&seconds[12..30]), share(&seconds[33..]));
        assert!(hanging >= 0.4, "{seed}: {hanging}");
        assert!(after >= 0.95, "{seed}: {after}");
    }
}
