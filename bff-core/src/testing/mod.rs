//! A BFF in memory: upstreams faked by functions, faults by part, paused time.
//!
//! Nothing here listens or connects, unless asked to with [`Builder::network`]; so a test may pause tokio's
//! clock and see a page end at its deadline to the millisecond.

mod fault;
mod issuer;
mod redis_server;
mod reply;
mod slow_proxy;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::task::JoinSet;
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};

use crate::auth::IssuerSettings;
use crate::bff::{App, Bff};
use crate::body::Body;
use crate::config::Settings;
use crate::error::{Error, Kind, Result};
use crate::identity::Claims;
use crate::upstream::{Clients, Location, Network, Tcp, Transport, UpstreamSettings};
use issuer::{AUDIENCE, ISSUER, Issuer};

pub use fault::{Fault, Faults};
pub use redis_server::RedisServer;
pub use reply::Reply;
pub use slow_proxy::SlowProxy;

type Fake = Arc<dyn Fn(Request<Bytes>) -> BoxFuture<'static, Reply> + Send + Sync>;
type Names = Arc<dyn Fn(&str) -> Vec<IpAddr> + Send + Sync>;

/// Builds a [`TestBff`].
pub struct Builder<Upstreams> {
    bff: Bff<Upstreams>,
    settings: Settings,
    fakes: HashMap<String, Fake>,
    faults: Faults,
    names: Names,
    issuer: Arc<Issuer>,
}

impl<Upstreams> fmt::Debug for Builder<Upstreams> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Builder").field("fakes", &self.fakes.keys()).finish_non_exhaustive()
    }
}

