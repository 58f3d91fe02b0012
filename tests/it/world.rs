//! The whole on loopback: every backend on a free port, a BFF in front of them, and clients.
//!
//! Nothing here waits for a time. A test that does not come to its end is ended by [`within`].

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bff_core::Bff;
use bff_core::config::{Settings, Sources};
use bff_core::serve::{Listeners, serve};
use bff_core::upstream::{Clients, Shared, Tcp};
use http::HeaderMap;
use mock_services::{Faults, Logged, Options, Running, Service, SigningKeys, TokenRequest};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a BFF waits where a test is not about time: longer than any test, so that nothing here comes to a good end
/// because a time limit ran out.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How long a BFF waits for a backend that does not answer: a test is as long as this, and any backend that does answer is
/// far quicker, however busy the machine is.
const HASTE: Duration = Duration::from_secs(3);

/// What the busiest machine may take for one thing.
const AT_MOST: Duration = Duration::from_secs(30);

/// The keys of all tests: making them takes longer than most tests.
pub(crate) fn keys() -> SigningKeys {
    static KEYS: OnceLock<SigningKeys> = OnceLock::new();
    KEYS.get_or_init(|| SigningKeys::generate().unwrap()).clone()
}

/// Ends a test that would wait for ever. Only an upper bound: no test is right because of it.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(AT_MOST, future).await.expect("it came to no end")
}

/// A BFF that listens.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) management: SocketAddr,
    pub(crate) shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<std::io::Result<()>>,
}

impl Served {
    /// Free ports, and everything else as in `settings`.
    pub(crate) async fn start<Upstreams: Clients>(bff: &Bff<Upstreams>, mut settings: Settings) -> Self {
        settings.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        settings.server.management = settings.server.listen;
        let app = bff.build(&settings, Tcp).await.unwrap();
        let listeners = Listeners::bind(&settings.server).await.unwrap();
        let (address, management) = (listeners.public_addr().unwrap(), listeners.management_addr().unwrap());
        let shared = app.shared.clone();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(async move {
            let stopped = async {
                // A sender that is gone means that the test has ended.
                let _ = stopped.await;
            };
            serve(app, listeners, &settings.server, stopped).await
        });
        Self { address, management, shared, stop: Some(stop), ended }
    }

    /// Tells it to stop, as a signal does; [`ended`](Self::ended) says when it has.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn ended(self) -> std::io::Result<()> {
        within(self.ended).await.unwrap()
    }

    /// A connection on which this was sent.
    pub(crate) async fn raw(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        // It may be closed already while we write: what it said before that is still to be read.
        let _ = stream.write_all(bytes.as_ref()).await;
        stream
    }

    /// The status that is answered to this; 0 for a connection that is closed without an answer.
    pub(crate) async fn raw_status(&self, bytes: impl AsRef<[u8]>) -> u16 {
        let mut stream = self.raw(bytes).await;
        status_of(&read_until(&mut stream, b"\r\n").await)
    }

    /// What operators see.
    pub(crate) async fn metrics(&self) -> String {
        let response = client().get(format!("http://{}/metrics", self.management)).send().await.unwrap();
        response.text().await.unwrap()
    }
}

/// The status in the first line of an answer.
pub(crate) fn status_of(text: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(text);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// Reads until `end` was read, or the connection is closed.
pub(crate) async fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    while !text.ends_with(end) {
        match within(stream.read_u8()).await {
            Ok(byte) => text.push(byte),
            Err(_) => break,
        }
    }
    text
}

/// A client that takes answers as they are: compressed, redirected, whatever.
pub(crate) fn client() -> Client {
    builder().build().unwrap()
}

/// The same, with HTTP/2 from the first byte: all its requests share one connection.
pub(crate) fn h2_client() -> Client {
    builder().http2_prior_knowledge().build().unwrap()
}

