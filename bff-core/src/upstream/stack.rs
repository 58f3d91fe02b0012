//! The outbound stack: every layer between a typed client and the network, outermost first, and why it stands there.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue, Request, Response};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::layer::layer_fn;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder};

use super::shadow::Shadow;
use super::target::Target;
use super::{
    UpstreamSettings, balance, breaker, bulkhead, collect, fill, flight, forward, hedge, observe, propagate, retry,
    shadow, store, timeout, transport, trouble, variant, wait,
};
use crate::body::Body;
use crate::cache::{CacheSettings, Flights, Redis, SecondLevel, Store};
use crate::error::{Error, Result};
use crate::lateness::Lateness;
use crate::layer::around;
use crate::resilience::Variants;
use crate::telemetry::Metrics;

/// The network, or what a test puts in its place: a request in, an answer with its body still streaming out.
pub type Transport = BoxCloneSyncService<Request<Body>, Response<Body>, Error>;

/// What all upstreams of one BFF share.
#[derive(Debug)]
pub struct Shared {
    /// Answers that are kept.
    pub store: Store,
    /// Calls under way.
    pub(super) flights: Flights<flight::Flown>,
    /// The same for routes whose answers are kept.
    pub(super) passing: Flights<fill::Flown>,
    /// Memory for answers of those that are being read, in KiB.
    pub(super) room: Arc<Semaphore>,
    /// Work that outlives its request: writes, refreshes, tunnels. Waited for at drain.
    pub background: TaskTracker,
    /// Says that this BFF stops: tunnels, which know no end of their own, end then.
    pub closing: CancellationToken,
    /// How many refreshes may be under way.
    pub(super) refreshes: Arc<Semaphore>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How late this process runs what is ready: not the upstreams' time.
    pub lateness: Arc<Lateness>,
    /// What typed calls say in `User-Agent`.
    pub(super) agent: OnceLock<HeaderValue>,
    /// Whose state operators can see. Held weakly: an upstream is there as long as its client is.
    // bound: the upstreams of one BFF
    pub(super) upstreams: Mutex<Vec<Weak<Upstream>>>,
}

impl Shared {
    /// An empty store, and nothing under way.
    ///
    /// # Errors
    /// When the address of the second level cannot be used, which [`CacheSettings`] reports as a mistake too.
    pub fn new(settings: &CacheSettings, metrics: Arc<Metrics>) -> Result<Arc<Self>> {
        let redis = Redis::new(&settings.redis).map_err(Error::internal)?;
        let second = redis.map(|redis| Arc::new(redis) as Arc<dyn SecondLevel>);
        Ok(Arc::new(Self {
            store: Store::new(settings, second),
            flights: Flights::default(),
            passing: Flights::default(),
            room: Arc::new(Semaphore::new(room(settings))),
            background: TaskTracker::new(),
            closing: CancellationToken::new(),
            refreshes: Arc::new(Semaphore::new(settings.background_refreshes)),
            metrics,
            lateness: Arc::default(),
            agent: OnceLock::new(),
            upstreams: Mutex::default(),
        }))
    }

    /// Says who calls (`User-Agent: bff-mobile/1.4.0`, RFC 9110 §10.1.5): the program and its version, in the letters that
    /// a token may have. The first word stands; without one nothing is said.
    pub fn introduce(&self, bff: &str, version: &str) {
        let token = |text: &str| text.replace(|letter: char| !is_of_token(letter), "-");
        if let Ok(agent) = format!("bff-{}/{}", token(bff), token(version)).parse() {
            let _ = self.agent.set(agent);
        }
    }
}

/// RFC 9110 §5.6.2.
fn is_of_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter)
}

/// A fifth of what the store may hold, so that both together stay within that and a fifth.
fn room(settings: &CacheSettings) -> usize {
    let kib = usize::try_from(settings.capacity.as_u64() / 5 / 1024).unwrap_or(usize::MAX);
    kib.min(Semaphore::MAX_PERMITS)
}

/// One upstream, as its layers know it.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) name: Arc<str>,
    pub(super) settings: UpstreamSettings,
    /// The client's headers that are passed on.
    pub(super) forwarded: Arc<[HeaderName]>,
    /// The headers of the configuration that typed calls carry.
    pub(super) added: Box<[(HeaderName, HeaderValue)]>,
    /// Headers of its answers that are told with every value.
    pub(super) keeps: Arc<[HeaderName]>,
    /// The client's headers that an answer depends on: those, and what variants are chosen by.
    pub(super) vary: Arc<[HeaderName]>,
    /// The version that calls go to which no rule sends elsewhere.
    pub(super) main: Arc<Target>,
    /// Who is sent elsewhere.
    pub(super) rules: Variants,
    /// The other versions, in the order of the rules.
    pub(super) variants: Vec<Arc<Target>>,
    pub(super) shadow: Option<Shadow>,
    pub(super) shared: Arc<Shared>,
    // bound: the routes of a configuration
    /// What its routes that keep answers make of their requests, each once.
    pub(super) flavours: ArcSwap<Vec<Arc<str>>>,
    /// What went wrong with it.
    pub(super) troubles: trouble::Troubles,
    /// It has called an answer private that is declared shared; said once in the log.
    pub(super) said_private: AtomicBool,
    /// Fields of its answers that could not be read; each said once in the log.
    // bound: at most MOST_SAID fields
    pub(super) said_damaged: Mutex<BTreeSet<String>>,
}

