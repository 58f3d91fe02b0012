//! Seats: none lost, none invented, first come first served.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;

use super::TIMEOUT;
use crate::clock::{self, Instant, Millis};
use crate::resilience::End;
use crate::resilience::bulkhead::{Bulkhead, BulkheadSettings, Full, Seat};

fn settings(initial: usize) -> BulkheadSettings {
    BulkheadSettings { floor: 1, cap: 50, initial, ..BulkheadSettings::default() }
}

fn poll<T>(future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A seat that is free now.
fn take(bulkhead: &Bulkhead) -> Option<Seat<'_>> {
    match poll(pin!(bulkhead.enter(None))) {
        Poll::Ready(seat) => seat.ok(),
        Poll::Pending => None,
    }
}

/// Moves the limit by what it is told: eleven refusals shrink it, fast answers of a full house let it grow.
fn ends(bulkhead: &Bulkhead, seat: Seat<'_>, end: End, now: &mut Instant) {
    *now += 20.ms();
    seat.leave(end, Some(1.ms()), *now);
    let view = bulkhead.view();
    assert!((1..=50).contains(&view.limit), "{view:?}");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter,
    /// Waits, if there is no seat.
    Ask,
    /// The one at this place leaves with this end; without one it is dropped.
    Leave(usize, Option<End>),
    /// The waiter at this place goes away, with or without having been looked at again.
    Cancel(usize),
    PollAll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = prop_oneof![
        4 => Just(Some(End::Good)), 3 => Just(Some(End::Overloaded)), 1 => Just(Some(End::Bad)),
        1 => Just(Some(End::Nothing)), 1 => Just(None),
    ];
    let step = prop_oneof![
        3 => Just(Step::Enter), 2 => Just(Step::Ask), 1 => Just(Step::PollAll),
        4 => (0usize..100, end).prop_map(|(at, end)| Step::Leave(at, end)),
        1 => (0usize..100).prop_map(Step::Cancel),
    ];
    // A stretch of the same step, so that rounds agree on something.
    prop::collection::vec((step, 1usize..25), 1..60)
        .prop_map(|stretches| stretches.into_iter().flat_map(|(step, times)| vec![step; times]).collect())
}

type Waiter<'a> = Pin<Box<dyn Future<Output = Result<Seat<'a>, Full>> + 'a>>;

fn play(steps: Vec<Step>, initial: usize, queue: usize) {
    let bulkhead = Bulkhead::new(&BulkheadSettings { queue, ..settings(initial) }, TIMEOUT);
    let mut now = clock::now();
    let mut seats: Vec<Seat<'_>> = Vec::new();
    let mut waiters: Vec<Waiter<'_>> = Vec::new();
    for step in steps {
        match step {
            Step::Enter => seats.extend(take(&bulkhead)),
            Step::Ask => {
                let mut waiter: Waiter<'_> = Box::pin(bulkhead.enter(None));
                match poll(waiter.as_mut()) {
                    Poll::Ready(Ok(seat)) => seats.push(seat),
                    Poll::Ready(Err(Full)) => assert_eq!(waiters.len(), queue),
                    Poll::Pending => waiters.push(waiter),
                }
            }
            Step::Leave(at, end) if !seats.is_empty() => {
                let seat = seats.swap_remove(at % seats.len());
                match end {
                    Some(end) => ends(&bulkhead, seat, end, &mut now),
                    None => drop(seat),
                }
            }
            Step::Cancel(at) if !waiters.is_empty() => drop(waiters.remove(at % waiters.len())),
            Step::PollAll => waiters.retain_mut(|waiter| match poll(waiter.as_mut()) {
                Poll::Ready(seat) => {
                    seats.extend(seat.ok());
                    false
                }
                Poll::Pending => true,
            }),
            Step::Leave(..) | Step::Cancel(_) => {}
        }
        let view = bulkhead.view();
        assert!(view.waiting <= queue, "{view:?}");
        assert_eq!(view.waiting, waiters.len());
        // A seat may be on its way to a waiter who has not looked yet.
        assert!(view.in_flight >= seats.len() && view.in_flight <= seats.len() + waiters.len(), "{view:?}");
        assert_eq!(bulkhead.is_half_full(), view.in_flight * 2 >= view.limit);
    }
    drop(seats);
    drop(waiters);
    let view = bulkhead.view();
    assert_eq!((view.in_flight, view.waiting), (0, 0));
    let all: Vec<_> = std::iter::from_fn(|| take(&bulkhead)).collect();
    assert_eq!(all.len(), view.limit);
    assert_eq!(bulkhead.view().in_flight, view.limit);
}

