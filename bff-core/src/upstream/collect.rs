//! Reads the whole answer, within bounds, and turns what is no usable answer into an error.

use std::error::Error as StdError;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::response::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};

use super::call::{Answer, Call, Handling, answered, call_of};
use super::reader::{NULL, Reader, is_empty};
use super::stack::Upstream;
use super::trouble::Refusal;
use crate::body::Body;
use crate::cache::{Entry, Freshness, Keeper};
use crate::clock;
use crate::context::CallOutcome;
use crate::error::{Error, Evidence, Kind, Result};
use crate::fetched::Head;
use crate::reading::{coding, without_mark};

pub(super) async fn collect<Inner>(
    upstream: Arc<Upstream>,
    request: Request<Body>,
    inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let call = call_of(&request)?;
    let &Call { safe, per_identity, overrides, ref known, .. } = call;
    let reader = match &call.handling {
        Handling::Read(reader) => *reader,
        // A route's answer is its client's to read: its status stands, and its verdict is in its extensions.
        Handling::Pass(passed) => {
            let passed = passed.clone();
            return inner.oneshot(request).await.map_err(|error| passed.whose_failure(error));
        }
    };
    let keeps = call.keeps.clone();
    let (known, key, asked) = (known.clone(), call.key.clone(), clock::now());
    let target = request.uri().path_and_query().cloned();
    let of_question = |error| of_question(error, target.as_ref());
    let asking = Asking { safe, per_identity, reader };
    let (mut head, body) = inner.oneshot(request).await?.into_parts();
    let (body, reading) = match known {
        Some(known) if head.status == StatusCode::NOT_MODIFIED => {
            if !known.is_confirmed_by(&head.headers) {
                // It is not asked to confirm this again, or it would say the same until the entry's end.
                if let Some(key) = &key {
                    upstream.shared.store.keep(key, &Arc::new(known.without_validators()));
                }
                let error = Error::new(Kind::InvalidResponse).caused_by("a 304 for something that was not asked for");
                return Err(of_question(error));
            }
            let body = confirmed(&known, &mut head);
            let reading = reader.kept(&body).map_err(of_question)?;
            (body, reading)
        }
        _ => {
            let body = whole(&upstream, &mut head, body, asking).await.map_err(of_question)?;
            let reading = reader.arrived(&body).map_err(of_question)?;
            upstream.say_damaged(&reading.damaged);
            (reading.document.clone().unwrap_or(body), reading)
        }
    };
    let is_nothing = reading.value.is_none();
    if is_nothing && !safe {
        let error = Error::new(Kind::InvalidResponse).caused_by("it says nothing of what has become of the write");
        return Err(of_question(error));
    }
    let has_answer = matches!(head.status, StatusCode::OK | StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
    let mut freshness = if safe && has_answer {
        let keeper = Keeper { shared: !per_identity, overrides, ..Keeper::default() };
        // That there is none is kept like anything else that is said.
        Freshness::read(StatusCode::OK, &head.headers, &keeper, clock::wall(), clock::now() - asked)
    } else {
        Freshness::NOT_KEPT
    };
    if reading.lost.is_some() {
        // The next one may be whole.
        freshness = Freshness { private: freshness.private, ..Freshness::NOT_KEPT };
    }
    if !per_identity && freshness.private && !upstream.said_private.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            upstream = %upstream.name,
            "answers `private` to a call that is declared shared; such answers are not kept, and the page is private"
        );
    }
    let told = Head::of(head.status, &head.headers, &keeps);
    let headers = freshness.storable.then(|| Arc::new(head.headers));
    let (outcome, lost) = (CallOutcome::Live, reading.lost);
    let answer =
        Answer { outcome, staleness: None, freshness, headers, decoded: reading.value, is_nothing, lost, head: told };
    Ok(answered(body, answer))
}

/// What it depends on what an answer means.
#[derive(Clone, Copy)]
struct Asking {
    safe: bool,
    per_identity: bool,
    reader: Reader,
}

/// What is kept is still what the upstream has: as if it had sent it again.
fn confirmed(known: &Entry, head: &mut Parts) -> Bytes {
    head.headers = known.updated_headers(&head.headers);
    head.status = StatusCode::OK;
    known.body.clone()
}

