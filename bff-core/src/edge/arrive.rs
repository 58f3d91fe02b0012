//! A request comes in: its id, its trace, its wishes, and the point in time when its answer has to leave.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version, header};
use tower::Service;

use super::Door;
use crate::context::{Context, Origin, Peer, TraceContext, Wishes};
use crate::error::{Error, Input};
use crate::framing;
use crate::identity::IDENTITY_HEADERS;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("request-timeout");
/// The longest request id that is taken from a client.
const LONGEST_ID: usize = 128;

/// More parts than any page has.
const MOST_PARTS: usize = 64;

pub(super) async fn arrive<Inner>(
    door: Arc<Door>,
    mut request: Request,
    mut inner: Inner,
) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    without_identity(request.headers_mut());
    let headers = request.headers();
    let request_id = headers.get(REQUEST_ID).and_then(well_formed).map(Arc::from);
    let (trace, trace_state) = TraceContext::of(headers);
    let query = request.uri().query().filter(|_| door.reads_query);
    let (wishes, mistake) = match wishes(query, headers) {
        Ok(wishes) => (wishes, None),
        Err(mistake) => (Wishes::default(), Some(mistake)),
    };
    let mistake = mistake.or_else(|| check(&request).err());
    let mut context = Context::new(request_id, trace, door.terms.clone(), wishes, keep(headers, &door.kept));
    context.credentials_sent = headers.contains_key(header::AUTHORIZATION);
    context.trace_state = trace_state;
    let peer = request.extensions().get::<Peer>().map(|Peer(address)| *address);
    context.origin = Origin::of(peer, headers, &door.proxies);
    let context = Arc::new(context);
    let target_length = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let refusal = if target_length as u64 > door.settings.target_limit.as_u64() {
        Some(Error::invalid(Input::TargetTooLong, "", "shorten the path and the query"))
    } else {
        mistake
    };
    request.extensions_mut().insert(context.clone());
    if let Some(refusal) = refusal {
        request.extensions_mut().insert(Refused(refusal));
    }
    let mut response = inner.call(request).await?;
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(response)
}

/// Whatever a client says about who it is, it has to prove; these headers are made by us.
fn without_identity(headers: &mut HeaderMap) {
    static MADE_HERE: [HeaderName; 5] = IDENTITY_HEADERS;
    // Hardly anybody tries: a look at the names that are there costs less than asking for each.
    if headers.keys().any(|name| MADE_HERE.contains(name)) {
        for name in &MADE_HERE {
            headers.remove(name);
        }
    }
}

/// In a request's extensions: it is refused, but by the layer behind which problems are made.
#[derive(Clone)]
pub(super) struct Refused(pub(super) Error);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// The client's headers that some upstream may be told.
fn keep(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in names {
        for value in headers.get_all(name) {
            let mut value = value.clone();
            // Shown by nothing that shows headers.
            value.set_sensitive(*name == header::AUTHORIZATION);
            kept.append(name.clone(), value);
        }
    }
    kept
}

/// Whether it is beyond doubt what is asked of whom, and where the request ends.
fn check(request: &Request) -> Result<(), Error> {
    check_target(request.uri())?;
    check_host(request)?;
    framing::request(request.version(), request.headers())
}

/// A target in absolute form names a server by http or https, and nobody who asks (RFC 9110 §4.2.4; RFC 9112 §3.2.2).
fn check_target(target: &Uri) -> Result<(), Error> {
    let is_web = target.scheme().is_none_or(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
    let names_somebody = target.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if is_web && !names_somebody {
        return Ok(());
    }
    Err(Error::invalid(Input::Malformed, "target", "send a path, or http:// or https:// with a host and a path"))
}

/// Exactly one valid host (RFC 9112 §3.2); HTTP/1.0 may do without, HTTP/2 names it in the target.
fn check_host(request: &Request) -> Result<(), Error> {
    let mut named = request.headers().get_all(header::HOST).iter();
    let valid = |host: &HeaderValue| {
        host.to_str()
            .ok()
            .and_then(|host| host.parse::<Authority>().ok())
            .is_some_and(|host| !host.as_str().contains('@'))
    };
    let fits = match (named.next(), named.next(), request.version()) {
        (Some(host), None, _) => valid(host),
        (None, _, Version::HTTP_11) => false,
        (None, _, _) => true,
        (Some(_), Some(_), _) => false,
    };
    if fits { Ok(()) } else { Err(Error::invalid(Input::Malformed, "host", "send exactly one valid Host")) }
}

/// Letters, digits, `-`, `_`, `.`, `:`: nothing that could be more than an id in a log.
fn well_formed(id: &HeaderValue) -> Option<&str> {
    let id = id.to_str().ok()?;
    let fits = !id.is_empty() && id.len() <= LONGEST_ID;
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    (fits && plain).then_some(id)
}

fn wishes(query: Option<&str>, headers: &HeaderMap) -> Result<Wishes, Error> {
    let mut wishes = Wishes::default();
    if let Some(query) = query {
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "parts" => {
                    let names = value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
                    let parts = wishes.parts.get_or_insert_default();
                    parts.extend(names.take(MOST_PARTS + 1));
                    if parts.len() > MOST_PARTS {
                        return Err(Error::invalid(Input::Malformed, "?parts", "name fewer parts"));
                    }
                }
                "partial" => {
                    wishes.partial = value
                        .parse()
                        .map_err(|_| Error::invalid(Input::Malformed, "?partial", "write true or false"))?;
                }
                _ => {}
            }
        }
    }
    if let Some(wish) = headers.get(REQUEST_TIMEOUT) {
        let seconds = wish.to_str().ok().and_then(|wish| wish.trim().parse::<f64>().ok());
        let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        match timeout.filter(|timeout| *timeout >= Duration::from_millis(1)) {
            Some(timeout) => wishes.timeout = Some(timeout),
            None => {
                let detail = "write seconds, such as 0.8";
                return Err(Error::invalid(Input::Malformed, "request-timeout", detail));
            }
        }
    }
    Ok(wishes)
}
