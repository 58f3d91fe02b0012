//! What a typed client of one backend is made of.

use std::any::Any;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::{Answer, Call, Handling};
use super::hosts::Network;
use super::reader::{Decoded, Reader};
use super::shadow::Shadow;
use super::stack::{self, Shared, Stack, Upstream};
use super::target::Target;
use super::write::write;
use super::{Path, UpstreamSettings};
use crate::body::Body;
use crate::clock;
use crate::context::{CallOutcome, CallRecord, Freshness, Scope, TraceContext};
use crate::error::{Error, Kind, Result};
use crate::fetched::Fetched;
use crate::reading::coding;
use crate::resilience::Variants;

/// So that a backend's log names a request as ours does.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One upstream, ready to be asked. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(super) upstream: Arc<Upstream>,
    pub(super) stack: Stack,
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
    attempt_timeout: Option<Duration>,
    retries: Option<u32>,
    hedged: Option<bool>,
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
    /// The upstream `name`, whose hosts `network` leads to.
    ///
    /// # Errors
    /// When there can be no way to one of its hosts.
    pub fn new(name: &str, settings: UpstreamSettings, shared: Arc<Shared>, network: &dyn Network) -> Result<Self> {
        let target = |variant, urls: &[String]| Target::new(name, variant, &settings, urls, network).map(Arc::new);
        let main = target(None, settings.urls())?;
        let variants: Result<Vec<_>> = settings
            .variants
            .iter()
            .map(|(variant, own)| target(Some(variant), super::settings::urls(&own.url, &own.urls)))
            .collect();
        let variants = variants?;
        let shadow = Shadow::new(name, &settings, network)?;
        let rules = Variants::new(&settings.variants);
        let upstream = Arc::new(Upstream {
            name: name.into(),
            forwarded: settings.forwarded().into(),
            vary: settings.varied().into(),
            main,
            rules,
            variants,
            shadow,
            shared: shared.clone(),
            flavours: ArcSwap::default(),
            said_private: AtomicBool::new(false),
            said_damaged: Mutex::default(),
            settings,
        });
        shared.register(&upstream);
        Ok(Self { stack: stack::build(&upstream), upstream })
    }

    /// Says in the log, once for each field, that its upstream sends something there that cannot be read.
    pub(crate) fn say_damaged(&self, fields: &[String]) {
        self.upstream.say_damaged(fields);
    }

    /// Asks for something.
    pub fn get(&self, path: Path) -> Unsent {
        self.call(Method::GET, path)
    }

    /// Adds something, or makes something happen. Never sent again unless no connection came about, never shared, never
    /// cut because its caller left.
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
        Unsent {
            client: self.clone(),
            method,
            path,
            body: None,
            timeout: None,
            attempt_timeout: None,
            retries: None,
            hedged: None,
            ttl: None,
            invalidates: &[],
        }
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

    /// How long one attempt of this call may take. Default: the upstream's `attempt_timeout`; never longer than the call.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = Some(limit);
        self
    }

    /// At most so many further attempts; 0 for none. Default: the upstream's `retry.tries`. A write is only sent again
    /// where it is certain that the upstream has heard nothing of it.
    pub fn retries(mut self, tries: u32) -> Self {
        self.retries = Some(tries);
        self
    }

    /// Whether a second attempt may run beside one that is late. Default: the upstream's `hedge.enabled`; without that
    /// no latencies are known, and saying yes here changes nothing. A write is never hedged.
    pub fn hedged(mut self, hedged: bool) -> Self {
        self.hedged = Some(hedged);
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

    /// A shared call for a document that its caller reads, strictly, whatever its content type says.
    pub(crate) async fn document(self) -> Result<Bytes> {
        let ready = Ready { call: self, per_identity: false, value: PhantomData };
        send::<Bytes>(ready, Reader::of_document()).await.map(Fetched::into_inner)
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> IntoFuture for Ready<T> {
    type Output = Result<Fetched<T>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        send(self, Reader::of::<T>()).boxed()
    }
}

async fn send<T: Send + Sync + 'static>(ready: Ready<T>, reader: Reader) -> Result<Fetched<T>> {
    let Ready { call, per_identity, .. } = ready;
    let Unsent { client, method, path, body, timeout, attempt_timeout, retries, hedged, ttl, invalidates } = call;
    let upstream = client.upstream.clone();
    let scope = Scope::current();
    if scope.as_ref().is_some_and(|scope| scope.context.survey) {
        // A survey asks for parts; nothing is called for it, whatever the endpoint does.
        return Err(Error::new(Kind::Surveyed).from_upstream(upstream.name.clone()));
    }
    let safe = method.is_safe();
    let started = clock::now();

    let target = path.target().ok_or_else(|| path.unfit().from_upstream(upstream.name.clone()))?;
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::try_from(target).map_err(Error::internal)?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let codings = if upstream.settings.compressed { coding::COMPRESSED } else { coding::IDENTITY };
    request.headers_mut().insert(ACCEPT_ENCODING, codings);
    if let Some(body) = body {
        *request.body_mut() = Body::Bytes(body?);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let mut overrides = upstream.settings.cache;
    overrides.ttl = ttl.or(overrides.ttl);
    let (part, trace, trace_state) = match &scope {
        Some(scope) => {
            let context = &scope.context;
            if let Ok(id) = HeaderValue::from_str(&context.request_id) {
                request.headers_mut().insert(REQUEST_ID, id);
            }
            let part = scope.part.and_then(|part| context.ledger.name(part));
            (part, context.trace, context.trace_state.clone())
        }
        None => (None, TraceContext::begin(), None),
    };
    request.extensions_mut().insert(Call {
        safe,
        per_identity,
        key: None,
        required: scope.as_ref().is_none_or(|scope| scope.need.is_required()),
        scope: scope.clone(),
        part,
        holder: scope.as_ref().and_then(|scope| scope.context.holder()),
        trace,
        trace_state,
        patience: None,
        timeout: timeout.unwrap_or(upstream.settings.timeout),
        attempt_timeout: attempt_timeout.unwrap_or(upstream.settings.attempt_timeout),
        retries: retries.unwrap_or(upstream.settings.retry.tries),
        hedged: hedged.unwrap_or(upstream.settings.hedge.enabled),
        deadline: None,
        overrides,
        handling: Handling::Read(reader),
        known: None,
        target: upstream.main.clone(),
        host: None,
        avoid: None,
        taken: None,
    });
    *request.method_mut() = method;

    let result =
        if safe { (client.stack)(request).await } else { write(&upstream, &client.stack, request, invalidates).await };
    let result = result.and_then(|response| open::<T>(response, reader));
    if let Some(scope) = scope {
        let took = clock::now() - started;
        scope.context.ledger.call(record(&scope, &upstream, per_identity, safe, took, &result));
    }
    let (value, answer) = result?;
    let value = value.ok_or_else(|| Error::new(Kind::Nothing).from_upstream(upstream.name.clone()))?;
    let fetched = match answer.staleness {
        None => Fetched::fresh(value),
        Some(staleness) => Fetched::stale(value, staleness),
    };
    Ok(match answer.lost {
        None => fetched,
        Some(lost) => fetched.without(lost),
    })
}

/// The value in an answer: the one that was read when it arrived, or, where it is shared or kept, read again. `None` where
/// it says that there is none.
fn open<T: Send + Sync + 'static>(response: Response<Body>, reader: Reader) -> Result<(Option<T>, Answer)> {
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

fn record<T>(
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
