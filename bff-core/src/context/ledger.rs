//! The request's account of its parts and calls.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderName;
use tokio::sync::Notify;

use super::Need;
use crate::clock::{self, Instant};
use crate::error::{Kind, Reason};
use crate::fetched::Staleness;
use crate::reading::Lost;

/// Which part, in the order in which the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId(u16);

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Not ended yet.
    Pending,
    /// There, and as it should be.
    Live,
    /// There is none (404, 204): null or the stand-in, and nothing to say about it.
    Absent,
    /// A refresh failed; older data is there.
    Stale,
    /// The declared stand-in is there.
    Fallback,
    /// Null.
    Missing,
    /// Deliberately not fetched.
    Omitted,
    /// A required part that failed: there is no page.
    Failed,
}

impl Outcome {
    /// The word on the wire and in labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Live => "live",
            Self::Absent => "absent",
            Self::Stale => "stale",
            Self::Fallback => "fallback",
            Self::Missing => "missing",
            Self::Omitted => "omitted",
            Self::Failed => "failed",
        }
    }

    /// Whether `meta.parts` lists it.
    #[must_use]
    pub const fn is_listed(self) -> bool {
        matches!(self, Self::Stale | Self::Fallback | Self::Missing | Self::Omitted)
    }

    /// Whether it makes the answer degraded.
    #[must_use]
    pub const fn is_degraded(self) -> bool {
        matches!(self, Self::Stale | Self::Fallback | Self::Missing)
    }
}

/// One part and what became of it.
#[derive(Clone, Debug)]
pub struct PartRecord {
    /// Its place.
    pub id: PartId,
    /// The JSON key; a path without indexes (`items.name`) for a joined field.
    pub name: Cow<'static, str>,
    /// The part inside which it was joined.
    pub under: Option<PartId>,
    /// How much the page needs it.
    pub need: Need,
    /// When it was registered.
    pub started: Instant,
    /// Its future was polled; one that never is cannot be waited for.
    pub begun: bool,
    /// How long it took; zero until it ended.
    pub took: Duration,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, where it is not as it should be.
    pub reason: Option<Reason>,
    /// The age of stale data.
    pub age: Option<Duration>,
    /// When trying again may help.
    pub retry_after: Option<Duration>,
    /// For a join, or a list that has lost elements: how many, of how many.
    pub tally: Option<(u32, u32)>,
}

impl PartRecord {
    /// Whether it is a joined field, and no part of its own.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.under.is_some() || self.name.contains('.')
    }
}

/// How long, and whether, what a call handed out may be kept by a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Not at all.
    NoStore,
    /// Kept, and asked about each time: unknown, used up, or inside stale-while-revalidate.
    Revalidate,
    /// For what is left of its time.
    For(Duration),
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// Answered by the upstream, to this call.
    Live,
    /// Answered by the upstream, to a call that was under way for somebody else.
    Collapsed,
    /// The same call had ended earlier in this request.
    Recalled,
    /// From the store, fresh.
    Hit,
    /// From the store inside stale-while-revalidate, refreshed behind the answer.
    Revalidating,
    /// From the store, because the refresh failed.
    Stale,
    /// The upstream says that there is no such thing.
    Absent,
    /// Failed.
    Failed(Kind),
    /// Nobody waited for it any more.
    Cut,
}

impl CallOutcome {
    /// The word in logs and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Collapsed => "collapsed",
            Self::Recalled => "recalled",
            Self::Hit => "hit",
            Self::Revalidating => "revalidating",
            Self::Stale => "stale",
            Self::Absent => "absent",
            Self::Failed(_) => "failed",
            Self::Cut => "cut",
        }
    }
}

/// One call, as its value was handed out.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// The part it was made for; `None` for a call outside any part, which counts as required.
    pub part: Option<PartId>,
    /// Who was asked.
    pub upstream: Arc<str>,
    /// Whether it was made in the name of an identity, or its answer says `private`.
    pub private: bool,
    /// What is left of its time.
    pub freshness: Freshness,
    /// Headers of the client's request that were forwarded, hence may have changed the answer.
    pub vary: Arc<[HeaderName]>,
    /// What became of it.
    pub outcome: CallOutcome,
    /// Why its value is older than it should be.
    pub staleness: Option<Staleness>,
    /// Elements of its value's lists that could not be read.
    pub lost: Option<Lost>,
    /// From asking to having.
    pub took: Duration,
}

/// Every part and every call of one request.
#[derive(Debug, Default)]
pub struct Ledger {
    book: Mutex<Book>,
    closed: Notify,
}

