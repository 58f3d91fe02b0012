use proptest::prelude::*;

use super::*;
use crate::clock::{Instant, now};
use crate::settings::Mistakes;

fn keys(settings: &RetrySettings) -> Vec<String> {
    let mut mistakes = Mistakes::default();
    settings.check(&mut mistakes);
    mistakes.into_inner().into_iter().map(|mistake| mistake.key).collect()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn settings_that_cannot_be_are_found() {
    let check = |settings: RetrySettings, expected: &[&str]| assert_eq!(keys(&settings), expected, "{settings:?}");
    let plain = RetrySettings::default;
    let budget = |share, per_second, burst_share| RetrySettings {
        budget: BudgetSettings { share, per_second, burst_share },
        ..plain()
    };
    check(plain(), &[]);
    check(RetrySettings { tries: 10, ..plain() }, &[]);
    check(RetrySettings { tries: 11, ..plain() }, &["tries"]);
    check(RetrySettings { backoff: Duration::ZERO, ..plain() }, &["backoff"]);
    check(RetrySettings { backoff: Duration::ZERO, tries: 0, ..plain() }, &[]);
    check(RetrySettings { backoff_at_most: ms(24), ..plain() }, &["backoff_at_most"]);
    check(RetrySettings { backoff_at_most: Duration::MAX, ..plain() }, &["backoff_at_most"]);
    check(budget(0.0, 1, 0.0), &[]);
    check(budget(1.0, 1, 10.0), &[]);
    check(budget(0.2, 0, 0.5), &["budget.per_second"]);
    check(RetrySettings { tries: 0, ..budget(0.2, 0, 0.5) }, &[]);
    check(budget(0.2, 1, 0.1), &["budget.burst_share"]);
    check(budget(0.2, 1, 10.1), &["budget.burst_share"]);
    check(budget(0.2, 1, f64::INFINITY), &["budget.burst_share"]);
    check(budget(-0.1, 1, 0.5), &["budget.share"]);
    check(budget(1.1, 1, 1.2), &["budget.share"]);
    check(budget(f64::NAN, 1, f64::NAN), &["budget.share", "budget.burst_share"]);
}

#[test]
fn what_is_not_written_has_its_default() {
    let read: RetrySettings = serde_json::from_str(r#"{"backoff": "30ms", "budget": {"share": 0.1}}"#).unwrap();
    let budget = BudgetSettings { share: 0.1, ..BudgetSettings::default() };
    assert_eq!(read, RetrySettings { backoff: ms(30), budget, ..RetrySettings::default() });
    assert_eq!(serde_json::from_value::<RetrySettings>(serde_json::to_value(&read).unwrap()).unwrap(), read);
}

#[test]
fn the_pause_doubles_up_to_its_cap_and_obeys_the_upstream() {
    let settings = RetrySettings::default();
    let longest: Vec<_> = (1..=6).map(|number| settings.pause(number, None, 1.0)).collect();
    assert_eq!(longest, [ms(25), ms(50), ms(100), ms(200), ms(250), ms(250)]);
    assert_eq!(settings.pause(3, None, 0.0), Duration::ZERO);
    assert_eq!(settings.pause(3, None, 0.5), ms(50));
    assert_eq!(settings.pause(3, Some(ms(70)), 0.5), ms(70));
    assert_eq!(settings.pause(3, Some(ms(30)), 0.5), ms(50));
    assert_eq!(settings.pause(0, None, 1.0), ms(25), "there is no retry 0; it is as the first");
}

proptest! {
    #[test]
    fn a_pause_is_never_longer_than_its_cap_or_what_the_upstream_asked_for(
        number: u32, asked in proptest::option::of(0_u64..10_000), random: f64, backoff: u64, cap: u64,
    ) {
        let (backoff, backoff_at_most) = (Duration::from_secs(backoff), Duration::from_secs(cap));
        let settings = RetrySettings { backoff, backoff_at_most, ..RetrySettings::default() };
        let asked = asked.map(ms);
        let pause = settings.pause(number, asked, random);
        prop_assert!(pause <= backoff_at_most.max(asked.unwrap_or_default()));
        prop_assert!(pause >= asked.unwrap_or_default());
    }
}

/// One thing that happened at a budget.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Call,
    Taken,
    Refused,
}

/// Everything that happened, in its order.
struct History {
    settings: BudgetSettings,
    budget: Budget,
    start: Instant,
    events: Vec<(Duration, Event)>,
}

impl History {
    fn new(settings: &BudgetSettings) -> Self {
        let (settings, budget) = (settings.clone(), Budget::new(settings));
        Self { settings, budget, start: now(), events: Vec::new() }
    }

    fn call(&mut self, at: Duration) {
        self.budget.call(self.start + at);
        self.events.push((at, Event::Call));
    }

    fn take(&mut self, at: Duration) -> bool {
        let left = self.budget.view(self.start + at).left;
        let taken = self.budget.take(self.start + at);
        assert_eq!(taken, left > 0, "the view does not say what happens");
        self.events.push((at, if taken { Event::Taken } else { Event::Refused }));
        taken
    }

    fn count(&self, what: Event) -> usize {
        self.events.iter().filter(|(_, event)| *event == what).count()
    }

    /// By how much the stretches that end with event `last` and begin at most `length` before it exceed their limit at
    /// worst, if `more` attempts were granted beside those that were. By events, not by times: among those of the same
    /// moment a stretch may begin with any. Stretches that go on further hold no more attempts, or end elsewhere.
    fn excess(&self, last: usize, length: Duration, share: f64, reserve: f64, more: f64) -> f64 {
        let (end, _) = self.events[last];
        let (mut calls, mut taken, mut worst) = (0.0, more, f64::NEG_INFINITY);
        for (at, event) in self.events[..=last].iter().rev() {
            if end - *at > length {
                break;
            }
            match event {
                Event::Call => calls += 1.0,
                Event::Taken => taken += 1.0,
                Event::Refused => {}
            }
            worst = f64::max(worst, taken - share * calls - reserve);
        }
        worst
    }

    /// Every stretch keeps its limits, and what was refused would have broken one of a stretch that is at most a slot
    /// longer.
    fn check(&self) {
        let BudgetSettings { share, per_second, burst_share } = self.settings;
        let limits =
            [(ms(10_000), share, 10.0 * f64::from(per_second)), (ms(1_000), burst_share, f64::from(per_second))];
        for (at, (_, event)) in self.events.iter().enumerate() {
            match event {
                Event::Call => {}
                Event::Taken => {
                    for (length, share, reserve) in limits {
                        let excess = self.excess(at, length, share, reserve, 0.0);
                        assert!(excess < 1e-6, "{excess} too many at event {at}, within {length:?}");
                    }
                }
                Event::Refused => {
                    let needless = limits.iter().all(|(length, share, reserve)| {
                        self.excess(at, *length + ms(100), *share, *reserve, 1.0) < -1e-3
                    });
                    assert!(!needless, "refused for nothing at event {at}");
                }
            }
        }
    }
}

/// A gap in microseconds: none, a few, around a slot, around the two lengths.
fn gap() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(0_u64),
        6 => 1_u64..30_000,
        3 => 80_000_u64..220_000,
        2 => 880_000_u64..1_120_000,
        1 => 2_000_000_u64..9_000_000,
        1 => 9_800_000_u64..10_300_000,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_stretch_of_time_exceeds_its_limit(
        steps in proptest::collection::vec((gap(), 0_u32..60, 0_u32..40), 1..60),
        share in prop_oneof![Just(0.0), Just(0.2), Just(0.29), Just(1.0), 0.0..1.0],
        more in prop_oneof![Just(0.0), Just(0.3), 0.0..3.0],
        per_second in 1_u32..15,
    ) {
        let mut history = History::new(&BudgetSettings { share, per_second, burst_share: share + more });
        let mut at = Duration::ZERO;
        for (gap, calls, takes) in steps {
            at += Duration::from_micros(gap);
            for _ in 0..calls {
                history.call(at);
            }
            for _ in 0..takes {
                history.take(at);
            }
        }
        history.check();
        let view = history.budget.view(history.start + at);
        prop_assert_eq!(view.refused, history.count(Event::Refused) as u64);
    }
}

