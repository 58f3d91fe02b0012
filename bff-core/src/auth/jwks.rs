//! The held key set of one issuer, and when it is fetched again.
//!
//! - Nothing held: every caller waits for one fetch. If it fails: unavailable, and no new one for
//!   `retry_pause`.
//! - Older than `refresh`: the held set serves on while one fetch runs behind the callers' backs. If it
//!   fails, the held set stays the last good one, until it is older than `keep`.
//! - A `kid` that is not in the set: one fetch for which the callers wait, at most one in
//!   `unknown_kid_pause`.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256};
use futures::future::{self, BoxFuture, FutureExt, Shared};
use jsonwebtoken::Algorithm;

use super::FetchKeys;
use super::key_set::{Key, KeySet, Lookup};
use super::refusal::{refused, unavailable};
use super::settings::IssuerSettings;
use crate::clock::{self, Instant};
use crate::error::{Error, Kind};

/// The keys of one issuer, as far as they are known now.
#[derive(Clone)]
pub(super) struct Jwks(Arc<Inner>);

struct Inner {
    name: String,
    settings: Arc<IssuerSettings>,
    accepted: Vec<Algorithm>,
    fetch: Arc<dyn FetchKeys>,
    /// Neither lock is ever held across an await, or while a document is read.
    held: RwLock<Option<Arc<Held>>>,
    fetching: Mutex<Fetching>,
}

/// A set that was fetched.
#[derive(Clone)]
struct Held {
    set: Arc<KeySet>,
    /// Counts the different sets that this process has seen; the same document again keeps its number.
    generation: u64,
    document: digest::Digest,
    fetched: Instant,
}

#[derive(Default)]
struct Fetching {
    flight: Option<Flight>,
    /// When the last fetch failed, and of what; `None` once one succeeded.
    failure: Option<(Instant, Error)>,
    /// When a fetch was last begun because of an unknown kid.
    for_kid: Option<Instant>,
}

/// One fetch, shared by everybody who waits for it.
///
/// It runs in a task of its own, at most one per issuer: were it driven by its waiters, a stranger could
/// begin it with an invented kid, hang up, and so use up the pause without ever letting a fetch end.
type Flight = Shared<BoxFuture<'static, Result<Arc<Held>, Error>>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    NothingHeld,
    Old,
    UnknownKid,
}

impl Jwks {
    pub(super) fn new(name: &str, settings: Arc<IssuerSettings>, fetch: Arc<dyn FetchKeys>) -> Self {
        Self(Arc::new(Inner {
            name: name.to_owned(),
            accepted: settings.accepted(),
            settings,
            fetch,
            held: RwLock::default(),
            fetching: Mutex::default(),
        }))
    }

    /// The number of the set that is believed now; `None` when there is none.
    ///
    /// Asking also keeps the set fresh, so that remembered tokens alone cannot keep a removed key alive.
    pub(super) fn generation(&self) -> Option<u64> {
        self.fresh().map(|held| held.generation)
    }

