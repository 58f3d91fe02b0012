//! Whole answers from the store, for endpoints whose policy says so.
//!
//! An answer is kept for as long as its own `Cache-Control` lets a client keep it, and no longer: `public` ones for
//! everybody, `private` ones (which have a time only by the endpoint's policy) for the identity that asked. Degraded answers
//! and problems say `no-store` and are never kept. A hit is served with its `Age` (RFC 9111 §5.1), and so that the time that
//! clients may keep it counts from when it was made.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST, IF_MODIFIED_SINCE, IF_NONE_MATCH, ORIGIN, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::Service;

use super::answer::{SERVER_TIMING, Size};
use crate::cache::{CacheStatus, Entry, Freshness, Keeper, Key, Lookup, Store, Why, Wishes, is_known, not_modified};
use crate::clock::{self, Instant};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::identity::Identity;

/// Where the whole answers of an endpoint are kept.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The store of this BFF.
    pub store: Store,
    /// Headers of the client that some upstream may be told, hence part of the key.
    pub kept: Arc<[HeaderName]>,
    /// Some upstream has a version for a share of those whose name is known.
    pub by_person: bool,
}

impl Whole {
    /// Whether the key holds all that an answer says it depends on. One that sets a cookie is for one client; and what it says
    /// to shared caches alone is not said to this one, which knows by the ledger whose it is.
    fn covers(&self, headers: &HeaderMap) -> bool {
        let said = headers.get_all(VARY).iter().filter_map(|line| line.to_str().ok());
        let mut named = said.flat_map(|line| line.split(',')).map(str::trim).filter(|name| !name.is_empty());
        let is_in_key = |name: &str| {
            [ACCEPT_ENCODING, AUTHORIZATION, ORIGIN]
                .iter()
                .chain(&*self.kept)
                .any(|known| name.eq_ignore_ascii_case(known.as_str()))
        };
        let targeted = headers.keys().any(Freshness::is_said_by);
        !targeted && !headers.contains_key(SET_COOKIE) && named.all(is_in_key)
    }
}

pub(super) async fn whole<Inner>(
    whole: Option<Arc<Whole>>,
    mut request: Request,
    mut inner: Inner,
) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    let reads = matches!(*request.method(), Method::GET | Method::HEAD) && request.body().is_end_stream();
    let (Some(whole), true) = (whole, reads) else { return inner.call(request).await };
    let Some(context) = request.extensions().get::<Arc<Context>>().cloned() else {
        return inner.call(request).await;
    };
    let wishes = Wishes::read(request.headers());
    if wishes.no_store {
        return inner.call(request).await;
    }
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    // An endpoint may make links of it.
    let host = match request.uri().authority() {
        Some(authority) => authority.as_str().to_owned(),
        None => request.headers().get(HOST).map_or(&b""[..], HeaderValue::as_bytes).escape_ascii().to_string(),
    };
    let key = |identity: Option<&Identity>| {
        Key::page(identity, &context.terms.endpoint, &host, target, &whole.kept, &context.headers)
    };
    let own = context.peek_identity().map(|identity| key(Some(identity)));
    let shared = key(None);
    // Whoever is chosen for another version by who they are is not served what others get.
    let looked_up = own.iter().chain(Some(&shared).filter(|_| own.is_none() || !whole.by_person));
    let mut why = if wishes.no_cache { Why::Request } else { Why::UriMiss };
    for key in looked_up {
        match whole.store.look_up(key).await {
            Lookup::Fresh(entry) if suits(&entry, &wishes) => {
                return Ok(hit(&entry, request.headers()));
            }
            Lookup::Fresh(_) => why = Why::Request,
            _ => {}
        }
    }
    if wishes.only_if_cached {
        return Ok(Error::new(Kind::NotKept).into_response());
    }
    // The whole is asked for, so that it can be kept; what the client has of it is looked at afterwards.
    *request.method_mut() = Method::GET;
    let mut asked = HeaderMap::new();
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
        for value in request.headers().get_all(&name) {
            asked.append(name.clone(), value.clone());
        }
        request.headers_mut().remove(name);
    }
    let asked_at = clock::now();
    let response = inner.call(request).await?;
    Ok(keep(&whole, own, shared, response, asked_at, &asked, why).await)
}

fn suits(entry: &Entry, wishes: &Wishes) -> bool {
    !wishes.no_cache
        && wishes.max_age.is_none_or(|most| entry.age() <= Duration::from_secs(most))
        && wishes.min_fresh.is_none_or(|least| entry.remaining() >= Duration::from_secs(least))
}

/// For a HEAD too: the router outside takes the body away, and leaves its length.
fn hit(entry: &Entry, asked: &HeaderMap) -> Response {
    let mut response = entry.answer(&Method::GET, asked).map(Body::from);
    response.extensions_mut().insert(Size(entry.body.len() as u64));
    let ttl = i64::try_from(entry.remaining().as_secs()).unwrap_or(i64::MAX);
    CacheStatus::Hit { ttl, detail: None }.append_to(response.headers_mut());
    response
}

/// Keeps the answer if it lets clients keep it.
async fn keep(
    whole: &Whole,
    own: Option<Key>,
    shared: Key,
    response: Response,
    asked_at: Instant,
    asked: &HeaderMap,
    why: Why,
) -> Response {
    let store = &whole.store;
    let (head, body) = response.into_parts();
    let read = |shared| {
        let keeper = Keeper { shared, ..Keeper::default() };
        Freshness::read(head.status, &head.headers, &keeper, clock::wall(), Duration::ZERO)
    };
    let freshness = read(true);
    let (key, freshness) = if freshness.private { (own, read(false)) } else { (Some(shared), freshness) };
    let is_fresh = freshness.remaining.is_some_and(|left| !left.is_zero());
    let fits =
        body.size_hint().exact().is_some_and(|size| usize::try_from(size).is_ok_and(|size| store.has_room_for(size)));
    let key = key.filter(|_| whole.covers(&head.headers));
    let kept = key.filter(|_| head.status == StatusCode::OK && freshness.storable && is_fresh && fits);
    let forwarded = |stored| CacheStatus::Forwarded { why, status: None, stored, collapsed: false, detail: None };
    let Some(key) = kept else {
        let mut response = Response::from_parts(head, body);
        forwarded(false).append_to(response.headers_mut());
        return response;
    };
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Error::internal(error).into_response(),
    };
    let entry =
        Entry::new(head.status, &head.headers, Bytes::clone(&body), &freshness, asked_at, store.cut(), |name| {
            *name != SERVER_TIMING
        });
    let entry = Arc::new(entry.only_while_fresh());
    let stored = store.keep(&key, &entry);
    let mut response = Response::from_parts(head, Body::from(body));
    if is_known(response.headers(), asked) {
        response = not_modified(response).map(|()| Body::empty());
    }
    forwarded(stored).append_to(response.headers_mut());
    response
}
