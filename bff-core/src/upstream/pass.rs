//! Routes: a request passed on as it is, and its answer as it comes.
//!
//! It goes down the stack of its upstream like every call, so variants, retries, breaker, bulkhead and balance are
//! the same for a route and for the typed clients of that upstream. What is different:
//!
//! - Nothing is collected here and nothing is kept. Both bodies stream, and a slow reader slows the writer. (The edge has read small
//!   bodies to their end, so those are here and can be sent again.)
//! - An answer is an answer, whatever its status: the client gets the upstream's own 503, and it is not asked again for
//!   another. Breaker, bulkhead and balance count it as what it is. Only where there was no answer at all (no
//!   connection, one that broke before the head, an attempt that took too long) a safe request without a body is tried again;
//!   what was provably never looked at is sent again, if its body is here.
//! - Time limits end with the head of the answer; from then on only silence is limited (`idle`). While the client
//!   sends a body, the time it takes for that is its own.
//! - The seat in the bulkhead is given back with the head: a client that reads slowly must not keep others from the
//!   upstream. Nor must one that *sends* slowly: while a body streams up, its call has no seat.
//! - A client that leaves ends what was passed on for it, an unsafe request too: its body comes from the client, so it
//!   cannot run to its end without it. (The writes of typed clients do.)
//! - It is not mirrored to a shadow.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;

use super::Client;
use super::cached::cached;
use super::call::{Call, Handling, Passed};
use super::change::Change;
use super::stack::Upstream;
use super::streams::{self, Upload};
use super::target::Target;
use super::tunnel::Tunnel;
use super::variant::chosen;
use super::write::invalidate;
use crate::body::Body;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::hop_by_hop;
use crate::identity::{Fingerprint, Identity};

