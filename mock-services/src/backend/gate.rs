//! The barrier: holds requests until it is told to let them go.

use tokio::sync::watch;

/// Holds every request that arrives while it is closed.
#[derive(Debug)]
pub(super) struct Gate {
    state: watch::Sender<State>,
    held: watch::Sender<usize>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    closed: bool,
    /// How often it was opened; a request waits for the next opening, even if it closes again at once.
    openings: u64,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self { state: watch::Sender::new(State::default()), held: watch::Sender::new(0) }
    }

    pub(super) fn close(&self) {
        self.state.send_modify(|state| state.closed = true);
    }

    /// Lets everything go and says how many that were.
    pub(super) fn open(&self) -> usize {
        let held = self.held();
        self.state.send_modify(|state| {
            state.closed = false;
            state.openings += 1;
        });
        held
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.borrow().closed
    }

    pub(super) fn held(&self) -> usize {
        *self.held.borrow()
    }

    /// Waits until at least `n` requests are held.
    pub(super) async fn wait_held(&self, n: usize) {
        // The sender lives in `self`, so the channel cannot close here.
        let _ = self.held.subscribe().wait_for(|held| *held >= n).await;
    }

    /// Returns at once while the gate is open, and at the next opening while it is closed.
    pub(super) async fn pass(&self) {
        let mut changes = self.state.subscribe();
        let arrived = *changes.borrow();
        if !arrived.closed {
            return;
        }
        self.held.send_modify(|held| *held += 1);
        let _leaves = Leaves(self);
        let _ = changes.wait_for(|now| now.openings != arrived.openings).await;
    }
}

/// Counts a request out, also where its caller hung up.
struct Leaves<'a>(&'a Gate);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.held.send_modify(|held| *held -= 1);
    }
}
