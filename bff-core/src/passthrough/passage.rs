//! One route, from the request to the answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::upgrade::OnUpgrade;

use super::headers::Headers;
use super::json::Rules;
use super::pattern::{Pattern, without_first};
use super::service::Refusal;
use super::{Auth, HeaderRules, RouteSettings};
use crate::body::{Body, BodyError};
use crate::context::{Context, Terms};
use crate::edge::{EdgeSettings, PassedOn, Received, too_large, with_etag};
use crate::error::{Error, Input, Kind, Result};
use crate::framing;
use crate::hop_by_hop;
use crate::reading::coding;
use crate::upstream::{Client, Passing, UpstreamSettings};

/// A body of this many bytes takes about a millisecond to filter; a larger one is filtered off the threads that serve.
const LARGE: usize = 128 * 1024;

/// One route, ready to pass requests on.
#[derive(Debug)]
pub(crate) struct Passage {
    client: Client,
    upstream: Arc<str>,
    headers: Headers,
    auth: Auth,
    /// In bytes.
    body_limit: u64,
    timeout: Option<Duration>,
    /// How long an answer may take that is read here, from its head on.
    collect_within: Duration,
    idle: Duration,
    cached: bool,
    /// What is set in requests, as text.
    flavour: Arc<str>,
    websocket: bool,
    /// So many segments are taken from the front of the path.
    strip: usize,
    /// This is put there.
    add: String,
    filter: Option<(Arc<Rules>, usize)>,
}

impl Passage {
    /// The route of these settings, for the BFF of this name.
    pub(crate) fn new(
        bff: &str,
        settings: &RouteSettings,
        upstream: &UpstreamSettings,
        edge: &EdgeSettings,
        client: Client,
    ) -> Self {
        let strip = settings.strip_prefix.as_deref().and_then(|prefix| {
            let (path, prefix) = (Pattern::new(&settings.path).ok()?, Pattern::new(prefix).ok()?);
            path.begins_with(&prefix)
        });
        let flavour = flavour(settings);
        if settings.cache {
            client.keeps(&flavour);
        }
        let limit = usize::try_from(settings.json.limit.as_u64()).unwrap_or(usize::MAX);
        Self {
            client,
            upstream: settings.upstream.as_str().into(),
            headers: Headers::new(bff, settings, upstream, !edge.cors_origins.is_empty()),
            auth: settings.auth,
            body_limit: settings.body_limit.unwrap_or(edge.body_limit).as_u64(),
            timeout: settings.timeout,
            collect_within: settings.timeout.unwrap_or(upstream.timeout),
            idle: settings.idle_timeout,
            cached: settings.cache,
            flavour,
            websocket: settings.websocket,
            strip: strip.unwrap_or(0),
            add: settings.add_prefix.clone().unwrap_or_default(),
            filter: Rules::new(&settings.json).map(|rules| (Arc::new(rules), limit)),
        }
    }

    /// What a request on this route may cost and say.
    pub(crate) fn terms(name: &str, settings: &RouteSettings, upstream: &UpstreamSettings, coarse: bool) -> Terms {
        Terms {
            endpoint: name.into(),
            route: settings.path.as_str().into(),
            budget: settings.timeout.unwrap_or(upstream.timeout),
            coarse_reasons: coarse,
            ..Terms::default()
        }
    }

