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
use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::Service;

use super::answer::{SERVER_TIMING, Size};
use crate::cache::{CacheStatus, Entry, Freshness, Keeper, Key, Lookup, Store, Why, Wishes};
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
    let Some(context) = request.extensions().get::<Arc<Context>>().filter(|context| !context.survey).cloned() else {
        return inner.call(request).await;
    };
    let wishes = Wishes::read(request.headers());
    if wishes.no_store {
        return inner.call(request).await;
    }
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let key = |identity: Option<&Identity>| {
        Key::page(identity, &context.terms.endpoint, target, &whole.kept, &context.headers)
    };
    let own = context.peek_identity().map(|identity| key(Some(identity)));
    let shared = key(None);
    let mut why = if wishes.no_cache { Why::Request } else { Why::UriMiss };
    for key in own.iter().chain([&shared]) {
        match whole.store.look_up(key).await {
            Lookup::Fresh(entry) if suits(&entry, &wishes) => {
                let method = request.method();
                return Ok(hit(&entry, method, request.headers()));
            }
            Lookup::Fresh(_) => why = Why::Request,
            _ => {}
        }
    }
    if wishes.only_if_cached {
        return Ok(Error::new(Kind::NotKept).into_response());
    }
    // The whole is asked for, so that it can be kept; what the client has of it is looked at afterwards.
    let method = std::mem::replace(request.method_mut(), Method::GET);
    let mut asked = HeaderMap::new();
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
        for value in request.headers().get_all(&name) {
            asked.append(name.clone(), value.clone());
        }
        request.headers_mut().remove(name);
    }
    let asked_at = clock::now();
    let response = inner.call(request).await?;
    Ok(keep(&whole.store, own, shared, response, asked_at, &method, &asked, why).await)
}

fn suits(entry: &Entry, wishes: &Wishes) -> bool {
    !wishes.no_cache
        && wishes.max_age.is_none_or(|most| entry.age() <= Duration::from_secs(most))
        && wishes.min_fresh.is_none_or(|least| entry.remaining() >= Duration::from_secs(least))
}

fn hit(entry: &Entry, method: &Method, asked: &HeaderMap) -> Response {
    let mut response = entry.answer(method, asked).map(Body::from);
    response.extensions_mut().insert(Size(entry.body.len() as u64));
    let ttl = i64::try_from(entry.remaining().as_secs()).unwrap_or(i64::MAX);
    CacheStatus::Hit { ttl, detail: None }.append_to(response.headers_mut());
    response
}

/// Keeps the answer if it lets clients keep it.
#[allow(clippy::too_many_arguments, reason = "what is known before the endpoint is asked, and what it answered")]
async fn keep(
    store: &Store,
    own: Option<Key>,
    shared: Key,
    response: Response,
    asked_at: Instant,
    method: &Method,
    asked: &HeaderMap,
    why: Why,
) -> Response {
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
    let kept = key.filter(|_| head.status == StatusCode::OK && freshness.storable && is_fresh && fits);
    let forwarded = |stored| CacheStatus::Forwarded { why, status: None, stored, collapsed: false, detail: None };
    let Some(key) = kept else {
        let mut response = Response::from_parts(head, body);
        forwarded(false).append_to(response.headers_mut());
        return response;
    };
    // An answer whose size is known is here already.
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return Response::from_parts(head, Body::empty());
    };
    let entry =
        Entry::new(head.status, &head.headers, Bytes::clone(&body), &freshness, asked_at, store.cut(), |name| {
            *name != SERVER_TIMING
        });
    let entry = Arc::new(entry.only_while_fresh());
    store.keep(&key, &entry);
    let mut response = Response::from_parts(head, Body::from(body));
    let known = crate::cache::is_known(response.headers(), asked);
    if known {
        response = crate::cache::not_modified(response).map(|()| Body::empty());
    } else if *method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    forwarded(true).append_to(response.headers_mut());
    response
}
