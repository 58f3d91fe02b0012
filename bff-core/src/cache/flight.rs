//! One call for everybody who asks the same thing at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use super::Key;
use crate::clock::{self, Instant};

/// A call under way. It belongs to its waiters: it survives any one of them leaving, any of them can move it on,
/// and the last one leaving ends it.
pub type Flight<T> = Shared<BoxFuture<'static, T>>;

/// Beyond so many calls under way nobody looks for a flight to join; each call flies alone.
const MOST: usize = 10_000;

/// The calls under way, held weakly.
///
/// moka's `get_with` would do this too, but it runs the load in its first caller: a caller with less patience
/// than the load would end it for everybody.
#[derive(Debug)]
pub struct Flights<T: Clone>(Arc<Mutex<Board<T>>>);

impl<T: Clone> Clone for Flights<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Board { under_way: HashMap::new(), next: 0 })))
    }
}

#[derive(Debug)]
struct Board<T: Clone> {
    // bound: MOST
    under_way: HashMap<Key, UnderWay<T>>,
    next: u64,
}

#[derive(Debug)]
struct UnderWay<T: Clone> {
    number: u64,
    since: Instant,
    /// Until when the upstream was told that somebody waits; `None` where it was told its own limit.
    patience: Option<Instant>,
    flight: WeakShared<BoxFuture<'static, T>>,
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// Joins the flight for `key`, or starts it with `call`. Says whether it was joined.
    ///
    /// A flight that took off before `not_before` (a write of the same identity) is not joined but replaced. So is one whose
    /// upstream was told that nobody waits beyond a time that is clearly before `patience`; `None` is for ever.
    pub fn board<Call>(
        &self,
        key: &Key,
        not_before: Option<Instant>,
        patience: Option<Instant>,
        call: impl FnOnce() -> Call,
    ) -> (Flight<T>, bool)
    where
        Call: Future<Output = T> + Send + 'static,
    {
        let mut board = lock(&self.0);
        if let Some(under_way) = board.under_way.get(key)
            && not_before.is_none_or(|earliest| under_way.since > earliest)
            && under_way.patience.is_none_or(|told| is_within(told, patience))
            && let Some(flight) = under_way.flight.upgrade()
        {
            return (flight, true);
        }
        if board.under_way.len() >= MOST {
            drop(board);
            return (call().boxed().shared(), false);
        }
        let number = board.next;
        board.next += 1;
        let landing = Landing { board: self.0.clone(), key: key.clone(), number };
        let call = call();
        let flight = async move {
            // Dropped when the call ends, and also when its last waiter leaves.
            let _landing = landing;
            call.await
        }
        .boxed()
        .shared();
        if let Some(weak) = flight.downgrade() {
            board.under_way.insert(key.clone(), UnderWay { number, since: clock::now(), patience, flight: weak });
        }
        drop(board);
        (flight, false)
    }

    /// Whether this call is under way.
    #[must_use]
    pub fn is_under_way(&self, key: &Key) -> bool {
        lock(&self.0).under_way.contains_key(key)
    }

    /// How many calls are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        lock(&self.0).under_way.len()
    }
}

/// Whether somebody with this patience loses nothing by a call that was told so much. A tenth more is nothing: of clients that
/// come one after the other each has a little more than the one before, and all of them would make calls of their own.
fn is_within(told: Instant, patience: Option<Instant>) -> bool {
    let now = clock::now();
    let left = |until: Instant| until.saturating_duration_since(now);
    patience.is_some_and(|patience| left(patience) <= left(told).mul_f64(1.1))
}

/// Takes the flight off the board.
struct Landing<T: Clone> {
    board: Arc<Mutex<Board<T>>>,
    key: Key,
    number: u64,
}

impl<T: Clone> Drop for Landing<T> {
    fn drop(&mut self) {
        let mut board = lock(&self.board);
        let is_mine = board.under_way.get(&self.key).is_some_and(|flight| flight.number == self.number);
        let gone = if is_mine { board.under_way.remove(&self.key) } else { None };
        drop(board);
        drop(gone);
    }
}

fn lock<T: Clone>(board: &Mutex<Board<T>>) -> MutexGuard<'_, Board<T>> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::HeaderMap;
    use tokio::sync::oneshot;

    use super::*;

    fn key() -> Key {
        Key::shared(&"up".into(), "/x", &[], &HeaderMap::new())
    }

    #[tokio::test]
    async fn a_flight_survives_the_one_who_started_it() {
        let flights: Flights<u32> = Flights::default();
        let (land, landed) = oneshot::channel();
        let (first, joined) = flights.board(&key(), None, None, || async move { landed.await.unwrap_or(0) });
        assert!(!joined);
        let (second, joined) = flights.board(&key(), None, None, || async { unreachable!("a second call") });
        assert!(joined);
        // The first has polled it, and leaves.
        let mut first = Box::pin(first);
        assert!(futures::poll!(&mut first).is_pending());
        drop(first);
        land.send(7).unwrap();
        assert_eq!(second.await, 7);
        assert_eq!(flights.under_way(), 0);
    }

    #[tokio::test]
    async fn the_last_one_leaving_ends_it() {
        struct Ended(Arc<AtomicUsize>);
        impl Drop for Ended {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let flights: Flights<()> = Flights::default();
        let ended = Arc::new(AtomicUsize::new(0));
        let guard = Ended(ended.clone());
        let (first, _) = flights.board(&key(), None, None, || async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        let (second, _) = flights.board(&key(), None, None, || async {});
        drop(first);
        assert_eq!(ended.load(Ordering::SeqCst), 0);
        drop(second);
        assert_eq!(ended.load(Ordering::SeqCst), 1);
        assert_eq!(flights.under_way(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_from_before_a_write_is_not_joined() {
        let flights: Flights<u32> = Flights::default();
        let (old, _) = flights.board(&key(), None, None, || async { 1 });
        let write = clock::now();
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        let (new, joined) = flights.board(&key(), Some(write), None, || async { 2 });
        assert!(!joined);
        assert_eq!((old.await, new.await), (1, 2));
        assert_eq!(flights.under_way(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_longer_than_was_told_does_not_join() {
        let flights: Flights<u32> = Flights::default();
        let at = |millis: u64| Some(clock::now() + std::time::Duration::from_millis(millis));
        let (first, _) = flights.board(&key(), None, at(120), || async { 1 });
        assert!(flights.board(&key(), None, at(100), || async { 0 }).1, "less patient");
        assert!(flights.board(&key(), None, at(130), || async { 0 }).1, "a little more patient");
        let (second, joined) = flights.board(&key(), None, at(700), || async { 2 });
        assert!(!joined);
        assert!(flights.board(&key(), None, at(120), || async { 0 }).1, "the next one is joined");
        let (third, joined) = flights.board(&key(), None, None, || async { 3 });
        assert!(!joined);
        assert!(flights.board(&key(), None, None, || async { 0 }).1);
        assert_eq!((first.await, second.await, third.await), (1, 2, 3));
    }
}
