//! Says what is wrong with an upstream: in the log, once for each cause and minute, and to operators.
//!
//! It stands where nothing belongs to one caller: what it sees has been tried again as often as it may be, and whether a page
//! then shows something older instead, or nothing, changes nothing of what it says.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use serde::Serialize;
use tower::Service;

use super::call::{Answer, Verdict, call_of};
use super::stack::Upstream;
use crate::body::Body;
use crate::clock::{self, Instant};
use crate::error::{Error, Kind, Result};
use crate::reading::Unreadable;

/// One cause is said once in this time.
const PAUSE: Duration = Duration::from_secs(60);
/// So many causes are said in that time; who has more has one cause for all.
const MOST_SAID: usize = 16;
/// The longest cause that is said, in bytes: what lies behind an error may quote a lot.
const LONGEST: usize = 240;

/// A status that is no success, as the cause of an error.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) StatusCode);

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "status {}", self.0.as_u16())
    }
}

impl StdError for Refusal {}

/// What went wrong with one upstream so far.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// Calls that it refused because of who we are, since the start.
    refused: AtomicU64,
    /// The same, since it last gave an answer.
    refused_in_a_row: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    // bound: MOST_SAID causes
    said: Vec<(u64, Instant)>,
    last: Option<(Trouble, Instant)>,
}

/// One thing that went wrong.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    kind: &'static str,
    pub(super) cause: String,
    field: Option<String>,
    host: Option<Arc<str>>,
    is_ours: bool,
    number: u64,
}

/// What went wrong last with an upstream.
#[derive(Clone, Debug, Serialize)]
pub struct LastError {
    /// `timeout`, `unreachable`, `upstream_error`, `invalid_response`, `overloaded`, `deadline` or `rejected` (it does not
    /// accept what we sent).
    pub kind: &'static str,
    /// The cause, in words.
    pub cause: String,
    /// Where in its answer, if it is known; never what stands there.
    pub field: Option<String>,
    /// At which host, if one was asked.
    pub host: Option<String>,
    /// How long ago.
    pub seconds_ago: u64,
}

pub(super) async fn trouble<Inner>(
    upstream: Arc<Upstream>,
    request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    // The name of a joined field is made for each request; that of a part costs nothing.
    let part = match call_of(&request)?.part {
        Some(Cow::Borrowed(part)) => Some(part),
        Some(Cow::Owned(_)) | None => None,
    };
    let result = inner.call(request).await;
    match &result {
        Ok(response) => upstream.troubles.answered(&upstream, response),
        Err(error) => upstream.troubles.failed(&upstream, part, error),
    }
    result
}