#[test]
fn calls_that_are_past_pay_for_nothing() {
    // To look back over the last second would grant 510 here, and 500 of them to a stretch without a single call.
    let mut history = History::new(&BudgetSettings::default());
    for _ in 0..1000 {
        history.call(ms(0));
    }
    let granted = (0..1000).filter(|_| history.take(ms(50))).count();
    assert_eq!(granted, 10);
    history.check();
}

#[test]
fn a_steady_share_of_failures_gets_all_its_retries() {
    for per_second in [100_u64, 10_000] {
        let mut random = fastrand::Rng::with_seed(7);
        let mut history = History::new(&BudgetSettings::default());
        let step = Duration::from_secs(1) / u32::try_from(per_second).unwrap();
        let mut waiting = std::collections::VecDeque::new();
        let mut at = Duration::ZERO;
        for _ in 0..per_second * 30 {
            at += step;
            history.call(at);
            if random.f64() < 0.15 {
                waiting.push_back(at + ms(5));
            }
            while waiting.front().is_some_and(|due| *due <= at) {
                waiting.pop_front();
                history.take(at);
            }
        }
        assert!(history.count(Event::Taken) > 4 * usize::try_from(per_second).unwrap());
        assert_eq!(history.count(Event::Refused), 0, "at {per_second} a second");
    }
}

