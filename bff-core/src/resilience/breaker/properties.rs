//! What holds whatever the calls do, and in whatever order.

use std::time::Duration;

use proptest::prelude::*;

use super::machine::{Machine, PROBES_OUT, Ticket};
use super::window::Window;
use super::*;
use crate::clock::now;

const SLOW: Duration = Duration::from_millis(400);

/// What the world does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Admit,
    /// One of those under way ends; `None` is a cut.
    End(prop::sample::Index, Option<End>, Option<u64>),
    Wait(u64),
}

fn any_end() -> impl Strategy<Value = Option<End>> {
    prop_oneof![
        3 => Just(Some(End::Good)),
        4 => Just(Some(End::Bad)),
        1 => Just(Some(End::Overloaded)),
        1 => Just(Some(End::Nothing)),
        2 => Just(None),
    ]
}

fn step(end: impl Strategy<Value = Option<End>>) -> impl Strategy<Value = Step> {
    let wait = prop_oneof![6 => 0_u64..50, 2 => 300_u64..500, 1 => 900_u64..1_100, 1 => 4_000_u64..9_000];
    prop_oneof![
        5 => Just(Step::Admit),
        4 => (any::<prop::sample::Index>(), end, proptest::option::weighted(0.1, 0_u64..20_000))
            .prop_map(|(which, end, after)| Step::End(which, end, after)),
        2 => wait.prop_map(Step::Wait),
    ]
}

fn settings() -> impl Strategy<Value = BreakerSettings> {
    (1_u32..12, 0.1..1.0, 1_u32..6, 1_u32..4, 1_u64..4, 1_u64..12).prop_map(
        |(min_calls, failure_rate, in_a_row, probes, open_for, times)| BreakerSettings {
            window: Duration::from_secs(2),
            min_calls,
            failure_rate,
            in_a_row: in_a_row.min(min_calls),
            probes,
            open_for: Duration::from_secs(open_for),
            open_at_most: Duration::from_secs(open_for * times),
            ..BreakerSettings::default()
        },
    )
}

/// A machine, those under way, and what is believed of it.
struct World {
    settings: BreakerSettings,
    machine: Machine,
    now: Instant,
    under_way: Vec<Ticket>,
    random: fastrand::Rng,
    /// When it opened last, and with what `Retry-After`.
    opened_at: Option<Instant>,
    asked: Duration,
}

impl World {
    fn new(settings: &BreakerSettings, seed: u64) -> Self {
        Self {
            settings: settings.clone(),
            machine: Machine::new(settings, SLOW),
            now: now(),
            under_way: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
            opened_at: None,
            asked: Duration::ZERO,
        }
    }

    fn state(&mut self) -> BreakerState {
        self.machine.view(self.now).state
    }

    fn opened(&mut self) -> u64 {
        self.machine.view(self.now).opened
    }

    /// Calls that the present state of the machine let in, counted from outside.
    fn of_this_state(&self) -> u32 {
        self.under_way.iter().filter(|ticket| ticket.epoch == self.machine.epoch()).count() as u32
    }

    fn admit(&mut self) -> Result<(), Duration> {
        let was_open = self.opened_at.is_some_and(|_| !self.machine.is_closed());
        let before = self.state();
        let result = self.machine.admit(self.now);
        match (before, &result) {
            (BreakerState::Closed, result) => assert!(result.is_ok()),
            (BreakerState::Open, Ok(_)) => panic!("open, and lets in"),
            (BreakerState::Open, Err(wait)) => {
                let until = self.now + *wait - self.opened_at.unwrap();
                assert!(until <= self.longest(), "open for {until:?}");
                assert!(until >= self.shortest(), "open for {until:?}");
            }
            (BreakerState::HalfOpen, Ok(_)) => {
                assert!(was_open && self.now - self.opened_at.unwrap() >= self.shortest());
                assert!(self.of_this_state() < self.settings.probes, "one probe too many");
            }
            (BreakerState::HalfOpen, Err(wait)) => {
                assert_eq!(*wait, PROBES_OUT);
                assert_eq!(self.of_this_state(), self.settings.probes, "a permit is lost");
            }
        }
        result.map(|ticket| self.under_way.push(ticket))
    }

    /// A nanosecond, for the rounding of floats.
    fn shortest(&self) -> Duration {
        let asked = self.asked.min(self.settings.open_at_most);
        (self.settings.open_for.mul_f64(0.8) - Duration::from_nanos(1)).max(asked)
    }

    fn longest(&self) -> Duration {
        self.settings.open_at_most.mul_f64(1.2) + Duration::from_nanos(1)
    }

    fn end(&mut self, which: usize, end: Option<End>, retry_after: Option<Duration>) {
        let ticket = self.under_way.remove(which);
        let is_stale = ticket.epoch != self.machine.epoch();
        let (before, opened) = (self.machine.view(self.now), self.machine.view(self.now).opened);
        self.machine.end(ticket, end, retry_after, self.now, self.random.f64());
        if is_stale {
            assert_eq!(self.machine.view(self.now), before, "a call of an earlier state changed something");
        }
        if self.opened() != opened {
            assert_ne!(before.state, BreakerState::Open, "opened while open");
            self.opened_at = Some(self.now);
            self.asked = retry_after.unwrap_or_default();
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Admit => drop(self.admit()),
            Step::End(which, end, after) if !self.under_way.is_empty() => {
                self.end(which.index(self.under_way.len()), end, after.map(Duration::from_millis));
            }
            Step::End(..) => {}
            Step::Wait(millis) => self.now += Duration::from_millis(millis),
        }
    }

