//! What a typed client of one backend is made of.

use std::any::Any;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, Uri};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::{Answer, Call, Decoded};
use super::collect;
use super::stack::{self, Shared, Stack, Transport, Upstream};
use super::wait::TOO_LITTLE;
use super::{Path, UpstreamSettings};
use crate::body::Body;
use crate::clock;
use crate::context::{CallOutcome, CallRecord, Freshness, Scope, TraceContext};
use crate::error::{Error, Kind, Result};
use crate::fetched::Fetched;
use crate::identity::Fingerprint;

/// One upstream, ready to be asked. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    upstream: Arc<Upstream>,
    stack: Stack,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Client({})", self.upstream.name)
    }
}

/// The typed clients of one BFF; made by [`upstreams!`](crate::upstreams!).
pub trait Clients: Clone + Send + Sync + 'static {
    /// The names under `[upstreams]` in the configuration.
    const NAMES: &'static [&'static str];

    /// All clients, each made from the upstream of its name; `None` where `client` knows no such name.
    fn build(client: &mut dyn FnMut(&'static str) -> Option<Client>) -> Option<Self>;
}

/// A call that does not say yet who may share its answer, so there is nothing to await.
#[derive(Debug)]
#[must_use = "say who may share the answer: shared() or per_identity()"]
pub struct Unsent {
    client: Client,
    method: Method,
    path: Path,
    body: Option<Result<Bytes>>,
    timeout: Option<Duration>,
    ttl: Option<Duration>,
    invalidates: &'static [&'static str],
}

/// A call that can be awaited; yields [`Result<Fetched<T>>`].
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct Ready<T> {
    call: Unsent,
    per_identity: bool,
    value: PhantomData<fn() -> T>,
}

impl Client {
    /// The upstream `name` behind `transport`.
    #[must_use]
    pub fn new(name: &str, settings: UpstreamSettings, shared: Arc<Shared>, transport: Transport) -> Self {
        let forwarded = settings.forwarded().into();
        let upstream =
            Arc::new(Upstream { name: name.into(), settings, forwarded, shared, said_private: AtomicBool::new(false) });
        Self { stack: stack::build(&upstream, transport), upstream }
    }

    /// Asks for something.
    pub fn get(&self, path: Path) -> Unsent {
        self.call(Method::GET, path)
    }

    /// Adds something, or makes something happen. Never retried, never shared, never cut because its caller left.
    pub fn post(&self, path: Path) -> Unsent {
        self.call(Method::POST, path)
    }

    /// Puts something in its place. Otherwise like [`post`](Self::post).
    pub fn put(&self, path: Path) -> Unsent {
        self.call(Method::PUT, path)
    }

    /// Changes something. Otherwise like [`post`](Self::post).
    pub fn patch(&self, path: Path) -> Unsent {
        self.call(Method::PATCH, path)
    }

    /// Takes something away. Otherwise like [`post`](Self::post).
    pub fn delete(&self, path: Path) -> Unsent {
        self.call(Method::DELETE, path)
    }

    fn call(&self, method: Method, path: Path) -> Unsent {
        Unsent { client: self.clone(), method, path, body: None, timeout: None, ttl: None, invalidates: &[] }
    }
}

impl Unsent {
    /// Sends `value` as JSON.
    pub fn json<T: Serialize>(mut self, value: &T) -> Self {
        self.body = Some(serde_json::to_vec(value).map(Bytes::from).map_err(Error::internal));
        self
    }

    /// How long this call may take. Default: the upstream's `timeout`.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// How long an answer that says nothing is kept. Default: the upstream's `cache.ttl`.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The upstreams whose answers for this identity a write makes old. Its own is always among them.
    pub fn invalidates(mut self, upstreams: &'static [&'static str]) -> Self {
        self.invalidates = upstreams;
        self
    }

    /// Everybody may share the answer: the call is sent without anything of the caller's identity.
    pub fn shared<T>(self) -> Ready<T> {
        Ready { call: self, per_identity: false, value: PhantomData }
    }

    /// The answer belongs to the identity in whose name the call is made. Without one nothing is sent.
    pub fn per_identity<T>(self) -> Ready<T> {
        Ready { call: self, per_identity: true, value: PhantomData }
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> IntoFuture for Ready<T> {
    type Output = Result<Fetched<T>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        send(self).boxed()
    }
}

