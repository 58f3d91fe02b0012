//! The cache of routes: an HTTP cache (RFC 9111) between a client and the upstream that it is passed on to.
//!
//! It stands in front of the outbound stack, because it works on requests and answers as they are; what is asked of the
//! upstream goes down the stack like everything else.
//!
//! - An answer that may be kept is read whole before it is handed out, so that all who ask the same meanwhile get it, and
//!   so that one that breaks off is no answer. One that may not be kept, or is too large, streams to whoever asked first;
//!   the others then ask for themselves, all at once.
//! - A request with credentials is never answered together with another, and its answer is kept only where that says so
//!   (RFC 9111 §3.5). With an identity of ours the answer belongs to that identity.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use http::header::{AGE, AUTHORIZATION, COOKIE, IF_MATCH, IF_UNMODIFIED_SINCE, RANGE, VARY};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;

use super::change::{Change, origin};
use super::fill::{Fill, Filled, Flown};
use super::store::upstream_failed;
use super::target::Target;
use super::variant::chosen;
use super::{Client, Passing};
use crate::body::Body;
use crate::cache::{CacheStatus, Entry, Flight, Key, Lookup, Selected, Why, Wishes, is_known, not_modified};
use crate::clock::{self, Instant};
use crate::context::CallOutcome;
use crate::error::{Error, Kind, Reason, Result};

/// Answers from what is kept, or asks.
pub(super) async fn cached(client: &Client, request: Request<Body>, how: &Passing) -> Result<Response<Body>> {
    let started = clock::now();
    // Chosen once: it is part of the key, and what is brought for that key has to be its.
    let version = chosen(&client.upstream, &how.context)?.cloned();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD) && request.body().is_end_stream();
    if !reads {
        return forward(client, request, how, version, Why::Method).await;
    }
    let wishes = Wishes::read(request.headers());
    // The second guards against a change that only the origin knows of (RFC 9110 §13.1.1).
    let guarded = [IF_MATCH, IF_UNMODIFIED_SINCE].iter().any(|name| request.headers().contains_key(name));
    let around = if wishes.no_store { Some(Why::Request) } else { guarded.then_some(Why::Bypass) };
    if let Some(why) = around {
        if wishes.only_if_cached {
            return Err(Error::new(Kind::NotKept));
        }
        return forward(client, request, how, version, why).await;
    }
    let primary = key(client, &request, how, version.as_deref());
    let Selected { key, lookup, varies } = client.upstream.shared.store.select(&primary, request.headers()).await;
    let (head, _) = request.into_parts();
    let asked = Asked { client, how, version, head, wishes, primary, key, started };
    let (known, why) = match lookup {
        Lookup::Fresh(entry) if asked.suits(&entry) => return Ok(asked.hit(&entry, CallOutcome::Hit, None)),
        Lookup::Revalidate(entry) if asked.suits(&entry) => {
            asked.refresh(&entry);
            return Ok(asked.hit(&entry, CallOutcome::Revalidating, Some("refreshing")));
        }
        Lookup::Revalidate(entry) | Lookup::Expired(entry) if asked.suits_past_its_time(&entry) => {
            return Ok(asked.hit(&entry, CallOutcome::Hit, Some("max-stale")));
        }
        Lookup::Fresh(entry) => (Some(entry), Why::Request),
        Lookup::Revalidate(entry) | Lookup::Expired(entry) => (Some(entry), Why::Stale),
        Lookup::Miss if varies => (None, Why::VaryMiss),
        Lookup::Miss => (None, Why::UriMiss),
    };
    if asked.wishes.only_if_cached {
        return Err(Error::new(Kind::NotKept));
    }
    if asked.head.method == Method::HEAD {
        return asked.head(known, why).await;
    }
    if known.is_none() && asked.head.headers.contains_key(RANGE) {
        // A part is not kept, and asking for the whole would cost more than was asked for.
        return forward(client, asked.request(), how, asked.version, Why::Partial).await;
    }
    asked.get(known, why).await
}

