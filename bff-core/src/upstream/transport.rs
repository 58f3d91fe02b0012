//! The network: reqwest where TLS is spoken or answers are to be compressed, hyper's own client for the rest. No other file knows either.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{HOST, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt, service_fn};
use url::Url;

use super::call::{Verdict, call_of};
use super::hosts::{Location, Network};
use super::watched::{Asked, watch};
use super::{Transport, UpstreamSettings};
use crate::body::{Body, BodyError};
use crate::error::{Error, Evidence, Kind, Result};
use crate::framing;

/// So much is read ahead of an answer whose reader is slow (hyper's default is 400 KiB); also the largest head of one.
const BUFFER: usize = 64 * 1024;
/// The same for a stream of HTTP/2 (hyper's default is 2 MiB).
const WINDOW: u32 = 128 * 1024;

/// The network itself.
///
/// Everything reqwest would do on its own is switched off: redirects, proxies of the environment, `Referer`,
/// retries. Time limits stand in the layers above; only connecting has one here, because only here it is seen.
/// Each host has connections of its own.
#[derive(Clone, Copy, Debug)]
pub struct Tcp;

impl Network for Tcp {
    fn transport(&self, _: &str, settings: &UpstreamSettings, at: &Location) -> Result<Transport> {
        if at.url.scheme() == "http" && !settings.compressed {
            return plain(at, settings);
        }
        secure(at, settings)
    }
}

/// Hands an attempt to the host that was chosen for it.
pub(super) async fn send(request: Request<Body>) -> Result<Response<Body>> {
    let host = call_of(&request)?.host.clone().ok_or_else(|| Error::internal("an attempt without a host"))?;
    host.transport.clone().oneshot(request).await
}

fn secure(at: &Location, settings: &UpstreamSettings) -> Result<Transport> {
    let way = Secure {
        client: client(at, settings, false)?,
        upgrading: OnceLock::new(),
        at: at.clone(),
        settings: settings.clone(),
    };
    let way = Arc::new(way);
    Ok(BoxCloneSyncService::new(service_fn(move |request| send_secure(way.clone(), request))))
}

/// The way to one host by reqwest.
struct Secure {
    client: reqwest::Client,
    /// Made with the first request that asks for another protocol: there is none over HTTP/2, which TLS would agree on.
    upgrading: OnceLock<reqwest::Client>,
    at: Location,
    settings: UpstreamSettings,
}

impl Secure {
    fn client_for(&self, request: &Request<Body>) -> Result<&reqwest::Client> {
        if !request.headers().contains_key(UPGRADE) {
            return Ok(&self.client);
        }
        if let Some(client) = self.upgrading.get() {
            return Ok(client);
        }
        let made = client(&self.at, &self.settings, true)?;
        Ok(self.upgrading.get_or_init(|| made))
    }
}

