//! How many bodies may be on their way at once, in number and in bytes: answers that clients have not read yet, and requests
//! that clients have not sent to their end.
//!
//! A request that is worked on is counted by [`Load`](super::Load), until its answer is ready. From then on it costs memory
//! and a connection for as long as its client likes, and no work; so that is another count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::shares::{Share, Shares};
use crate::context::Holder;
use crate::settings::{Check, Mistakes};

/// `[edge.bodies]`: bodies on their way from clients and to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BodySettings {
    /// At most so many bodies are on their way at once; a request beyond that is a 503 with `Retry-After`. Default 10000.
    pub open: usize,
    /// At most so much memory for them together; a request beyond that is a 503 with `Retry-After`. Default 256 MiB. A body
    /// that streams counts as 128 KiB, which is what is held of it at most; one that is here counts as what it is.
    pub memory: ByteSize,
    /// At least so many bytes of a request's body have to come each second, after five seconds of grace; else it is a 408.
    /// Default 500 (Apache's `mod_reqtimeout`: `MinRate=500`). Time in which nobody asks for more of it does not count. 0 asks
    /// for nothing.
    pub min_rate: ByteSize,
}

impl Default for BodySettings {
    fn default() -> Self {
        Self { open: 10_000, memory: ByteSize::mib(256), min_rate: ByteSize::b(500) }
    }
}

impl Check for BodySettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.open == 0 {
            mistakes.note("open", "0 refuses every request", "give a number above 0");
        }
        if self.memory < ByteSize::mib(1) {
            let problem = format!("{} holds no bodies", self.memory);
            mistakes.note("memory", problem, "give at least 1 MiB");
        }
    }
}

/// So much is counted for a body that streams: what connections, HTTP/2 streams and the piece between them hold of it.
pub const STREAMING: u64 = 128 * 1024;

/// The bodies of one server.
#[derive(Debug)]
pub struct Bodies {
    settings: BodySettings,
    open: AtomicUsize,
    bytes: AtomicU64,
    refused: AtomicU64,
    numbers: Arc<Shares>,
    memory: Arc<Shares>,
}

/// What there is to see of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BodiesView {
    /// Bodies on their way.
    pub open: usize,
    /// The memory that is counted for them.
    pub bytes: u64,
    /// Requests refused for want of room, since the start.
    pub refused: u64,
}

impl Bodies {
    /// None under way.
    #[must_use]
    pub fn new(settings: &BodySettings) -> Self {
        Self {
            settings: settings.clone(),
            open: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            numbers: Arc::default(),
            memory: Arc::default(),
        }
    }

    /// Whether a request of `holder` may come in: there is room, and where it is scarce others do not come short.
    #[must_use]
    pub fn admit(&self, holder: Option<Holder>) -> bool {
        let (open, most) = (self.open.load(Relaxed) as u64, self.settings.open as u64);
        let (bytes, memory) = (self.bytes.load(Relaxed), self.settings.memory.as_u64());
        let is_full = open >= most || bytes >= memory;
        let refused =
            is_full || self.numbers.are_used_up(holder, open, most) || self.memory.are_used_up(holder, bytes, memory);
        if refused {
            self.refused.fetch_add(1, Relaxed);
        }
        !refused
    }

    /// Counts a body that holds so many bytes, until what comes back is dropped.
    pub fn begin(self: &Arc<Self>, holder: Option<Holder>, bytes: u64) -> OpenBody {
        self.open.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        let shares = (self.numbers.hold(holder, 1), self.memory.hold(holder, bytes));
        OpenBody { bodies: self.clone(), bytes, _shares: shares }
    }

    /// At least so many bytes of a request have to come each second.
    #[must_use]
    pub fn min_rate(&self) -> u64 {
        self.settings.min_rate.as_u64()
    }

    /// How it is at this moment.
    #[must_use]
    pub fn view(&self) -> BodiesView {
        let (open, bytes, refused) = (self.open.load(Relaxed), self.bytes.load(Relaxed), self.refused.load(Relaxed));
        BodiesView { open, bytes, refused }
    }
}

/// One body on its way, until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it counts the body no more"]
pub struct OpenBody {
    bodies: Arc<Bodies>,
    bytes: u64,
    _shares: (Share, Share),
}

impl Drop for OpenBody {
    fn drop(&mut self) {
        self.bodies.open.fetch_sub(1, Relaxed);
        self.bodies.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(number: u8) -> Option<Holder> {
        Some(Holder::address([192, 0, 2, number].into()))
    }

    #[test]
    fn the_largest_holder_is_refused_first_then_everybody_and_all_comes_back() {
        let settings = BodySettings { open: 8, ..BodySettings::default() };
        let bodies = Arc::new(Bodies::new(&settings));
        let slow: Vec<OpenBody> = (0..6).map(|_| bodies.begin(holder(1), 10)).collect();
        assert!(bodies.admit(holder(1)), "a quarter is free");
        let other = bodies.begin(holder(2), 10);
        assert!(!bodies.admit(holder(1)));
        assert!(bodies.admit(holder(2)) && bodies.admit(holder(3)));
        let last = bodies.begin(holder(3), 10);
        assert!(!bodies.admit(holder(4)), "full is full");
        assert_eq!(bodies.view(), BodiesView { open: 8, bytes: 80, refused: 2 });
        drop((slow, other, last));
        assert_eq!(bodies.view(), BodiesView { open: 0, bytes: 0, refused: 2 });
        assert!(bodies.admit(holder(1)));
    }

    #[test]
    fn memory_is_a_bound_of_its_own() {
        let settings = BodySettings { memory: ByteSize::mib(1), ..BodySettings::default() };
        let bodies = Arc::new(Bodies::new(&settings));
        let _large = bodies.begin(holder(1), 900 * 1024);
        let _small = bodies.begin(holder(2), 10);
        assert!(!bodies.admit(holder(1)));
        assert!(bodies.admit(holder(2)));
        let _rest = bodies.begin(holder(2), 200 * 1024);
        assert!(!bodies.admit(holder(3)));
    }
}