/// Passes on what the store has no part in. A change that succeeded makes old what is kept of it.
async fn forward(
    client: &Client,
    request: Request<Body>,
    how: &Passing,
    version: Option<Arc<Target>>,
    why: Why,
) -> Result<Response<Body>> {
    let (safe, change) = (request.method().is_safe(), Change::of(client, &request, how));
    let mut response = client.within(how, safe, client.forward(request, how, version)).await?;
    if let Some(change) = change {
        change.answered(&response);
    }
    CacheStatus::forwarded(why).append_to(response.headers_mut());
    Ok(response)
}

/// The whole target, as the client named it, in the words of the upstream's paths; what the route makes of the request; and
/// the version that is asked.
fn key(client: &Client, request: &Request<Body>, how: &Passing, version: Option<&Target>) -> Key {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let origin = origin(request.headers());
    let key = Key::passed(how.identity.as_deref(), &client.upstream.name, &origin, target).of_flavour(&how.flavour);
    match version.and_then(|version| version.variant.as_deref()) {
        Some(variant) => key.of_variant(variant),
        None => key,
    }
}

/// A GET or HEAD whose answer may be kept.
struct Asked<'a> {
    client: &'a Client,
    how: &'a Passing,
    version: Option<Arc<Target>>,
    head: Parts,
    wishes: Wishes,
    primary: Key,
    key: Key,
    started: Instant,
}

