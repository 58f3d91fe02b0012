//! A BFF in memory: upstreams faked by functions, faults by part, paused time.
//!
//! Nothing here listens or connects, unless asked to with [`Builder::network`]; so a test may pause tokio's
//! clock and see a page end at its deadline to the millisecond.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};

use crate::auth::IssuerSettings;
use crate::bff::{App, Bff};
use crate::body::Body;
use crate::clock;
use crate::config::Settings;
use crate::error::{Error, Kind, Result};
use crate::identity::Claims;
use crate::upstream::{Call, Clients, Transport, UpstreamSettings, Verdict, network};

/// What a faked upstream answers.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status. Default 200.
    pub status: StatusCode,
    /// Beside the content type.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long it takes, on tokio's clock. Default: nothing.
    pub delay: Duration,
}

impl Reply {
    /// A 200 with this JSON.
    #[must_use]
    pub fn json(value: &Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        Self { status: StatusCode::OK, headers, body: value.to_string().into(), delay: Duration::ZERO }
    }

    /// An empty answer with this status.
    #[must_use]
    pub fn status(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), delay: Duration::ZERO }
    }

    /// The same with one more header; one that cannot be written is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = value.parse() {
            self.headers.append(name, value);
        }
        self
    }

    /// The same, later.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// What goes wrong with the calls of a part, or with an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Never answers.
    Hang,
    /// No connection.
    Refuse,
    /// Answers with this status.
    Status(u16),
    /// A 200 that is no JSON.
    Garbage,
    /// Answers this much later.
    Slow(Duration),
}

/// Where a fault strikes, and how many calls it met.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    // bound: the parts and upstreams that a test names
    by_part: HashMap<String, Fault>,
    // bound: the parts and upstreams that a test names
    by_upstream: HashMap<String, Fault>,
    met: usize,
}

impl Faults {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every call made for this part.
    pub fn part(&self, part: &str, fault: Fault) {
        self.state().by_part.insert(part.to_owned(), fault);
    }

    /// Every call to this upstream.
    pub fn upstream(&self, upstream: &str, fault: Fault) {
        self.state().by_upstream.insert(upstream.to_owned(), fault);
    }

    /// Everything is well again; the count begins anew.
    pub fn clear(&self) {
        *self.state() = State::default();
    }

    /// How many calls met a fault. A drill whose fault met none has shown nothing.
    #[must_use]
    pub fn met(&self) -> usize {
        self.state().met
    }

    fn strike(&self, upstream: &str, request: &Request<Body>) -> Option<Fault> {
        let mut state = self.state();
        let part = request.extensions().get::<Call>().and_then(|call| call.part.as_deref());
        let fault = part.and_then(|part| state.by_part.get(part)).or_else(|| state.by_upstream.get(upstream)).copied();
        state.met += usize::from(fault.is_some());
        fault
    }

    /// `transport` with these faults in front of it.
    fn wrap(&self, upstream: &str, transport: Transport) -> Transport {
        let faults = self.clone();
        let upstream: Arc<str> = upstream.into();
        BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
            let fault = faults.strike(&upstream, &request);
            let transport = transport.clone();
            async move {
                match fault {
                    None => transport.oneshot(request).await,
                    Some(Fault::Hang) => std::future::pending().await,
                    Some(Fault::Refuse) => Err(Error::new(Kind::Unreachable)),
                    Some(Fault::Status(status)) => {
                        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                        Ok(respond(Reply::status(status)))
                    }
                    Some(Fault::Garbage) => {
                        Ok(respond(Reply { body: Bytes::from_static(b"<html>"), ..Reply::json(&Value::Null) }))
                    }
                    Some(Fault::Slow(delay)) => {
                        tokio::time::sleep(delay).await;
                        transport.oneshot(request).await
                    }
                }
            }
        }))
    }
}

fn respond(reply: Reply) -> Response<Body> {
    let verdict = match reply.status.as_u16() {
        429 => Verdict::Overloaded,
        500.. => Verdict::UpstreamFault,
        400.. => Verdict::ClientFault,
        _ => Verdict::Fine,
    };
    let mut response = Response::new(Body::Bytes(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response.extensions_mut().insert(verdict);
    response
}

type Fake = Arc<dyn Fn(Request<Bytes>) -> BoxFuture<'static, Reply> + Send + Sync>;

/// Builds a [`TestBff`].
pub struct Builder<Upstreams> {
    bff: Bff<Upstreams>,
    settings: Settings,
    fakes: HashMap<String, Fake>,
    faults: Faults,
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

/// Signs tokens that a [`TestBff`] believes.
struct Issuer {
    key: EcdsaKeyPair,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Issuer")
    }
}

const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "test";

impl<Upstreams: Clients> Builder<Upstreams> {
    /// No upstream answers yet; every one that is called without a fake is unreachable.
    ///
    /// # Errors
    /// When no key for signing tokens can be made.
    pub fn new(bff: Bff<Upstreams>) -> Result<Self> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(Error::internal)?;
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
            let own = UpstreamSettings { url: format!("http://{name}.test"), ..UpstreamSettings::default() };
            settings.upstreams.insert((*name).to_owned(), own);
        }
        Ok(Self { bff, settings, fakes: HashMap::new(), faults: Faults::default(), issuer: Arc::new(Issuer { key }) })
    }

    /// Fakes one upstream by a function.
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
        let Self { bff, settings, fakes, faults, issuer } = self;
        let transports = |name: &str, own: &UpstreamSettings| -> Result<Transport> {
            if name == "issuer" {
                let keys = issuer.clone();
                let fake: Fake = Arc::new(move |_| std::future::ready(keys.key_set()).boxed());
                return Ok(faked(fake));
            }
            let transport = match fakes.get(name) {
                Some(fake) => faked(fake.clone()),
                None if own.url.ends_with(".test") => {
                    BoxCloneSyncService::new(service_fn(|_| async { Err(Error::new(Kind::Unreachable)) }))
                }
                None => network(own)?,
            };
            Ok(faults.wrap(name, transport))
        };
        let app = bff.build(&settings, &transports).await?;
        let router = app.public.clone();
        Ok(TestBff { app, faults, issuer, router })
    }
}

fn faked(fake: Fake) -> Transport {
    BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
        let fake = fake.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(Error::internal)?.to_bytes();
            let reply = fake(Request::from_parts(head, body)).await;
            tokio::time::sleep(reply.delay).await;
            Ok(respond(reply))
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

impl Issuer {
    fn key_set(&self) -> Reply {
        // An uncompressed point: 4, then x and y (SEC 1 §2.3.3).
        let point = self.key.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        Reply::json(&json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "test", "x": x, "y": y
        }] }))
    }

    fn token(&self, claims: &Claims) -> String {
        let now = clock::unix_seconds();
        let header = json!({ "alg": "ES256", "kid": "test", "typ": "JWT" });
        let mut payload = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": claims.subject, "iat": now, "exp": now + 300,
            "roles": claims.roles, "scope": claims.scopes.join(" "),
        });
        for (name, value) in [("tenant", &claims.tenant), ("client_id", &claims.client)] {
            if let Some(value) = value {
                payload[name] = json!(value);
            }
        }
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload.to_string()));
        let random = aws_lc_rs::rand::SystemRandom::new();
        let signature = self.key.sign(&random, signed.as_bytes());
        let signature = signature.map(|signature| URL_SAFE_NO_PAD.encode(signature.as_ref())).unwrap_or_default();
        format!("{signed}.{signature}")
    }
}