    /// Ends what is under way, as if none of it had been sent.
    fn settle(&mut self) {
        while !self.under_way.is_empty() {
            self.end(0, Some(End::Nothing), None);
        }
    }

    /// Lets calls in and ends them at once, until it is closed.
    fn heal(&mut self) {
        self.settle();
        if self.machine.is_closed() {
            return;
        }
        self.now += self.longest();
        while !self.machine.is_closed() {
            self.admit().unwrap();
            self.end(0, Some(End::Good), None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn permits_are_kept_and_open_times_are_bounded(
        settings in settings(), seed: u64, steps in proptest::collection::vec(step(any_end()), 1..200),
    ) {
        let mut world = World::new(&settings, seed);
        for step in steps {
            world.take(step);
            prop_assert!(world.state() != BreakerState::HalfOpen || world.of_this_state() <= settings.probes);
        }
        world.settle();
        if world.state() == BreakerState::Open {
            world.now += world.longest();
            prop_assert_eq!(world.state(), BreakerState::HalfOpen);
        }
        // All permits are there again.
        for _ in 0..settings.probes {
            prop_assert!(world.admit().is_ok());
        }
        if !world.machine.is_closed() {
            world.heal();
            let view = world.machine.view(world.now);
            prop_assert_eq!((view.state, view.calls, view.in_a_row), (BreakerState::Closed, 0, 0));
        }
    }

    #[test]
    fn without_bad_calls_it_stays_closed(
        settings in settings(), seed: u64,
        steps in proptest::collection::vec(
            step(prop::sample::select(vec![Some(End::Good), Some(End::Overloaded), Some(End::Nothing), None])), 1..200,
        ),
    ) {
        let mut world = World::new(&settings, seed);
        for step in steps {
            // Nothing is under way for as long as a slow call: it is cut before.
            if let Step::Wait(millis) = step {
                let then = world.now + Duration::from_millis(millis);
                while world.under_way.first().is_some_and(|oldest| then - oldest.since >= SLOW) {
                    world.end(0, None, None);
                }
            }
            world.take(step);
            prop_assert_eq!(world.state(), BreakerState::Closed);
        }
    }

    #[test]
    fn so_many_bad_calls_in_a_row_open_it_after_whatever_was_before(
        settings in settings(), seed: u64, steps in proptest::collection::vec(step(any_end()), 0..100),
        healthy in 0_u32..500, gap in 0_u64..5_000, hangs: bool,
    ) {
        let mut world = World::new(&settings, seed);
        for step in steps {
            world.take(step);
        }
        world.heal();
        for _ in 0..healthy {
            world.admit().unwrap();
            world.end(0, Some(End::Good), None);
            // The call that makes them enough for a rate may be a good one.
            world.heal();
        }
        let opened = world.opened();
        let mut bad = 0;
        let mut first = None;
        while world.machine.is_closed() {
            world.admit().unwrap();
            // A hang that its caller cuts is as bad as an error.
            if hangs {
                world.now += SLOW;
                world.end(0, None, None);
            } else {
                world.now += Duration::from_millis(gap);
                world.end(0, Some(End::Bad), None);
            }
            // What says nothing does not hide an outage.
            world.admit().ok();
            if !world.under_way.is_empty() {
                world.end(0, Some(End::Overloaded), None);
            }
            bad += 1;
            let first = *first.get_or_insert(world.now);
            let over = world.now - first;
            // So many, over a second; the one that completes both opens it.
            let is_due = bad >= settings.min_calls && over >= Duration::from_secs(1);
            prop_assert!(!is_due || !world.machine.is_closed(), "{bad} bad calls over {over:?}, and still closed");
            if gap == 0 && !hangs && bad >= settings.min_calls {
                world.now += Duration::from_millis(100);
            }
        }
        prop_assert_eq!(world.opened(), opened + 1);
    }

    #[test]
    fn the_window_holds_what_is_younger_than_itself(
        gaps in proptest::collection::vec((prop_oneof![3 => 0_u64..80, 1 => 80_u64..1_300], any::<bool>()), 1..150),
    ) {
        let (start, length) = (now(), 1_000);
        let mut window = Window::new(Duration::from_millis(length));
        let (mut at, mut events) = (0, Vec::new());
        for (gap, is_bad) in gaps {
            at += gap;
            window.add(is_bad, start + Duration::from_millis(at));
            events.push((at, is_bad));
            let within = |age: u64| events.iter().filter(move |(then, _)| at - then < age);
            let bad = |age| within(age).filter(|(_, is_bad)| *is_bad).count();
            // The oldest slot goes as a whole.
            let least = length - length / 10;
            prop_assert!((within(least).count()..=within(length).count()).contains(&(window.calls() as usize)));
            prop_assert!((bad(least)..=bad(length)).contains(&(window.bad() as usize)));
        }
    }
}