    /// The key for a token, and the number of the set it is from.
    ///
    /// # Errors
    /// `Unauthenticated` when the issuer has no such key, `IssuerUnavailable` when it cannot be asked.
    pub(super) async fn key(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<(Arc<Key>, u64), Error> {
        let (held, fetched_now) = match self.fresh() {
            Some(held) => (held, false),
            None => (self.flight(Why::NothingHeld, None)?.await?, true),
        };
        match held.set.find(kid, algorithm) {
            Lookup::Found(key) => return Ok((Arc::clone(key), held.generation)),
            Lookup::Misfit => return Err(refused("the token's key cannot be used for it")),
            Lookup::Unknown if fetched_now => return Err(unknown()),
            Lookup::Unknown => {}
        }
        let held = self.flight(Why::UnknownKid, Some(&held))?.await?;
        match held.set.find(kid, algorithm) {
            Lookup::Found(key) => Ok((Arc::clone(key), held.generation)),
            Lookup::Misfit => Err(refused("the token's key cannot be used for it")),
            Lookup::Unknown => Err(unknown()),
        }
    }

    /// The held set, if it may still be believed; has it renewed when it is old.
    fn fresh(&self) -> Option<Arc<Held>> {
        let held = self.held()?;
        if held.age() >= self.0.settings.refresh {
            // Nobody waits for it, and a failure is logged where it happens.
            drop(self.flight(Why::Old, Some(&held)));
        }
        Some(held)
    }

    fn held(&self) -> Option<Arc<Held>> {
        let held = self.0.held.read().unwrap_or_else(PoisonError::into_inner).clone();
        held.filter(|held| held.age() < self.0.settings.keep)
    }

    /// Joins the fetch that is under way, or begins one if that is allowed now. `seen` is the set that did
    /// not do.
    fn flight(&self, why: Why, seen: Option<&Arc<Held>>) -> Result<Flight, Error> {
        let settings = &self.0.settings;
        let mut fetching = self.0.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has ended and still stands here was aborted, with the runtime it ran in.
        if let Some(flight) = fetching.flight.as_ref().filter(|flight| flight.peek().is_none()) {
            return Ok(flight.clone());
        }
        // A fetch may have landed since the caller looked.
        if let Some(held) = self.held()
            && seen.is_none_or(|seen| !Arc::ptr_eq(seen, &held))
        {
            return Ok(future::ready(Ok(held)).boxed().shared());
        }
        let now = clock::now();
        let left = |since: Instant, pause: Duration| {
            (since + pause).checked_duration_since(now).filter(|left| !left.is_zero())
        };
        if let Some((since, cause)) = &fetching.failure
            && let Some(left) = left(*since, settings.retry_pause)
        {
            return Err(unavailable(cause.clone(), left));
        }
        if why == Why::UnknownKid {
            if let Some(left) = fetching.for_kid.and_then(|since| left(since, settings.unknown_kid_pause)) {
                // With the issuer down, this kid may well be one that it has made since.
                return Err(match &fetching.failure {
                    Some((_, cause)) => unavailable(cause.clone(), left),
                    None => unknown(),
                });
            }
            fetching.for_kid = Some(now);
        }
        let (task, pause) = (tokio::spawn(self.clone().renew()), settings.retry_pause);
        let flight = async move { task.await.unwrap_or_else(|cause| Err(unavailable(Error::internal(cause), pause))) };
        let flight = flight.boxed().shared();
        fetching.flight = Some(flight.clone());
        Ok(flight)
    }

    /// One fetch, from the call to the new state.
    async fn renew(self) -> Result<Arc<Held>, Error> {
        // A panic in somebody's `FetchKeys` must not leave a flight behind that never lands.
        let outcome = AssertUnwindSafe(self.0.load()).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| Err(Error::internal("fetching the key set panicked")));
        if let Err(cause) = &outcome {
            tracing::warn!(issuer = self.0.name, cause = %cause, "the key set could not be fetched");
        }
        let mut fetching = self.0.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        fetching.flight = None;
        match outcome {
            Ok(held) => {
                fetching.failure = None;
                // Under the other lock, so that nobody finds neither the flight nor what it brought.
                *self.0.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&held));
                Ok(held)
            }
            Err(cause) => {
                fetching.failure = Some((clock::now(), cause.clone()));
                Err(unavailable(cause, self.0.settings.retry_pause))
            }
        }
    }
}

impl Held {
    fn age(&self) -> Duration {
        clock::now().saturating_duration_since(self.fetched)
    }
}

impl Inner {
    async fn load(&self) -> Result<Arc<Held>, Error> {
        let settings = &self.settings;
        let document = tokio::time::timeout(settings.fetch_timeout, self.fetch.fetch(&settings.jwks_url))
            .await
            .map_err(|_| Error::new(Kind::Timeout))??;
        if document.len() as u64 > settings.max_document.as_u64() {
            return Err(Error::new(Kind::InvalidResponse).caused_by("the key set is too long"));
        }
        let hash = digest::digest(&SHA256, &document);
        let fetched = clock::now();
        let before = self.held.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(before) = &before
            && before.document.as_ref() == hash.as_ref()
        {
            return Ok(Arc::new(Held { fetched, ..Held::clone(before) }));
        }
        let set = Arc::new(KeySet::read(&document, &self.accepted, settings.max_keys)?);
        let generation = before.map_or(0, |before| before.generation + 1);
        Ok(Arc::new(Held { set, generation, document: hash, fetched }))
    }
}

fn unknown() -> Error {
    refused("the token's key is not known")
}