/// So many fields are told of in the log; who has more has one cause for all.
const MOST_SAID: usize = 64;

impl Upstream {
    /// Says in the log, once for each field, that something there could not be read.
    pub(super) fn say_damaged(&self, fields: &[String]) {
        for field in fields {
            let mut said = self.said_damaged.lock().unwrap_or_else(PoisonError::into_inner);
            if said.len() < MOST_SAID && said.insert(field.clone()) {
                drop(said);
                tracing::warn!(upstream = %self.name, field, "sends what cannot be read there; the rest of its answers is used");
            }
        }
    }
}

/// A stack, ready to be called from anywhere.
pub(super) type Stack = Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, Result<Response<Body>>> + Send + Sync>;

/// The stack of one upstream.
pub(super) fn build(upstream: &Arc<Upstream>) -> Stack {
    let up = || upstream.clone();
    let stack = ServiceBuilder::new()
        // Call span and metrics: outermost, so that what the store answers is counted too.
        .layer(around(up(), observe::call))
        // Variant (A-B, canary): part of the key, so the store has to know it.
        .layer(around(up(), variant::variant))
        // Identity and forwarded headers: part of the key as well.
        .layer(around(up(), forward::forward))
        // Store: looked up before anybody waits; and a failure below may still be answered from it.
        .layer(around(up(), store::store))
        // Wait limit: the caller's deadline. Inside the store (a call cut here may be answered stale), outside the
        // flight (one caller's patience must not end the call for others).
        .layer(around((), wait::wait))
        // Flight: one call for everybody who asks the same.
        .layer(around(up(), flight::flight))
        // ── below this line nothing belongs to one caller ──
        // One allocation, of what lies below: the layers above would move it, and the compiler would have to know all
        // layers as one type, whose size grows with their number faster than memory.
        .layer(layer_fn(boxed))
        // Trouble: what a call came to after all that is done below to make it succeed, said once for all who wait.
        .layer(around(up(), trouble::trouble))
        // Shadow: mirrors calls, not attempts, and what the store answers not at all.
        .layer(around(up(), shadow::shadow))
        // Call timeout: bounds everything that is done to make the call succeed.
        .layer(around((), timeout::call))
        // Retry: the only place that asks again; outside all that judges single attempts.
        .layer(around(up(), retry::retry))
        // Hedge: inside the retry, because a hedged pair that fails is one failure.
        .layer(around(up(), hedge::hedge))
        // The attempt: what is made more than once for one call.
        .layer(layer_fn(boxed))
        // Breaker: sees every attempt, and refuses before anybody waits for a place.
        .layer(around(up(), breaker::breaker))
        // Bulkhead: a place is held by an attempt, not by the pauses between two.
        .layer(around(up(), bulkhead::bulkhead))
        // Balance and ejection: as late as possible, because load changes while one waits for a place.
        .layer(around(up(), balance::balance))
        // Attempt span: one line in a trace for each time the network was asked.
        .layer(around(up(), observe::attempt))
        // Attempt timeout: a hanging host costs one attempt, not the call.
        .layer(around(up(), timeout::attempt))
        // Trace context and remaining time: as late as possible, because time passes.
        .layer(around((), propagate::propagate))
        // Collect: inside the attempt, so that a trickling 200 is a slow attempt and not a fast success.
        .layer(around(up(), collect::collect))
        .service(tower::service_fn(transport::send));
    erase(stack)
}

fn erase<Inner>(inner: Inner) -> Stack
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error> + Clone + Send + Sync + 'static,
    Inner::Future: Send,
{
    Arc::new(move |request| inner.clone().call(request).boxed())
}

fn boxed<Inner>(inner: Inner) -> Boxed
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error> + Clone + Send + Sync + 'static,
    Inner::Future: Send,
{
    Boxed(erase(inner))
}

/// A stack as a service, always ready.
#[derive(Clone)]
struct Boxed(Stack);

impl Service<Request<Body>> for Boxed {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        (self.0)(request)
    }
}
