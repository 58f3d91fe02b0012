//! The door's limit: who gets a place, and how many there are.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use proptest::prelude::*;

use super::Criticality::{Critical, Normal, Sheddable};
use super::load::Place;
use super::pace::{FLOOR, INITIAL, Pace, Seen};
use super::*;
use crate::clock::{self, Instant, Millis};
use crate::context::Holder;
use crate::lateness::Pulse;

type Entering<'a> = Pin<Box<dyn Future<Output = Option<Place<'a>>> + 'a>>;

fn load(in_flight: usize) -> Load {
    Load::new(&ShedSettings { in_flight, ..ShedSettings::default() })
}

/// A process whose CPU is full.
fn pulse(late: Duration) -> Pulse {
    Pulse { late, busy: 1.0 }
}

/// A place that is free now.
fn at_once(load: &Load, criticality: Criticality) -> Option<Place<'_>> {
    load.enter(criticality, None, clock::now()).now_or_never().flatten()
}

fn poll<'a>(entering: &mut Entering<'a>) -> Poll<Option<Place<'a>>> {
    entering.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn the_least_critical_wait_first() {
    let load = load(100);
    let mut held = Vec::new();
    for (criticality, places) in [(Sheddable, 75), (Normal, 90), (Critical, 100)] {
        held.extend(std::iter::from_fn(|| at_once(&load, criticality)));
        assert_eq!(held.len(), places, "{criticality:?}");
    }
    let view = load.view();
    assert_eq!((view.in_flight, view.limit, view.waiting, view.refused), (100, 100, 0, 3));
    drop(held);
    assert_eq!(load.view().in_flight, 0);
    let one = Load::new(&ShedSettings { in_flight: 1, ..ShedSettings::default() });
    assert!(at_once(&one, Sheddable).is_some(), "one place serves everybody");
}

#[tokio::test(start_paused = true)]
async fn whoever_has_a_share_already_lets_others_go_first() {
    let load = Load::new(&ShedSettings { in_flight: 4, waiting: 8, normal_share: 1.0, ..ShedSettings::default() });
    let [greedy, modest] = [1, 2].map(|number| Some(Holder::address([192, 0, 2, number].into())));
    let until = clock::now() + 100.ms();
    let enter = |holder| -> Entering<'_> { Box::pin(load.enter(Normal, holder, until)) };
    let mut places: Vec<_> = (0..4).map(|_| enter(greedy).now_or_never().flatten().unwrap()).collect();
    let mut waiting: Vec<Entering<'_>> = (0..7).map(|_| enter(greedy)).collect();
    assert!(waiting.iter_mut().all(|entering| poll(entering).is_pending()));
    let mut other = enter(modest);
    assert!(poll(&mut other).is_pending());
    waiting.truncate(6);
    assert!(matches!(poll(&mut enter(greedy)), Poll::Ready(None)), "the line is nearly full, and mostly of this one");
    places.pop();
    assert!(matches!(poll(&mut other), Poll::Ready(Some(_))), "came last, and holds nothing");
    drop(places);
    let called = waiting.iter_mut().filter_map(|entering| entering.now_or_never().flatten());
    assert_eq!(called.count(), 6, "then it is their turn");
}

#[tokio::test(start_paused = true)]
async fn the_last_quarter_is_not_for_whoever_has_a_share() {
    let load = Load::new(&ShedSettings { in_flight: 8, normal_share: 1.0, ..ShedSettings::default() });
    let [greedy, modest] = [1, 2].map(|number| Some(Holder::address([192, 0, 2, number].into())));
    let until = clock::now() + 100.ms();
    let enter = |holder| -> Entering<'_> { Box::pin(load.enter(Normal, holder, until)) };
    let _one = enter(modest).now_or_never().flatten().unwrap();
    let places: Vec<_> = (0..6).map(|_| enter(greedy).now_or_never().flatten().unwrap()).collect();
    let mut next = enter(greedy);
    assert!(poll(&mut next).is_pending(), "seven of eight are taken, six by this one");
    assert!(matches!(poll(&mut enter(modest)), Poll::Ready(Some(_))));
    drop(places);
    assert!(matches!(poll(&mut next), Poll::Ready(Some(_))));
}

