//! Asks a second service the same, and reports where it answers something else. Nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, Limited};
use tokio::sync::Semaphore;
use tower::{Service, ServiceExt};

use super::call::{again, call_of};
use super::hosts::{Location, Network};
use super::reader::NULL;
use super::stack::Upstream;
use super::{Transport, UpstreamSettings};
use crate::body::Body;
use crate::error::{Error, Kind, Result};
use crate::reading::coding;
use crate::resilience::{Report, ShadowSettings};
use url::Url;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The second service.
pub(super) struct Shadow {
    transport: Transport,
    at_once: Arc<Semaphore>,
    share: f64,
    timeout: Duration,
    response_limit: usize,
    pub(super) report: Arc<Report>,
}

impl std::fmt::Debug for Shadow {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Shadow").field("share", &self.share).finish_non_exhaustive()
    }
}

impl Shadow {
    /// `None` where the configuration names no URL.
    pub(super) fn new(name: &str, settings: &UpstreamSettings, network: &dyn Network) -> Result<Option<Self>> {
        let own: &ShadowSettings = &settings.shadow;
        if own.url.is_empty() {
            return Ok(None);
        }
        let url = Url::parse(&own.url).map_err(Error::internal)?;
        let transport = network.transport(name, settings, &Location { url, address: None })?;
        Ok(Some(Self {
            transport,
            at_once: Arc::new(Semaphore::new(own.at_once)),
            share: own.share,
            timeout: own.timeout,
            response_limit: usize::try_from(settings.response_limit.as_u64()).unwrap_or(usize::MAX),
            report: Arc::new(Report::new(own)),
        }))
    }

    /// The same question for the second service; `None` for one that it is not asked.
    fn mirror(&self, request: &Request<Body>) -> Option<Request<Body>> {
        let call = call_of(request).ok()?;
        // Another version is no measure for the shadow.
        // Nor can a route's answer be compared: it streams, and nobody knows what is in it.
        if !call.safe || call.passed().is_some() || call.target.variant.is_some() || fastrand::f64() >= self.share {
            return None;
        }
        let trace = call.trace.child().header();
        let mut copy = again(request)?;
        // What we have kept is ours; the shadow is to send its own.
        copy.headers_mut().remove(IF_NONE_MATCH);
        copy.headers_mut().remove(IF_MODIFIED_SINCE);
        copy.headers_mut().insert(TRACEPARENT, trace);
        Some(copy)
    }
}

pub(super) async fn shadow<Inner>(
    upstream: Arc<Upstream>,
    request: Request<Body>,
    mut inner: Inner,
) -> Result<Response<Body>>
where
    Inner: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    let Some(shadow) = &upstream.shadow else { return inner.call(request).await };
    let Some(copy) = shadow.mirror(&request) else { return inner.call(request).await };
    let result = inner.call(request).await;
    let real = match &result {
        Ok(response) => response.body().as_bytes().cloned(),
        // "There is none" is an answer, too; other failures say nothing about what the second one should have said.
        Err(error) if error.kind() == Kind::NotFound => None,
        Err(_) => return result,
    };
    match shadow.at_once.clone().try_acquire_owned() {
        Err(_) => shadow.report.skipped(),
        Ok(permit) => {
            let (transport, report) = (shadow.transport.clone(), shadow.report.clone());
            let (timeout, limit) = (shadow.timeout, shadow.response_limit);
            // Bounded by the permits, and not among what drain waits for: nobody misses it.
            tokio::spawn(async move {
                let _permit = permit;
                match tokio::time::timeout(timeout, ask(transport, copy, limit)).await {
                    Err(_) => report.failed("timeout"),
                    Ok(Err(how)) => report.failed(how),
                    Ok(Ok((200..300, body))) => match &real {
                        Some(real) => report.compared(real, &body),
                        None => report.status(404, 200),
                    },
                    Ok(Ok((404 | 410, _))) if real.is_none() => report.compared(b"", b""),
                    Ok(Ok((status, _))) => report.status(if real.is_some() { 200 } else { 404 }, status),
                }
            });
        }
    }
    result
}

async fn ask(transport: Transport, request: Request<Body>, limit: usize) -> Result<(u16, Bytes), &'static str> {
    let response = transport.oneshot(request).await.map_err(|_| "unreachable")?;
    let status = response.status().as_u16();
    let (mut head, body) = response.into_parts();
    let body = Limited::new(body, limit).collect().await.map_err(|_| "body")?;
    let body = coding::decode(&mut head.headers, body.to_bytes(), limit).map_err(|_| "body")?;
    // The real answer is kept so as well.
    Ok((status, if body.is_empty() { NULL } else { body }))
}