    /// Passes one request on.
    ///
    /// # Errors
    /// When it may not be passed on, or there is no answer to pass back: such failures are ours to tell.
    pub(crate) async fn pass(&self, request: Request) -> Result<Response> {
        let (mut head, body) = request.into_parts();
        match head.extensions.remove::<Refusal>() {
            // The problem is made where all of them are; only the header cannot be known there.
            Some(Refusal::NotThisMethod(allowed)) => {
                return Ok((StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allowed)]).into_response());
            }
            Some(Refusal::Doubtful) => {
                let detail = "write it without dot segments, empty segments and encoded slashes";
                return Err(Error::invalid(Input::Malformed, "path", detail));
            }
            None => {}
        }
        let context = head.extensions.get::<Arc<Context>>().cloned();
        let context = context.ok_or_else(|| Error::internal("a route without a door"))?;
        let body = match head.extensions.remove::<Received>() {
            Some(Received(body)) => Body::Bytes(body),
            None => self.limited(&head.headers, body)?,
        };
        let how = Passing {
            timeout: self.timeout,
            idle: self.idle,
            identity: if self.auth == Auth::User { context.identity()?.cloned() } else { None },
            cached: self.cached,
            flavour: self.flavour.clone(),
            context: context.clone(),
        };
        let upgrade = if self.websocket && is_websocket(&head) { head.extensions.remove::<OnUpgrade>() } else { None };

        // What the client knows of a filtered answer is compared here; the upstream never sees it.
        let known = head.headers.get_all(header::IF_NONE_MATCH).iter().filter(|_| self.filter.is_some());
        let known: Vec<HeaderValue> = known.cloned().collect();
        let mut request = http::Request::new(body);
        *request.uri_mut() = self.target(&head.uri)?;
        *request.headers_mut() = self.headers.up(&mut head, &context, how.identity.as_deref(), upgrade.is_some());
        // What is filtered has to be read, and there is nothing to read in the answer to a HEAD.
        let is_filtered_head = self.filter.is_some() && head.method == Method::HEAD;
        *request.method_mut() = if is_filtered_head { Method::GET } else { head.method.clone() };
        let answer = match upgrade {
            Some(client) => {
                let mut answer = self.client.upgrade(request, client, how).await?;
                // A 101 is made by them. What `pass` gives has none.
                if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                    hop_by_hop::remove(answer.headers_mut());
                }
                answer
            }
            None => self.client.pass(request, how).await?,
        };
        match &self.filter {
            Some((rules, limit)) if answer.status() != StatusCode::SWITCHING_PROTOCOLS => {
                self.filtered(rules, *limit, &head.method, &known, answer).await
            }
            _ => Ok(self.unfiltered(&head, answer)),
        }
    }

    /// The body, which fails on its way where it turns out to be too large.
    fn limited(&self, headers: &HeaderMap, body: axum::body::Body) -> Result<Body> {
        if body.is_end_stream() {
            return Ok(Body::empty());
        }
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > self.body_limit) {
            return Err(too_large(self.body_limit));
        }
        let limit = self.body_limit;
        let limited = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(Body::stream(limited.map_err(move |error| -> BodyError {
            if error.is::<LengthLimitError>() { too_large(limit).into() } else { error }
        })))
    }

    /// Where it goes at the upstream: the query as it is, the path with another beginning where that is asked for.
    fn target(&self, uri: &Uri) -> Result<Uri> {
        let whole = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        if self.strip == 0 && self.add.is_empty() {
            return Ok(whole.into());
        }
        let rest = without_first(whole.path(), self.strip);
        let mut target = String::with_capacity(self.add.len() + whole.as_str().len() + 1);
        target.push_str(&self.add);
        target.push_str(rest);
        if target.is_empty() {
            target.push('/');
        }
        if let Some(query) = whole.query() {
            target.push('?');
            target.push_str(query);
        }
        PathAndQuery::from_maybe_shared(target).map(Uri::from).map_err(Error::internal)
    }

    fn unfiltered(&self, asked: &Parts, answer: http::Response<Body>) -> Response {
        let mut answer = answer.map(axum::body::Body::new);
        let status = answer.status();
        self.headers.down(answer.headers_mut());
        if asked.method == Method::HEAD
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        {
            framing::without_body(asked.version, status, answer.headers_mut());
            *answer.body_mut() = no_body();
        }
        answer.extensions_mut().insert(PassedOn);
        answer
    }

    /// The answer with what may be seen of it; what cannot be filtered is never passed on.
    async fn filtered(
        &self,
        rules: &Arc<Rules>,
        limit: usize,
        method: &Method,
        known: &[HeaderValue],
        answer: http::Response<Body>,
    ) -> Result<Response> {
        let (mut down, body) = answer.into_parts();
        let is_json = is_json(&down.headers) && down.status != StatusCode::PARTIAL_CONTENT;
        let body = if is_json { self.collect(body, limit).await? } else { Bytes::new() };
        // It was asked for without, and comes as it likes.
        let decoded = coding::decode(&mut down.headers, body, limit);
        let is_readable = is_json && decoded.is_ok();
        let body = decoded.unwrap_or_default();
        let nothing_to_see = body.is_empty() && (is_readable || down.status.is_redirection());
        let shown = match apply(rules, body.clone()).await {
            _ if nothing_to_see || is_empty(&down.headers, down.status) => Bytes::new(),
            Ok((shown, damaged)) => {
                self.client.say_damaged(&damaged);
                shown.into()
            }
            Err(_) if matches!(down.status, StatusCode::NOT_FOUND | StatusCode::GONE) => {
                return Err(Error::new(Kind::NotFound));
            }
            // The status says what went wrong; the problem layer makes the document, and keeps some of the headers.
            Err(_) if down.status.is_client_error() || down.status.is_server_error() => {
                return Ok((down.status, down.headers).into_response());
            }
            Err(cause) => {
                let cause =
                    if is_readable { cause.to_string() } else { "it is no JSON, and cannot be filtered".into() };
                return Err(Error::new(Kind::InvalidResponse).caused_by(cause).from_upstream(self.upstream.clone()));
            }
        };
        self.headers.down(&mut down.headers);
        let read = matches!(*method, Method::GET | Method::HEAD) && down.status == StatusCode::OK;
        let has_body = !shown.is_empty();
        let mut answer = Response::from_parts(down, if has_body { shown.into() } else { no_body() });
        if read && has_body {
            answer = with_etag(answer, known).await;
            if answer.status() == StatusCode::NOT_MODIFIED {
                *answer.body_mut() = no_body();
            }
        }
        answer.extensions_mut().insert(PassedOn);
        Ok(answer)
    }

    async fn collect(&self, body: Body, limit: usize) -> Result<Bytes> {
        let collected = tokio::time::timeout(self.collect_within, Limited::new(body, limit).collect()).await;
        let failed = |kind: Kind| Error::new(kind).from_upstream(self.upstream.clone());
        match collected {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(cause)) if cause.is::<LengthLimitError>() => Err(failed(Kind::InvalidResponse).caused_by(cause)),
            Ok(Err(cause)) => match cause.downcast::<Error>() {
                Ok(error) => Err(*error),
                Err(cause) => Err(failed(Kind::Unreachable).caused_by(cause)),
            },
            Err(_) => Err(failed(Kind::Timeout)),
        }
    }
}

