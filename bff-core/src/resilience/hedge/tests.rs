use std::time::Duration;

use proptest::prelude::*;

use super::{HedgeSettings, Latency};
use crate::clock::{self, Instant, Millis};
use crate::settings::{Check, Mistakes};

fn filled(samples: &[u64], now: Instant) -> Latency {
    let latency = Latency::new();
    for nanos in samples {
        latency.record(Duration::from_nanos(*nanos), now);
    }
    latency
}

/// Evenly over the powers of ten, so that short ones are as likely as long ones.
fn nanos() -> impl Strategy<Value = u64> {
    (50_000f64.ln()..60e9f64.ln()).prop_map(|log| (log.exp() as u64).clamp(50_000, 60_000_000_000))
}

fn keys(settings: &HedgeSettings) -> Vec<String> {
    let mut mistakes = Mistakes::default();
    settings.check(&mut mistakes);
    mistakes.into_inner().into_iter().map(|mistake| mistake.key).collect()
}

proptest! {
    #[test]
    fn a_quantile_is_within_5_percent(mut samples in prop::collection::vec(nanos(), 20..400), q in 0.0f64..=1.0) {
        let now = clock::now();
        let seen = filled(&samples, now).quantile(q, now).unwrap().as_nanos() as f64;
        samples.sort_unstable();
        let rank = ((q * samples.len() as f64).ceil() as usize).clamp(1, samples.len());
        let exact = samples[rank - 1] as f64;
        prop_assert!((seen - exact).abs() <= 0.05 * exact, "{seen} for {exact}");
    }

    #[test]
    fn a_larger_share_takes_no_less(samples in prop::collection::vec(nanos(), 20..200), a in 0.0f64..=1.0, b in 0.0f64..=1.0) {
        let now = clock::now();
        let latency = filled(&samples, now);
        prop_assert!(latency.quantile(a.min(b), now) <= latency.quantile(a.max(b), now));
    }

    #[test]
    fn what_is_older_than_two_generations_is_forgotten(
        old in prop::collection::vec(nanos(), 1..200),
        new in prop::collection::vec(nanos(), 20..200),
        silence in 20_000u64..100_000,
        q in 0.01f64..0.99,
    ) {
        let start = clock::now();
        let latency = filled(&old, start);
        let later = start + silence.ms();
        prop_assert_eq!(latency.quantile(q, later), None);
        for nanos in &new {
            latency.record(Duration::from_nanos(*nanos), later);
        }
        prop_assert_eq!(latency.quantile(q, later), filled(&new, later).quantile(q, later));
    }

    #[test]
    fn traffic_without_pause_forgets_too(gaps in prop::collection::vec(1u64..3_000, 50..200)) {
        let mut now = clock::now();
        let latency = filled(&[30_000_000_000; 100], now);
        let changed = now;
        for gap in gaps {
            now += gap.ms();
            latency.record(1.ms(), now);
            if now >= changed + 20_000.ms() {
                let slowest = latency.quantile(1.0, now);
                prop_assert!(slowest.is_none_or(|slowest| slowest < 2.ms()), "{slowest:?}");
            } else if now < changed + 10_000.ms() {
                prop_assert!(latency.quantile(1.0, now).unwrap() > 29_000.ms());
            }
        }
    }

    #[test]
    fn the_delay_keeps_its_bounds(
        samples in prop::collection::vec(nanos(), 0..100), least in 1u64..2_000, more in prop::option::of(0u64..10_000),
    ) {
        let now = clock::now();
        let most = more.map(|more| (least + more).ms());
        let hedge = HedgeSettings { enabled: true, percentile: 0.95, after_at_least: least.ms(), after_at_most: most };
        let latency = filled(&samples, now);
        match hedge.delay(&latency, now) {
            Some(delay) => {
                prop_assert!(delay >= least.ms() && most.is_none_or(|most| delay <= most));
                prop_assert!(samples.len() >= 20 || Some(delay) == most);
            }
            None => prop_assert!(samples.len() < 20 && most.is_none()),
        }
    }
}

