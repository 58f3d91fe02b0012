//! One call for everybody who asks the same, and the one place that fills the store.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use http::header::{AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use tower::Service;

use super::call::{Answer, call_mut};
use super::reader::Decoded;
use super::stack::Upstream;
use crate::body::Body;
use crate::cache::{Entry, Freshness, Key, Store, compact};
use crate::clock::{self, Instant};
use crate::context::CallOutcome;
use crate::error::{Error, Kind, Result};
use crate::fetched::Head;
use crate::reading::Lost;

/// The end of a call, for each of its waiters.
pub(super) type Flown = Result<Landed>;

/// An answer whose body is here.
#[derive(Clone)]
pub(super) struct Landed {
    pub(super) body: Bytes,
    pub(super) freshness: Freshness,
    headers: Option<Arc<HeaderMap>>,
    pub(super) decoded: Option<Decoded>,
    /// It says that there is none.
    pub(super) is_nothing: bool,
    /// What its lists have lost.
    pub(super) lost: Option<Lost>,
    /// What is told of its head.
    pub(super) head: Head,
}

impl std::fmt::Debug for Landed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Landed").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

pub(super) async fn flight<Inner>(
    upstream: Arc<Upstream>,
    mut request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error> + Send + 'static,
    Inner::Future: Send,
{
    let call = call_mut(&mut request)?;
    let Some(key) = call.key.clone() else { return inner.call(request).await };
    let scope = call.scope.take();
    let keeps = call.keeps.clone();
    // Who waits for longer than the call may take anyway is told, and cut by, nothing of it.
    let longest = clock::now() + call.timeout;
    call.patience = call.patience.filter(|patience| *patience < longest);
    let patience = call.patience;
    let last_write = upstream.shared.store.last_write(&key);
    let (flight, joined) = upstream.shared.flights.board(&key, last_write, patience, || {
        let (shared, key) = (upstream.shared.clone(), key.clone());
        async move {
            let asked = clock::now();
            let call = AssertUnwindSafe(inner.call(request)).catch_unwind();
            let ended = match call.await {
                Ok(result) => result.and_then(land),
                // A waiter must not die of another one's call.
                Err(_) => Err(Error::internal("a call panicked")),
            };
            fill(&shared.store, &key, &ended, asked, &keeps);
            ended
        }
    });
    let ended = flight.await;
    if let Some(scope) = scope {
        // The decoded value goes to whoever asked now; who asks again decodes again.
        let told: Flown = match &ended {
            Ok(landed) => Ok(Landed { decoded: None, headers: None, ..landed.clone() }),
            Err(error) => Err(error.clone()),
        };
        scope.context.memory.remember(key.text(), Arc::new(told));
    }
    ended.map(|landed| landed.answered(if joined { CallOutcome::Collapsed } else { CallOutcome::Live }))
}

/// Takes the answer apart so that it can be shared.
fn land(response: Response<Body>) -> Flown {
    let (mut parts, body) = response.into_parts();
    match (parts.extensions.remove::<Answer>(), body) {
        (Some(answer), Body::Bytes(body)) => {
            let Answer { freshness, headers, decoded, is_nothing, lost, head, .. } = answer;
            Ok(Landed { body, freshness, headers, decoded, is_nothing, lost, head })
        }
        _ => Err(Error::internal("an answer that was not collected cannot be shared")),
    }
}

/// What is needed to confirm an answer later, and to know then how long it is good for.
fn is_needed_again(name: &HeaderName) -> bool {
    matches!(*name, ETAG | LAST_MODIFIED | CACHE_CONTROL | EXPIRES | DATE | AGE) || Freshness::is_said_by(name)
}

/// A failed call never touches what is kept; a definite "there is none" (404) does.
fn fill(store: &Store, key: &Key, ended: &Flown, asked: Instant, keeps: &[HeaderName]) {
    match ended {
        // It is not whole, and is no reason to forget what was.
        Ok(Landed { lost: Some(_), .. }) => {}
        // So may a broken proxy say it: what would stand in for a failure stands in for that, too.
        Ok(Landed { is_nothing: true, .. }) if store.stands_in(key) => {}
        Ok(Landed { body, freshness, headers: Some(headers), .. }) => {
            let (status, body, cut) = (StatusCode::OK, compact(body), store.cut());
            let entry = Entry::new(status, headers, body, freshness, asked, cut, |name| {
                is_needed_again(name) || keeps.contains(name)
            });
            store.keep(key, &Arc::new(entry));
        }
        // What was kept before is older than this answer, which nobody may keep.
        Ok(_) => store.supersede(key, asked),
        Err(error) if error.kind() == Kind::NotFound => store.supersede(key, asked),
        Err(_) => {}
    }
}
