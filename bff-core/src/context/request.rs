//! The request itself, from the door to the last byte of the answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::{Holder, Ledger, Memory, Origin, TraceContext};
use crate::clock::{self, Instant};
use crate::error::{Error, Result};
use crate::identity::Identity;

/// What an endpoint allows a request to cost and to say; made once at start from its policy and the configuration.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The endpoint's name in logs, metrics and the API document (`getHome`).
    pub endpoint: Arc<str>,
    /// Its path, with placeholders.
    pub route: Arc<str>,
    /// The whole time a request may take. Default 1 s.
    pub budget: Duration,
    /// The share of the budget after which optional and fallback parts degrade. Default 0.85.
    pub soft_share: f64,
    /// Reasons are told as `timeout` or `unavailable` only.
    pub coarse_reasons: bool,
    /// A degraded answer is a 503 unless the client asks for a partial one.
    pub strict: bool,
    /// At most so many elements of a list are joined. Default 100.
    pub join_limit: usize,
    /// At most so many calls of one join are under way at once. Default 8.
    pub join_at_once: usize,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            endpoint: "unmatched".into(),
            route: "".into(),
            budget: Duration::from_secs(1),
            soft_share: 0.85,
            coarse_reasons: false,
            strict: false,
            join_limit: 100,
            join_at_once: 8,
        }
    }
}

/// What the client wishes, beyond the path.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// `?parts=a,b`: which of the optional and fallback parts it wants; `None` for all.
    pub parts: Option<Vec<String>>,
    /// `?partial=true`: a degraded answer is welcome, where the endpoint is strict.
    pub partial: bool,
    /// `Request-Timeout`: less time than the endpoint would take.
    pub timeout: Option<Duration>,
}

/// One request.
#[derive(Debug)]
pub struct Context {
    /// Its own number, as a problem document names it.
    pub id: Uuid,
    /// The id that the client gave or that was made here; in every log line and on the answer.
    pub request_id: Arc<str>,
    /// The trace it belongs to.
    pub trace: TraceContext,
    /// What other systems say of that trace (`tracestate`).
    pub trace_state: Option<HeaderValue>,
    /// From where it comes.
    pub origin: Origin,
    /// What it may cost and say.
    pub terms: Arc<Terms>,
    /// What the client wishes.
    pub wishes: Wishes,
    /// The client's headers, for those that a configuration forwards by name.
    pub headers: HeaderMap,
    /// What its parts and calls came to.
    pub ledger: Ledger,
    /// What it has already been told.
    pub memory: Memory,
    /// The client sent credentials, good or bad.
    pub credentials_sent: bool,
    /// Only the endpoint's parts are wanted; nothing is called.
    pub survey: bool,
    started: Instant,
    deadline: Instant,
    identity: OnceLock<Result<Arc<Identity>>>,
    identity_read: AtomicBool,
}

impl Context {
    /// A request that begins now. `request_id` is the client's own; without one its number serves.
    #[must_use]
    pub fn new(
        request_id: Option<Arc<str>>,
        trace: TraceContext,
        terms: Arc<Terms>,
        wishes: Wishes,
        headers: HeaderMap,
    ) -> Self {
        let id = uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid();
        let started = clock::now();
        let budget = wishes.timeout.map_or(terms.budget, |wish| wish.min(terms.budget));
        Self {
            id,
            request_id: request_id.unwrap_or_else(|| id.to_string().into()),
            trace,
            trace_state: None,
            origin: Origin::default(),
            terms,
            wishes,
            headers,
            ledger: Ledger::default(),
            memory: Memory::default(),
            survey: false,
            credentials_sent: false,
            started,
            deadline: started + budget,
            identity: OnceLock::new(),
            identity_read: AtomicBool::new(false),
        }
    }

    /// When it came through the door.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// When the answer has to leave.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// When optional and fallback parts degrade, so that the answer leaves in time with what is there.
    #[must_use]
    pub fn soft_deadline(&self) -> Instant {
        self.started + (self.deadline - self.started).mul_f64(self.terms.soft_share)
    }

    /// Who asks, for those whose answer then depends on it: from here on the answer is private.
    ///
    /// # Errors
    /// When there are credentials that cannot be checked now: nobody knows who asks, which is not "nobody asks".
    pub fn identity(&self) -> Result<Option<&Arc<Identity>>> {
        self.identity_read.store(true, Ordering::Relaxed);
        self.identity.get().map(|identity| identity.as_ref().map_err(Error::clone)).transpose()
    }

    /// Who asks, for the log and for deciding on access; the answer does not depend on it.
    #[must_use]
    pub fn peek_identity(&self) -> Option<&Arc<Identity>> {
        self.identity.get().and_then(|identity| identity.as_ref().ok())
    }

    /// In whose account it goes what this request holds of what is scarce.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        self.origin.holder(self.peek_identity().map(|identity| &**identity))
    }

    /// Says who asks. The first word stands.
    pub fn identify(&self, identity: Result<Arc<Identity>>) {
        let _ = self.identity.set(identity);
    }

    /// Whether the answer depends on who asks.
    #[must_use]
    pub fn identity_was_read(&self) -> bool {
        self.identity_read.load(Ordering::Relaxed)
    }
}