impl Asked<'_> {
    /// Whether the client is content with an entry inside its time (RFC 9111 §5.2.1).
    fn suits(&self, entry: &Entry) -> bool {
        let Wishes { no_cache, max_age, min_fresh, .. } = self.wishes;
        !no_cache
            && max_age.is_none_or(|most| entry.age() <= Duration::from_secs(most))
            && min_fresh.is_none_or(|least| entry.remaining() >= Duration::from_secs(least))
    }

    /// Whether the client is content with one past its time, and may be.
    fn suits_past_its_time(&self, entry: &Entry) -> bool {
        let Some(limit) = self.wishes.max_stale else { return false };
        !entry.never_stale && self.suits(entry) && entry.overdue() <= Duration::from_secs(limit)
    }

    /// Whether it may stand in for what could not be had.
    fn stands_in(&self, entry: &Entry, error: &Error) -> bool {
        let disconnected = matches!(error.kind(), Kind::Unreachable | Kind::CircuitOpen);
        let usable = entry.usable_on_error() || (disconnected && entry.usable_when_disconnected());
        usable && !self.wishes.no_cache && upstream_failed(error).is_some()
    }

    /// The same where it was an answer that says so (RFC 5861 §4).
    fn stands_in_for(&self, entry: &Entry, status: StatusCode) -> bool {
        is_failure(status) && entry.usable_on_error() && !self.wishes.no_cache
    }

    fn hit(&self, entry: &Entry, outcome: CallOutcome, detail: Option<&'static str>) -> Response<Body> {
        self.count(outcome);
        let mut response = self.answer(entry);
        CacheStatus::Hit { ttl: ttl(entry), detail }.append_to(response.headers_mut());
        response
    }

    fn answer(&self, entry: &Entry) -> Response<Body> {
        entry.answer(&self.head.method, &self.head.headers).map(Body::Bytes)
    }

    fn count(&self, outcome: CallOutcome) {
        let upstream = &self.client.upstream;
        upstream.shared.metrics.call(&upstream.name, outcome, None, clock::now() - self.started);
    }

    /// A HEAD goes to the upstream as it is. What it says of a kept GET updates that, or makes it old (RFC 9111 §4.3.5).
    async fn head(self, known: Option<Arc<Entry>>, why: Why) -> Result<Response<Body>> {
        let (fill, asked) = (self.fill(known.clone()), clock::now());
        let answer = self.client.forward(self.request(), self.how, self.version.clone());
        let mut response = self.client.within(self.how, true, answer).await?;
        if let Some(known) = known.filter(|_| response.status() == StatusCode::OK) {
            fill.told_by_head(&known, &response, asked);
        }
        CacheStatus::forwarded(why).append_to(response.headers_mut());
        Ok(response)
    }

    async fn get(self, known: Option<Arc<Entry>>, why: Why) -> Result<Response<Body>> {
        let mut fill = self.fill(known.clone());
        // What is not kept is not waited for, and the client's own conditions may spare its body.
        fill.as_it_is = known.is_none() && self.client.upstream.shared.store.is_not_shared(&self.primary);
        let alone = fill.credentials || fill.as_it_is;
        let mut joined = false;
        let flown = self.client.within(self.how, true, async {
            if alone {
                return fill.run().await;
            }
            let (flight, with_others) = board(fill, &self.primary, &self.key);
            joined = with_others;
            flight.await
        });
        let flown = match flown.await {
            // Brought for somebody else, whom alone it is for: what may not be kept, or not without asking again, or says
            // something else to who says something else.
            Ok(Filled::Kept { ref entry, .. }) if joined && !self.is_meant(entry).await => {
                self.alone(known.clone()).await
            }
            Ok(Filled::Alone { status, .. }) if joined => match known.clone() {
                // One was told that it fails; nobody else has to hear it for older data to stand in.
                Some(known) if self.stands_in_for(&known, status) => {
                    return Ok(self.stale(&known, why, Some(status), "upstream-error"));
                }
                known => self.alone(known).await,
            },
            flown => flown,
        };
        match flown {
            Ok(Filled::Kept { entry, confirmed, stored }) => Ok(self.brought(&entry, why, confirmed, stored, joined)),
            Ok(Filled::Alone { status, response }) => match known.filter(|known| self.stands_in_for(known, status)) {
                Some(known) => Ok(self.stale(&known, why, Some(status), "upstream-error")),
                // It is nobody else's, so it is still there.
                None => match response.take() {
                    Some(response) => Ok(self.passed(response, why)),
                    None => Err(Error::internal("an answer that somebody else has")),
                },
            },
            Err(error) => match known.filter(|known| self.stands_in(known, &error)) {
                Some(known) => {
                    tracing::debug!(%error, upstream = %self.client.upstream.name, "serving stale");
                    Ok(self.stale(&known, why, None, error.reason().map_or("failed", Reason::as_str)))
                }
                None => Err(error),
            },
        }
    }

    /// What is kept, past its time, because there is nothing better.
    fn stale(&self, entry: &Entry, why: Why, status: Option<StatusCode>, detail: &'static str) -> Response<Body> {
        self.count(CallOutcome::Stale);
        let mut response = self.answer(entry);
        CacheStatus::Forwarded { why, status, stored: false, collapsed: false, detail: Some(detail) }
            .append_to(response.headers_mut());
        response
    }

    /// An answer that was just brought, or confirmed, and is kept.
    fn brought(
        &self,
        entry: &Entry,
        why: Why,
        confirmed: Option<StatusCode>,
        stored: bool,
        collapsed: bool,
    ) -> Response<Body> {
        let mut response = self.answer(entry);
        if collapsed {
            self.count(CallOutcome::Collapsed);
        } else if confirmed.is_none() {
            // It comes from the upstream, to this request: its age is what that says.
            match entry.headers.get(AGE) {
                Some(age) => response.headers_mut().insert(AGE, age.clone()),
                None => response.headers_mut().remove(AGE),
            };
        }
        // What the upstream said, where the client is told something else.
        let said = confirmed.unwrap_or(entry.status);
        let status = Some(said).filter(|said| *said != response.status());
        CacheStatus::Forwarded { why, status, stored, collapsed, detail: None }.append_to(response.headers_mut());
        response
    }

    /// An answer that is not kept: as it comes, but for what the client has already.
    fn passed(&self, mut response: Response<Body>, why: Why) -> Response<Body> {
        let mut status = None;
        if response.status() == StatusCode::OK && is_known(response.headers(), &self.head.headers) {
            status = Some(response.status());
            response = not_modified(response).map(|()| Body::empty());
        }
        CacheStatus::Forwarded { why, status, stored: false, collapsed: false, detail: None }
            .append_to(response.headers_mut());
        response
    }

    /// Whether an answer that was brought for somebody else may be this one's (RFC 9111 §4).
    async fn is_meant(&self, entry: &Entry) -> bool {
        if entry.remaining().is_zero() && !entry.usable_while_revalidating() {
            return false;
        }
        if !entry.headers.contains_key(VARY) {
            return true;
        }
        let selected = self.client.upstream.shared.store.select(&self.primary, &self.head.headers).await;
        matches!(selected.lookup, Lookup::Fresh(own) | Lookup::Revalidate(own) | Lookup::Expired(own) if own.is(entry))
    }

    async fn alone(&self, known: Option<Arc<Entry>>) -> Flown {
        self.client.within(self.how, true, self.fill(known).run()).await
    }

    fn fill(&self, known: Option<Arc<Entry>>) -> Fill {
        let headers = &self.head.headers;
        Fill {
            client: self.client.clone(),
            how: self.how.clone(),
            version: self.version.clone(),
            primary: self.primary.clone(),
            target: self.head.uri.clone(),
            headers: headers.clone(),
            known,
            as_it_is: false,
            credentials: headers.contains_key(AUTHORIZATION) || headers.contains_key(COOKIE),
        }
    }

    /// The client's own request.
    fn request(&self) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = self.head.uri.clone();
        *request.headers_mut() = self.head.headers.clone();
        request
    }

    /// Asks again behind the answer: one for each key and a bounded number of them, and none while the upstream has its
    /// hands full.
    fn refresh(&self, known: &Arc<Entry>) {
        let shared = &self.client.upstream.shared;
        let busy = self.version.as_ref().unwrap_or(&self.client.upstream.main).is_busy();
        let under_way = [self.key.clone(), self.key.aside()];
        if busy || under_way.iter().any(|key| shared.passing.is_under_way(key)) || shared.background.is_closed() {
            return;
        }
        let Ok(permit) = shared.refreshes.clone().try_acquire_owned() else { return };
        let fill = self.fill(Some(known.clone()));
        let (primary, mut key, name) = (self.primary.clone(), self.key.clone(), self.client.upstream.name.clone());
        if fill.credentials {
            // Made in somebody's name: nobody else may wait for it.
            key = key.aside();
        }
        shared.background.spawn(async move {
            let _permit = permit;
            let (flight, _) = board(fill, &primary, &key);
            if let Err(error) = flight.await {
                tracing::debug!(%error, upstream = %name, "refresh failed, the kept answer stays");
            }
        });
    }
}

/// One call for all who ask the same and carry no credentials.
fn board(fill: Fill, primary: &Key, key: &Key) -> (Flight<Flown>, bool) {
    let shared = fill.client.upstream.shared.clone();
    let not_before = shared.store.last_write(primary).max(shared.store.written_over(primary));
    shared.passing.board(key, not_before, None, || async move {
        // A waiter must not die, nor wait for ever, because of another one's call.
        let ended = AssertUnwindSafe(fill.run()).catch_unwind().await;
        ended.unwrap_or_else(|_| Err(Error::internal("a call panicked")))
    })
}

/// What `stale-if-error` is for (RFC 5861 §4).
fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// RFC 9211 §2.5, in whole seconds.
fn ttl(entry: &Entry) -> i64 {
    let left = i64::try_from(entry.remaining().as_secs()).unwrap_or(i64::MAX);
    left - i64::try_from(entry.overdue().as_secs()).unwrap_or(0)
}
