//! What holds whatever happens.

use std::time::Duration;

use proptest::prelude::*;

use super::host::Standing;
use super::tests::{balancer, ejected, hosts};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Call { random: u64, avoid: Option<usize> },
    End { which: usize, end: Option<End>, random: u64 },
    Probe { at: usize, ok: bool },
    Wait { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![
        4 => Just(Some(End::Bad)),
        1 => Just(Some(End::Good)),
        1 => Just(Some(End::Overloaded)),
        1 => Just(Some(End::Nothing)),
        1 => Just(None),
    ];
    prop_oneof![
        6 => (any::<u64>(), prop::option::of(0..5_usize)).prop_map(|(random, avoid)| Step::Call { random, avoid }),
        6 => (any::<usize>(), end, any::<u64>()).prop_map(|(which, end, random)| Step::End { which, end, random }),
        1 => (0..5_usize, any::<bool>()).prop_map(|(at, ok)| Step::Probe { at, ok }),
        1 => (0..40_000_u64).prop_map(|millis| Step::Wait { millis }),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    prop::sample::select(vec![Policy::PeakEwma, Policy::RoundRobin, Policy::LeastInFlight, Policy::Weighted])
}

proptest! {
    #[test]
    fn whatever_happens(
        policy in policy(),
        count in 1..=5_usize,
        share in 0.0..=1.0_f64,
        in_a_row in 1..4_u32,
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let mut settings = BalanceSettings { policy, ..BalanceSettings::default() };
        settings.eject.at_most_share = share;
        settings.eject.in_a_row = in_a_row;
        let (balancer, hosts) = (Balancer::new(&settings), hosts(count));
        let mut now = clock::now();
        let mut rides = Vec::new();
        for step in steps {
            match step {
                Step::Call { random, avoid } => {
                    let healthy: Vec<_> = (0..count)
                        .filter(|at| {
                            let view = hosts[*at].view(now);
                            view.ejected_for_seconds.is_none() && view.probe != Probe::Down
                        })
                        .collect();
                    let chosen = balancer.choose(count, |at| &hosts[at], avoid, now, random).unwrap();
                    prop_assert!(chosen < count);
                    prop_assert!(healthy.is_empty() || healthy.contains(&chosen), "{chosen} of {healthy:?}");
                    let standing = |at: usize| hosts[at].standing(now);
                    let elsewhere = (0..count).any(|at| Some(at) != avoid && standing(at) <= standing(chosen));
                    prop_assert!(!elsewhere || Some(chosen) != avoid, "{chosen} of {healthy:?}");
                    let is_one_more = standing(chosen) == Standing::Tried;
                    prop_assert!(!is_one_more || (0..count).all(|at| standing(at) >= Standing::Tried));
                    rides.push((chosen, balancer.begin(&hosts[chosen], now)));
                }
                Step::End { which, end, random } if !rides.is_empty() => {
                    let (at, ride) = rides.swap_remove(which % rides.len());
                    if let Some(end) = end {
                        let pause = balancer.end(ride, end, count, |at| &hosts[at], now, random);
                        if let Some(pause) = pause {
                            prop_assert!(end == End::Bad && hosts[at].view(now).ejected_for_seconds.is_some());
                            prop_assert!(pause >= settings.eject.pause.mul_f64(0.89), "{pause:?}");
                            prop_assert!(pause <= settings.eject.pause_at_most, "{pause:?}");
                        }
                    }
                }
                Step::Probe { at, ok } if at < count => {
                    let _ = hosts[at].probed(ok, &settings.probe, now);
                }
                Step::Wait { millis } => now += Duration::from_millis(millis),
                Step::End { .. } | Step::Probe { .. } => {}
            }
            let most = if count == 1 { 0 } else { (share * count as f64).floor() as usize };
            prop_assert!(ejected(&hosts, now) <= most);
            for (at, host) in hosts.iter().enumerate() {
                let under_way = rides.iter().filter(|(host, _)| *host == at).count();
                prop_assert_eq!(host.view(now).in_flight as usize, under_way);
                prop_assert!(host.view(now).load_ms.is_none_or(|load| load.is_finite() && load >= 0.0));
            }
        }
        drop(rides);
        prop_assert!(hosts.iter().all(|host| host.view(now).in_flight == 0));
    }

    #[test]
    fn weighted_follows_its_weights(weights in prop::collection::vec(1..100_u32, 1..6), seed in any::<u64>()) {
        let hosts: Vec<_> = weights.iter().map(|weight| HostState::new(*weight)).collect();
        let balancer = balancer(Policy::Weighted);
        let (mut random, now) = (fastrand::Rng::with_seed(seed), clock::now());
        let mut chosen = vec![0_u32; hosts.len()];
        for _ in 0..4_000 {
            chosen[balancer.choose(hosts.len(), |at| &hosts[at], None, now, random.u64(..)).unwrap()] += 1;
        }
        let all: u32 = weights.iter().sum();
        for (chosen, weight) in chosen.iter().zip(&weights) {
            let (share, wanted) = (f64::from(*chosen) / 4e3, f64::from(*weight) / f64::from(all));
            // Six standard deviations of 4,000 draws are at most 0.048.
            prop_assert!((share - wanted).abs() < 0.05, "{share} instead of {wanted}");
        }
    }

    #[test]
    fn round_robin_is_even(count in 1..9_usize, rounds in 1..20_usize, random in any::<u64>()) {
        let (balancer, hosts, now) = (balancer(Policy::RoundRobin), hosts(count), clock::now());
        let mut chosen = vec![0; count];
        for _ in 0..rounds * count {
            chosen[balancer.choose(count, |at| &hosts[at], None, now, random).unwrap()] += 1;
        }
        prop_assert_eq!(chosen, vec![rounds; count]);
    }

    #[test]
    fn least_in_flight_takes_one_of_the_least(
        in_flight in prop::collection::vec(0..5_usize, 1..6),
        random in any::<u64>(),
    ) {
        let (balancer, hosts, now) = (balancer(Policy::LeastInFlight), hosts(in_flight.len()), clock::now());
        let rides: Vec<_> = (0..hosts.len())
            .flat_map(|at| std::iter::repeat_n(at, in_flight[at]))
            .map(|at| balancer.begin(&hosts[at], now))
            .collect();
        let chosen = balancer.choose(hosts.len(), |at| &hosts[at], None, now, random).unwrap();
        prop_assert_eq!(Some(in_flight[chosen]), in_flight.iter().min().copied());
        drop(rides);
    }

    #[test]
    fn two_places_are_two_and_all_are_reached(limit in 2..7_usize, seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut reached = vec![0; limit * limit];
        for _ in 0..60 * limit * limit {
            let (first, second) = two_below(random.u64(..), limit);
            prop_assert!(first != second && first < limit && second < limit);
            reached[first * limit + second] += 1;
        }
        prop_assert!((0..limit * limit).all(|pair| pair / limit == pair % limit || reached[pair] > 15));
    }
}