#[test]
fn the_border_stands_for_what_is_outside() {
    let now = clock::now();
    let near = |seen: Option<Duration>, exact: f64| (seen.unwrap().as_secs_f64() / exact - 1.0).abs() < 0.05;
    assert!(near(filled(&[0; 20], now).quantile(0.5, now), 50e-6));
    assert!(near(filled(&[u64::MAX; 20], now).quantile(0.5, now), 60.0));
    let latency = Latency::new();
    for _ in 0..20 {
        latency.record(Duration::MAX, now);
    }
    assert!(near(latency.quantile(0.5, now), 60.0));
}

#[test]
fn twenty_are_enough() {
    let now = clock::now();
    assert_eq!(filled(&[1_000_000; 19], now).quantile(0.95, now), None);
    assert!(filled(&[1_000_000; 20], now).quantile(0.95, now).is_some());
}

#[test]
fn a_quantile_is_computed_at_most_every_100_ms() {
    let start = clock::now();
    let latency = filled(&[1_000_000; 20], start);
    let before = latency.quantile(0.95, start);
    for _ in 0..100 {
        latency.record(50.ms(), start + 1.ms());
    }
    assert_eq!(latency.quantile(0.95, start + 99.ms()), before);
    assert!(latency.quantile(0.95, start + 100.ms()) > before);
    // Another share is another question.
    assert!(latency.quantile(0.01, start + 100.ms()) < latency.quantile(0.95, start + 100.ms()));
}

#[test]
fn a_hedge_starts_when_the_first_attempt_is_late() {
    let now = clock::now();
    let known = filled(&[100_000_000; 100], now);
    let fast = filled(&[1_000_000; 100], now);
    let unknown = Latency::new();
    let off = HedgeSettings::default();
    let on = HedgeSettings { enabled: true, ..off.clone() };
    let bounded = HedgeSettings { after_at_most: Some(50.ms()), ..on.clone() };
    assert_eq!(off.delay(&known, now), None);
    let delay = on.delay(&known, now).unwrap();
    assert!(delay >= 95.ms() && delay <= 105.ms(), "{delay:?}");
    assert_eq!(on.delay(&fast, now), Some(10.ms()));
    assert_eq!(on.delay(&unknown, now), None);
    assert_eq!(bounded.delay(&known, now), Some(50.ms()));
    assert_eq!(bounded.delay(&unknown, now), Some(50.ms()));
}

#[test]
fn every_mistake_is_noted() {
    assert!(keys(&HedgeSettings::default()).is_empty());
    for percentile in [0.5, 1.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(keys(&HedgeSettings { percentile, ..HedgeSettings::default() }), ["percentile"]);
    }
    let all = HedgeSettings {
        enabled: true,
        percentile: 2.0,
        after_at_least: Duration::ZERO,
        after_at_most: Some(Duration::ZERO),
    };
    assert_eq!(keys(&all), ["percentile", "after_at_least"]);
    let crossed = HedgeSettings { after_at_most: Some(9.ms()), ..HedgeSettings::default() };
    assert_eq!(keys(&crossed), ["after_at_most"]);
    assert!(keys(&HedgeSettings { after_at_most: Some(10.ms()), ..crossed }).is_empty());
}

#[test]
fn settings_are_read() {
    let read: HedgeSettings = serde_json::from_str(r#"{"enabled":true,"after_at_most":"80ms"}"#).unwrap();
    assert_eq!(read, HedgeSettings { enabled: true, after_at_most: Some(80.ms()), ..HedgeSettings::default() });
    let written = serde_json::to_string(&HedgeSettings::default()).unwrap();
    assert_eq!(serde_json::from_str::<HedgeSettings>(&written).unwrap(), HedgeSettings::default());
}