async fn send<T: DeserializeOwned + Send + Sync + 'static>(ready: Ready<T>) -> Result<Fetched<T>> {
    let Ready { call, per_identity, .. } = ready;
    let Unsent { client, method, path, body, timeout, ttl, invalidates } = call;
    let upstream = client.upstream.clone();
    let scope = Scope::current();
    if scope.as_ref().is_some_and(|scope| scope.context.survey) {
        // A survey asks for parts; nothing is called for it, whatever the endpoint does.
        return Err(Error::new(Kind::Surveyed));
    }
    let safe = method.is_safe();
    let started = clock::now();

    let target = path.target().ok_or_else(|| Error::new(Kind::NotFound).from_upstream(upstream.name.clone()))?;
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::try_from(target).map_err(Error::internal)?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(body) = body {
        *request.body_mut() = Body::Bytes(body?);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let mut overrides = upstream.settings.cache;
    overrides.ttl = ttl.or(overrides.ttl);
    let (part, trace) = match &scope {
        Some(scope) => {
            let context = &scope.context;
            (scope.part.and_then(|part| context.ledger.name(part)), context.trace)
        }
        None => (None, TraceContext::begin()),
    };
    request.extensions_mut().insert(Call {
        safe,
        idempotent: method.is_idempotent(),
        per_identity,
        key: None,
        scope: scope.clone(),
        part,
        trace,
        timeout: timeout.unwrap_or(upstream.settings.timeout),
        deadline: None,
        overrides,
        decode: decode::<T>,
    });
    *request.method_mut() = method;

    let result = if safe { (client.stack)(request).await } else { write(&client, request, invalidates).await };
    let result = result.and_then(|response| open::<T>(response));
    if let Some(scope) = scope {
        let took = clock::now() - started;
        scope.context.ledger.call(record(&scope, &upstream, per_identity, safe, took, &result));
    }
    result.map(|(value, answer)| match answer.staleness {
        None => Fetched::fresh(value),
        Some(staleness) => Fetched::stale(value, staleness),
    })
}

/// Sends a write so that nothing its caller does can cut it, and makes old what it may have changed.
async fn write(
    client: &Client,
    request: Request<Body>,
    invalidates: &'static [&'static str],
) -> Result<Response<Body>> {
    let upstream = client.upstream.clone();
    let call: Option<&Call> = request.extensions().get();
    let scope = call.and_then(|call| call.scope.clone());
    let identity = scope.as_ref().and_then(|scope| scope.context.peek_identity()).map(|own| own.person());
    let name = upstream.name.clone();
    if scope.as_ref().is_some_and(|scope| scope.deadline.saturating_duration_since(clock::now()) < TOO_LITTLE) {
        // Not begun, so what became of it is known.
        return Err(Error::new(Kind::Deadline).from_upstream(name));
    }
    let context = scope.as_ref().map(|scope| scope.context.clone());
    let background = upstream.shared.background.clone();
    let forget = move || {
        invalidate(&upstream, identity, invalidates);
        if let Some(context) = &context {
            context.memory.clear();
        }
    };
    // Before, because a client that is told "outcome unknown" reads while the write may still be under way; after,
    // because what was read in between may be old; and also when it failed, because it may have happened.
    forget();
    let call = (client.stack)(request);
    let sent = background.spawn(async move {
        let result = call.await;
        forget();
        result
    });
    let ended = match scope {
        Some(scope) => match tokio::time::timeout_at(scope.deadline, sent).await {
            Ok(ended) => ended,
            Err(_) => return Err(Error::new(Kind::Deadline).from_upstream(name).of_write()),
        },
        None => sent.await,
    };
    ended.unwrap_or_else(|_| Err(Error::internal("a write panicked"))).map_err(Error::of_write)
}

fn invalidate(upstream: &Upstream, identity: Option<Fingerprint>, others: &'static [&'static str]) {
    let Some(identity) = identity else { return };
    upstream.shared.store.written(&upstream.name, identity);
    for other in others {
        upstream.shared.store.written(&Arc::from(*other), identity);
    }
}

fn decode<T: DeserializeOwned + Send + Sync + 'static>(
    body: &Bytes,
) -> Result<Decoded, serde_path_to_error::Error<serde_json::Error>> {
    // No content is `null`, so that a write that answers 204 can be asked for `()`.
    let text: &[u8] = if body.is_empty() { b"null" } else { body };
    // The path to a mistake costs as much as reading; it is looked for only when there is one.
    if let Ok(value) = serde_json::from_slice::<T>(text) {
        return Ok(Arc::new(value));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize::<_, T>(&mut reader).map(|value| Arc::new(value) as Decoded)
}

/// The value in an answer: the one that was read when it arrived, or, where it is shared or kept, read again.
fn open<T: DeserializeOwned + Send + Sync + 'static>(response: Response<Body>) -> Result<(T, Answer)> {
    let (mut head, body) = response.into_parts();
    let mut answer: Answer =
        head.extensions.remove().ok_or_else(|| Error::internal("an answer that was not collected"))?;
    if let Some(value) = answer.decoded.take().and_then(own::<T>) {
        return Ok((value, answer));
    }
    let body = body.as_bytes().cloned().unwrap_or_default();
    match own::<T>(collect::run(decode::<T>, &body)?) {
        Some(value) => Ok((value, answer)),
        None => Err(Error::internal("a value that was read twice")),
    }
}

fn own<T: Any + Send + Sync>(decoded: Decoded) -> Option<T> {
    Arc::into_inner(decoded.downcast::<T>().ok()?)
}

fn record<T>(
    scope: &Scope,
    upstream: &Upstream,
    per_identity: bool,
    safe: bool,
    took: Duration,
    result: &Result<(T, Answer)>,
) -> CallRecord {
    let (outcome, staleness, freshness, private) = match result {
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
        vary: upstream.forwarded.clone(),
        outcome,
        staleness,
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
        _ => match answer.freshness.remaining {
            Some(left) if left >= Duration::from_secs(1) => Freshness::For(left),
            _ => Freshness::Revalidate,
        },
    }
}
