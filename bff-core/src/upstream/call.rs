//! All that a layer may know of a request and of an answer.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};

use super::hosts::Host;
use super::reader::{Decoded, Reader};
use super::streams::Upload;
use super::target::Target;
use crate::body::Body;
use crate::cache::{Entry, Freshness, Key, Overrides};
use crate::clock::Instant;
use crate::context::{CallOutcome, Holder, Scope, TraceContext};
use crate::error::{Error, Evidence, Kind, Result};
use crate::fetched::{Head, Staleness};
use crate::identity::Fingerprint;
use crate::reading::Lost;
use crate::resilience::End;

/// What a client says of a request, in its extensions. Layers read this, never the method.
#[derive(Clone, Debug)]
pub struct Call {
    /// It changes nothing: it may be kept, shared, and sent as often as one likes.
    pub safe: bool,
    /// It is made in the name of the request's identity.
    pub per_identity: bool,
    /// The question, for store and flight; `None` for a call that nobody can share.
    pub key: Option<Key>,
    /// What else than its target tells its answer from others: headers of its own, a body.
    pub(super) mark: Option<Fingerprint>,
    /// Who waits for it; `None` below the flight and for refreshes, where it belongs to nobody.
    pub scope: Option<Scope>,
    /// Whether the page fails without it, of the part it was first made for; yes where nobody waits.
    pub(super) required: bool,
    /// The part it was first made for, as a label.
    pub part: Option<Cow<'static, str>>,
    /// In whose account the seat goes that it takes; nobody's for a refresh.
    pub(super) holder: Option<Holder>,
    /// The trace it belongs to.
    pub trace: TraceContext,
    /// What other systems say of that trace.
    pub(super) trace_state: Option<HeaderValue>,
    /// How long it may take.
    pub timeout: Duration,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// At most so many further attempts.
    pub retries: u32,
    /// A second attempt may run beside one that is late.
    pub hedged: bool,
    /// Until when the one for whom it is made waits, which the upstream is told; `None` where nobody does.
    pub(super) patience: Option<Instant>,
    /// When it has to end, once it has begun.
    pub deadline: Option<Instant>,
    /// How long its answer is kept where the answer does not say.
    pub overrides: Overrides,
    /// Headers of its answer that are told with the value.
    pub(super) keeps: Arc<[HeaderName]>,
    /// What becomes of its answer.
    pub(super) handling: Handling,
    /// What is kept and past its time, if this call asks for it to be confirmed.
    pub(super) known: Option<Arc<Entry>>,
    /// The version of the upstream that is asked.
    pub(super) target: Arc<Target>,
    /// The host of the present attempt.
    pub(super) host: Option<Arc<Host>>,
    /// The host that the next attempt had better not go to.
    pub(super) avoid: Option<Arc<str>>,
    /// Where a hedge learns which host was taken first.
    pub(super) taken: Option<Arc<OnceLock<Arc<str>>>>,
}

/// What becomes of an answer.
#[derive(Clone, Debug)]
pub(super) enum Handling {
    /// It is read to its end and as what it should be, so that garbage is the upstream's failure and not ours.
    Read(Reader),
    /// It belongs to a route, and is passed on as it comes.
    Pass(Arc<Passed>),
}

/// What layers know of a request that a route passes on. Nobody adds anything to it: the route has made its headers.
#[derive(Debug)]
pub(super) struct Passed {
    /// The body that the client is sending; `None` where all of it is here.
    pub(super) upload: Option<Arc<Upload>>,
}

impl Call {
    /// `None` for the call of a typed client.
    pub(super) fn passed(&self) -> Option<&Passed> {
        match &self.handling {
            Handling::Read(_) => None,
            Handling::Pass(passed) => Some(passed),
        }
    }

    /// How its answer is read; `None` for one that is passed on.
    pub(super) fn reader(&self) -> Option<Reader> {
        match self.handling {
            Handling::Read(reader) => Some(reader),
            Handling::Pass(_) => None,
        }
    }

    /// The body that the client is sending while the upstream reads it.
    pub(super) fn upload(&self) -> Option<&Arc<Upload>> {
        self.passed()?.upload.as_ref()
    }
}

