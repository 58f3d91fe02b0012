//! Whether Redis is asked: one connection while all is well, one trial after each pause while it is not.

use std::time::Duration;

use crate::clock::Instant;

/// A connection or the attempt to get one. What is told of an earlier one says nothing about the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn(u64);

/// How a command gets to Redis.
#[derive(Debug)]
pub(super) enum Entry<C> {
    /// By the connection that is there.
    Open(C, Turn),
    /// By a connection of its own, which is kept if the command is answered. All others are turned away meanwhile.
    Trial(Turn),
}

/// The way to Redis.
///
/// A trial that is never heard of again (its task has ended with its runtime) blocks nothing: the gate closes for as
/// long as a trial may take plus a pause, and then lets the next one in.
#[derive(Debug)]
pub(super) struct Gate<C> {
    way: Way<C>,
    turn: u64,
    /// How long a trial may take.
    limit: Duration,
    pause: Duration,
    /// Redis has failed since it last answered.
    down: bool,
    /// Redis has refused a command on this connection.
    refused: bool,
}

#[derive(Debug)]
enum Way<C> {
    Open(C),
    /// `None`: nobody has tried yet.
    Closed(Option<Instant>),
}

impl<C: Clone> Gate<C> {
    pub(super) fn new(limit: Duration, pause: Duration) -> Self {
        Self { way: Way::Closed(None), turn: 0, limit, pause, down: false, refused: false }
    }

    /// The way in, or when to try again.
    pub(super) fn enter(&mut self, now: Instant) -> Result<Entry<C>, Instant> {
        match &self.way {
            Way::Open(connection) => Ok(Entry::Open(connection.clone(), Turn(self.turn))),
            Way::Closed(Some(until)) if now < *until => Err(*until),
            Way::Closed(_) => Ok(Entry::Trial(self.next(now))),
        }
    }

    /// The connection of `turn` is gone, which happens to one that idles: whoever finds out first tries a new one.
    pub(super) fn replace(&mut self, turn: Turn, now: Instant) -> Option<Turn> {
        (turn.0 == self.turn).then(|| self.next(now))
    }

    /// A trial was answered. True if Redis was known to be down until now.
    pub(super) fn open(&mut self, turn: Turn, connection: C) -> bool {
        if turn.0 != self.turn {
            return false;
        }
        self.way = Way::Open(connection);
        self.refused = false;
        std::mem::take(&mut self.down)
    }

    /// The connection or the trial of `turn` has failed. True if Redis was not known to be down until now.
    pub(super) fn close(&mut self, turn: Turn, now: Instant) -> bool {
        if turn.0 != self.turn {
            return false;
        }
        self.turn += 1;
        self.way = Way::Closed(Some(now + self.pause));
        !std::mem::replace(&mut self.down, true)
    }

    /// Redis has refused one command. True for the first one on this connection.
    pub(super) fn refuse(&mut self) -> bool {
        !std::mem::replace(&mut self.refused, true)
    }

    /// Whether there is a connection that works as far as is known.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.way, Way::Open(_))
    }

    /// Whether a trial may begin.
    #[cfg(test)]
    pub(super) fn is_due(&self, now: Instant) -> bool {
        matches!(self.way, Way::Closed(until) if until.is_none_or(|until| now >= until))
    }

    fn next(&mut self, now: Instant) -> Turn {
        self.turn += 1;
        self.way = Way::Closed(Some(now + self.limit + self.pause));
        Turn(self.turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const LIMIT: Duration = Duration::from_millis(50);
    const PAUSE: Duration = Duration::from_secs(1);

    fn trial(entry: Result<Entry<char>, Instant>) -> Turn {
        match entry {
            Ok(Entry::Trial(turn)) => turn,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_trial_at_a_time_and_one_a_pause() {
        let (mut gate, now) = (Gate::new(LIMIT, PAUSE), clock::now());
        let first = trial(gate.enter(now));
        assert!(gate.enter(now).is_err());
        assert!(gate.close(first, now + LIMIT));
        assert_eq!(gate.enter(now + PAUSE).unwrap_err(), now + LIMIT + PAUSE);
        let second = trial(gate.enter(now + LIMIT + PAUSE));
        assert!(!gate.close(second, now + LIMIT + PAUSE), "that it is down was said before");
    }

    #[test]
    fn a_trial_that_is_never_heard_of_again_blocks_nothing() {
        let (mut gate, now) = (Gate::new(LIMIT, PAUSE), clock::now());
        trial(gate.enter(now));
        assert!(gate.enter(now + PAUSE).is_err());
        trial(gate.enter(now + LIMIT + PAUSE));
    }

    #[test]
    fn all_enter_by_the_connection_of_a_trial_that_was_answered() {
        let (mut gate, now) = (Gate::new(LIMIT, PAUSE), clock::now());
        let first = trial(gate.enter(now));
        assert!(!gate.open(first, 'a'), "nothing was wrong before");
        for _ in 0..3 {
            assert!(matches!(gate.enter(now), Ok(Entry::Open('a', turn)) if turn == first));
        }
        assert!(gate.refuse() && !gate.refuse());
        assert!(gate.close(first, now));
        let second = trial(gate.enter(now + PAUSE));
        assert!(gate.open(second, 'b'), "it is back");
        assert!(gate.is_open() && gate.refuse());
    }

    #[test]
    fn what_is_told_of_an_earlier_connection_changes_nothing() {
        let (mut gate, now) = (Gate::new(LIMIT, PAUSE), clock::now());
        let first = trial(gate.enter(now));
        gate.open(first, 'a');
        let second = gate.replace(first, now).unwrap();
        assert_eq!(gate.replace(first, now), None);
        assert!(!gate.close(first, now));
        gate.open(second, 'b');
        assert!(!gate.close(first, now));
        assert!(!gate.open(first, 'a'));
        assert!(matches!(gate.enter(now), Ok(Entry::Open('b', _))));
        assert!(gate.close(second, now));
        // The second of two commands that waited together does not make the pause longer.
        gate.close(second, now + LIMIT);
        trial(gate.enter(now + PAUSE));
    }
}
