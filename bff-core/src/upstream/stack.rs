//! The outbound stack: every layer between a typed client and the network, outermost first, and why it stands there.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderName, Request, Response};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder};

use super::{UpstreamSettings, collect, flight, forward, observe, propagate, store, timeout, wait};
use crate::body::Body;
use crate::cache::{CacheSettings, Flights, Store};
use crate::error::{Error, Result};
use crate::layer::around;
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
    /// Work that outlives its request: writes and refreshes. Waited for at drain.
    pub background: TaskTracker,
    /// How many refreshes may be under way.
    pub(super) refreshes: Arc<Semaphore>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Shared {
    /// An empty store, and nothing under way.
    #[must_use]
    pub fn new(settings: &CacheSettings, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            store: Store::new(settings),
            flights: Flights::default(),
            background: TaskTracker::new(),
            refreshes: Arc::new(Semaphore::new(settings.background_refreshes)),
            metrics,
        })
    }
}

/// One upstream, as its layers know it.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) name: Arc<str>,
    pub(super) settings: UpstreamSettings,
    /// The client's headers that are passed on.
    pub(super) forwarded: Arc<[HeaderName]>,
    pub(super) shared: Arc<Shared>,
    /// It has called an answer private that is declared shared; said once in the log.
    pub(super) said_private: AtomicBool,
}

/// A stack, ready to be called from anywhere.
pub(super) type Stack = Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, Result<Response<Body>>> + Send + Sync>;

/// The stack of one upstream.
pub(super) fn build(upstream: &Arc<Upstream>, transport: Transport) -> Stack {
    let up = || upstream.clone();
    let stack = ServiceBuilder::new()
        // Call span and metrics: outermost, so that what the store answers is counted too.
        .layer(around(up(), observe::call))
        // Variant (A-B, canary) stands here: it is part of the key, so the store has to know it.
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
        // Shadow stands here: it mirrors calls, not attempts.
        // Call timeout: bounds everything that is done to make the call succeed.
        .layer(around((), timeout::call))
        // Retry (budget), hedge, breaker, bulkhead, balance, and ejection per host stand here.
        // Attempt span: one line in a trace for each time the network was asked.
        .layer(around(up(), observe::attempt))
        // Attempt timeout: a hanging host costs one attempt, not the call.
        .layer(around(up(), timeout::attempt))
        // Trace context and remaining time: as late as possible, because time passes.
        .layer(around((), propagate::propagate))
        // Collect: inside the attempt, so that a trickling 200 is a slow attempt and not a fast success.
        .layer(around(up(), collect::collect))
        .service(transport);
    Arc::new(move |request| stack.clone().call(request).boxed())
}