/// What layers know of an answer, in its extensions, once its body is here.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) outcome: CallOutcome,
    pub(super) staleness: Option<Staleness>,
    pub(super) freshness: Freshness,
    /// Its headers, where it may be kept.
    pub(super) headers: Option<Arc<HeaderMap>>,
    pub(super) decoded: Option<Decoded>,
    /// It says that there is none.
    pub(super) is_nothing: bool,
    /// What its lists have lost.
    pub(super) lost: Option<Lost>,
    /// What is told of its head.
    pub(super) head: Head,
}

/// Whose fault an answer is, if anybody's. The transport sets it; layers read it, never the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// The upstream is well and says no (4xx).
    ClientFault,
    /// The upstream failed: 5xx, silence, garbage.
    UpstreamFault,
    /// The upstream asks for fewer calls (429), or is not to be asked now.
    Overloaded,
    /// Nothing can be said: the call was cut by its caller or never sent.
    Unknown,
}

impl Verdict {
    /// The verdict on the end of a call.
    #[must_use]
    pub fn of(result: &Result<Response<Body>>) -> Self {
        match result {
            Ok(response) => response.extensions().get().copied().unwrap_or(Self::Fine),
            Err(error) => match error.kind() {
                Kind::NotFound
                | Kind::Nothing
                | Kind::Forbidden
                | Kind::Rejected
                | Kind::Conflict
                | Kind::Precondition
                | Kind::Unprocessable => Self::ClientFault,
                Kind::Timeout | Kind::UpstreamError | Kind::Unreachable | Kind::InvalidResponse => Self::UpstreamFault,
                Kind::Overloaded => Self::Overloaded,
                _ => Self::Unknown,
            },
        }
    }
}

/// How the end of an attempt is counted by those who guard the upstream.
pub(super) fn end(result: &Result<Response<Body>>) -> End {
    match result.as_ref().err().map(Error::evidence) {
        Some(Evidence::Nothing | Evidence::Unsent | Evidence::LeftOut | Evidence::TurnedAway) => return End::Nothing,
        Some(Evidence::Refused) => return End::Refused,
        Some(Evidence::Question(question)) => return End::Unreadable(question),
        Some(Evidence::Usual | Evidence::Host) | None => {}
    }
    match Verdict::of(result) {
        Verdict::Fine | Verdict::ClientFault => End::Good,
        Verdict::UpstreamFault => End::Bad,
        // Our own refusal says nothing about the upstream.
        Verdict::Overloaded if result.as_ref().is_err_and(Error::is_unsent) => End::Nothing,
        Verdict::Overloaded => End::Overloaded,
        Verdict::Unknown => End::Nothing,
    }
}

/// The same, for those who learn from how long an attempt took. How long an upload takes says how fast the client is, and a
/// good end of it says nothing about the upstream's speed.
pub(super) fn timed_end(result: &Result<Response<Body>>, is_upload: bool) -> End {
    match end(result) {
        End::Good if is_upload => End::Nothing,
        end => end,
    }
}

/// The same request once more; `None` for one whose body is a stream.
pub(super) fn again(request: &Request<Body>) -> Option<Request<Body>> {
    Some(Spare::of(request)?.into_request())
}

/// What it takes to make a request once more. It is put aside before every attempt that may be repeated and hardly ever
/// needed, so the call stands in it as it is: extensions would have to allocate it, and a table for it.
pub(super) struct Spare {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    pub(super) call: Call,
}

impl Spare {
    /// `None` for a request whose body is a stream.
    pub(super) fn of(request: &Request<Body>) -> Option<Self> {
        let body = request.body().as_bytes()?.clone();
        // A call is all that requests in this stack have in their extensions.
        let call = call_of(request).ok()?.clone();
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Some(Self { method, uri, headers: request.headers().clone(), body, call })
    }

    pub(super) fn into_request(self) -> Request<Body> {
        let mut request = Request::new(Body::Bytes(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request.extensions_mut().insert(self.call);
        request
    }
}

/// The call that a request carries.
///
/// # Errors
/// A defect of ours: every request in the outbound stack is made by a client.
pub(super) fn call_of(request: &Request<Body>) -> Result<&Call> {
    request.extensions().get().ok_or_else(|| Error::internal("a request without a call in the outbound stack"))
}

pub(super) fn call_mut(request: &mut Request<Body>) -> Result<&mut Call> {
    request.extensions_mut().get_mut().ok_or_else(|| Error::internal("a request without a call in the outbound stack"))
}

/// An answer on its way up, once its body is here.
pub(super) fn answered(body: Bytes, answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::Bytes(body));
    response.extensions_mut().insert(answer);
    response
}
