//! A BFF: its table of contents, and the program that is built from it.

mod check;
mod clients;
mod endpoints;
mod issuers;
mod protections;
mod survey;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use bytes::Bytes;
use http::{Method, StatusCode, Uri, header};
use tokio::task::JoinSet;
use utoipa::openapi::OpenApi;

use self::clients::{clients, kept, told};
use self::issuers::Issuers;
use crate::auth::Authenticator;
use crate::clock;
use crate::config::Settings;
use crate::context::{Terms, TrustedProxies};
use crate::edge::{self, Access, Credentials, Door, PROBLEM_TYPES, Page, Receives, Whole};
use crate::error::{Error, Kind, Result};
use crate::openapi;
use crate::passthrough::{PassThrough, Passage, Routes};
use crate::resilience::{Bodies, Criticality, Load};
use crate::routes::{Declared, Policy, Route, SurveyedPart};
use crate::settings::{Mistake, Mistakes};
use crate::telemetry::Metrics;
use crate::upstream::{Clients, Network, Shared, UpstreamSettings};

/// The table of contents of one BFF: its endpoints, each with its policy.
#[derive(Clone)]
pub struct Bff<Upstreams> {
    pub(crate) about: About,
    pub(crate) routes: Vec<Route<Upstreams>>,
    /// What `page` was given and cannot serve.
    refused: Vec<Mistake>,
}

/// What a BFF says about itself.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The name of its frontend: of its configuration file, its API document, its metrics.
    pub name: &'static str,
    /// Of the API document.
    pub version: &'static str,
    /// For those who read the API document.
    pub description: &'static str,
    pub(crate) strict: bool,
    pub(crate) coarse_reasons: bool,
    pub(crate) timings: bool,
}

impl<Upstreams> std::fmt::Debug for Bff<Upstreams> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Bff").field("about", &self.about).finish_non_exhaustive()
    }
}

/// A BFF, built: everything but the listening.
pub struct App {
    /// What clients call.
    pub public: Router,
    /// What operators call, on a listener of its own.
    pub management: Router,
    /// Store, flights, background work.
    pub shared: Arc<Shared>,
    /// The API document.
    pub document: OpenApi,
    /// The table of contents, with each endpoint's parts.
    pub endpoints: Vec<Endpoint>,
    ready: Arc<AtomicBool>,
    load: Arc<Load>,
    network: Arc<dyn Network>,
    pub(crate) proxies: TrustedProxies,
}

impl std::fmt::Debug for App {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("App").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

impl App {
    /// The parts of the endpoint with this name; none for one that has no parts, or that is not here.
    #[must_use]
    pub fn parts(&self, endpoint: &str) -> &[SurveyedPart] {
        self.endpoints.iter().find(|known| known.name == endpoint).map_or(&[], |known| &known.parts)
    }

    /// Begins to look after the hosts of the upstreams (names, probes), and after how late this process runs what is ready,
    /// until the set that comes back is dropped. Without it the edge lets in `edge.shed.in_flight` requests at once.
    #[must_use = "dropping it ends the watch"]
    pub fn watch(&self) -> JoinSet<()> {
        let mut tasks = self.shared.watch(&self.network);
        let (lateness, load) = (self.shared.lateness.clone(), self.load.clone());
        load.begin();
        tasks.spawn(async move { lateness.measure(|pulse| load.adapt(pulse, clock::now())).await });
        tasks
    }

    /// Says whether `/readyz` sends traffic here: no while draining. Never follows the health of upstreams.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }
}

/// One endpoint, as it can be known without calling anything.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name in logs, metrics, configuration and the API document.
    pub name: String,
    /// Its method.
    pub method: Method,
    /// Its path, with placeholders.
    pub path: String,
    /// A path and query that it takes, made from the examples of the API document.
    pub example: Uri,
    /// Who may call it.
    pub access: Access,
    /// Its parts, in the order in which the answer is written. Those of a write are not known.
    pub parts: Vec<SurveyedPart>,
    /// Its document demands more of requests than types, and they are held to it.
    pub is_checked: bool,
}

impl<Upstreams: Clients> Bff<Upstreams> {
    /// A BFF without endpoints. `name` is the name of its frontend (`mobile`).
    #[must_use]
    pub fn new(name: &'static str, version: &'static str) -> Self {
        let about = About { name, version, description: "", strict: false, coarse_reasons: false, timings: true };
        Self { about, routes: Vec::new(), refused: Vec::new() }
    }

    /// What readers of the API document should know.
    #[must_use]
    pub fn describe(mut self, description: &'static str) -> Self {
        self.about.description = description;
        self
    }