impl Troubles {
    fn answered(&self, upstream: &Upstream, response: &Response<Body>) {
        if response.extensions().get::<Answer>().is_none()
            && let Some(Verdict::UpstreamFault | Verdict::Overloaded) = response.extensions().get()
        {
            // A route's: its client is told the status, and operators are, too.
            let kind = if response.status().is_server_error() { Kind::UpstreamError } else { Kind::Overloaded };
            return self.failed(upstream, None, &Error::new(kind).caused_by(Refusal(response.status())));
        }
        if self.refused_in_a_row.load(Ordering::Relaxed) > 0 {
            self.refused_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that a call has failed, and says why unless that was said a moment ago.
    pub(super) fn failed(&self, upstream: &Upstream, part: Option<&str>, error: &Error) {
        if is_of_credentials(error) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            self.refused_in_a_row.fetch_add(1, Ordering::Relaxed);
        }
        if error.kind() == Kind::CircuitOpen {
            return self.unasked(upstream, part);
        }
        let Some(trouble) = Trouble::of(error) else { return };
        let now = clock::now();
        let mut state = self.state();
        let is_new = state.is_new(trouble.number, now);
        state.last = Some((trouble.clone(), now));
        drop(state);
        if is_new {
            trouble.say(upstream, part);
        }
    }

    /// The circuit is open: why is what went wrong last.
    fn unasked(&self, upstream: &Upstream, part: Option<&str>) {
        let mut state = self.state();
        if !state.is_new(0, clock::now()) {
            return;
        }
        let last = state.last.as_ref().map(|(last, _)| last.clone());
        drop(state);
        let why = last.as_ref().map_or("what came before this start", |last| last.cause.as_str());
        let cause = format!("not asked, because its circuit is open after: {why}");
        let host = last.as_ref().and_then(|last| last.host.clone());
        Trouble { kind: "circuit_open", cause, field: None, host, is_ours: false, number: 0 }.say(upstream, part);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls that it refused because of who we are: since the start, and since it last gave an answer.
    pub(super) fn refused(&self) -> (u64, u64) {
        (self.refused.load(Ordering::Relaxed), self.refused_in_a_row.load(Ordering::Relaxed))
    }

    /// What went wrong last.
    pub(super) fn last(&self, now: Instant) -> Option<LastError> {
        let (trouble, at) = self.state().last.clone()?;
        let Trouble { kind, cause, field, host, .. } = trouble;
        let seconds_ago = now.saturating_duration_since(at).as_secs();
        Some(LastError { kind, cause, field, host: host.map(|host| host.to_string()), seconds_ago })
    }
}

impl State {
    fn is_new(&mut self, number: u64, now: Instant) -> bool {
        self.said.retain(|(_, at)| now.saturating_duration_since(*at) < PAUSE);
        if self.said.len() >= MOST_SAID || self.said.iter().any(|(said, _)| *said == number) {
            return false;
        }
        self.said.push((number, now));
        true
    }
}

impl Trouble {
    /// `None` for an end that is no trouble: there is none, it is not for this visitor, the write met another state.
    pub(super) fn of(error: &Error) -> Option<Self> {
        let source = error.source();
        let status = source.and_then(|source| source.downcast_ref::<Refusal>()).map(|refusal| refusal.0);
        let because = || behind(source);
        let (kind, cause) = match error.kind() {
            Kind::Timeout => ("timeout", "gives no answer in time (timeout, attempt_timeout)".to_owned()),
            Kind::Deadline => ("deadline", "gives no answer before the page has to leave".to_owned()),
            Kind::UpstreamError => ("upstream_error", format!("fails: {}", because())),
            Kind::Unreachable => ("unreachable", format!("cannot be reached: {}", because())),
            Kind::Overloaded if error.is_unsent() => {
                ("overloaded", "is not asked: as many calls as it can bear are under way (bulkhead)".to_owned())
            }
            Kind::Overloaded => ("overloaded", format!("asks for fewer calls: {}", because())),
            Kind::Rejected if is_of_credentials(error) => {
                ("rejected", format!("does not accept our credentials (request_headers): {}", because()))
            }
            Kind::Rejected => ("rejected", format!("does not accept what we ask: {}", because())),
            Kind::InvalidResponse if status.is_some_and(|status| status.is_redirection()) => {
                ("invalid_response", format!("redirects, which is not followed: {}", because()))
            }
            Kind::InvalidResponse => ("invalid_response", format!("sends what cannot be used: {}", because())),
            _ => return None,
        };
        let is_ours = matches!(error.kind(), Kind::Deadline)
            || error.kind() == Kind::Overloaded && error.is_unsent()
            || error.kind() == Kind::Rejected && !is_of_credentials(error);
        let mut hasher = DefaultHasher::new();
        (kind, status.map(|status| status.as_u16())).hash(&mut hasher);
        // At another line, or in another row, it is the same cause.
        cause.bytes().filter(|byte| !byte.is_ascii_digit()).for_each(|byte| byte.hash(&mut hasher));
        let field = source.and_then(|source| source.downcast_ref::<Unreadable>()).map(|at| at.place().to_owned());
        Some(Self { kind, cause, field, host: error.host().cloned(), is_ours, number: hasher.finish() })
    }

    fn say(&self, upstream: &Upstream, part: Option<&str>) {
        let Self { kind, cause, field, host, is_ours, .. } = self;
        let (name, owner) = (&*upstream.name, upstream.settings.owner.as_str());
        let (field, host) = (field.as_deref(), host.as_deref());
        if *is_ours {
            tracing::info!(upstream = name, owner, host, part, kind, cause, field, "upstream in trouble");
        } else {
            tracing::warn!(upstream = name, owner, host, part, kind, cause, field, "upstream in trouble");
        }
    }
}

/// 401, 407, and 403 to a call in nobody's name: it is us whom it does not accept.
fn is_of_credentials(error: &Error) -> bool {
    let refusal = error.source().and_then(|source| source.downcast_ref::<Refusal>());
    error.kind() == Kind::Rejected && refusal.is_some_and(|refusal| matches!(refusal.0.as_u16(), 401 | 403 | 407))
}

/// What lies behind an error, in one line of bounded length.
fn behind(source: Option<&(dyn StdError + 'static)>) -> String {
    let mut text = String::new();
    let mut next = source;
    while let Some(cause) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string().escape_debug().to_string());
        next = cause.source();
    }
    if text.is_empty() {
        return "no cause is known".to_owned();
    }
    if let Some(end) = (0..=LONGEST.min(text.len())).rev().find(|at| text.is_char_boundary(*at)) {
        text.truncate(end);
    }
    text
}
