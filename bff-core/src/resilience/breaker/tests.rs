mod evidence;

use std::sync::atomic::AtomicU32;

use super::*;
use crate::clock::now;

const SLOW: Duration = Duration::from_millis(400);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn keys(settings: &BreakerSettings) -> Vec<String> {
    let mut mistakes = Mistakes::default();
    settings.check(&mut mistakes);
    mistakes.into_inner().into_iter().map(|mistake| mistake.key).collect()
}

/// A breaker, and a clock that is moved by hand.
struct Bench {
    breaker: Breaker,
    now: Instant,
}

impl Bench {
    fn new(settings: &BreakerSettings) -> Self {
        Self { breaker: Breaker::new("ledger", settings, SLOW), now: now() }
    }

    fn call(&mut self, took: Duration, end: End) -> &mut Self {
        let pass = self.breaker.admit(self.now).unwrap();
        self.now += took;
        pass.end(end, None, self.now);
        self
    }

    fn calls(&mut self, count: u32, end: End) -> &mut Self {
        for _ in 0..count {
            self.call(ms(1), end);
        }
        self
    }

    fn view(&self) -> BreakerView {
        self.breaker.view(self.now)
    }

    fn state(&self) -> BreakerState {
        self.view().state
    }

    fn is_open(&self) -> bool {
        let is_open = self.breaker.is_open(self.now);
        assert_eq!(is_open, self.view().retry_after_seconds.is_some());
        is_open
    }

    /// Waits until it would let in a probe, and says how long that took.
    fn wait(&mut self) -> Duration {
        let wait = Duration::from_secs_f64(self.view().retry_after_seconds.unwrap()) + Duration::from_nanos(1);
        self.now += wait;
        assert!(!self.is_open());
        wait
    }
}

fn plain() -> Bench {
    Bench::new(&BreakerSettings::default())
}

fn check_time(time: Duration, seconds: f64) {
    let share = time.as_secs_f64() / seconds;
    assert!((0.799..=1.201).contains(&share), "{time:?} is not about {seconds} s");
}

#[test]
fn settings_that_cannot_be_are_found() {
    let check = |settings: BreakerSettings, expected: &[&str]| assert_eq!(keys(&settings), expected, "{settings:?}");
    let plain = BreakerSettings::default;
    let (zero, days) = (Duration::ZERO, Duration::from_secs(48 * 3600));
    check(plain(), &[]);
    check(BreakerSettings { failure_rate: 1.0, in_a_row: 20, slow_after: Some(ms(1)), ..plain() }, &[]);
    check(BreakerSettings { window: zero, ..plain() }, &["window"]);
    check(BreakerSettings { window: Duration::MAX, ..plain() }, &["window"]);
    check(BreakerSettings { open_for: zero, ..plain() }, &["open_for"]);
    check(BreakerSettings { open_for: zero, open_at_most: zero, ..plain() }, &["open_for", "open_at_most"]);
    check(BreakerSettings { open_for: days, open_at_most: days, ..plain() }, &["open_for", "open_at_most"]);
    check(BreakerSettings { open_at_most: ms(999), ..plain() }, &["open_at_most"]);
    check(BreakerSettings { slow_after: Some(zero), ..plain() }, &["slow_after"]);
    check(BreakerSettings { min_calls: 0, in_a_row: 0, ..plain() }, &["min_calls", "in_a_row"]);
    check(BreakerSettings { probes: 0, ..plain() }, &["probes"]);
    check(BreakerSettings { in_a_row: 21, ..plain() }, &["in_a_row"]);
    for rate in [0.0, -0.5, 1.01, f64::NAN, f64::INFINITY] {
        check(BreakerSettings { failure_rate: rate, ..plain() }, &["failure_rate"]);
    }
}

#[test]
fn settings_that_were_not_checked_do_no_harm() {
    let mut bench = Bench::new(&BreakerSettings {
        window: Duration::MAX,
        min_calls: 0,
        failure_rate: f64::NAN,
        in_a_row: 0,
        open_for: Duration::MAX,
        open_at_most: Duration::MAX,
        probes: 0,
        ..BreakerSettings::default()
    });
    // The window is as long as a day, so a run of a second is the only way to open it at once.
    bench.calls(50, End::Good);
    while !bench.is_open() {
        bench.calls(1, End::Bad);
    }
    bench.wait();
    assert_eq!(bench.calls(1, End::Good).state(), BreakerState::Closed);
}