    /// Answers whole or not at all: a degraded answer is a 503 unless the client asks for `?partial=true`; reasons
    /// are told as `timeout` or `unavailable`, timings not at all.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.about.strict = true;
        self.about.coarse_reasons = true;
        self.about.timings = false;
        self
    }

    /// One endpoint: `.page(routes!(home), Policy::public())`. One function for each call.
    ///
    /// What is wrong with it is said at start and by `check`, all of it at once. A GET that takes a
    /// [`Composer`](crate::Composer) is then called once without a network, to learn its parts: what stands in front of
    /// `compose!` runs, for at most two seconds. The function of a write is never called for that.
    #[must_use]
    pub fn page(mut self, declared: Declared<Upstreams>, policy: Policy) -> Self {
        match Route::new(declared, policy) {
            Ok(route) => self.routes.push(route),
            Err(mistake) => self.refused.push(mistake),
        }
        self
    }

    /// Builds the program. `network` is [`Tcp`](crate::upstream::Tcp) but in tests.
    ///
    /// # Errors
    /// When an upstream or an issuer cannot be set up; settings are to be [checked](Self::check) before.
    pub async fn build(&self, settings: &Settings, network: impl Network) -> Result<App> {
        let network: Arc<dyn Network> = Arc::new(network);
        let metrics = Arc::new(Metrics::default());
        let mut cache = settings.cache.clone();
        // Two BFFs may ask the same of a Redis that they share and mean their own answers.
        cache.redis.prefix = format!("{}:{}", cache.redis.prefix, self.about.name);
        let shared = Shared::new(&cache, metrics.clone())?;
        shared.introduce(self.about.name, self.about.version);
        let routes = Routes::new(&settings.routes)?;
        let (upstreams, by_name) = clients::<Upstreams>(settings, &shared, network.as_ref())?;
        let issuers = Issuers::new(settings, &metrics, network.as_ref())?;
        let authenticator = Authenticator::new(&settings.auth, Arc::new(issuers)).map_err(|mistakes| {
            let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            Error::internal(mistakes.join("; "))
        })?;
        let authenticator = Arc::new(authenticator);
        let mut edge_settings = settings.edge.clone();
        edge_settings.server_timing &= self.about.timings;
        let kept = kept(settings);
        let told = told(settings, &kept);
        let load = Arc::new(Load::new(&settings.edge.shed));
        let bodies = Arc::new(Bodies::new(&settings.edge.bodies));
        let seen_bodies = bodies.clone();
        let proxies = TrustedProxies::new(&settings.edge.trusted_proxies);
        let body_limit = settings.edge.body_limit.as_u64();
        let seen_load = load.clone();
        let door = |terms: Terms, access: Access, criticality: Criticality, reads_query: bool, receives: Receives| {
            Arc::new(Door {
                terms: Arc::new(terms),
                access,
                reads_query,
                authenticator: authenticator.clone(),
                metrics: metrics.clone(),
                load: load.clone(),
                bodies: bodies.clone(),
                receives,
                proxies: proxies.clone(),
                criticality,
                kept: told.clone(),
                settings: edge_settings.clone(),
            })
        };

        let by_person = settings.upstreams.values().any(UpstreamSettings::has_weights);
        let whole = Arc::new(Whole { store: shared.store.clone(), kept, by_person });
        let parts = self.learn_parts(&upstreams).await?;
        let document = openapi::document(&self.about, &self.routes, &parts, &settings.routes);
        let mut mistakes = Mistakes::default();
        let rules = openapi::rules(&document, &self.routes, &mut mistakes);
        endpoints::refuse(mistakes.into_inner())?;
        let mut pages = Router::new();
        for route in &self.routes {
            let terms = route.terms(settings.endpoints.get(&route.name), self.about.strict, self.about.coarse_reasons);
            let page = Page {
                settings: edge_settings.clone(),
                private_max_age: route.policy.private_max_age,
                whole: route.policy.cached.then(|| whole.clone()),
                rules: rules.get(&route.name).cloned(),
            };
            let inside = edge::page(route.handler.clone(), &Arc::new(page));
            let receives = Receives::Whole { limit: body_limit };
            let door = door(terms, route.policy.access.clone(), route.policy.criticality, true, receives);
            let handler = edge::door(inside, &door);
            pages = pages.route(&route.path, handler);
        }
        let pages = pages.with_state(upstreams);

        let ready = Arc::new(AtomicBool::new(true));
        let plain = |endpoint: &str, path: &str, handler| {
            let terms = Terms { endpoint: endpoint.into(), route: path.into(), ..Terms::default() };
            // What explains this API is for everybody, and a token that does not hold is what brings many here.
            let open = Access { credentials: Credentials::Ignored, ..Access::default() };
            edge::door(handler, &door(terms, open, Criticality::Sheddable, true, Receives::Nothing))
        };
        let passing = routes.names().map(|name| {
            let own = settings.routes.get(name).cloned().unwrap_or_default();
            let missing = || Error::internal(format!("the route {name} goes to an upstream that is not there"));
            let client = by_name.get(own.upstream.as_str()).cloned().ok_or_else(missing)?;
            let upstream = settings.upstreams.get(&own.upstream).ok_or_else(missing)?;
            let terms = Passage::terms(name, &own, upstream, self.about.coarse_reasons);
            let passage = Arc::new(Passage::new(self.about.name, &own, upstream, &edge_settings, client));
            let handler = any(move |request: axum::extract::Request| {
                let passage = passage.clone();
                async move { passage.pass(request).await }
            });
            // With its state, so that its layers are laid once and not for each request.
            let door = door(terms, own.access(), Criticality::Normal, false, own.receives(&edge_settings));
            Ok(edge::door(handler, &door).with_state::<()>(()))
        });
        let passing: Vec<_> = passing.collect::<Result<_>>()?;
        let terms = Terms { endpoint: "unmatched".into(), route: "".into(), ..Terms::default() };
        let unmatched = door(terms, Access::default(), Criticality::Sheddable, true, Receives::Nothing);
        let unmatched = edge::door(any(no_such_route), &unmatched);
        let json: Bytes = openapi::render(&document).into();
        let public = pages
            .route("/openapi.json", plain("openapi", "/openapi.json", get(move || openapi_json(json.clone()))))
            .route("/problems/{slug}", plain("problems", "/problems/{slug}", get(explain)))
            .merge(openapi::explorer(self.about.name, |path, handler| plain("docs", path, handler)))
            .merge(health(&ready))
            .fallback_service(PassThrough::new(&routes, passing, unmatched));
        let (rendered, measured) = (metrics.clone(), shared.clone());
        let scrape = move || {
            measured.measure();
            std::future::ready(metrics_text(&rendered))
        };
        let seen = shared.clone();
        let management = Router::new()
            .route("/metrics", get(scrape))
            .route("/protections", get(move || std::future::ready(protections::json(&seen, &seen_load, &seen_bodies))))
            .merge(health(&ready));
        let endpoints = self.routes.iter().map(|route| Endpoint {
            name: route.name.clone(),
            method: route.method.clone(),
            path: route.path.clone(),
            example: route.example(),
            access: route.policy.access.clone(),
            parts: parts.get(&route.name).cloned().unwrap_or_default(),
            is_checked: rules.contains_key(&route.name),
        });
        Ok(App { public, management, shared, document, endpoints: endpoints.collect(), ready, load, network, proxies })
    }
}