/// A BFF in memory.
#[derive(Debug)]
pub struct TestBff {
    /// What was built.
    pub app: App,
    /// What goes wrong.
    pub faults: Faults,
    issuer: Arc<Issuer>,
    router: Router,
    /// Looks up names and probes hosts, where the settings say so.
    _watch: JoinSet<()>,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; `null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A header as text; empty where it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl<Upstreams: Clients> Builder<Upstreams> {
    /// No upstream answers yet; every one that is called without a fake is unreachable.
    ///
    /// Nothing is asked again and no breaker opens, so that a test sees what one fault does and not what several did;
    /// [`protected`](Self::protected) switches both on.
    ///
    /// # Errors
    /// When no key for signing tokens can be made.
    pub fn new(bff: Bff<Upstreams>) -> Result<Self> {
        let mut settings = Settings::default();
        settings.cache.jitter = 0.0;
        let issuer = IssuerSettings {
            issuer: ISSUER.to_owned(),
            jwks_url: format!("{ISSUER}/keys"),
            audiences: vec![AUDIENCE.to_owned()],
            ..IssuerSettings::default()
        };
        settings.auth.issuers.insert("test".to_owned(), issuer);
        for name in Upstreams::NAMES {
            let mut own = UpstreamSettings { url: format!("http://{name}.test"), ..UpstreamSettings::default() };
            own.retry.tries = 0;
            own.breaker.enabled = false;
            own.dns_refresh = Duration::ZERO;
            settings.upstreams.insert((*name).to_owned(), own);
        }
        let issuer = Arc::new(Issuer::new()?);
        let names: Names = Arc::new(|_| Vec::new());
        Ok(Self { bff, settings, fakes: HashMap::new(), faults: Faults::default(), names, issuer })
    }

    /// Retries and breakers as in production.
    #[must_use]
    pub fn protected(self) -> Self {
        let own = UpstreamSettings::default();
        self.settings(|settings| {
            for upstream in settings.upstreams.values_mut() {
                upstream.retry = own.retry.clone();
                upstream.breaker = own.breaker.clone();
            }
        })
    }

    /// Says where names lead, for upstreams whose `dns_refresh` is not 0. Default: nowhere.
    #[must_use]
    pub fn names(mut self, names: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        self.names = Arc::new(names);
        self
    }

    /// Fakes one upstream by a function. Which of its hosts is asked stands in `Host`: the address where one is known,
    /// or else that of the URL.
    #[must_use]
    pub fn upstream<Fut>(mut self, name: &str, fake: impl Fn(Request<Bytes>) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Reply> + Send + 'static,
    {
        self.fakes.insert(name.to_owned(), Arc::new(move |request| fake(request).boxed()));
        self
    }

    /// Fakes one upstream by an answer that is always the same.
    #[must_use]
    pub fn answers(self, name: &str, reply: Reply) -> Self {
        self.upstream(name, move |_| std::future::ready(reply.clone()))
    }

    /// Calls one upstream over the network after all.
    #[must_use]
    pub fn network(mut self, name: &str, url: &str) -> Self {
        self.settings.upstreams.entry(name.to_owned()).or_default().url = url.to_owned();
        self
    }

    /// Changes the settings.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// When it cannot be built.
    pub async fn build(self) -> Result<TestBff> {
        let Self { bff, settings, fakes, faults, names, issuer } = self;
        let network = Fakes { fakes, names, faults: faults.clone(), issuer: issuer.clone() };
        let app = bff.build(&settings, network).await?;
        let router = app.public.clone();
        let watch = app.watch();
        Ok(TestBff { app, faults, issuer, router, _watch: watch })
    }
}

/// What stands in the network's place.
struct Fakes {
    // bound: the upstreams of one BFF
    fakes: HashMap<String, Fake>,
    names: Names,
    faults: Faults,
    issuer: Arc<Issuer>,
}

impl Network for Fakes {
    fn transport(&self, name: &str, own: &UpstreamSettings, at: &Location) -> Result<Transport> {
        if name == "issuer" {
            let keys = self.issuer.clone();
            let fake: Fake = Arc::new(move |_| std::future::ready(keys.key_set()).boxed());
            return Ok(faked(fake, HeaderValue::from_static("issuer")));
        }
        let transport = match self.fakes.get(name) {
            Some(fake) => faked(fake.clone(), at.to_string().parse().map_err(Error::internal)?),
            None if at.url.host_str().is_some_and(|host| host.ends_with(".test")) => {
                BoxCloneSyncService::new(service_fn(|_| async { Err(Error::new(Kind::Unreachable)) }))
            }
            None => Tcp.transport(name, own, at)?,
        };
        Ok(self.faults.wrap(name, transport))
    }

    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let addresses = (self.names)(&host).into_iter().map(|address| SocketAddr::new(address, port)).collect();
        std::future::ready(Ok(addresses)).boxed()
    }
}

fn faked(fake: Fake, host: HeaderValue) -> Transport {
    BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
        let (fake, host) = (fake.clone(), host.clone());
        async move {
            let (mut head, body) = request.into_parts();
            head.headers.insert(header::HOST, host);
            let body = body.collect().await.map_err(Error::internal)?.to_bytes();
            let reply = fake(Request::from_parts(head, body)).await;
            // A timer of nothing still waits for the next tick.
            if !reply.delay.is_zero() {
                tokio::time::sleep(reply.delay).await;
            }
            Ok(reply.into_response())
        }
    }))
}

impl TestBff {
    /// Asks as nobody.
    pub async fn get(&self, target: &str) -> Answer {
        self.send(Request::builder().uri(target), Bytes::new()).await
    }

    /// Asks as this user. Their token is good for five minutes.
    pub async fn get_as(&self, claims: &Claims, target: &str) -> Answer {
        let request = Request::builder().uri(target).header(header::AUTHORIZATION, self.bearer(claims));
        self.send(request, Bytes::new()).await
    }

    /// Posts JSON as this user.
    pub async fn post_as(&self, claims: &Claims, target: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri(target)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, self.bearer(claims));
        self.send(request, body.to_string().into()).await
    }

    /// Sends any request. One that cannot be built (a target that is none) is a 400 without a body.
    pub async fn send(&self, request: http::request::Builder, body: Bytes) -> Answer {
        let host = !request.headers_ref().is_some_and(|headers| headers.contains_key(header::HOST));
        let request = if host { request.header(header::HOST, "bff.test") } else { request };
        let Ok(request) = request.body(axum::body::Body::from(body)) else {
            return Answer { status: StatusCode::BAD_REQUEST, headers: HeaderMap::new(), body: Bytes::new() };
        };
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// A token for this user, as `Authorization` carries it.
    #[must_use]
    pub fn bearer(&self, claims: &Claims) -> String {
        format!("Bearer {}", self.issuer.token(claims))
    }
}