fn builder() -> reqwest::ClientBuilder {
    Client::builder()
        .no_proxy()
        .gzip(false)
        .brotli(false)
        .zstd(false)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        within(Self::try_to(request)).await.unwrap()
    }

    pub(crate) async fn try_to(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, body: response.bytes().await?.to_vec() })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// All values of a header, as one list; empty where it is not there.
    pub(crate) fn header(&self, name: &str) -> String {
        let values = self.headers.get_all(name).iter().map(|value| value.to_str().unwrap());
        values.collect::<Vec<_>>().join(", ")
    }

    /// The entries of `meta.parts`.
    pub(crate) fn parts(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()["meta"]["parts"].as_array().unwrap().clone()
    }

    /// Holds for every problem that a BFF answers with.
    pub(crate) fn assert_problem(&self, status: u16, slug: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        assert_eq!(self.header("cache-control"), "no-store");
        let problem = self.json();
        assert_eq!(problem["type"], format!("/problems/{slug}"), "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["request_id"], self.header("x-request-id").as_str(), "{problem}");
        assert!(problem["instance"].as_str().unwrap().starts_with("urn:uuid:"), "{problem}");
        assert!(!problem["title"].as_str().unwrap().is_empty(), "{problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
        for secret in ["127.0.0.1", "localhost", "http://", "reqwest", "hyper"] {
            assert!(!self.text().contains(secret), "tells of what is behind it: {problem}");
        }
        problem
    }
}

/// All backends, and the mobile BFF in front of them.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) mocks: Running,
    pub(crate) mobile: Served,
    pub(crate) client: Client,
}

impl World {
    /// Patient with every backend, hence the same on a busy machine.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Waits for this one no longer than [`HASTE`], for tests in which it does not answer. It is asked once for each call and no
    /// failure is remembered, so that each fault shows by itself.
    pub(crate) async fn hasty(service: Service) -> Self {
        Self::with(|settings| {
            let upstream = settings.upstreams.get_mut(service.name()).unwrap();
            (upstream.timeout, upstream.attempt_timeout) = (HASTE, HASTE);
            upstream.retry.tries = 0;
            upstream.breaker.enabled = false;
        })
        .await
    }

    /// Patient, then changed by the test.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mocks = backends().await;
        let mut settings = settings(&mocks);
        change(&mut settings);
        let mobile = Served::start(&bff_mobile::bff(), settings).await;
        Self { mocks, mobile, client: client() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.mobile.address)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    pub(crate) async fn get_as(&self, user: &str, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path).bearer_auth(self.token(user))).await
    }

    /// The usual token of this user.
    pub(crate) fn token(&self, user: &str) -> String {
        self.mocks.mint_token(&TokenRequest::new(user)).unwrap()
    }

    pub(crate) fn fault(&self, service: Service, faults: Faults) {
        self.mocks.set_faults(service, faults).unwrap();
    }

    /// How many requests a backend saw.
    pub(crate) fn seen(&self, service: Service) -> usize {
        self.mocks.requests(service).len()
    }

    /// Every request that any backend saw, but for fetching keys.
    pub(crate) fn all_seen(&self) -> Vec<(Service, Logged)> {
        let others = Service::ALL.into_iter().filter(|service| *service != Service::Identity);
        others.flat_map(|service| self.mocks.requests(service).into_iter().map(move |one| (service, one))).collect()
    }

    pub(crate) fn forget_requests(&self) {
        Service::ALL.into_iter().for_each(|service| self.mocks.clear_requests(service));
    }
}

/// All backends on free ports.
pub(crate) async fn backends() -> Running {
    mock_services::start(Options { keys: Some(keys()), ..Options::default() }).await.unwrap()
}

/// What `config/mobile.toml` says.
pub(crate) fn shipped() -> Settings {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/mobile.toml");
    let sources = Sources { file: Some(file), ..Sources::new("mobile") };
    Settings::load(&sources).unwrap().settings
}

/// What `config/mobile.toml` says, with these backends and patience.
pub(crate) fn settings(mocks: &Running) -> Settings {
    let mut settings = shipped();
    settings.cache.jitter = 0.0;
    for (name, upstream) in &mut settings.upstreams {
        upstream.url = mocks.url(name.parse().unwrap());
        upstream.timeout = PATIENCE;
        upstream.attempt_timeout = PATIENCE;
        upstream.connect_timeout = PATIENCE;
    }
    for issuer in settings.auth.issuers.values_mut() {
        issuer.jwks_url = format!("{}/.well-known/jwks.json", mocks.url(Service::Identity));
    }
    for name in ["getHome", "getProductPage", "search", "getCart", "addCartItem", "getOrders"] {
        settings.endpoints.entry(name.to_owned()).or_default().budget = Some(PATIENCE);
    }
    settings
}
