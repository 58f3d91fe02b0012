//! Routes: what is passed on, and how it ends.

mod bodies;
mod rules;
mod tunnels;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::UPGRADE;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::upgrade::OnUpgrade;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::builder;
use crate::body::Body;
use crate::context::{Context, Peer, Terms, TraceContext, Wishes};
use crate::serve::{Listeners, ServerSettings, serve};
use crate::upstream::{Client, Passing, Shared, Tcp, UpstreamSettings};

/// Longer than any test: nothing here comes to an end because time ran out, but where a test is about that.
const PATIENCE: Duration = Duration::from_secs(1000);

fn passing(idle: Duration) -> Passing {
    let terms = Arc::new(Terms::default());
    let context = Context::new(None, TraceContext::begin(), terms, Wishes::default(), http::HeaderMap::new());
    Passing { timeout: None, idle, identity: None, cached: false, flavour: "".into(), context: Arc::new(context) }
}

/// A listener whose only route leads to an upstream that a test plays by hand.
struct Way {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Where the upstream is called.
    upstream: TcpListener,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<std::io::Result<()>>,
}

impl Way {
    async fn open(how: Passing) -> Self {
        Self::with(how, |_| {}).await
    }

    async fn with(how: Passing, change: impl FnOnce(&mut ServerSettings)) -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", upstream.local_addr().unwrap());
        let own =
            UpstreamSettings { url, timeout: PATIENCE, attempt_timeout: PATIENCE / 2, ..UpstreamSettings::default() };
        let mut app = builder().build().await.unwrap().app;
        let shared = app.shared.clone();
        let client = Client::new("files", own, shared.clone(), &Tcp).unwrap();
        app.public = Router::new().fallback(move |request| route(client.clone(), how.clone(), request));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut settings = ServerSettings {
            listen: any,
            management: any,
            header_timeout: PATIENCE,
            write_timeout: PATIENCE,
            ..ServerSettings::default()
        };
        change(&mut settings);
        let listeners = Listeners::bind(&settings).await.unwrap();
        let address = listeners.public_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(async move {
            serve(app, listeners, &settings, async {
                let _ = stopped.await;
            })
            .await
        });
        Self { address, shared, upstream, stop, ended }
    }

    /// A client that says this.
    async fn client(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// The upstream's end of the next connection, once the head of a request is here; and that head.
    async fn asked(&self) -> (TcpStream, String) {
        let (mut stream, _) = self.upstream.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        (stream, head)
    }

    fn metrics(&self) -> String {
        self.shared.metrics.render()
    }
}

async fn route(client: Client, how: Passing, mut request: Request) -> Response {
    assert!(request.extensions().get::<Peer>().is_some_and(|Peer(peer)| peer.ip().is_loopback()));
    let upgrade: Option<OnUpgrade> = request.extensions_mut().remove();
    request.headers_mut().remove("host");
    let wants = request.headers().contains_key(UPGRADE);
    let empty = request.body().is_end_stream();
    let request = request.map(|body| if empty { Body::empty() } else { Body::stream(body) });
    let passed = match upgrade.filter(|_| wants) {
        Some(upgrade) => client.upgrade(request, upgrade, how).await,
        None => client.pass(request, how).await,
    };
    passed.map_or_else(IntoResponse::into_response, |response| response.map(axum::body::Body::new))
}

/// All up to the empty line.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

/// All that still comes; a connection that is reset ends like one that is closed.
async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    all
}

async fn read_body(body: Body) -> Result<bytes::Bytes, crate::body::BodyError> {
    Ok(body.collect().await?.to_bytes())
}