#[test]
fn what_is_not_written_has_its_default() {
    let read: BreakerSettings = serde_json::from_str(r#"{"open_for": "1s", "slow_after": "300ms"}"#).unwrap();
    let expected = BreakerSettings { open_for: ms(1000), slow_after: Some(ms(300)), ..BreakerSettings::default() };
    assert_eq!(read, expected);
    assert_eq!(serde_json::from_value::<BreakerSettings>(serde_json::to_value(&read).unwrap()).unwrap(), read);
    assert_eq!(serde_json::from_str::<BreakerSettings>("{}").unwrap(), BreakerSettings::default());
}

#[test]
fn it_opens_at_the_failure_rate_once_there_are_enough_calls() {
    let mut bench = plain();
    for _ in 0..9 {
        bench.calls(1, End::Good).calls(1, End::Bad);
    }
    assert!(!bench.calls(1, End::Good).is_open(), "19 calls");
    assert!(bench.calls(1, End::Bad).is_open(), "10 of 20");

    let mut bench = plain();
    bench.calls(20, End::Good);
    for _ in 0..200 {
        bench.calls(11, End::Good).calls(9, End::Bad);
        assert!(!bench.is_open(), "45 % is below the rate, and nine in a row are no outage at such traffic");
    }
}

#[test]
fn the_rate_is_met_exactly() {
    let settings = BreakerSettings { failure_rate: 0.55, min_calls: 100, in_a_row: 100, ..BreakerSettings::default() };
    let mut bench = Bench::new(&settings);
    assert!(!bench.calls(45, End::Good).calls(54, End::Bad).is_open());
    assert!(bench.calls(1, End::Bad).is_open(), "55 of 100");
}

#[test]
fn only_a_closed_circuit_lets_in_without_the_lock() {
    let mut bench = plain();
    assert_eq!(bench.breaker.epoch_if_closed(), Some(0));
    bench.calls(5, End::Bad);
    assert_eq!(bench.breaker.epoch_if_closed(), None);
    bench.wait();
    bench.calls(2, End::Good);
    assert_eq!((bench.state(), bench.breaker.epoch_if_closed()), (BreakerState::HalfOpen, None));
    bench.calls(1, End::Good);
    assert_eq!(bench.breaker.epoch_if_closed(), Some(3));
}

#[test]
fn a_few_in_a_row_open_it_at_low_traffic_only() {
    let mut bench = plain();
    assert!(!bench.calls(4, End::Bad).calls(1, End::Good).calls(4, End::Bad).is_open());
    assert!(bench.calls(1, End::Bad).is_open());
    let mut bench = plain();
    assert!(!bench.calls(20, End::Good).calls(5, End::Bad).is_open());
}

#[test]
fn an_outage_after_a_busy_time_is_seen_after_a_second() {
    let mut bench = plain();
    assert!(!bench.calls(5_000, End::Good).calls(1_000, End::Bad).is_open());
    assert!(bench.calls(1, End::Bad).is_open());
    // One good call in between, and it was none.
    let mut bench = plain();
    assert!(!bench.calls(5_000, End::Good).calls(900, End::Bad).calls(1, End::Good).calls(900, End::Bad).is_open());
}

#[test]
fn what_is_past_the_window_counts_no_more() {
    let mut bench = plain();
    bench.calls(20, End::Good).calls(15, End::Bad);
    assert_eq!((bench.view().calls, bench.view().bad), (35, 15));
    bench.now += ms(10_000);
    assert_eq!((bench.view().calls, bench.view().bad), (0, 0));
    // What was in a row still is: there was no good call since.
    assert!(bench.calls(1, End::Bad).is_open());
}

#[test]
fn a_slow_call_is_bad_and_an_overload_is_nothing() {
    let mut bench = plain();
    for _ in 0..5 {
        bench.call(SLOW - ms(1), End::Good);
    }
    assert_eq!((bench.view().calls, bench.view().bad), (5, 0));
    for _ in 0..50 {
        bench.call(SLOW, End::Overloaded).call(SLOW, End::Nothing);
    }
    assert_eq!(bench.view().in_a_row, 0);
    let mut bench = plain();
    for _ in 0..5 {
        bench.call(SLOW, End::Good);
    }
    assert!(bench.is_open());
    let settings = BreakerSettings { slow_after: Some(ms(900)), ..BreakerSettings::default() };
    assert_eq!(Bench::new(&settings).call(SLOW, End::Good).view().bad, 0);
}

#[test]
fn it_is_open_for_longer_each_time_a_probe_fails() {
    let mut bench = plain();
    bench.calls(5, End::Bad);
    for (opened, seconds) in [1.0, 1.5, 2.25, 3.375, 5.0625].into_iter().enumerate() {
        assert_eq!((bench.state(), bench.view().opened), (BreakerState::Open, opened as u64 + 1));
        let refused = bench.breaker.admit(bench.now).unwrap_err();
        assert_eq!(Some(refused.retry_after.as_secs_f64()), bench.view().retry_after_seconds);
        check_time(bench.wait(), seconds);
        bench.calls(1, End::Good).calls(2, End::Bad);
    }
}

#[test]
fn the_open_time_is_short_again_once_it_was_closed() {
    let mut bench = plain();
    bench.calls(5, End::Bad);
    check_time(bench.wait(), 1.0);
    check_time(bench.calls(2, End::Bad).wait(), 1.5);
    assert_eq!(bench.calls(3, End::Good).state(), BreakerState::Closed);
    check_time(bench.calls(5, End::Bad).wait(), 1.0);
}

#[test]
fn it_is_never_open_for_longer_than_it_may() {
    let mut bench = plain();
    bench.calls(5, End::Bad);
    for _ in 0..200 {
        assert!(bench.wait() <= Duration::from_secs(73));
        bench.calls(2, End::Bad);
    }
    check_time(bench.wait(), 60.0);
}

#[test]
fn the_upstreams_wish_is_obeyed_up_to_the_longest_open_time() {
    for (wish, expected) in [(30, 30), (3_600, 60)] {
        let mut bench = plain();
        bench.calls(4, End::Bad);
        let pass = bench.breaker.admit(bench.now).unwrap();
        pass.end(End::Bad, Some(Duration::from_secs(wish)), bench.now);
        assert_eq!(bench.view().retry_after_seconds, Some(f64::from(expected)));
    }
    let mut bench = plain();
    bench.calls(4, End::Bad);
    bench.breaker.admit(bench.now).unwrap().end(End::Bad, Some(ms(10)), bench.now);
    check_time(bench.wait(), 1.0);
}

#[test]
fn a_few_probes_decide() {
    let mut bench = plain();
    bench.calls(5, End::Bad).wait();
    let at = bench.now;
    let mut probes: Vec<_> = (0..3).map(|_| bench.breaker.admit(at).unwrap()).collect();
    assert_eq!(bench.breaker.admit(at).unwrap_err(), Refused { retry_after: ms(1000) });
    assert!(bench.is_open());
    // One says nothing and makes room for another; an overload shows that somebody answers.
    probes.pop().unwrap().end(End::Nothing, None, at);
    probes.push(bench.breaker.admit(at).unwrap());
    assert!(bench.breaker.admit(at).is_err());
    probes.pop().unwrap().end(End::Overloaded, None, at);
    probes.pop().unwrap().end(End::Good, None, at);
    assert_eq!(bench.state(), BreakerState::HalfOpen);
    probes.pop().unwrap().end(End::Good, None, at);
    assert_eq!(bench.state(), BreakerState::Closed);
    assert_eq!((bench.view().calls, bench.view().in_a_row), (0, 0));
}

#[test]
fn a_probe_may_fail_as_calls_may_but_not_take_long() {
    for (second, expected) in [(End::Good, BreakerState::Closed), (End::Bad, BreakerState::Open)] {
        let mut bench = plain();
        bench.calls(5, End::Bad).wait();
        assert_eq!(bench.calls(1, End::Bad).state(), BreakerState::HalfOpen, "one of three is no outage");
        let rest = if second == End::Good { 2 } else { 1 };
        assert_eq!(bench.calls(rest, second).state(), expected);
    }
    let mut bench = plain();
    bench.calls(5, End::Bad).wait();
    assert_eq!(bench.call(SLOW, End::Bad).state(), BreakerState::Open, "it costs a caller all its time");
}

#[test]
fn calls_of_an_earlier_state_say_nothing() {
    let bench = plain();
    let at = bench.now;
    let mut early: Vec<_> = (0..20).map(|_| bench.breaker.admit(at).unwrap()).collect();
    early.drain(..5).for_each(|pass| _ = pass.end(End::Bad, None, at));
    // While it is open, half-open, and closed again.
    early.drain(..5).for_each(|pass| _ = pass.end(End::Bad, None, at));
    assert_eq!(bench.view().opened, 1);
    let half_open = at + ms(6_001);
    let probe = bench.breaker.admit(half_open).unwrap();
    early.drain(..5).for_each(|pass| _ = pass.end(End::Good, None, half_open));
    assert_eq!(bench.breaker.view(half_open).state, BreakerState::HalfOpen);
    probe.end(End::Good, None, half_open);
    for _ in 0..2 {
        bench.breaker.admit(half_open).unwrap().end(End::Good, None, half_open);
    }
    early.drain(..).for_each(|pass| _ = pass.end(End::Bad, None, half_open));
    let view = bench.breaker.view(half_open);
    assert_eq!((view.state, view.bad), (BreakerState::Closed, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_bad_only_if_it_was_slow() {
    let breaker = Breaker::new("ledger", &BreakerSettings::default(), SLOW);
    for _ in 0..50 {
        let _pass = breaker.admit(now()).unwrap();
        tokio::time::advance(SLOW - ms(1)).await;
    }
    assert_eq!(breaker.view(now()).in_a_row, 0, "a client with a short wish opens it for nobody");
    for _ in 0..5 {
        let _pass = breaker.admit(now()).unwrap();
        tokio::time::advance(SLOW).await;
    }
    assert!(breaker.is_open(now()), "a hang that is always cut");
    tokio::time::advance(ms(6_001)).await;
    for _ in 0..50 {
        drop(breaker.admit(now()).unwrap());
    }
    assert_eq!(breaker.view(now()).state, BreakerState::HalfOpen, "cut probes give their permits back");
    let slow = breaker.admit(now()).unwrap();
    tokio::time::advance(SLOW).await;
    drop(slow);
    assert_eq!(breaker.view(now()).opened, 2, "a cut probe that was slow");
}

#[test]
fn the_view_says_how_it_stands() {
    let mut bench = plain();
    let json = |bench: &Bench| serde_json::to_value(bench.view()).unwrap();
    bench.calls(2, End::Good).calls(3, End::Bad);
    let expected = serde_json::json!({
        "state": "closed", "calls": 5, "bad": 3, "in_a_row": 3, "opened": 0, "retry_after_seconds": null,
    });
    assert_eq!(json(&bench), expected);
    bench.calls(2, End::Bad);
    assert_eq!((&json(&bench)["state"], &json(&bench)["opened"]), (&"open".into(), &1.into()));
    bench.wait();
    assert_eq!(json(&bench)["state"], "half_open");
}

#[test]
fn threads_never_send_more_probes_than_there_are() {
    let mut bench = plain();
    bench.calls(5, End::Bad).wait();
    let (under_way, most, let_in) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let Ok(pass) = bench.breaker.admit(bench.now) else { continue };
                    most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let_in.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                    under_way.fetch_sub(1, Ordering::SeqCst);
                    pass.end(End::Nothing, None, bench.now);
                }
            });
        }
    });
    let (most, let_in) = (most.into_inner(), let_in.into_inner());
    assert!(most <= 3 && let_in >= 3, "{most} at once, {let_in} in all");
    let _probes: Vec<_> = (0..3).map(|_| bench.breaker.admit(bench.now).unwrap()).collect();
    assert!(bench.is_open());
}
