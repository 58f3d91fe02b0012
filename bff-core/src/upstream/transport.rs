//! The network, by reqwest. The only file that knows it.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::service_fn;
use tower::util::BoxCloneSyncService;
use url::Url;

use super::call::Verdict;
use super::{Transport, UpstreamSettings};
use crate::body::Body;
use crate::error::{Error, Kind, Result};

/// The network for one upstream.
///
/// Everything reqwest would do on its own is switched off: redirects, proxies of the environment, `Referer`,
/// retries. Time limits stand in the layers above; only connecting has one here, because only here it is seen.
///
/// # Errors
/// When the URL is none, or the TLS roots of this machine cannot be read.
pub fn network(settings: &UpstreamSettings) -> Result<Transport> {
    let base = Url::parse(&settings.url).map_err(Error::internal)?;
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(settings.connect_timeout)
        .tcp_nodelay(true)
        .pool_max_idle_per_host(512)
        .gzip(settings.compressed)
        .brotli(settings.compressed)
        .zstd(settings.compressed);
    if settings.http2 {
        builder = builder.http2_prior_knowledge();
    }
    let client = builder.build().map_err(Error::internal)?;
    let prefix: Arc<str> = base.as_str().trim_end_matches('/').into();
    Ok(BoxCloneSyncService::new(service_fn(move |request| send(client.clone(), prefix.clone(), request))))
}

async fn send(client: reqwest::Client, prefix: Arc<str>, request: Request<Body>) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut url = String::with_capacity(prefix.len() + target.len());
    url.push_str(&prefix);
    url.push_str(target);
    let url = Url::parse(&url).map_err(Error::internal)?;
    let mut outgoing = reqwest::Request::new(head.method, url);
    *outgoing.headers_mut() = head.headers;
    *outgoing.body_mut() = match body {
        Body::Bytes(bytes) if bytes.is_empty() => None,
        Body::Bytes(bytes) => Some(bytes.into()),
        stream @ Body::Stream(_) => Some(reqwest::Body::wrap_stream(stream.into_data_stream())),
    };
    let response = client.execute(outgoing).await.map_err(no_answer)?;
    let mut response = Response::<reqwest::Body>::from(response).map(Body::stream);
    let verdict = verdict(response.status());
    response.extensions_mut().insert(verdict);
    Ok(response)
}

fn verdict(status: StatusCode) -> Verdict {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Verdict::Overloaded,
        status if status.is_server_error() => Verdict::UpstreamFault,
        status if status.is_client_error() => Verdict::ClientFault,
        _ => Verdict::Fine,
    }
}

fn no_answer(error: reqwest::Error) -> Error {
    let kind = if error.is_timeout() && !error.is_connect() { Kind::Timeout } else { Kind::Unreachable };
    // The URL holds a user's search words and ids; the log names the upstream and the route already.
    Error::new(kind).caused_by(error.without_url())
}