/// Filters here, or on a thread of its own what would hold up everybody else.
async fn apply(rules: &Arc<Rules>, body: Bytes) -> Result<(Vec<u8>, Vec<String>), serde_json::Error> {
    if body.len() < LARGE {
        return rules.apply(&body);
    }
    let rules = rules.clone();
    let filtered = tokio::task::spawn_blocking(move || rules.apply(&body)).await;
    filtered.unwrap_or_else(|_| Err(serde::de::Error::custom("filtering it failed")))
}

/// What a route makes of its requests, where that may change what it is answered.
fn flavour(settings: &RouteSettings) -> Arc<str> {
    let HeaderRules { set, remove } = &settings.request_headers;
    let host = settings.preserve_host.then(|| "host".to_owned());
    let set = set.iter().map(|(name, value)| format!("{name}={}:{value}", value.len()));
    set.chain(remove.iter().map(|name| format!("-{name}"))).chain(host).collect::<Vec<_>>().join(" ").into()
}

/// RFC 6455 §4.1.
fn is_websocket(head: &Parts) -> bool {
    let upgrade = head.headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    head.method == Method::GET && upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}

/// Whether it is JSON, in whatever coding.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

/// Whether an answer has no body, by what it says of itself.
fn is_empty(headers: &HeaderMap, status: StatusCode) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0");
    length || matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

/// No body, and nothing said of its length: that of the answer to a HEAD is not 0, and that of a 304 is not told.
fn no_body() -> axum::body::Body {
    axum::body::Body::from_stream(futures::stream::empty::<Result<Bytes, Infallible>>())
}