async fn whole(upstream: &Upstream, head: &mut Parts, body: Body, asking: Asking) -> Result<Bytes> {
    if !head.status.is_success() {
        return Err(refused(head.status, &head.headers, asking));
    }
    let limit = usize::try_from(upstream.settings.response_limit.as_u64()).unwrap_or(usize::MAX);
    let body = read(body, limit).await?;
    let body = coding::decode(&mut head.headers, body, limit)
        .map_err(|error| Error::new(Kind::InvalidResponse).caused_by(error))?;
    if is_empty(&body) {
        let may_be = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT)
            // A write may have nothing to say, and who wants nothing gets it.
            || !asking.safe
            || asking.reader.wants_nothing
            || upstream.settings.empty_is_none;
        return if may_be { Ok(NULL) } else { Err(Error::new(Kind::InvalidResponse).caused_by("the answer is empty")) };
    }
    let of_any_type = asking.reader.of_any_type || upstream.settings.any_content_type;
    if !of_any_type && !is_json(&head.headers) {
        return Err(Error::new(Kind::InvalidResponse)
            .caused_by("the content type is not JSON")
            .with_evidence(Evidence::Host));
    }
    if !begins_as_json(&body) {
        return Err(Error::new(Kind::InvalidResponse).caused_by("no JSON").with_evidence(Evidence::Host));
    }
    Ok(body)
}

/// An answer that cannot be read says something of what was asked, until different questions fail so; what is no JSON at
/// all was most likely not written by the upstream's program, and is the host's failure.
fn of_question(error: Error, target: Option<&PathAndQuery>) -> Error {
    if error.kind() != Kind::InvalidResponse || error.evidence() != Evidence::Usual {
        return error;
    }
    let mut hasher = DefaultHasher::new();
    target.map(PathAndQuery::as_str).hash(&mut hasher);
    error.with_evidence(Evidence::Question(hasher.finish()))
}

/// Whether the first byte that counts can begin a JSON value (RFC 8259 §2); a byte order mark is looked over.
fn begins_as_json(body: &[u8]) -> bool {
    let first = without_mark(body).iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    first.is_some_and(|byte| matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'))
}

async fn read(mut body: Body, limit: usize) -> Result<Bytes> {
    let too_large = || Error::new(Kind::InvalidResponse).caused_by(format!("the answer is larger than {limit} bytes"));
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(broken)?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err(too_large());
        }
        // Most answers are one frame, and that needs no copy.
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            let expected = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(limit);
            rest.reserve(first.len() + data.len() + expected);
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

fn broken(error: Box<dyn StdError + Send + Sync>) -> Error {
    Error::new(Kind::Unreachable).caused_by(error).transient()
}

/// `application/json`, and every `+json` of RFC 6838 §4.2.8.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
        || kind.len() > 5 && kind.get(kind.len() - 5..).is_some_and(|suffix| suffix.eq_ignore_ascii_case("+json"))
}

/// What a status that is no success means. 409, 412 and 422 have a meaning of their own only for writes, and 403 only where
/// the call says who asks: a call that says nothing of that is refused because of us.
fn refused(status: StatusCode, headers: &HeaderMap, asking: Asking) -> Error {
    let Asking { safe, per_identity, .. } = asking;
    let kind = match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Kind::NotFound,
        StatusCode::FORBIDDEN if per_identity => Kind::Forbidden,
        StatusCode::TOO_MANY_REQUESTS => Kind::Overloaded,
        StatusCode::CONFLICT if !safe => Kind::Conflict,
        StatusCode::PRECONDITION_FAILED if !safe => Kind::Precondition,
        StatusCode::UNPROCESSABLE_ENTITY if !safe => Kind::Unprocessable,
        status if status.is_client_error() => Kind::Rejected,
        status if status.is_server_error() => Kind::UpstreamError,
        // Redirects are not followed, and 304 was not asked for.
        _ => Kind::InvalidResponse,
    };
    let error = Error::new(kind).caused_by(Refusal(status));
    let after = asked_to_wait(headers);
    // A 500 is most often a defect that strikes again; a 429 that does not say when is best left alone.
    let transient = match status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => true,
        StatusCode::TOO_MANY_REQUESTS => after.is_some(),
        _ => false,
    };
    let error = if transient { error.transient() } else { error };
    match after {
        Some(after) => error.with_retry_after(after),
        None => error,
    }
}

/// For how long the upstream asks to be left alone.
pub(super) fn asked_to_wait(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok()).and_then(retry_after)
}

/// Seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(text: &str) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_secs(24 * 3600);
    let after = match text.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(clock::wall()).unwrap_or_default(),
    };
    Some(after.min(LONGEST))
}
