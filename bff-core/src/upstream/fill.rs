//! Brings an answer for the cache of routes: whole where it may be kept, streaming where it may not.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONTENT_LENGTH, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE, SET_COOKIE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;

use super::pass::is_events;
use super::target::Target;
use super::{Client, Passing};
use crate::body::{Body, BodyError};
use crate::cache::{Entry, Freshness, Keeper, Key};
use crate::clock::{self, Instant};
use crate::error::{Error, Kind, Result};

/// The end of a call for the cache, for each of its waiters.
pub(super) type Flown = Result<Filled>;

/// What came of a call for the cache.
#[derive(Clone, Debug)]
pub(super) enum Filled {
    /// It is all here.
    Kept {
        /// What is served now, whether or not it could be kept.
        entry: Arc<Entry>,
        /// The upstream had nothing to add to what was kept; the status by which it said so.
        confirmed: Option<StatusCode>,
        /// It is in the store.
        stored: bool,
    },
    /// It streams, to the one for whom it was brought.
    Alone {
        /// Its status.
        status: StatusCode,
        /// To be taken by that one.
        response: Handed,
    },
}

/// A streaming answer, for one of those who wait for the call.
#[derive(Clone, Debug)]
pub(super) struct Handed(Arc<Mutex<Option<Response<Body>>>>);

impl Handed {
    fn new(response: Response<Body>) -> Self {
        Self(Arc::new(Mutex::new(Some(response))))
    }

    pub(super) fn take(&self) -> Option<Response<Body>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A call whose answer may be kept.
#[derive(Debug)]
pub(super) struct Fill {
    pub(super) client: Client,
    pub(super) how: Passing,
    pub(super) version: Option<Arc<Target>>,
    pub(super) primary: Key,
    pub(super) target: Uri,
    /// What the request says, for the upstream and for what the answer varies on.
    pub(super) headers: HeaderMap,
    /// What is kept, and would do if the upstream confirms it.
    pub(super) known: Option<Arc<Entry>>,
    /// With the conditions that the client makes: what came of it last was not kept.
    pub(super) as_it_is: bool,
    /// The request says who asks.
    pub(super) credentials: bool,
}

impl Fill {
    pub(super) async fn run(self) -> Flown {
        let asked = clock::now();
        let response =
            self.client.forward(self.request(self.known.as_deref()), &self.how, self.version.clone()).await?;
        match &self.known {
            Some(known) if response.status() == StatusCode::NOT_MODIFIED => {
                if known.is_confirmed_by(response.headers()) {
                    return Ok(self.confirmed(known, response.headers(), asked));
                }
                // It speaks of something that is not kept (RFC 9111 §4.3.3): asked once more, without a condition.
                let asked = clock::now();
                let response = self.client.forward(self.request(None), &self.how, self.version.clone()).await?;
                self.arrived(response, asked).await
            }
            _ => self.arrived(response, asked).await,
        }
    }

    /// The request for the upstream: conditions and ranges are ours to answer, once the whole is here.
    fn request(&self, known: Option<&Entry>) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = self.target.clone();
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        if !self.as_it_is {
            for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE, RANGE] {
                headers.remove(name);
            }
        }
        if let Some(known) = known {
            known.ask_for_confirmation(headers);
        }
        request
    }

    fn keeper(&self) -> Keeper {
        Keeper {
            shared: self.how.identity.is_none(),
            credentials: self.credentials,
            passing: true,
            overrides: self.client.upstream.settings.cache,
        }
    }

    fn freshness(&self, status: StatusCode, headers: &HeaderMap, asked: Instant) -> Freshness {
        Freshness::read(status, headers, &self.keeper(), clock::wall(), clock::now().duration_since(asked))
    }

    fn entry(&self, status: StatusCode, headers: &HeaderMap, body: Bytes, asked: Instant) -> (Arc<Entry>, bool) {
        let store = &self.client.upstream.shared.store;
        let freshness = self.freshness(status, headers, asked);
        // A cookie that is set for one client is never handed to another, whatever is said of the rest.
        let keeps = |name: &HeaderName| *name != SET_COOKIE;
        let entry = Arc::new(Entry::new(status, headers, body, &freshness, asked, store.cut(), keeps));
        if freshness.storable {
            let stored = store.keep_varied(&self.primary, &self.headers, &entry);
            return (entry, stored);
        }
        store.supersede_varied(&self.primary, &self.headers, asked);
        (entry, false)
    }

    fn confirmed(&self, known: &Entry, headers: &HeaderMap, asked: Instant) -> Filled {
        let (headers, body) = (known.updated_headers(headers), known.body.clone());
        let (entry, stored) = self.entry(known.status, &headers, body, asked);
        Filled::Kept { entry, confirmed: Some(StatusCode::NOT_MODIFIED), stored }
    }

    /// RFC 9111 §4.3.5: a HEAD that describes what is kept makes that as new as itself; one that describes something else
    /// makes it old.
    pub(super) fn told_by_head(&self, known: &Entry, response: &Response<Body>, asked: Instant) {
        let told = response.headers();
        // The length of what is kept is known, whether or not it was announced.
        let length = HeaderValue::from(known.body.len());
        let own = |name| if name == CONTENT_LENGTH { Some(&length) } else { known.headers.get(name) };
        let agrees = [ETAG, LAST_MODIFIED, CONTENT_LENGTH]
            .into_iter()
            .all(|name| told.get(&name).is_none_or(|told| own(name) == Some(told)));
        if agrees {
            self.entry(known.status, &known.updated_headers(told), known.body.clone(), asked);
        } else {
            self.client.upstream.shared.store.supersede_varied(&self.primary, &self.headers, asked);
        }
    }

    async fn arrived(self, response: Response<Body>, asked: Instant) -> Flown {
        let store = &self.client.upstream.shared.store;
        let status = response.status();
        let announced = response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let storable = self.freshness(status, response.headers(), asked).storable;
        // An error that may be kept takes nothing away; and a stream of events has no end to wait for.
        let storable =
            storable && !(status.is_server_error() && self.known.is_some()) && !is_events(response.headers());
        let fits = storable && announced.is_none_or(|length| store.has_room_for(length));
        let Some(room) = fits.then(|| Room::reserve(&self.client, announced.unwrap_or_default())).flatten() else {
            // A refusal or a failure says nothing of what is kept, nor does what is told to somebody. Any other answer is
            // newer than that.
            let speaks_of_it = status.is_success() || status.is_redirection() || is_gone(status);
            if speaks_of_it && !self.credentials {
                store.supersede_varied(&self.primary, &self.headers, asked);
            }
            if !storable && !status.is_server_error() {
                store.not_shared(&self.primary);
            }
            return Ok(Filled::Alone { status, response: Handed::new(response) });
        };
        let (head, body) = response.into_parts();
        let limit = self.how.timeout.unwrap_or(self.client.upstream.settings.timeout);
        match read(body, announced, room, limit, &self.client).await? {
            Read::Whole(body) => {
                let (entry, stored) = self.entry(status, &head.headers, body, asked);
                Ok(Filled::Kept { entry, confirmed: None, stored })
            }
            Read::TooMuch(body) => {
                let response = Response::from_parts(head, body);
                Ok(Filled::Alone { status, response: Handed::new(response) })
            }
        }
    }
}

