//! The inbound stack: every layer between a connection and an endpoint, outermost first, and why it stands there.
//!
//! Two lists, applied where the matched route and its policy are known: the door for everything, the page for
//! composites only.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use axum::routing::MethodRouter;
use http::{Extensions, HeaderMap, HeaderName, Method, StatusCode, Version};
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::access::{self, Access};
use super::flowing::Flows;
use super::whole::Whole;
use super::{
    EdgeSettings, Receives, Rules, answer, arrive, deadline, observe, open, panic, problem, receive, rules, secure,
    shed, whole,
};
use crate::auth::Authenticator;
use crate::context::{Terms, TrustedProxies};
use crate::layer::around;
use crate::resilience::{Bodies, Criticality, Load};
use crate::telemetry::Metrics;

/// What the door of one route knows.
#[derive(Debug)]
pub struct Door {
    /// What a request here may cost and say.
    pub terms: Arc<Terms>,
    /// Who may call it.
    pub access: Access,
    /// `?parts` and `?partial` are meant for us; not where the query belongs to an upstream.
    pub reads_query: bool,
    /// Checks credentials.
    pub authenticator: Arc<Authenticator>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How full this BFF is; the same for all doors.
    pub load: Arc<Load>,
    /// The bodies on their way; the same for all doors.
    pub bodies: Arc<Bodies>,
    /// What becomes of a request's body here.
    pub receives: Receives,
    /// The proxies in front that are ours.
    pub proxies: TrustedProxies,
    /// How bad it is to refuse a request here.
    pub criticality: Criticality,
    /// Headers of the client that some upstream may be told.
    pub kept: Arc<[HeaderName]>,
    /// What a client may send, and what it is told.
    pub settings: EdgeSettings,
}

/// What the page layers of one endpoint know.
#[derive(Debug)]
pub struct Page {
    /// What a client may send, and what it is told.
    pub settings: EdgeSettings,
    /// How long a client may keep a private answer without asking. Default: it asks each time.
    pub private_max_age: Option<Duration>,
    /// Where whole answers are kept, if they are.
    pub whole: Option<Arc<Whole>>,
    /// What the API document demands of requests, if it does.
    pub rules: Option<Arc<Rules>>,
}

/// Answers of less than this are not worth compressing: they fit a packet anyway.
const WORTH_COMPRESSING: u64 = 860;

/// What the contract promises in headers, readable by pages of other origins.
const EXPOSED: [HeaderName; 6] = [
    HeaderName::from_static("bff-degraded"),
    HeaderName::from_static("etag"),
    HeaderName::from_static("retry-after"),
    HeaderName::from_static("server-timing"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("cache-control"),
];

/// The door: what everything passes.
pub fn door<State>(routes: MethodRouter<State>, door: &Arc<Door>) -> MethodRouter<State>
where
    State: Clone + Send + Sync + 'static,
{
    let state = || door.clone();
    let layers = ServiceBuilder::new()
        // Arrive: the request's id, its trace, its deadline; outermost, because the clock starts here and everything
        // below asks the context.
        .layer(around(state(), arrive::arrive))
        // Metrics and log line: outside whatever can refuse, so that refusals are seen.
        .layer(around(state(), observe::observe))
        // Security headers: on problems too.
        .layer(around(state(), secure::secure))
        // CORS: outside the problems (a page must be able to read them) and outside authentication (a preflight carries
        // no credentials).
        .option_layer(cors(&door.settings))
        // Problem: the one place where an error becomes a document.
        .layer(around((), problem::problem))
        // Panic: inside the problem, which it becomes.
        .layer(around((), panic::panic))
        // Open bodies: counts an answer until it is read, and inside the problem for the same reason as shedding.
        .layer(around(state(), open::open))
        // Receive: before the shedding, because a body that comes slowly must not hold a place.
        .layer(around(state(), receive::receive))
        // Address limit stands here: before anything costs a signature.
        // Load shed: for the same reason, and inside the problem, so that who is refused is told when to come back.
        .layer(around(state(), shed::shed))
        // Authenticate: inside everything that must see a refusal.
        .layer(around(state(), access::authenticate));
    // Quota stands here: it needs to know who asks.
    routes.layer(layers)
}

/// The page: what only composites pass, inside the door.
pub fn page<State>(routes: MethodRouter<State>, page: &Arc<Page>) -> MethodRouter<State>
where
    State: Clone + Send + Sync + 'static,
{
    let layers = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(axum::body::Body::new))
        // Compression: outside the answer's headers, whose ETag is that of the uncompressed body.
        .layer(compression())
        // Whole answers: outside everything that makes one, inside the compression, which each client asks for in its way.
        .layer(around(page.whole.clone(), whole::whole))
        // Body limit: before anybody reads.
        .layer(around(page.clone(), deadline::body_limit))
        // Answer headers: outside the deadline, so that a page cut by it has them too.
        .layer(around(page.clone(), answer::answer))
        // Deadline: the endpoint's scope, and the last word on how long it may take.
        .layer(around((), deadline::deadline))
        // Rules: inside the deadline, which counts for a body that is on its way, and before anybody is asked.
        .option_layer(page.rules.clone().map(|rules| around(rules, rules::hold)));
    routes.layer(layers)
}

fn compression() -> CompressionLayer<impl Predicate> {
    // A compressor holds back what it has until it has enough, and what flows is to leave as it is made.
    let is_whole = |_: StatusCode, _: Version, _: &HeaderMap, about: &Extensions| about.get::<Flows>().is_none();
    let worth_it = SizeAbove::new(WORTH_COMPRESSING).and(NotForContentType::IMAGES).and(is_whole);
    CompressionLayer::new().compress_when(worth_it)
}

fn cors(settings: &EdgeSettings) -> Option<CorsLayer> {
    let origins = settings.origins();
    if origins.is_empty() {
        return None;
    }
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let headers =
        ["authorization", "content-type", "idempotency-key", "request-timeout", "traceparent", "x-request-id"];
    Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods(methods)
            .allow_headers(headers.map(HeaderName::from_static))
            .expose_headers(EXPOSED)
            .max_age(Duration::from_secs(600)),
    )
}