fn client(at: &Location, settings: &UpstreamSettings, upgrading: bool) -> Result<reqwest::Client> {
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
        .http2_initial_stream_window_size(WINDOW)
        // Shorter than what servers allow, so that a connection is not used in the moment in which they close it.
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(512)
        // Codings are undone where answers are read; a route's are its client's.
        .gzip(false)
        .brotli(false)
        .zstd(false);
    if upgrading {
        builder = builder.http1_only();
    } else if settings.http2 {
        builder = builder.http2_prior_knowledge();
    }
    if let (Some(name), Some(address)) = (at.url.domain(), at.address) {
        builder = builder.resolve(name, address);
    }
    builder.build().map_err(Error::internal)
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

/// The network without TLS and without compression: hyper's own client. What reqwest does beyond that costs some 25,000
/// instructions for each call, and none of it is used here.
fn plain(at: &Location, settings: &UpstreamSettings) -> Result<Transport> {
    let mut connector = HttpConnector::new_with_resolver(Resolver(at.address));
    connector.set_connect_timeout(Some(settings.connect_timeout));
    connector.set_nodelay(true);
    connector.set_keepalive(Some(Duration::from_secs(15)));
    let client: Plain = legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_keep_alive_interval(Duration::from_secs(5))
        .http2_keep_alive_timeout(Duration::from_secs(2))
        .http2_keep_alive_while_idle(true)
        // What a client does not read is not read here either, beyond these.
        .http1_max_buf_size(BUFFER)
        .http2_initial_stream_window_size(WINDOW)
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(512)
        // What was never written, on a connection that closed meanwhile, goes by another one, a body that streams too.
        .retry_canceled_requests(true)
        // It would write it anew for every call.
        .set_host(false)
        .http2_only(settings.http2)
        .build(connector);
    let uri: Uri = at.url.as_str().parse().map_err(Error::internal)?;
    // HTTP/2 names it in the target.
    let host = if settings.http2 { None } else { host(&uri) };
    let way = Arc::new(Plainly { client, base: uri.into_parts(), host, is_http2: settings.http2 });
    Ok(BoxCloneSyncService::new(service_fn(move |request| send_plain(way.clone(), request))))
}

/// What `Host` says of an address without TLS.
fn host(uri: &Uri) -> Option<HeaderValue> {
    let name = uri.host()?;
    match uri.port_u16().filter(|port| *port != 80) {
        Some(port) => format!("{name}:{port}").parse().ok(),
        None => name.parse().ok(),
    }
}

/// The way to one host by hyper's client.
struct Plainly {
    client: Plain,
    base: http::uri::Parts,
    /// For requests that bring none of their own.
    host: Option<HeaderValue>,
    is_http2: bool,
}

type Plain = legacy::Client<HttpConnector<Resolver>, Body>;

/// Knows the address, or asks this machine. (The port comes from the URL unless the address names one.)
#[derive(Clone, Copy, Debug)]
struct Resolver(Option<SocketAddr>);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = BoxFuture<'static, std::io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let known = self.0;
        async move {
            match known {
                Some(address) => Ok(vec![address].into_iter()),
                None => Ok(GaiResolver::new().oneshot(name).await?.collect::<Vec<_>>().into_iter()),
            }
        }
        .boxed()
    }
}

async fn send_plain(way: Arc<Plainly>, mut request: Request<Body>) -> Result<Response<Body>> {
    let Plainly { client, base, host, is_http2 } = &*way;
    if let Some(host) = host {
        request.headers_mut().entry(HOST).or_insert_with(|| host.clone());
    }
    let mut parts = http::uri::Parts::default();
    parts.scheme = base.scheme.clone();
    parts.authority = base.authority.clone();
    let prefix = base.path_and_query.as_ref().map_or("", |path| path.path().trim_end_matches('/'));
    parts.path_and_query = match (prefix, request.uri().path_and_query()) {
        ("", target) => target.cloned(),
        (prefix, target) => {
            let target = format!("{prefix}{}", target.map_or("/", |target| target.as_str()));
            Some(target.parse().map_err(Error::internal)?)
        }
    };
    *request.uri_mut() = Uri::from_parts(parts).map_err(Error::internal)?;
    *request.extensions_mut() = http::Extensions::new();
    let method = request.method().clone();
    let asked = (*is_http2 && !method.is_safe()).then(Asked::default);
    if let Some(asked) = &asked {
        let body = std::mem::take(request.body_mut());
        *request.body_mut() = Body::stream(watch(body, asked));
    }
    let response = client.request(request).await.map_err(|error| {
        let evidence = proven(evidence(&error), asked.as_ref());
        let never_sent = error.is_connect() || is_unprocessed(evidence);
        // A connection that was refused, or broke before the answer began: the next one may hold.
        let error = Error::new(Kind::Unreachable).caused_by(error).transient().with_evidence(evidence);
        if never_sent { error.never_sent() } else { error }
    })?;
    arrived(&method, response)
}

/// An answer as everybody above sees it: what it says of its length is true, and whose fault it is is known.
fn arrived<B>(asked: &Method, mut response: Response<B>) -> Result<Response<Body>>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let (status, length) = (response.status(), response.body().size_hint().exact());
    framing::answer(asked, status, response.headers_mut(), length)?;
    response.extensions_mut().insert(verdict(status));
    Ok(response.map(Body::stream))
}