/// `text/event-stream` (WHATWG HTML §9.2): it does not end by itself.
pub(super) fn is_events(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// How a route passes a request on.
#[derive(Clone, Debug)]
pub struct Passing {
    /// How long the upstream may take until the head of its answer is here; for a request with a streaming body, after the
    /// last piece of that. Also the limit of one attempt. Default: the upstream's `timeout` and `attempt_timeout`. What the
    /// client wishes (`Request-Timeout`) is no part of it: that is read from the context, and blames nobody.
    pub timeout: Option<Duration>,
    /// How long a side may send nothing in the middle of a body while it is waited for; in a tunnel, how long both.
    pub idle: Duration,
    /// In whose name it is passed on.
    pub identity: Option<Arc<Identity>>,
    /// The answer may be kept, and one that is kept may be given.
    pub cached: bool,
    /// Tells the requests of this route from those of others to the same upstream, where it adds to them what may change
    /// the answer; empty where it adds nothing.
    pub flavour: Arc<str>,
    /// The request that is passed on.
    pub context: Arc<Context>,
}

impl Client {
    /// Passes a request on: its method, path, query, headers and body as they are. Only `traceparent` and
    /// `tracestate` are set.
    ///
    /// # Errors
    /// When there is no answer: as for every call, and [`Kind::Invalid`] where the client's body did not come (what its
    /// stream failed with, if that is an [`Error`]; too slow after `idle`). Any answer, a 5xx too, is `Ok`. Its body
    /// ends with an error when the upstream breaks it off or sends nothing for `idle`.
    pub async fn pass(&self, request: Request<Body>, how: Passing) -> Result<Response<Body>> {
        if how.cached {
            return cached(self, request, &how).await;
        }
        let (safe, change) = (request.method().is_safe(), Change::of(self, &request, &how));
        let version = chosen(&self.upstream, &how.context)?.cloned();
        let response = self.within(&how, safe, self.forward(request, &how, version)).await?;
        if let Some(change) = change {
            change.answered(&response);
        }
        Ok(response)
    }

    /// Waits no longer than the client wishes to (`Request-Timeout`).
    ///
    /// Its patience ends outside the stack: it must not look like an upstream that is too slow, or one client with very
    /// little of it would open the breaker for all. And it ends outside a flight, which belongs to others too.
    pub(super) async fn within<T>(
        &self,
        how: &Passing,
        safe: bool,
        answer: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(wish) = how.context.wishes.timeout else { return answer.await };
        match tokio::time::timeout_at(how.context.started() + wish, answer).await {
            Ok(result) => result,
            Err(_) => {
                let error = Error::new(Kind::Deadline).from_upstream(self.upstream.name.clone());
                Err(if safe { error } else { error.of_write() })
            }
        }
    }

    /// Passes a request on, whatever is kept and whoever waits.
    pub(super) async fn forward(
        &self,
        request: Request<Body>,
        how: &Passing,
        version: Option<Arc<Target>>,
    ) -> Result<Response<Body>> {
        let (mut response, upload) = self.send(request, how, version).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let error = Error::new(Kind::InvalidResponse).caused_by("it switches protocols without being asked to");
            return Err(error.from_upstream(self.upstream.name.clone()));
        }
        hop_by_hop::remove(response.headers_mut());
        let is_events = is_events(response.headers());
        Ok(response.map(|body| streams::down(body, how.idle, &self.upstream, &how.context, upload, is_events)))
    }

    /// Says that a route to it keeps answers, and what that makes of its requests: a change by any route makes them old.
    pub fn keeps(&self, flavour: &Arc<str>) {
        self.upstream.flavours.rcu(|known| {
            let mut all = Vec::clone(known);
            if !all.contains(flavour) {
                all.push(flavour.clone());
            }
            all
        });
    }

    /// Passes on a request for another protocol on the same connection (RFC 9110 §7.8; WebSocket is one), whose headers say
    /// so (`Connection: upgrade`, `Upgrade`). `client` is the inbound request's, from its extensions; an HTTP/2 request has
    /// none (extended CONNECT, RFC 8441, is not spoken).
    ///
    /// If the upstream agrees, its 101 is the answer, and once that is written bytes are copied both ways until both
    /// sides have ended, one breaks, neither has sent anything for `how.idle`, or this BFF stops. What else the upstream
    /// answers is passed on as [`pass`](Self::pass) does.
    ///
    /// # Errors
    /// As for [`pass`](Self::pass); and for an upstream with `http2 = true`.
    pub async fn upgrade(&self, request: Request<Body>, client: OnUpgrade, how: Passing) -> Result<Response<Body>> {
        if self.upstream.settings.http2 {
            let error = Error::new(Kind::Unreachable).never_sent().caused_by("an upgrade needs HTTP/1.1");
            return Err(error.from_upstream(self.upstream.name.clone()));
        }
        let request = request.map(|_| Body::empty());
        let version = chosen(&self.upstream, &how.context)?.cloned();
        let (mut response, _) = self.within(&how, true, self.send(request, &how, version)).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response.map(|body| streams::down(body, how.idle, &self.upstream, &how.context, None, false)));
        }
        let server = hyper::upgrade::on(&mut response);
        let tunnel = Tunnel { upstream: self.upstream.clone(), context: how.context, idle: how.idle };
        self.upstream.shared.background.spawn(tunnel.run(client, server));
        Ok(response.map(|_| Body::empty()))
    }

    async fn send(
        &self,
        request: Request<Body>,
        how: &Passing,
        version: Option<Arc<Target>>,
    ) -> Result<(Response<Body>, Option<Arc<Upload>>)> {
        let upstream = &self.upstream;
        let (head, body) = request.into_parts();
        let (body, upload) = streams::up(body, how.idle, upstream);
        let safe = head.method.is_safe();
        // A request of our own, because the client's version and extensions belong to its connection.
        let mut request = Request::new(body);
        *request.method_mut() = head.method;
        *request.uri_mut() = head.uri;
        *request.headers_mut() = head.headers;
        if safe && upload.is_some() && !request.headers().contains_key(CONTENT_LENGTH) {
            // Or hyper would take a GET of unknown length for one without a body. HTTP/2 leaves it out again.
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let settings = &upstream.settings;
        let timeout = how.timeout.unwrap_or(settings.timeout);
        request.extensions_mut().insert(Call {
            safe,
            per_identity: how.identity.is_some(),
            key: None,
            mark: None,
            keeps: upstream.keeps.clone(),
            required: true,
            scope: None,
            part: None,
            holder: how.context.holder(),
            trace: how.context.trace,
            trace_state: how.context.trace_state.clone(),
            patience: None,
            timeout,
            attempt_timeout: how.timeout.unwrap_or(settings.attempt_timeout).min(timeout),
            // A body that streams is never sent twice: whoever would has nothing to send.
            retries: settings.retry.tries,
            hedged: false,
            deadline: None,
            overrides: settings.cache,
            known: None,
            handling: Handling::Pass(Arc::new(Passed { upload: upload.clone() })),
            target: version.unwrap_or_else(|| upstream.main.clone()),
            host: None,
            avoid: None,
            taken: None,
        });
        let _written = (!safe).then(|| Written::of(upstream, how.identity.as_deref()));
        let result = (self.stack)(request).await;
        let response = if safe { result } else { result.map_err(Error::of_write) }?;
        Ok((response, upload))
    }
}

/// Makes old what was kept for this identity: before a write, and when its answer is here or it was cut, because it
/// may have happened and what was read in between may be old.
struct Written<'a> {
    upstream: &'a Upstream,
    identity: Option<Fingerprint>,
}

impl<'a> Written<'a> {
    fn of(upstream: &'a Upstream, identity: Option<&Identity>) -> Self {
        let identity = identity.map(Identity::person);
        invalidate(upstream, identity, &[]);
        Self { upstream, identity }
    }
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        invalidate(self.upstream, self.identity, &[]);
    }
}