async fn no_such_route() -> Response {
    Error::new(Kind::NoSuchRoute).into_response()
}

async fn openapi_json(document: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], document).into_response()
}

/// What a problem's `type` leads to.
async fn explain(Path(slug): Path<String>) -> Response {
    match PROBLEM_TYPES.iter().find(|kind| kind.slug == slug) {
        Some(kind) => {
            let text = format!("{} ({})\n\n{}\n", kind.title, kind.status, kind.explanation);
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
        None => Error::new(Kind::NoSuchRoute).into_response(),
    }
}

fn metrics_text(metrics: &Metrics) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.render()).into_response()
}

/// Outside the door: asked every second by machines, and no use in a log.
fn health(ready: &Arc<AtomicBool>) -> Router {
    let ready = ready.clone();
    let readiness = move || {
        let answer = if ready.load(Ordering::Relaxed) {
            (StatusCode::OK, "ready\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
        };
        std::future::ready(answer)
    };
    Router::new().route("/livez", get(|| std::future::ready("alive\n"))).route("/readyz", get(readiness))
}

/// Declares the upstreams of one BFF: each field is the name of a table under `[upstreams]` and the typed client that
/// is made from it (anything that is `From<Client>`). Endpoints take the struct as an argument.
#[macro_export]
macro_rules! upstreams {
    ($(#[$about:meta])* $visibility:vis struct $name:ident {
        $($(#[$field_about:meta])* $field:ident : $client:ty),+ $(,)?
    }) => {
        $(#[$about])*
        #[derive(Clone, Debug)]
        $visibility struct $name {
            $($(#[$field_about])* pub $field: $client,)+
        }

        impl $crate::upstream::Clients for $name {
            const NAMES: &'static [&'static str] = &[$(::core::stringify!($field)),+];

            fn build(
                client: &mut dyn FnMut(&'static str) -> ::core::option::Option<$crate::upstream::Client>,
            ) -> ::core::option::Option<Self> {
                ::core::option::Option::Some(Self { $($field: <$client>::from(client(::core::stringify!($field))?),)+ })
            }
        }

        impl $crate::axum::extract::FromRequestParts<$name> for $name {
            type Rejection = ::core::convert::Infallible;

            async fn from_request_parts(
                _: &mut $crate::axum::http::request::Parts,
                state: &$name,
            ) -> ::core::result::Result<Self, Self::Rejection> {
                ::core::result::Result::Ok(state.clone())
            }
        }
    };
}