/// The pages of a [`Ledger`].
#[derive(Debug, Default)]
struct Book {
    parts: Vec<PartRecord>,
    calls: Vec<CallRecord>,
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a part; the order of these calls is the order in `meta`.
    pub fn open(&self, name: Cow<'static, str>, under: Option<PartId>, need: Need) -> PartId {
        let mut book = self.book();
        if book.parts.is_empty() {
            book.parts.reserve(8);
            book.calls.reserve(8);
        }
        let id = PartId(u16::try_from(book.parts.len()).unwrap_or(u16::MAX));
        book.parts.push(PartRecord {
            id,
            name,
            under,
            need,
            started: clock::now(),
            begun: false,
            took: Duration::ZERO,
            outcome: Outcome::Pending,
            reason: None,
            age: None,
            retry_after: None,
            tally: None,
        });
        id
    }

    /// Writes down what became of a part.
    pub fn close(&self, part: PartId, change: impl FnOnce(&mut PartRecord)) {
        let mut book = self.book();
        if let Some(record) = book.parts.get_mut(usize::from(part.0)) {
            record.took = clock::now().duration_since(record.started);
            change(record);
        }
        drop(book);
        self.closed.notify_waiters();
    }

    /// Notes that a part's future runs.
    pub fn begin(&self, part: PartId) {
        if let Some(record) = self.book().parts.get_mut(usize::from(part.0)) {
            record.begun = true;
        }
    }

    /// Whether something in the answer is missing, stale or a stand-in, or was made outside any part from what is stale or
    /// has lost something.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        let book = self.book();
        let is_less = |call: &CallRecord| call.staleness.is_some() || call.lost.is_some();
        let less_outside = book.calls.iter().any(|call| call.part.is_none() && is_less(call));
        less_outside || book.parts.iter().any(|part| part.outcome.is_degraded() && stands(&book.parts, part))
    }

    /// Waits until it is known whether what the page is about is there; at once on a page about nothing.
    pub async fn subject_closed(&self) {
        loop {
            let closed = std::pin::pin!(self.closed.notified());
            let is_open =
                |part: &PartRecord| part.need == Need::Subject && part.begun && part.outcome == Outcome::Pending;
            if !self.read(|parts, _| parts.iter().any(is_open)) {
                return;
            }
            closed.await;
        }
    }

    /// Writes down what became of a call. Older data taints the part it was made for.
    pub fn call(&self, record: CallRecord) {
        self.book().calls.push(record);
    }

    /// The name of a part.
    #[must_use]
    pub fn name(&self, part: PartId) -> Option<Cow<'static, str>> {
        self.book().parts.get(usize::from(part.0)).map(|record| record.name.clone())
    }

    /// What the lists of the answers that a part was made from have lost, and its name.
    #[must_use]
    pub fn lost(&self, part: PartId) -> Option<(Cow<'static, str>, Lost)> {
        let book = self.book();
        let mut all: Option<Lost> = None;
        for call in book.calls.iter().filter(|call| call.part == Some(part)) {
            let Some(lost) = call.lost else { continue };
            let sum = all.get_or_insert_default();
            // The same answer once more has not lost more.
            if call.outcome == CallOutcome::Recalled && sum.of >= lost.of {
                continue;
            }
            sum.count = sum.count.saturating_add(lost.count);
            sum.of = sum.of.saturating_add(lost.of);
        }
        Some((book.parts.get(usize::from(part.0))?.name.clone(), all?))
    }

    /// Reads all parts (in the order of registration) and calls (in the order of their ends).
    pub fn read<R>(&self, read: impl FnOnce(&[PartRecord], &[CallRecord]) -> R) -> R {
        let book = self.book();
        read(&book.parts, &book.calls)
    }

    /// The parts in the order in which the answer is written: joined fields stand under their part, by name.
    #[must_use]
    pub fn in_answer_order(&self) -> Vec<PartRecord> {
        let book = self.book();
        let mut order: Vec<usize> = (0..book.parts.len()).collect();
        if book.parts.iter().any(PartRecord::is_joined) {
            // By name, because two joins of one part may be registered in either order on either day.
            order.sort_by_cached_key(|&index| {
                let part = &book.parts[index];
                match part.under {
                    // A join outside any part stands where it was first named, whichever reason came first.
                    None if part.is_joined() => {
                        let first = book.parts.iter().position(|other| other.name == part.name).unwrap_or(index);
                        (first, Some(part.name.clone()))
                    }
                    None => (index, None),
                    Some(parent) => (usize::from(parent.0), Some(part.name.clone())),
                }
            });
        }
        order.into_iter().map(|index| &book.parts[index]).filter(|part| stands(&book.parts, part)).cloned().collect()
    }
}

/// A field of a part that is not there has nothing to say for itself.
fn stands(parts: &[PartRecord], part: &PartRecord) -> bool {
    match part.under.and_then(|parent| parts.get(usize::from(parent.0))) {
        Some(parent) => matches!(parent.outcome, Outcome::Live | Outcome::Stale | Outcome::Pending),
        None => true,
    }
}