/// Memory for answers that are being read, in KiB. All together take a part of what the store may hold, however many
/// questions there are.
struct Room(OwnedSemaphorePermit);

impl Room {
    const STEP: usize = 64 * 1024;

    /// `None` where there is none left.
    fn reserve(client: &Client, bytes: usize) -> Option<Self> {
        let kib = u32::try_from(bytes.max(Self::STEP).div_ceil(1024)).ok()?;
        client.upstream.shared.room.clone().try_acquire_many_owned(kib).ok().map(Self)
    }

    fn holds(&self, bytes: usize) -> bool {
        self.0.num_permits() * 1024 >= bytes
    }

    fn grow(&mut self, client: &Client, bytes: usize) -> bool {
        if self.holds(bytes) {
            return true;
        }
        // Twice as much as there is, so that it does not grow for each piece.
        let missing = (self.0.num_permits() * 1024).max(bytes - self.0.num_permits() * 1024);
        match Self::reserve(client, missing) {
            Some(more) => {
                self.0.merge(more.0);
                true
            }
            None => false,
        }
    }
}

/// RFC 9110 §15.5.5, §15.5.11.
fn is_gone(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE)
}

enum Read {
    Whole(Bytes),
    /// More than may be kept: what was read, and the rest of it.
    TooMuch(Body),
}

/// An answer that takes longer than `limit` to be here streams on from there.
async fn read(
    mut body: Body,
    announced: Option<usize>,
    mut room: Room,
    limit: Duration,
    client: &Client,
) -> Result<Read> {
    let store = &client.upstream.shared.store;
    let end = clock::now() + limit;
    let mut read = Vec::with_capacity(announced.unwrap_or_default());
    loop {
        let frame = match tokio::time::timeout_at(end, body.frame()).await {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(_) => {
                let before = vec![read.into()];
                return Ok(Read::TooMuch(Body::stream(Resumed { before, rest: body, room: Some(room) })));
            }
        };
        let frame = frame.map_err(|error| broken(error, client))?;
        // Trailers are not kept, as RFC 9111 §3.1 allows.
        let Ok(data) = frame.into_data() else { continue };
        let total = read.len() + data.len();
        if !store.has_room_for(total) || !room.grow(client, total) {
            let before = vec![data, read.into()];
            return Ok(Read::TooMuch(Body::stream(Resumed { before, rest: body, room: Some(room) })));
        }
        read.extend_from_slice(&data);
    }
    // What is kept weighs what it takes.
    read.shrink_to_fit();
    Ok(Read::Whole(read.into()))
}

fn broken(error: BodyError, client: &Client) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(known) => *known,
        Err(other) => Error::new(Kind::Unreachable).caused_by(other),
    };
    error.from_upstream(client.upstream.name.clone())
}

/// What was read of a body, the last piece first, and then the rest.
struct Resumed {
    before: Vec<Bytes>,
    rest: Body,
    /// What was read takes room until it is written.
    room: Option<Room>,
}

impl http_body::Body for Resumed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match this.before.pop() {
            Some(piece) if piece.is_empty() => Pin::new(this).poll_frame(task),
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => {
                this.room = None;
                Pin::new(&mut this.rest).poll_frame(task)
            }
        }
    }
}
