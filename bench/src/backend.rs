//! The backends of the page in one process: static answers, as cheap as can be.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Result;
use crate::page::{PRICE, PRODUCT, REVIEWS};
use crate::tokens::Issuer;

/// How the backends answer.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// Answers may be kept for an hour by everybody. Otherwise they are `no-store`.
    #[arg(long)]
    cacheable: bool,
    /// How long the three answers take, in milliseconds.
    #[arg(long, num_args = 3, default_values_t = [0, 0, 0])]
    delays: Vec<u64>,
    /// The last of the three never answers.
    #[arg(long)]
    hanging: bool,
}

/// By everybody, for longer than anything is measured.
const KEPT: &str = "public, max-age=3600";

struct Backend {
    cache_control: HeaderValue,
    delays: Vec<Duration>,
    hanging: bool,
    calls: AtomicU64,
    issuer: Issuer,
    /// What routes pass on: the three answers in one.
    passed: Bytes,
}

/// Listens until it is killed.
pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let backend = Arc::new(Backend {
        cache_control: HeaderValue::from_static(if options.cacheable { KEPT } else { "no-store" }),
        hanging: options.hanging,
        delays: options.delays.iter().copied().map(Duration::from_millis).collect(),
        calls: AtomicU64::new(0),
        issuer: Issuer::new()?,
        passed: format!(r#"{{"product":{PRODUCT},"price":{PRICE},"reviews":{REVIEWS}}}"#).into(),
    });
    runtime.block_on(async {
        let listener = TcpListener::bind(options.listen).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let backend = backend.clone();
            let service = service_fn(move |request| {
                let backend = backend.clone();
                async move { Ok::<_, Infallible>(backend.answer(&request).await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}

impl Backend {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let documents = [("/products/", PRODUCT), ("/prices/", PRICE), ("/reviews/", REVIEWS)];
        for (index, (prefix, document)) in documents.into_iter().enumerate() {
            if path.starts_with(prefix) {
                self.calls.fetch_add(1, Ordering::Relaxed);
                if let Some(delay) = self.delays.get(index).filter(|delay| !delay.is_zero()) {
                    tokio::time::sleep(*delay).await;
                }
                if self.hanging && index == 2 {
                    std::future::pending::<()>().await;
                }
                return self.json(Bytes::from_static(document.as_bytes()));
            }
        }
        for (prefix, cache_control) in [("/passed/", "no-store"), ("/kept/", KEPT)] {
            if path.starts_with(prefix) {
                self.calls.fetch_add(1, Ordering::Relaxed);
                return json(self.passed.clone(), HeaderValue::from_static(cache_control));
            }
        }
        match path {
            "/keys" => self.json(self.issuer.key_set().into()),
            "/tokens" => self.json(self.issuer.tokens().into()),
            "/calls" => self.json(self.calls.load(Ordering::Relaxed).to_string().into()),
            _ => {
                let mut response = self.json(Bytes::new());
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        }
    }

    fn json(&self, body: Bytes) -> Response<Full<Bytes>> {
        json(body, self.cache_control.clone())
    }
}

fn json(body: Bytes, cache_control: HeaderValue) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, cache_control);
    response
}