proptest! {
    #[test]
    fn seats_are_conserved(steps in steps(), initial in 1usize..=50, queue in 0usize..20) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async { play(steps, initial, queue) });
    }
}

#[tokio::test(start_paused = true)]
async fn a_shrink_is_paid_by_those_who_leave() {
    let bulkhead = Bulkhead::new(&settings(40), TIMEOUT);
    let mut now = clock::now();
    let mut seats: Vec<_> = std::iter::from_fn(|| take(&bulkhead)).collect();
    assert_eq!(seats.len(), 40);
    for seat in seats.drain(..12) {
        ends(&bulkhead, seat, End::Overloaded, &mut now);
    }
    let view = bulkhead.view();
    assert!(view.limit <= 28, "{view:?}");
    assert_eq!(view.in_flight, 28);
    while let Some(seat) = seats.pop() {
        let is_over = bulkhead.view().in_flight > bulkhead.view().limit;
        drop(seat);
        if is_over {
            assert!(take(&bulkhead).is_none());
        }
    }
    assert_eq!(bulkhead.view().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_refused_after_exactly_that_time() {
    let bulkhead = Bulkhead::new(&settings(1), TIMEOUT);
    let _seat = bulkhead.enter(None).await.unwrap();
    let start = clock::now();
    assert_eq!(bulkhead.enter(None).await.unwrap_err(), Full);
    assert_eq!(clock::now() - start, 25.ms());
    assert_eq!((bulkhead.view().refused, bulkhead.view().waiting), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_or_a_place_in_line_it_is_refused_at_once() {
    for hurried in
        [BulkheadSettings { wait: Duration::ZERO, ..settings(1) }, BulkheadSettings { queue: 0, ..settings(1) }]
    {
        let bulkhead = Bulkhead::new(&hurried, TIMEOUT);
        let _seat = bulkhead.enter(None).await.unwrap();
        let start = clock::now();
        assert!(bulkhead.enter(None).await.is_err());
        assert_eq!(clock::now(), start);
    }
}

#[tokio::test(start_paused = true)]
async fn first_come_first_served_and_who_leaves_gives_the_place_on() {
    let bulkhead = Bulkhead::new(&settings(1), TIMEOUT);
    let seat = bulkhead.enter(None).await.unwrap();
    let mut first = Box::pin(bulkhead.enter(None));
    let mut second = Box::pin(bulkhead.enter(None));
    let mut third = Box::pin(bulkhead.enter(None));
    for waiter in [&mut first, &mut second, &mut third] {
        assert!(poll(waiter.as_mut()).is_pending());
    }
    assert_eq!(bulkhead.view().waiting, 3);
    drop(seat);
    // The seat belongs to the first already: nobody overtakes, and the first has not looked yet.
    assert!(take(&bulkhead).is_none());
    assert!(poll(second.as_mut()).is_pending());
    drop(first);
    assert!(poll(third.as_mut()).is_pending());
    let Poll::Ready(Ok(seat)) = poll(second.as_mut()) else { panic!("the second is next") };
    drop(second);
    assert!(poll(third.as_mut()).is_pending());
    seat.leave(End::Good, Some(1.ms()), clock::now());
    assert!(poll(third.as_mut()).is_ready());
    drop(third);
    assert_eq!(bulkhead.view().in_flight, 0);
    assert_eq!(bulkhead.view().refused, 0);
}

#[test]
fn it_can_be_shared() {
    fn check<T: Send + Sync>(_: &T) {}
    let bulkhead = Bulkhead::new(&BulkheadSettings::default(), TIMEOUT);
    check(&bulkhead);
    check(&bulkhead.enter(None));
    let view = serde_json::to_value(bulkhead.view()).unwrap();
    assert_eq!(view, serde_json::json!({"limit": 1000, "in_flight": 0, "waiting": 0, "refused": 0}));
}
