//! The limiter alone, a sample at a time.

use std::time::Duration;

use proptest::prelude::*;

use super::TIMEOUT;
use crate::clock::{self, Instant, Millis};
use crate::resilience::End;
use crate::resilience::bulkhead::{BulkheadSettings, Limiter};
use crate::settings::{Check, Mistakes};

/// A limiter and its time.
struct Line {
    limiter: Limiter,
    now: Instant,
}

impl Line {
    fn new() -> Self {
        let settings = BulkheadSettings { floor: 10, initial: 100, ..BulkheadSettings::default() };
        let mut line = Self { limiter: Limiter::new(&settings, TIMEOUT), now: clock::now() };
        // The normal is 10 ms, and little is under way. A round is 10 calls, the very first one of 11.
        line.ends(301, End::Good, 10, 5);
        assert_eq!(line.limiter.limit(), 100);
        line
    }

    /// So many calls end, 10 ms apart.
    fn ends(&mut self, calls: usize, end: End, took: u64, in_flight: usize) -> usize {
        for _ in 0..calls {
            self.now += 10.ms();
            self.limiter.sample(end, Some(took.ms()), in_flight, self.now);
        }
        self.limiter.limit()
    }
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![4 => Just(End::Good), 2 => Just(End::Bad), 1 => Just(End::Overloaded), 1 => Just(End::Nothing)]
}

proptest! {
    #[test]
    fn the_limit_keeps_to_floor_and_cap(
        (floor, cap, initial) in (0usize..50, 0usize..2000, 0usize..2000),
        phases in prop::collection::vec((end(), 0u64..2_000_000, 0usize..3000, 0u64..100_000, 1usize..200), 1..60),
    ) {
        let settings = BulkheadSettings { floor, cap, initial, ..BulkheadSettings::default() };
        let mut limiter = Limiter::new(&settings, TIMEOUT);
        let (floor, cap) = (floor.max(1), cap.max(floor.max(1)));
        let mut now = clock::now();
        prop_assert!((floor..=cap).contains(&limiter.limit()));
        for (end, took, in_flight, gap, times) in phases {
            for _ in 0..times {
                now += Duration::from_micros(gap);
                let limit = limiter.sample(end, Some(Duration::from_micros(took)), in_flight, now);
                prop_assert!((floor..=cap).contains(&limit), "{limit} is not between {floor} and {cap}");
                prop_assert_eq!(limit, limiter.limit());
            }
        }
    }

    #[test]
    fn it_does_not_grow_while_less_than_half_is_used(
        calls in prop::collection::vec((end(), 0u64..200, 0usize..50, 0u64..50), 1..2000),
    ) {
        let mut line = Line::new();
        let mut highest = line.limiter.limit();
        for (end, took, in_flight, gap) in calls {
            line.now += gap.ms();
            let in_flight = in_flight.min(line.limiter.limit().saturating_sub(1) / 2);
            let limit = line.limiter.sample(end, Some(took.ms()), in_flight, line.now);
            // A trial downwards that is given up goes back to where it was.
            prop_assert!(limit <= 100, "{limit} from {highest}");
            highest = highest.max(limit);
        }
    }

    #[test]
    fn fast_failures_and_cuts_change_nothing(took in 0u64..10, in_flight in 50usize..100, calls in 1usize..500) {
        let mut line = Line::new();
        prop_assert_eq!(line.ends(calls, End::Bad, took, in_flight), 100);
        prop_assert_eq!(line.ends(calls, End::Nothing, 5_000, in_flight), 100);
    }
}

#[test]
fn it_grows_while_it_is_used_and_answers_are_fast() {
    let mut line = Line::new();
    assert_eq!(line.ends(10, End::Good, 10, 100), 125);
    assert_eq!(line.ends(300, End::Good, 10, 1000), 1000);
}

#[test]
fn it_shrinks_when_told_to() {
    let mut line = Line::new();
    assert_eq!(line.ends(10, End::Overloaded, 1, 100), 70);
    assert_eq!(line.ends(1000, End::Overloaded, 1, 100), 10);
}

#[test]
fn it_shrinks_on_timeouts() {
    let mut line = Line::new();
    // One round of them may be bad luck.
    assert_eq!(line.ends(10, End::Bad, 1000, 100), 100);
    assert!(line.ends(10, End::Bad, 1000, 100) <= 50);
    assert_eq!(line.ends(1000, End::Bad, 1000, 100), 10);
}

#[test]
fn timeouts_of_few_calls_are_no_reason_to_shrink() {
    let mut line = Line::new();
    assert_eq!(line.ends(1000, End::Bad, 1000, 5), 100);
    // Ten times what was under way when it was well is another matter, although the limit is not in the way.
    assert!(line.ends(20, End::Bad, 1000, 49) <= 50);
}

#[test]
fn a_burst_of_timeouts_is_one_decrease() {
    let mut line = Line::new();
    let mut limits = Vec::new();
    // 200 calls that were sent together.
    let sent = line.now;
    line.now += 1_000.ms();
    for _ in 0..200 {
        line.now += 1.ms();
        let took = line.now - sent;
        limits.push(line.limiter.sample(End::Bad, Some(took), 100, line.now));
    }
    limits.dedup();
    assert_eq!(limits.len(), 2, "{limits:?}");
}

#[test]
fn it_shrinks_when_answers_get_slow() {
    let mut line = Line::new();
    assert!(line.ends(20, End::Good, 100, 100) < 100);
}

#[test]
fn twice_as_slow_is_no_reason_to_shrink() {
    let mut line = Line::new();
    for _ in 0..200 {
        assert!(line.ends(1, End::Good, 19, 100) >= 100);
    }
}

#[test]
fn nothing_is_decided_on_few_calls() {
    let mut line = Line::new();
    assert_eq!(line.ends(9, End::Overloaded, 1, 100), 100);
}

#[test]
fn every_mistake_is_noted() {
    let keys = |settings: BulkheadSettings| {
        let mut mistakes = Mistakes::default();
        settings.check(&mut mistakes);
        mistakes.into_inner().into_iter().map(|mistake| mistake.key).collect::<Vec<_>>()
    };
    let good = BulkheadSettings::default;
    assert!(keys(good()).is_empty());
    assert!(keys(BulkheadSettings { wait: Duration::ZERO, queue: 0, ..good() }).is_empty());
    assert_eq!(keys(BulkheadSettings { floor: 0, ..good() }), ["floor"]);
    assert_eq!(keys(BulkheadSettings { floor: 10, cap: 5, ..good() }), ["cap", "initial"]);
    assert_eq!(keys(BulkheadSettings { floor: 10, initial: 5, ..good() }), ["initial"]);
    assert_eq!(keys(BulkheadSettings { initial: 1001, ..good() }), ["initial"]);
    assert_eq!(keys(BulkheadSettings { cap: usize::MAX, ..good() }), ["cap"]);
    let read: BulkheadSettings = serde_json::from_str(r#"{"wait":"0ms","floor":2}"#).unwrap();
    assert_eq!(read, BulkheadSettings { wait: Duration::ZERO, floor: 2, ..good() });
}
