//! Bounded concurrency per upstream.
//!
//! A slow backend fills whoever calls it: with 3500 calls a second and answers after a second there are 3500 under
//! way, and the backend serves the oldest, whose callers have left. The bulkhead holds what is under way to what the
//! backend can do; who finds no seat waits shortly and is then refused, which costs nobody anything. The number of
//! seats follows what is seen ([`Limiter`]).

mod limiter;
mod round;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use limiter::Limiter;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::clock::Instant;
use crate::context::Holder;
use crate::resilience::{End, Share, Shares};
use crate::settings::{Check, Mistakes};

/// What stands for no bound; a semaphore holds more, and a limit is exact in an `f64` far beyond it.
const MOST_SEATS: usize = u32::MAX as usize >> 2;

/// How many calls to one upstream may be under way at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BulkheadSettings {
    /// Whether there is a bound at all. Default `true`.
    pub enabled: bool,
    /// Never fewer seats than this. Default 4: so few that a small backend that has become ten times slower still
    /// answers them in time (with ten it would answer none), and enough to see that it is well again.
    pub floor: usize,
    /// Never more seats than this. Default 1000 (Netflix concurrency-limits: 200 to 1000; Envoy's circuit breaker 1024).
    pub cap: usize,
    /// Seats before anything is known. Default 1000, the cap: nothing is refused on suspicion. (Netflix concurrency-limits
    /// begins with 20, and refuses the rest of a burst.)
    pub initial: usize,
    /// How long a call waits for a seat before it is refused. Default 25 ms: a burst passes, a queue does not build up.
    /// Zero refuses at once.
    #[serde(with = "humantime_serde")]
    pub wait: Duration,
    /// How many calls may wait at once; the next one is refused at once. Default 100.
    pub queue: usize,
}

impl Default for BulkheadSettings {
    fn default() -> Self {
        Self { enabled: true, floor: 4, cap: 1000, initial: 1000, wait: Duration::from_millis(25), queue: 100 }
    }
}

impl Check for BulkheadSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        let Self { floor, cap, initial, .. } = self;
        if *floor == 0 {
            mistakes.note("floor", "0 seats let nothing through, for ever", "give at least 1");
        }
        if cap < floor {
            mistakes.note("cap", format!("{cap} is less than floor ({floor})"), "give at least floor");
        }
        if initial < floor || initial > cap {
            mistakes.note(
                "initial",
                format!("{initial} is not between {floor} and {cap}"),
                "give floor ≤ initial ≤ cap",
            );
        }
        if *cap > MOST_SEATS {
            mistakes.note("cap", format!("{cap} is no bound"), "give what the upstream can bear, or enabled = false");
        }
    }
}

/// The bulkhead of one upstream.
pub struct Bulkhead {
    wait: Duration,
    queue: usize,
    /// Free seats. First come, first served: a free seat is never seen by `try_acquire` while somebody waits.
    seats: Semaphore,
    waiting: AtomicUsize,
    refused: AtomicU64,
    /// Who has seats.
    shares: Arc<Shares>,
    books: Mutex<Books>,
}

/// Free seats and seats taken are together always `limiter.limit() + debt`.
struct Books {
    limiter: Limiter,
    /// Seats taken that go when they come back, so that a shrink never waits.
    debt: usize,
}

/// What a bulkhead looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BulkheadView {
    /// Seats at present.
    pub limit: usize,
    /// Seats taken; shortly more than `limit` after a shrink.
    pub in_flight: usize,
    /// Calls that wait for a seat.
    pub waiting: usize,
    /// Calls refused since the start.
    pub refused: u64,
}

/// There was no seat. Nothing was sent; for the guards of the upstream this is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("too many calls to this upstream are under way")
    }
}

impl std::error::Error for Full {}

impl Bulkhead {
    /// A bulkhead with `initial` free seats, for calls that may take `timeout`.
    #[must_use]
    pub fn new(settings: &BulkheadSettings, timeout: Duration) -> Self {
        let limiter = Limiter::new(settings, timeout);
        Self {
            wait: settings.wait,
            queue: settings.queue,
            seats: Semaphore::new(limiter.limit()),
            waiting: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            shares: Arc::default(),
            books: Mutex::new(Books { limiter, debt: 0 }),
        }
    }

