//! How late this process runs what is ready to run.
//!
//! A process whose CPU is full answers late and hears late: calls run into their limits although the upstreams were
//! quick. Whoever judges an upstream asks here first whose time it was; the edge lets in fewer while this is high.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{self, Instant};

/// How often it is measured.
const TICK: Duration = Duration::from_millis(10);
/// Less than this is the grain of the timer (tokio: 1 ms) and says nothing.
const GRAIN: Duration = Duration::from_millis(2);
/// How far back it is remembered: longer than any call is given.
const MEMORY: Duration = Duration::from_secs(60);
/// No more measurements are remembered; at one a tick that is longer than ten seconds of never being in time.
const MOST: usize = 1024;
/// A call's time was ours if we were late by this share of it at once.
const OURS: u32 = 4;

/// How this process does at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pulse {
    /// How late ready work runs.
    pub late: Duration,
    /// The share of its time that this process is at work, from 0 to 1: the mean over the runtime's threads.
    pub busy: f64,
}

/// How long each of the runtime's threads was at work since the start, as a mean.
fn worked() -> Duration {
    let metrics = tokio::runtime::Handle::current().metrics();
    let workers = metrics.num_workers();
    let sum: Duration = (0..workers).map(|worker| metrics.worker_total_busy_duration(worker)).sum();
    sum / u32::try_from(workers).unwrap_or(1).max(1)
}

/// What was measured lately.
#[derive(Debug, Default)]
pub struct Lateness(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// When the measuring task should run next; `None` while nothing measures.
    due: Option<Instant>,
    // bound: MOST
    /// When it ran late, and by how much; the latest last.
    late: VecDeque<(Instant, Duration)>,
}

impl Lateness {
    /// Measures for ever, and tells each measurement. One task for a process.
    ///
    /// The task sleeps, and then goes once through the queue of what is ready. What both took more than the sleep is how
    /// late everything else is at this time.
    pub async fn measure(&self, mut tell: impl FnMut(Pulse)) {
        let _gone = Gone(self);
        let (mut since, mut worked) = (clock::now(), worked());
        loop {
            let due = clock::now() + TICK;
            self.will_run(due);
            tokio::time::sleep_until(due).await;
            tokio::task::yield_now().await;
            let (now, works) = (clock::now(), self::worked());
            let time = (now - since).as_secs_f64().max(TICK.as_secs_f64());
            let busy = works.saturating_sub(worked).as_secs_f64() / time;
            (since, worked) = (now, works);
            tell(Pulse { late: self.note(due, now), busy: busy.min(1.0) });
        }
    }

    fn will_run(&self, due: Instant) {
        self.with(|seen| seen.due = Some(due));
    }

    fn note(&self, due: Instant, now: Instant) -> Duration {
        let late = now.saturating_duration_since(due);
        if late > GRAIN {
            self.with(|seen| {
                let is_old = |(at, _): &(Instant, Duration)| now.saturating_duration_since(*at) > MEMORY;
                while seen.late.len() >= MOST || seen.late.front().is_some_and(is_old) {
                    seen.late.pop_front();
                }
                seen.late.push_back((now, late));
            });
        }
        late
    }

    /// By how much this process was late at most, at any time from `since` until `now`.
    #[must_use]
    pub fn most_since(&self, since: Instant, now: Instant) -> Duration {
        self.with(|seen| {
            // The task that measures may itself be waiting for its turn.
            let still = seen.due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due));
            let still = if still > GRAIN { still } else { Duration::ZERO };
            let recent = seen.late.iter().rev().take_while(|(at, _)| *at >= since);
            recent.map(|(_, late)| *late).fold(still, Duration::max)
        })
    }

    /// Whether the time from `started` until `now` says something of this process and nothing of whoever was waited for: we
    /// were late by a quarter of it at once. With less than that an upstream that hangs would never be noticed by a busy
    /// process.
    #[must_use]
    pub fn explains(&self, started: Instant, now: Instant) -> bool {
        let took = now.saturating_duration_since(started);
        let most = self.most_since(started, now);
        !most.is_zero() && most * OURS >= took
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Nothing measures any more.
struct Gone<'a>(&'a Lateness);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.with(|seen| seen.due = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;

    #[test]
    fn the_worst_of_the_time_asked_for() {
        let (lateness, start) = (Lateness::default(), clock::now());
        let at = |millis: u64| start + millis.ms();
        assert_eq!(lateness.note(at(10), at(110)), 100.ms());
        assert_eq!(lateness.note(at(120), at(150)), 30.ms());
        assert_eq!(lateness.note(at(160), at(161)), 1.ms());
        assert_eq!(lateness.most_since(at(0), at(200)), 100.ms());
        assert_eq!(lateness.most_since(at(111), at(200)), 30.ms());
        // The grain of the timer is nobody's lateness.
        assert_eq!(lateness.most_since(at(151), at(200)), Duration::ZERO);
    }

    #[test]
    fn a_task_that_has_not_had_its_turn_yet_says_so_too() {
        let (lateness, start) = (Lateness::default(), clock::now());
        lateness.will_run(start + 10.ms());
        assert_eq!(lateness.most_since(start, start + 11.ms()), Duration::ZERO);
        assert_eq!(lateness.most_since(start, start + 90.ms()), 80.ms());
        drop(Gone(&lateness));
        assert_eq!(lateness.most_since(start, start + 90.ms()), Duration::ZERO);
    }

    #[test]
    fn a_quarter_of_the_time_makes_it_ours() {
        let (lateness, start) = (Lateness::default(), clock::now());
        assert!(!lateness.explains(start, start), "no time at all");
        lateness.note(start + 10.ms(), start + 110.ms());
        assert!(lateness.explains(start, start + 400.ms()));
        assert!(!lateness.explains(start, start + 401.ms()));
        assert!(!lateness.explains(start + 111.ms(), start + 400.ms()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (lateness, start) = (Lateness::default(), clock::now());
        for number in 0..3 * MOST as u64 {
            lateness.note(start + number.ms(), start + (number + 5).ms());
        }
        assert_eq!(lateness.with(|seen| seen.late.len()), MOST);
        let later = start + Duration::from_secs(3600);
        lateness.note(later, later + 5.ms());
        assert_eq!(lateness.with(|seen| seen.late.len()), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_process_is_not_late() {
        let lateness = std::sync::Arc::new(Lateness::default());
        let started = clock::now();
        let (told, mut heard) = tokio::sync::mpsc::channel(100);
        let own = lateness.clone();
        let task = tokio::spawn(async move { own.measure(|pulse| told.try_send(pulse).unwrap()).await });
        for _ in 0..10 {
            let Pulse { late, busy } = heard.recv().await.unwrap();
            assert!(late <= GRAIN && (0.0..=1.0).contains(&busy), "{late:?}, {busy}");
        }
        assert_eq!(lateness.most_since(started, clock::now()), Duration::ZERO);
        task.abort();
    }
}
