//! What a typed client is told, and what the ledger notes of it.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use http::Response;

use super::call::Answer;
use super::reader::{Decoded, Reader};
use super::stack::Upstream;
use crate::body::Body;
use crate::context::{CallOutcome, CallRecord, Freshness, Scope};
use crate::error::{Error, Kind, Result};

/// The value in an answer: the one that was read when it arrived, or, where it is shared or kept, read again. `None` where
/// it says that there is none.
pub(super) fn open<T: Send + Sync + 'static>(response: Response<Body>, reader: Reader) -> Result<(Option<T>, Answer)> {
    let (mut head, body) = response.into_parts();
    let mut answer: Answer =
        head.extensions.remove().ok_or_else(|| Error::internal("an answer that was not collected"))?;
    if answer.is_nothing {
        return Ok((None, answer));
    }
    if let Some(value) = answer.decoded.take().and_then(own::<T>) {
        return Ok((Some(value), answer));
    }
    let body = body.as_bytes().cloned().unwrap_or_default();
    match reader.arrived(&body)?.value.and_then(own::<T>) {
        Some(value) => Ok((Some(value), answer)),
        None => Err(Error::internal("a value that was read twice")),
    }
}

fn own<T: Any + Send + Sync>(decoded: Decoded) -> Option<T> {
    Arc::into_inner(decoded.downcast::<T>().ok()?)
}

pub(super) fn record<T>(
    scope: &Scope,
    upstream: &Upstream,
    per_identity: bool,
    safe: bool,
    took: Duration,
    result: &Result<(Option<T>, Answer)>,
) -> CallRecord {
    let (outcome, staleness, freshness, private) = match result {
        Ok((None, answer)) => (CallOutcome::Absent, None, kept_by_clients(answer, safe), answer.freshness.private),
        Ok((_, answer)) => (answer.outcome, answer.staleness, kept_by_clients(answer, safe), answer.freshness.private),
        Err(error) => match error.kind() {
            Kind::NotFound => (CallOutcome::Absent, None, Freshness::Revalidate, false),
            kind @ (Kind::Forbidden | Kind::Anonymous) => {
                (CallOutcome::Failed(kind), None, Freshness::Revalidate, true)
            }
            kind => (CallOutcome::Failed(kind), None, Freshness::NoStore, false),
        },
    };
    CallRecord {
        part: scope.part,
        upstream: upstream.name.clone(),
        private: private || per_identity,
        freshness,
        vary: upstream.vary.clone(),
        outcome,
        staleness,
        lost: result.as_ref().ok().and_then(|(_, answer)| answer.lost),
        took,
    }
}

/// How long a client may keep what was made from this answer.
fn kept_by_clients(answer: &Answer, safe: bool) -> Freshness {
    if answer.freshness.no_store || !safe {
        return Freshness::NoStore;
    }
    match answer.outcome {
        CallOutcome::Revalidating | CallOutcome::Stale => Freshness::Revalidate,
        _ => match answer.freshness.for_clients {
            Some(left) if left >= Duration::from_secs(1) => Freshness::For(left),
            _ => Freshness::Revalidate,
        },
    }
}