    /// Takes a seat for `holder`, waits shortly for one, or is refused. A caller that leaves while it waits loses nothing.
    ///
    /// # Errors
    /// [`Full`] when no seat came free in `wait`; at once when `queue` others wait already, or when seats are scarce and
    /// `holder` has its share of them.
    pub async fn enter(&self, holder: Option<Holder>) -> Result<Seat<'_>, Full> {
        let seat = if self.is_greedy(holder) {
            None
        } else {
            match self.seats.try_acquire() {
                Ok(permit) => return Ok(self.seat(permit, holder)),
                Err(_) => self.stand_in_line(holder).await,
            }
        };
        if seat.is_none() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        seat.ok_or(Full)
    }

    /// Takes a seat as soon as one is free, for a call that is already under way. To be dropped when the call ends.
    pub async fn enter_late(&self, holder: Option<Holder>) -> Option<Seat<'_>> {
        let permit = self.seats.acquire().await.ok()?;
        Some(self.seat(permit, holder))
    }

    fn is_greedy(&self, holder: Option<Holder>) -> bool {
        let (taken, bound) = {
            let books = self.lock();
            (self.in_flight(&books) as u64, books.limiter.limit() as u64)
        };
        self.shares.are_used_up(holder, taken, bound)
    }

    async fn stand_in_line(&self, holder: Option<Holder>) -> Option<Seat<'_>> {
        if self.wait.is_zero() {
            return None;
        }
        let one_more = |waiting: usize| (waiting < self.queue).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        let _place = Place(self);
        let permit = timeout(self.wait, self.seats.acquire()).await.ok()?.ok()?;
        Some(self.seat(permit, holder))
    }

    fn seat<'a>(&'a self, permit: SemaphorePermit<'a>, holder: Option<Holder>) -> Seat<'a> {
        Seat { bulkhead: self, permit: Some(permit), _share: self.shares.hold(holder, 1) }
    }

    /// Whether half of the seats or more are taken: what can wait (a refresh in the background) then stays outside.
    #[must_use]
    pub fn is_half_full(&self) -> bool {
        let books = self.lock();
        self.in_flight(&books) >= books.limiter.limit().div_ceil(2)
    }

    /// Begins again with twice what the upstream was last well with, after it was down.
    pub fn restart(&self) {
        let mut books = self.lock();
        let before = books.limiter.limit();
        books.limiter.restart();
        self.resize(&mut books, before);
    }

    /// What it looks like at this moment.
    #[must_use]
    pub fn view(&self) -> BulkheadView {
        let books = self.lock();
        BulkheadView {
            limit: books.limiter.limit(),
            in_flight: self.in_flight(&books),
            waiting: self.waiting.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_flight(&self, books: &Books) -> usize {
        (books.limiter.limit() + books.debt).saturating_sub(self.seats.available_permits())
    }

    fn resize(&self, books: &mut Books, before: usize) {
        let limit = books.limiter.limit();
        if limit >= before {
            let paid = books.debt.min(limit - before);
            books.debt -= paid;
            self.seats.add_permits(limit - before - paid);
        } else {
            books.debt += before - limit;
            self.settle(books);
        }
    }

    /// Takes free seats away for the debt.
    fn settle(&self, books: &mut Books) {
        if books.debt > 0 {
            books.debt -= self.seats.forget_permits(books.debt);
        }
    }

    /// The seat comes back, inside the lock, so that the books are right whenever it is free. Who waits is only woken
    /// by this; nothing of theirs runs here.
    fn give_back(books: &mut Books, permit: SemaphorePermit<'_>) {
        if books.debt > 0 {
            books.debt -= 1;
            permit.forget();
        } else {
            drop(permit);
        }
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Bulkhead").field("view", &self.view()).finish_non_exhaustive()
    }
}

/// A place in the line.
struct Place<'a>(&'a Bulkhead);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        // Who left with a seat already in hand gave it straight back to the semaphore, past the debt.
        let bulkhead = self.0;
        bulkhead.settle(&mut bulkhead.lock());
    }
}

/// The right to one call. Dropped without [`Seat::leave`] (the call was cut) it goes back and says nothing.
#[must_use = "dropping it gives the seat away"]
pub struct Seat<'a> {
    bulkhead: &'a Bulkhead,
    permit: Option<SemaphorePermit<'a>>,
    _share: Share,
}

impl fmt::Debug for Seat<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Seat")
    }
}

impl Seat<'_> {
    /// Gives the seat back and says how the call ended and how long the upstream took, from when the seat was taken; `None`
    /// where that cannot be told from the time of this process.
    pub fn leave(mut self, end: End, took: Option<Duration>, now: Instant) {
        let bulkhead = self.bulkhead;
        let Some(permit) = self.permit.take() else { return };
        let mut books = bulkhead.lock();
        // The one who leaves is still counted.
        let in_flight = bulkhead.in_flight(&books);
        let before = books.limiter.limit();
        books.limiter.sample(end, took, in_flight, now);
        bulkhead.resize(&mut books, before);
        Bulkhead::give_back(&mut books, permit);
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            Bulkhead::give_back(&mut self.bulkhead.lock(), permit);
        }
    }
}