#[test]
fn an_outage_uses_the_budget_up_and_no_more() {
    let mut history = History::new(&BudgetSettings::default());
    let mut first_second = 0;
    for at in 0..20_000 {
        history.call(ms(at));
        for _ in 0..2 {
            if history.take(ms(at)) && at < 1000 {
                first_second += 1;
            }
        }
    }
    // 0.2 × 1000 and the reserve of 10 s, which 0.5 × 1000 + 10 still allow.
    assert!((290..=300).contains(&first_second), "{first_second}");
    let taken = history.count(Event::Taken);
    assert!((3_900..=4_200).contains(&taken), "{taken}");
}

#[test]
fn an_upstream_with_few_calls_gets_its_reserve_again_and_again() {
    let mut history = History::new(&BudgetSettings::default());
    for at in 0..1200 {
        history.take(ms(50 * at));
    }
    // Ten per 1.1 s, because a slot more than the second is remembered.
    let taken = history.count(Event::Taken);
    assert!((540..=600).contains(&taken), "{taken}");
    history.check();
}

#[test]
fn the_reserve_of_ten_seconds_is_back_after_ten_seconds_and_not_before() {
    let mut history = History::new(&BudgetSettings { share: 0.0, per_second: 1, burst_share: 10.0 });
    history.call(ms(0));
    for _ in 0..10 {
        history.call(ms(99));
        assert!(history.take(ms(99)));
    }
    for at in [99, 1_000, 9_999, 10_000, 10_099] {
        history.call(ms(at));
        assert!(!history.take(ms(at)), "at {at} ms");
    }
    assert!(history.take(ms(10_100)));
    history.check();
}

#[test]
fn the_view_tells_the_last_ten_seconds() {
    let mut history = History::new(&BudgetSettings::default());
    for at in 0..100 {
        history.call(ms(10 * at));
        history.take(ms(10 * at));
    }
    let (taken, refused) = (history.count(Event::Taken) as u64, history.count(Event::Refused) as u64);
    assert!(taken > 50 && refused > 20, "{taken} {refused}");
    let view = |at| history.budget.view(history.start + ms(at));
    let BudgetView { calls, extra, .. } = view(9_900);
    assert_eq!((calls, extra), (100, taken));
    assert_eq!(view(11_200), BudgetView { calls: 0, extra: 0, refused, left: 10 });
    let json = serde_json::to_value(view(60_000)).unwrap();
    assert_eq!(json, serde_json::json!({ "calls": 0, "extra": 0, "refused": refused, "left": 10 }));
}

#[test]
fn a_time_that_is_earlier_or_far_later_does_no_harm() {
    let mut history = History::new(&BudgetSettings::default());
    history.start += Duration::from_secs(60);
    for at in [5_000, 0, 4_000, 10_000_000] {
        history.call(ms(at));
        history.budget.call(history.start - ms(50_000));
        assert!(history.budget.take(history.start + ms(at)));
    }
}

#[test]
fn threads_share_one_budget() {
    let (budget, at) = (Budget::new(&BudgetSettings::default()), now());
    let granted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| (0..100).filter(|_| budget.take(at)).count())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(granted, 10);
}
