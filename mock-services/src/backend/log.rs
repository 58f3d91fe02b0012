//! What was asked of a backend and how it ended.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use http::{StatusCode, request::Parts};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Notify;

use super::socket::Ending;

/// How many requests are remembered; the oldest is forgotten first.
const CAPACITY: usize = 10_000;

/// One request that a backend saw.
#[derive(Debug, Clone, Serialize)]
pub struct Logged {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The headers by lower-case name; several of one name are joined by a comma.
    pub headers: BTreeMap<String, String>,
    /// When it arrived.
    pub at: Timestamp,
    /// The status it was answered with; none while it is in flight, and where no answer was sent.
    pub status: Option<u16>,
    /// The caller closed the connection, or reset the stream, before the answer was complete.
    pub hung_up: bool,
    /// The fault that ended the exchange without a whole answer: `reset`, `truncate` or `refuse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
    /// From arrival to the end, in milliseconds; none while it is in flight.
    pub duration_ms: Option<u64>,
}

impl Logged {
    /// One header of the request by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// The last requests of one backend.
#[derive(Debug, Default)]
pub(super) struct RequestLog {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    ring: VecDeque<Logged>,
    /// The number of the oldest request in the ring.
    oldest: u64,
    /// The number of the first request after the log was last cleared.
    cleared_at: u64,
    counts: Counts,
}

/// How many requests there were since the log was last cleared, also those that are forgotten.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) arrived: usize,
    pub(super) finished: usize,
    pub(super) hung_up: usize,
}

impl RequestLog {
    /// Notes a request; what is returned notes its end, also where it is only dropped.
    pub(super) fn arrived(self: &Arc<Self>, head: &Parts, connection: Arc<Ending>) -> Entry {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &head.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|all| {
                    all.push_str(", ");
                    all.push_str(&value);
                })
                .or_insert_with(|| value.into_owned());
        }
        let path = head.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let logged = Logged {
            method: head.method.to_string(),
            path,
            version: format!("{:?}", head.version),
            headers,
            at: Timestamp::now(),
            status: None,
            hung_up: false,
            fault: None,
            duration_ms: None,
        };
        let number = {
            let mut state = self.state();
            if state.ring.len() == CAPACITY {
                state.ring.pop_front();
                state.oldest += 1;
            }
            state.ring.push_back(logged);
            state.counts.arrived += 1;
            state.oldest + state.ring.len() as u64 - 1
        };
        self.changed.notify_waiters();
        #[expect(clippy::disallowed_methods, reason = "a stand-alone crate; a log entry says how long it really took")]
        let since = Instant::now();
        Entry { log: Arc::clone(self), connection, number, since, ended: false }
    }

    pub(super) fn all(&self) -> Vec<Logged> {
        self.state().ring.iter().cloned().collect()
    }

    /// Forgets everything; what is in flight now is not counted when it ends.
    pub(super) fn clear(&self) {
        let mut state = self.state();
        state.oldest += state.ring.len() as u64;
        state.cleared_at = state.oldest;
        state.ring.clear();
        state.counts = Counts::default();
    }

    /// Waits until the counts are as wanted.
    pub(super) async fn wait_for(&self, wanted: impl Fn(Counts) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Enabled before the look, so that no change between the two is missed.
            changed.as_mut().enable();
            if wanted(self.state().counts) {
                return;
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in flight. Dropping it without an end means that the caller hung up.
#[derive(Debug)]
pub(super) struct Entry {
    log: Arc<RequestLog>,
    connection: Arc<Ending>,
    number: u64,
    since: Instant,
    ended: bool,
}

impl Entry {
    /// The answer is complete.
    pub(super) fn answered(self, status: StatusCode) {
        self.end(|logged| logged.status = Some(status.as_u16()));
    }

    /// A fault of ours ended it.
    pub(super) fn spoilt(self, fault: &'static str) {
        self.end(|logged| logged.fault = Some(fault));
    }

    fn end(mut self, note: impl FnOnce(&mut Logged)) {
        self.note(note);
    }

    fn note(&mut self, note: impl FnOnce(&mut Logged)) {
        self.ended = true;
        {
            let mut guard = self.log.state();
            let state = &mut *guard;
            if self.number < state.cleared_at {
                return;
            }
            let mut hung_up = false;
            if let Some(at) = self.number.checked_sub(state.oldest)
                && let Some(logged) = usize::try_from(at).ok().and_then(|at| state.ring.get_mut(at))
            {
                note(logged);
                logged.duration_ms = Some(self.since.elapsed().as_millis() as u64);
                hung_up = logged.hung_up;
            }
            state.counts.finished += 1;
            state.counts.hung_up += usize::from(hung_up);
        }
        self.log.changed.notify_waiters();
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if self.connection.was_by_us() {
            self.note(|logged| logged.fault = Some("refuse"));
        } else {
            self.note(|logged| logged.hung_up = true);
        }
    }
}
