//! One error for everything that can keep a part, or a page, from being there.

mod reason;
mod retry_after;
mod shown;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use crate::context::Need;

pub use reason::Reason;
pub use retry_after::RetryAfter;

/// The result of every call and every endpoint.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, with whose fault it is, where, and what the log should know.
///
/// Cheap to clone, because one failed flight is handed to all its waiters. It becomes HTTP in one place,
/// `edge/problem.rs`; what `Display` and `source` say is for logs, never for clients.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    upstream: Option<Arc<str>>,
    part: Option<(Cow<'static, str>, Need)>,
    dependency: bool,
    is_write: bool,
    unsent: bool,
    transient: bool,
    evidence: Evidence,
    host: Option<Arc<str>>,
    retry_after: Option<Duration>,
    detail: Option<Cow<'static, str>>,
    faults: Vec<InputFault>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What went wrong. Closed: a new way to fail gets a variant, and the compiler shows where it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The upstream says that there is no such thing (404, 410).
    NotFound,
    /// The upstream says that there is none (204, `null`). Where something is needed it is an invalid response.
    Nothing,
    /// The upstream refuses this identity (403 to a call in its name).
    Forbidden,
    /// A call that needs an identity, made for a request without one; nothing was sent.
    Anonymous,
    /// The upstream did not accept what *we* sent (400, 401, 403 to a call in nobody's name, and every other 4xx).
    Rejected,
    /// A write met a state that does not allow it (409).
    Conflict,
    /// A write's precondition did not hold (412).
    Precondition,
    /// A write's content was understood and refused (422).
    Unprocessable,
    /// The call ran into its own time limit.
    Timeout,
    /// The page's budget was used up before the call ended, or would have been.
    Deadline,
    /// The upstream answered 5xx.
    UpstreamError,
    /// No connection, or one that broke before the answer was complete.
    Unreachable,
    /// The breaker is open: nothing was sent.
    CircuitOpen,
    /// The upstream (429) or our own limit for it is full.
    Overloaded,
    /// An answer that is not what it should be: content type, size, syntax, a missing field.
    InvalidResponse,
    /// What the client sent is wrong; `faults` says where.
    Invalid(Input),
    /// No credentials, or credentials that do not hold.
    Unauthenticated,
    /// Credentials that hold, but do not suffice for this endpoint.
    NotAllowed,
    /// The credentials cannot be checked now.
    IssuerUnavailable,
    /// No endpoint at this path.
    NoSuchRoute,
    /// An endpoint, but not for this method.
    MethodNotAllowed,
    /// Nothing is kept that would do, and the client wants nothing else (`only-if-cached`).
    NotKept,
    /// A degraded answer, to a client that takes only whole ones.
    Incomplete(Reason),
    /// The BFF is full, or stopping.
    Busy,
    /// A defect of ours.
    Internal,
    /// Not an error: a survey of the endpoint's parts ends here. Never leaves the process.
    Surveyed,
}

/// What a failed attempt says of its upstream, for those who guard it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Evidence {
    /// What its kind says.
    #[default]
    Usual,
    /// That its host fails, whatever is asked.
    Host,
    /// Nothing: it was this process that was late.
    Nothing,
    /// The connection was refused: nobody listens there, and finding out cost neither time nor work.
    Refused,
    /// Nothing: the request was provably never looked at, because its connection was closed (RFC 9112 §9.3.1).
    Unsent,
    /// The same, because its connection was about to be, after as many requests as it takes, for one (GOAWAY, RFC 9113 §6.8).
    LeftOut,
    /// The same, because the upstream would not have it on this connection now (`REFUSED_STREAM`, RFC 9113 §8.7).
    TurnedAway,
    /// Something of this question only (a number that is the same for the same question): the upstream answered, and we
    /// cannot read what. One bad record is no bad upstream.
    Question(u64),
}

/// What about the client's input is wrong; each has its own status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A parameter, or JSON that cannot be read (400).
    Malformed,
    /// JSON that can be read and says something impossible (422).
    Unprocessable,
    /// A body that is too large (413).
    TooLarge,
    /// A path and query that are too long (414).
    TargetTooLong,
    /// A content type that is not spoken here (415).
    MediaType,
    /// A body that did not arrive in time (408).
    TooSlow,
    /// An answer was asked for in a form that is not made here (406).
    NotAcceptable,
    /// A body in a transfer coding that is not spoken here (501).
    TransferCoding,
}

/// One mistake in what the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFault {
    /// JSON pointer (RFC 6901) into the body, or `?name` / `{name}` for a parameter.
    pub pointer: String,
    /// For people; says what would be right.
    pub detail: String,
}