#[tokio::test(start_paused = true)]
async fn a_place_goes_to_the_most_critical_and_then_to_the_first() {
    let load = Load::new(&ShedSettings { in_flight: 1, ..ShedSettings::default() });
    let held = at_once(&load, Normal).unwrap();
    let until = clock::now() + 100.ms();
    let mut waiting: Vec<Entering<'_>> = Vec::new();
    for criticality in [Sheddable, Normal, Normal, Critical] {
        let mut entering: Entering<'_> = Box::pin(load.enter(criticality, None, until));
        assert!(poll(&mut entering).is_pending());
        waiting.push(entering);
    }
    assert_eq!(load.view().waiting, 4);
    let mut held = Some(held);
    for next in [3, 1, 2, 0] {
        drop(held.take());
        for (index, entering) in waiting.iter_mut().enumerate() {
            if index == next {
                let Poll::Ready(Some(place)) = poll(entering) else { panic!("{next} was not called") };
                held = Some(place);
                break;
            }
        }
        assert_eq!(load.view().in_flight, 1);
    }
    drop(held);
    assert_eq!((load.view().in_flight, load.view().waiting), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_its_share_of_the_budget() {
    let load = Load::new(&ShedSettings { in_flight: 1, ..ShedSettings::default() });
    let _held = at_once(&load, Normal).unwrap();
    let started = clock::now();
    let until = load.patience(started, started + 800.ms());
    assert!(load.enter(Normal, None, until).await.is_none());
    assert_eq!(clock::now() - started, 400.ms());
    assert_eq!((load.view().waiting, load.view().refused), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn those_beyond_the_line_are_refused_at_once() {
    let load = Load::new(&ShedSettings { in_flight: 1, waiting: 2, ..ShedSettings::default() });
    let _held = at_once(&load, Normal).unwrap();
    let until = clock::now() + 100.ms();
    let mut waiting: Vec<Entering<'_>> = vec![];
    for _ in 0..2 {
        let mut entering: Entering<'_> = Box::pin(load.enter(Normal, None, until));
        assert!(poll(&mut entering).is_pending());
        waiting.push(entering);
    }
    assert!(matches!(load.enter(Normal, None, until).now_or_never(), Some(None)));
}

/// A server with more requests than places, or not; says how many places it has in the end.
struct Busy {
    pace: Pace,
    limit: usize,
    is_full: bool,
    busy: f64,
    finished: f64,
    now: Instant,
}

impl Busy {
    fn new() -> Self {
        let pace = Pace::default();
        Self { pace, limit: INITIAL, is_full: true, busy: 1.0, finished: 0.0, now: clock::now() }
    }

    /// `per_second` says how many requests so many at once get done.
    fn runs(&mut self, seconds: f64, late: Duration, per_second: impl Fn(usize) -> f64) -> usize {
        let settings = ShedSettings { in_flight: 1000, ..ShedSettings::default() };
        for _ in 0..(seconds * 100.0) as u64 {
            self.now += 10.ms();
            self.finished += per_second(self.limit) / 100.0;
            let seen = Seen { limit: self.limit, is_full: self.is_full, finished: self.finished as u64 };
            self.limit = self.pace.next(seen, Pulse { late, busy: self.busy }, &settings, self.now);
        }
        self.limit
    }
}

#[test]
fn those_who_wait_for_a_hanging_upstream_do_not_keep_others_out() {
    let mut busy = Busy::new();
    // Its CPU is full with other programs' work, and what is let in here waits for seconds.
    assert_eq!(busy.runs(1.1, 1.ms(), |limit| limit as f64 / 20.0), 1000);
}

#[test]
fn more_are_let_in_while_more_get_done_by_it() {
    let mut busy = Busy::new();
    assert_eq!(busy.runs(0.1, 1.ms(), |limit| limit as f64 / 0.08), INITIAL);
    assert_eq!(busy.runs(5.0, 1.ms(), |limit| limit as f64 / 0.08), 1000);
}

#[test]
fn while_the_cpu_is_not_full_more_are_let_in_although_nothing_gets_done() {
    let mut busy = Busy::new();
    busy.busy = 0.3;
    // Everybody waits for one upstream, and others come.
    assert_eq!(busy.runs(0.5, 1.ms(), |_| 0.0), 1000);
}

#[test]
fn where_fewer_get_as_much_done_there_are_fewer() {
    let mut busy = Busy::new();
    // A CPU that is full with eight, and a little slower with more.
    let full = |limit: usize| 5000.0 - limit as f64;
    assert_eq!(busy.runs(5.0, 1.ms(), full), FLOOR);
    let mut tried = 0;
    for _ in 0..2000 {
        tried += usize::from(busy.runs(0.01, 1.ms(), full) > FLOOR);
    }
    assert!(tried > 0 && tried < 100, "twice as many for {tried} of 2000 moments");
    // Where a place brings something, half of them are not kept.
    assert_eq!(busy.runs(60.0, 1.ms(), |limit| limit.min(200) as f64 / 0.02), 256);
    // And it finds out when that is no longer so.
    assert_eq!(busy.runs(60.0, 1.ms(), |limit| limit as f64 / 0.08), 1000);
}

#[test]
fn lateness_lowers_it_where_as_much_gets_done_by_fewer() {
    let full = |_: usize| 5000.0;
    let slow = |limit: usize| limit.min(100) as f64 / 0.08;
    for (what, per_second, lowest) in [("CPU", &full as &dyn Fn(usize) -> f64, FLOOR), ("backends", &slow, INITIAL)] {
        let mut busy = Busy::new();
        busy.is_full = false;
        busy.runs(1.0, 90.ms(), per_second);
        busy.is_full = true;
        assert_eq!(busy.runs(5.0, 2.ms(), per_second), lowest, "{what}");
    }
    let mut busy = Busy::new();
    busy.is_full = false;
    busy.runs(5.0, 2.ms(), full);
    busy.runs(0.01, 30.ms(), full);
    assert_eq!(busy.runs(5.0, 1.ms(), full), INITIAL, "one hiccup");
}

#[test]
fn a_limit_that_is_in_nobodys_way_stays() {
    let mut busy = Busy::new();
    busy.is_full = false;
    assert_eq!(busy.runs(10.0, 1.ms(), |_| 1000.0), INITIAL);
}

#[tokio::test(start_paused = true)]
async fn switched_off_it_lets_everybody_in() {
    let load = Load::new(&ShedSettings { enabled: false, in_flight: 1, ..ShedSettings::default() });
    load.begin();
    load.adapt(pulse(Duration::from_secs(1)), clock::now());
    let held: Vec<_> = (0..1000).map(|_| at_once(&load, Sheddable).unwrap()).collect();
    load.adapt(pulse(Duration::from_secs(1)), clock::now());
    assert_eq!(load.view().in_flight, held.len());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_called_when_the_limit_grows() {
    let load = load(1000);
    load.begin();
    let held: Vec<_> = std::iter::from_fn(|| at_once(&load, Critical)).collect();
    assert_eq!(held.len(), INITIAL);
    let now = clock::now();
    let mut entering: Entering<'_> = Box::pin(load.enter(Critical, None, now + Duration::from_secs(1)));
    assert!(poll(&mut entering).is_pending());
    for tick in 0..10 {
        load.adapt(Pulse { late: Duration::ZERO, busy: 0.1 }, now + (10 * tick).ms());
    }
    assert!(matches!(poll(&mut entering), Poll::Ready(Some(_))));
    drop(held);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter(u8),
    Leave(usize),
    GoAway(usize),
    Poll,
    Adapt(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..3).prop_map(Step::Enter),
        4 => (0usize..50).prop_map(Step::Leave),
        2 => (0usize..50).prop_map(Step::GoAway),
        2 => Just(Step::Poll),
        1 => (0u64..40).prop_map(Step::Adapt),
    ]
}

proptest! {
    #[test]
    fn no_place_is_lost_and_none_is_invented(steps in prop::collection::vec(step(), 1..300)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let _entered = runtime.enter();
        let load = Load::new(&ShedSettings { in_flight: 5, waiting: 8, ..ShedSettings::default() });
        let until = clock::now() + Duration::from_secs(3600);
        let mut held = Vec::new();
        let mut waiting: Vec<Entering<'_>> = Vec::new();
        for step in steps {
            match step {
                Step::Enter(class) => {
                    waiting.push(Box::pin(load.enter([Critical, Normal, Sheddable][class as usize], None, until)));
                }
                Step::Leave(at) if at < held.len() => drop(held.swap_remove(at)),
                Step::GoAway(at) if at < waiting.len() => drop(waiting.swap_remove(at)),
                Step::Adapt(late) => load.adapt(pulse(late.ms()), clock::now()),
                _ => {}
            }
            waiting = waiting.into_iter().filter_map(|mut entering| match poll(&mut entering) {
                Poll::Ready(place) => { held.extend(place); None }
                Poll::Pending => Some(entering),
            }).collect();
            let view = load.view();
            prop_assert_eq!(view.in_flight, held.len());
            prop_assert_eq!(view.waiting, waiting.len());
            prop_assert!(view.in_flight <= 5 && view.waiting <= 8);
            prop_assert!(load.in_line() <= 2 * 8 + FLOOR);
        }
        drop(waiting);
        drop(held);
        prop_assert_eq!((load.view().in_flight, load.view().waiting), (0, 0));
    }
}

#[test]
fn settings_that_refuse_everybody_are_refused() {
    let wrong = ShedSettings {
        enabled: true,
        in_flight: 0,
        lateness: Duration::ZERO,
        wait_share: 1.0,
        waiting: 0,
        normal_share: f64::NAN,
        sheddable_share: -1.0,
    };
    let mut mistakes = Mistakes::default();
    wrong.check(&mut mistakes);
    let keys: Vec<String> = mistakes.into_inner().into_iter().map(|mistake| mistake.key).collect();
    assert_eq!(keys, ["in_flight", "lateness", "wait_share", "normal_share", "sheddable_share"]);
    let mut none = Mistakes::default();
    ShedSettings { wait_share: 0.0, waiting: 0, ..ShedSettings::default() }.check(&mut none);
    assert!(none.into_inner().is_empty());
}
