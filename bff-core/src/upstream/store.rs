//! Answers from what this request was already told, from the store, and from the store again when the call fails.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Request, Response};
use tower::Service;

use super::call::{Answer, again, answered, call_mut, call_of};
use super::flight::{Flown, Landed};
use super::reader::Reading;
use super::stack::Upstream;
use crate::body::Body;
use crate::cache::{Entry, Freshness, Key, Lookup};
use crate::clock;
use crate::context::CallOutcome;
use crate::error::{Error, Kind, Reason, Result};
use crate::fetched::{Head, Staleness};

pub(super) async fn store<Inner>(
    upstream: Arc<Upstream>,
    mut request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error> + Clone + Send + 'static,
    Inner::Future: Send,
{
    let call = call_of(&request)?;
    let (Some(key), Some(reader)) = (call.key.clone(), call.reader()) else { return inner.call(request).await };
    let (is_required, keeps) = (call.required, call.keeps.clone());
    let kept = |entry: &Entry, outcome, staleness, reading| kept(entry, &keeps, outcome, staleness, reading);
    let mut of_another_part = false;
    let mut before = None;
    if let Some(scope) = &call.scope {
        let (first, told) = scope.context.memory.ask::<Flown>(key.text(), scope.part);
        of_another_part = first != scope.part;
        match told.as_deref() {
            Some(Ok(landed)) if !landed.is_nothing => return Ok(landed.clone().answered(CallOutcome::Recalled)),
            // Not asked again in this request; but older data may stand in for it here as it did there.
            Some(told) => before = Some(told.clone().map(|landed| landed.answered(CallOutcome::Recalled))),
            None => {}
        }
    }
    let lookup = upstream.shared.store.look_up(&key).await;
    let reading = lookup.entry().map(|entry| reader.kept(&entry.body));
    let known = match (lookup, reading) {
        // Another version of this BFF kept it, whose type was another.
        (_, Some(Err(error))) => {
            tracing::debug!(%error, upstream = %upstream.name, "what is kept cannot be read");
            upstream.shared.store.supersede(&key, clock::now());
            None
        }
        // Who needs something asks again.
        (_, Some(Ok(Reading { value: None, .. }))) if is_required => None,
        (Lookup::Fresh(entry), Some(Ok(reading))) => return Ok(kept(&entry, CallOutcome::Hit, None, reading)),
        (Lookup::Revalidate(entry), Some(Ok(reading))) => {
            confirm(&mut request, &entry)?;
            refresh(&upstream, &key, &request, inner);
            return Ok(kept(&entry, CallOutcome::Revalidating, None, reading));
        }
        (Lookup::Expired(entry), Some(Ok(reading))) => {
            confirm(&mut request, &entry)?;
            Some((entry, reading))
        }
        (Lookup::Miss, _) | (_, None) => None,
    };
    let ended = match before {
        Some(before) => before,
        None => inner.call(request).await,
    };
    let reason = match &ended {
        Ok(response) if !is_nothing(response) => return ended,
        // There was something a moment ago, and a broken proxy says so, too.
        Ok(_) => Some(Reason::InvalidResponse),
        Err(error) => upstream_failed(error),
    };
    match (known, reason) {
        (Some((entry, reading)), Some(reason)) if entry.usable_on_error() && reading.value.is_some() => {
            tracing::debug!(error = ended.err().map(tracing::field::display), upstream = %upstream.name, "serving stale");
            Ok(kept(&entry, CallOutcome::Stale, Some(Staleness { age: entry.age(), reason }), reading))
        }
        _ => ended.map_err(|error| depends(error, of_another_part)),
    }
}

/// Whether an answer says that there is none.
pub(super) fn is_nothing(response: &Response<Body>) -> bool {
    response.extensions().get().is_some_and(|answer: &Answer| answer.is_nothing)
}

/// Asks for what is kept to be confirmed, if there is anything to ask by.
fn confirm(request: &mut Request<Body>, entry: &Arc<Entry>) -> Result<()> {
    if entry.ask_for_confirmation(request.headers_mut()) {
        call_mut(request)?.known = Some(entry.clone());
    }
    Ok(())
}

/// A kept answer on its way up.
fn kept(
    entry: &Entry,
    keeps: &[HeaderName],
    outcome: CallOutcome,
    staleness: Option<Staleness>,
    reading: Reading,
) -> Response<Body> {
    let freshness = Freshness {
        storable: true,
        private: entry.private,
        no_store: false,
        remaining: Some(entry.remaining()),
        for_clients: entry.remaining_for_clients(),
        overdue: entry.overdue(),
        age: entry.age(),
        while_revalidate: Duration::ZERO,
        if_error: Duration::ZERO,
        if_disconnected: Duration::ZERO,
        never_stale: entry.never_stale,
    };
    let (is_nothing, decoded) = (reading.value.is_none(), reading.value);
    answered(
        entry.body.clone(),
        Answer {
            outcome,
            staleness,
            freshness,
            headers: None,
            decoded,
            is_nothing,
            lost: None,
            head: Head::of(entry.status, &entry.headers, keeps),
        },
    )
}

/// Asks again behind the answer. Belongs to nobody: no caller's deadline; the identity is that of the key.
///
/// One for each key and a bounded number of them, and none while the upstream has its hands full; beyond that the
/// answer stays as it is until the next request.
fn refresh<Inner>(upstream: &Arc<Upstream>, key: &Key, request: &Request<Body>, mut inner: Inner)
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error> + Send + 'static,
    Inner::Future: Send,
{
    let shared = &upstream.shared;
    let busy = call_of(request).is_ok_and(|call| call.target.is_busy());
    if busy || shared.flights.is_under_way(key) || shared.background.is_closed() {
        return;
    }
    let Ok(permit) = shared.refreshes.clone().try_acquire_owned() else { return };
    let Some(mut again) = again(request) else { return };
    if let Ok(call) = call_mut(&mut again) {
        call.scope = None;
    }
    let name = upstream.name.clone();
    shared.background.spawn(async move {
        let _permit = permit;
        if let Err(error) = inner.call(again).await {
            tracing::debug!(%error, upstream = %name, "refresh failed, the kept answer stays");
        }
    });
}

/// The failures that older data may stand in for (RFC 5861 §4, and those that never became an answer).
pub(super) fn upstream_failed(error: &Error) -> Option<Reason> {
    match error.kind() {
        Kind::Timeout
        | Kind::Deadline
        | Kind::UpstreamError
        | Kind::Unreachable
        | Kind::CircuitOpen
        | Kind::Overloaded
        | Kind::InvalidResponse => error.reason(),
        _ => None,
    }
}

fn depends(error: Error, of_another_part: bool) -> Error {
    if of_another_part && !matches!(error.kind(), Kind::NotFound | Kind::Nothing) {
        error.of_dependency()
    } else {
        error
    }
}

impl Landed {
    /// The same answer for one more waiter.
    pub(super) fn answered(self, outcome: CallOutcome) -> Response<Body> {
        let Self { body, freshness, decoded, is_nothing, lost, head, .. } = self;
        answered(body, Answer { outcome, staleness: None, freshness, headers: None, decoded, is_nothing, lost, head })
    }
}
