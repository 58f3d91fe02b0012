//! What a failure says, and how soon it is believed.

use super::*;

#[test]
fn a_frozen_upstream_is_seen_after_a_handful_of_timeouts() {
    let mut bench = plain();
    bench.calls(20, End::Good);
    // Eight at once, as a busy page sends them; none is answered.
    let passes: Vec<_> = (0..8).map(|_| bench.breaker.admit(bench.now + ms(1)).unwrap()).collect();
    for (number, pass) in passes.into_iter().enumerate() {
        assert_eq!(bench.breaker.is_open(bench.now), number >= 5, "{number}");
        pass.end(End::Bad, None, bench.now + ms(1) + SLOW);
    }
}

#[test]
fn one_connection_that_hangs_among_many_opens_nothing() {
    let mut bench = plain();
    bench.calls(20, End::Good);
    let sent = bench.now;
    let passes: Vec<_> = (0..50).map(|_| bench.breaker.admit(sent).unwrap()).collect();
    // Others are answered meanwhile.
    for millis in 1..200 {
        bench.breaker.admit(sent).unwrap().end(End::Good, None, sent + ms(millis));
    }
    for pass in passes {
        pass.end(End::Bad, None, sent + SLOW);
    }
    assert_eq!((bench.view().opened, bench.view().in_a_row), (0, 50));
}

#[test]
fn refused_connections_are_seen_at_once_and_cost_little_time() {
    let mut bench = plain();
    bench.calls(5_000, End::Good);
    assert!(!bench.calls(19, End::Refused).is_open());
    assert!(bench.calls(1, End::Refused).is_open());
    for _ in 0..10 {
        check_time(bench.wait(), 0.05);
        bench.calls(1, End::Refused);
        assert!(bench.is_open());
    }
    bench.wait();
    assert_eq!(bench.calls(3, End::Good).state(), BreakerState::Closed);
    // One host of three behind a name is no outage.
    for _ in 0..1_000 {
        bench.calls(2, End::Good).calls(1, End::Refused);
    }
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn answers_that_cannot_be_read_count_once_for_each_question() {
    let mut bench = plain();
    bench.calls(100, End::Unreadable(42));
    assert_eq!((bench.view().bad, bench.state()), (1, BreakerState::Closed));
    for question in 0..4 {
        assert!(!bench.is_open());
        bench.calls(1, End::Unreadable(question));
    }
    assert!(bench.is_open(), "different questions fail");
    // The same as a probe says nothing, and gives its place back.
    bench.wait();
    assert_eq!(bench.calls(10, End::Unreadable(42)).calls(3, End::Good).state(), BreakerState::Closed);
    bench.now += ms(10_001);
    assert_eq!(bench.calls(2, End::Unreadable(42)).view().bad, 1, "after the window it is news again");
}
