//! The network, by reqwest. The only file that knows it.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode, Uri};
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
        // A host that is gone without a word is noticed in seconds, not when TCP gives up.
        .tcp_keepalive(Duration::from_secs(15))
        .http2_keep_alive_interval(Duration::from_secs(5))
        .http2_keep_alive_timeout(Duration::from_secs(2))
        .http2_keep_alive_while_idle(true)
        // Shorter than what servers allow, so that a connection is not used in the moment in which they close it.
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(512)
        .gzip(settings.compressed)
        .brotli(settings.compressed)
        .zstd(settings.compressed);
    if settings.http2 {
        builder = builder.http2_prior_knowledge();
    }
    let client = builder.build().map_err(Error::internal)?;
    let base = Arc::new(base);
    Ok(BoxCloneSyncService::new(service_fn(move |request| send(client.clone(), base.clone(), request))))
}

/// The address of `target` below `base`. Only the path and the query are read: the host is that of the configuration,
/// whatever the target says.
fn address(base: &Url, target: &Uri) -> Url {
    let mut url = base.clone();
    match base.path().trim_end_matches('/') {
        "" => url.set_path(target.path()),
        prefix => url.set_path(&format!("{prefix}{}", target.path())),
    }
    url.set_query(target.query());
    url
}

async fn send(client: reqwest::Client, base: Arc<Url>, request: Request<Body>) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let url = address(&base, &head.uri);
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
    let never_sent = error.is_connect();
    let error = Error::new(kind).caused_by(error.without_url());
    if never_sent { error.never_sent() } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base: &str, target: &str, whole: &str) {
        let address = address(&Url::parse(base).unwrap(), &target.parse().unwrap());
        assert_eq!(address.as_str(), whole, "{base} {target}");
    }

    #[test]
    fn a_target_stands_below_its_base() {
        check("http://up.test", "/things/42", "http://up.test/things/42");
        check("http://up.test:81/", "/things?ids=1%2C2&q=a", "http://up.test:81/things?ids=1%2C2&q=a");
        check("https://up.test/api/v1", "/things/a%20b", "https://up.test/api/v1/things/a%20b");
        check("https://up.test/api/v1/", "/?", "https://up.test/api/v1/?");
    }

    #[test]
    fn no_target_leads_to_another_host() {
        check("http://up.test", "//evil.test/x", "http://up.test//evil.test/x");
        check("http://up.test/api", "/..%2Fadmin", "http://up.test/api/..%2Fadmin");
        check("http://up.test/api", "/@evil.test", "http://up.test/api/@evil.test");
    }
}