impl Error {
    /// An error of this kind about which nothing else is known.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self(Arc::new(Inner {
            kind,
            upstream: None,
            part: None,
            dependency: false,
            is_write: false,
            unsent: false,
            transient: false,
            evidence: Evidence::Usual,
            host: None,
            retry_after: None,
            detail: None,
            faults: Vec::new(),
            source: None,
        }))
    }

    /// The client's input is wrong at `pointer` (JSON pointer, or `?name` / `{name}` for a parameter).
    #[must_use]
    pub fn invalid(input: Input, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Kind::Invalid(input)).with_faults(vec![InputFault { pointer: pointer.into(), detail: detail.into() }])
    }

    /// A defect of ours; `detail` goes to the log only.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Internal).caused_by(cause)
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Whose answer, or silence, it was.
    #[must_use]
    pub fn from_upstream(self, upstream: Arc<str>) -> Self {
        self.change(|inner| inner.upstream = Some(upstream))
    }

    /// In which part it happened; the innermost part stays.
    #[must_use]
    pub fn in_part(self, part: Cow<'static, str>, need: Need) -> Self {
        if self.0.part.is_some() { self } else { self.change(|inner| inner.part = Some((part, need))) }
    }

    /// The call that failed was first made by another part.
    #[must_use]
    pub fn of_dependency(self) -> Self {
        self.change(|inner| inner.dependency = true)
    }

    /// It was a write: what is not known to have failed may have happened.
    #[must_use]
    pub fn of_write(self) -> Self {
        self.change(|inner| inner.is_write = true)
    }

    /// No connection came about: the upstream has heard nothing.
    #[must_use]
    pub fn never_sent(self) -> Self {
        self.change(|inner| inner.unsent = true)
    }

    /// It may well be over in a moment: asking again can help.
    #[must_use]
    pub fn transient(self) -> Self {
        self.change(|inner| inner.transient = true)
    }

    /// What it says of the upstream, where that is not what its kind says.
    #[must_use]
    pub fn with_evidence(self, evidence: Evidence) -> Self {
        self.change(|inner| inner.evidence = evidence)
    }

    /// The same where something is needed: that there is none is then no answer at all.
    #[must_use]
    pub fn where_needed(self) -> Self {
        if self.0.kind != Kind::Nothing {
            return self;
        }
        self.change(|inner| inner.kind = Kind::InvalidResponse).caused_by("there is none, and it is needed")
    }

    /// At which of the upstream's hosts it happened; for the log.
    #[must_use]
    pub fn at_host(self, host: Arc<str>) -> Self {
        self.change(|inner| inner.host = Some(host))
    }

    /// When trying again may help.
    #[must_use]
    pub fn with_retry_after(self, after: Duration) -> Self {
        self.change(|inner| inner.retry_after = Some(after))
    }

    /// What a client may read about it, for people.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.change(|inner| inner.detail = Some(detail.into()))
    }

    /// Each mistake in the client's input.
    #[must_use]
    pub fn with_faults(self, faults: Vec<InputFault>) -> Self {
        self.change(|inner| inner.faults = faults)
    }

    /// What lies behind it, for the log.
    #[must_use]
    pub fn caused_by(self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.change(|inner| inner.source = Some(Arc::from(cause.into())))
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The upstream whose answer, or silence, it was.
    #[must_use]
    pub fn upstream(&self) -> Option<&str> {
        self.0.upstream.as_deref()
    }

    /// The host at which it happened.
    #[must_use]
    pub fn host(&self) -> Option<&Arc<str>> {
        self.0.host.as_ref()
    }

    /// Whether asking again can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.transient
    }

    /// What it says of the upstream.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        self.0.evidence
    }

    /// Whether the upstream has heard nothing.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        self.0.unsent
    }

    /// The part in which it happened, and how much the page needs that part.
    #[must_use]
    pub fn part(&self) -> Option<(&str, Need)> {
        self.0.part.as_ref().map(|(part, need)| (part.as_ref(), *need))
    }

    /// When trying again may help.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What a client may read about it.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Each mistake in the client's input.
    #[must_use]
    pub fn faults(&self) -> &[InputFault] {
        &self.0.faults
    }

    /// Whether a write failed.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.0.is_write
    }

    /// A write that may have happened: it was sent, and no answer says what became of it.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        self.0.is_write && !self.0.unsent && matches!(self.0.kind, Kind::Timeout | Kind::Deadline | Kind::Unreachable)
    }

    /// What `meta` says of a part that failed so; `None` where the part simply is not there (404, 204).
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        if matches!(self.0.kind, Kind::NotFound | Kind::Nothing) {
            return None;
        }
        if self.0.dependency {
            return Some(Reason::Dependency);
        }
        Some(match self.0.kind {
            Kind::Timeout => Reason::Timeout,
            Kind::Deadline => Reason::Deadline,
            Kind::Unreachable | Kind::IssuerUnavailable => Reason::Unreachable,
            Kind::CircuitOpen => Reason::CircuitOpen,
            Kind::Overloaded | Kind::Busy => Reason::Overloaded,
            Kind::InvalidResponse => Reason::InvalidResponse,
            Kind::Forbidden | Kind::Anonymous => Reason::NotEntitled,
            Kind::Incomplete(reason) => reason,
            _ => Reason::UpstreamError,
        })
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self::new(kind)
    }
}