async fn send_secure(way: Arc<Secure>, request: Request<Body>) -> Result<Response<Body>> {
    let client = way.client_for(&request)?;
    let (head, body) = request.into_parts();
    let url = address(&way.at.url, &head.uri);
    let method = head.method.clone();
    let mut outgoing = reqwest::Request::new(head.method, url);
    *outgoing.headers_mut() = head.headers;
    let asked = (!method.is_safe()).then(Asked::default);
    *outgoing.body_mut() = match (body, &asked) {
        (Body::Bytes(bytes), Some(asked)) => Some(reqwest::Body::wrap(watch(Full::new(bytes), asked))),
        (Body::Bytes(bytes), None) if bytes.is_empty() => None,
        (Body::Bytes(bytes), None) => Some(bytes.into()),
        (stream, Some(asked)) => Some(reqwest::Body::wrap_stream(watch(stream, asked).into_data_stream())),
        (stream, None) => Some(reqwest::Body::wrap_stream(stream.into_data_stream())),
    };
    let response = client.execute(outgoing).await.map_err(|error| no_answer(error, asked.as_ref()))?;
    arrived(&method, Response::<reqwest::Body>::from(response))
}

/// What a failure says beside that there is no answer.
fn evidence(error: &(dyn StdError + 'static)) -> Evidence {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return Evidence::Refused;
        }
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled)
            || error.downcast_ref::<legacy::Error>().is_some_and(is_canceled)
        {
            return Evidence::Unsent;
        }
        // What the peer says that it has not looked at. A stream hears of a GOAWAY only if it is above the last one that is
        // still answered, whatever the reason.
        if let Some(error) = error.downcast_ref::<h2::Error>().filter(|error| error.is_remote()) {
            if error.is_go_away() {
                return Evidence::LeftOut;
            }
            if error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM) {
                return Evidence::TurnedAway;
            }
        }
        next = error.source();
    }
    Evidence::Usual
}

fn proven(evidence: Evidence, asked: Option<&Asked>) -> Evidence {
    let is_doubtful = evidence == Evidence::LeftOut && asked.is_some_and(|asked| !asked.is_so());
    if is_doubtful { Evidence::Usual } else { evidence }
}

/// Given up by the client before a connection was found for it, which it says in words only (where TLS agrees on HTTP/2, one connection
/// is enough for all who wanted one).
fn is_canceled(error: &legacy::Error) -> bool {
    !error.is_connect() && error.to_string() == "client error (Canceled)"
}

fn is_unprocessed(evidence: Evidence) -> bool {
    matches!(evidence, Evidence::Unsent | Evidence::LeftOut | Evidence::TurnedAway)
}

fn verdict(status: StatusCode) -> Verdict {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Verdict::Overloaded,
        status if status.is_server_error() => Verdict::UpstreamFault,
        status if status.is_client_error() => Verdict::ClientFault,
        _ => Verdict::Fine,
    }
}

fn no_answer(error: reqwest::Error, asked: Option<&Asked>) -> Error {
    let kind = if error.is_timeout() && !error.is_connect() { Kind::Timeout } else { Kind::Unreachable };
    // The URL holds a user's search words and ids; the log names the upstream and the route already.
    let evidence = proven(evidence(&error), asked);
    let never_sent = error.is_connect() || is_unprocessed(evidence);
    let error = Error::new(kind).caused_by(error.without_url()).with_evidence(evidence);
    let error = if kind == Kind::Unreachable { error.transient() } else { error };
    if never_sent { error.never_sent() } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_with_its_port_unless_that_is_the_usual_one() {
        let named = |uri: &str| host(&uri.parse().unwrap()).unwrap();
        assert_eq!(named("http://up.test/api"), "up.test");
        assert_eq!(named("http://up.test:80/"), "up.test");
        assert_eq!(named("http://someone:secret@up.test:81/"), "up.test:81");
        assert_eq!(named("http://[::1]:8080/"), "[::1]:8080");
    }

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
