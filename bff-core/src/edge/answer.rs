//! The headers of a composite, computed from its ledger.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;

use aws_lc_rs::digest;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::Service;

use super::Page;
use super::cache_control::Cacheability;
use super::flowing::Flows;
use super::problem::Cause;
use crate::clock;
use crate::compose::{Composer, Meta, PartOutcome};
use crate::context::{Context, Freshness};
use crate::error::{Error, Kind, Reason};

const DEGRADED: HeaderName = HeaderName::from_static("bff-degraded");
pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");

/// In a response's extensions: how large its body is before compression, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Size(pub(super) u64);

pub(super) async fn answer<Inner>(
    page: Arc<Page>,
    mut request: Request,
    mut inner: Inner,
) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    let Some(context) = request.extensions().get::<Arc<Context>>().cloned() else {
        return inner.call(request).await;
    };
    // HEAD is answered as GET, so that its headers are those of the GET; the router outside takes the body away.
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads {
        *request.method_mut() = Method::GET;
    }
    let known: Vec<HeaderValue> = request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect();

    let mut response = inner.call(request).await?;
    if let Some(size) = response.body().size_hint().exact() {
        response.extensions_mut().insert(Size(size));
    }
    // A write has happened by now; its answer stands.
    let mut response = match overruled(&context, &response).filter(|_| reads) {
        Some(error) => error.into_response(),
        None => response,
    };
    if page.settings.server_timing {
        server_timing(response.headers_mut(), &context, &page);
    }
    if response.extensions().get::<Cause>().is_some() {
        return Ok(response);
    }
    vary(response.headers_mut(), &context);
    let flows = response.extensions().get::<Flows>().is_some();
    // What flows may still ask, and nobody knows yet what it will be told.
    let cacheability = if response.status().is_success() && reads && !flows {
        Cacheability::of(&context)
    } else {
        Cacheability { private: true, freshness: Freshness::NoStore }
    };
    let meta = Meta::of(&context);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, cacheability.header(page.private_max_age));
    if cacheability.private && page.private_max_age.is_some() {
        headers.append(header::VARY, HeaderValue::from_name(header::AUTHORIZATION));
    }
    if meta.degraded {
        let list = degraded(&meta);
        if let Some(list) = HeaderValue::from_str(&list).ok().filter(|list| !list.is_empty()) {
            headers.insert(DEGRADED, list);
        }
        return Ok(response);
    }
    if reads && !flows && response.status() == StatusCode::OK {
        // A short body may still be on its way.
        let tagged = tokio::time::timeout_at(context.deadline(), with_etag(response, &known)).await;
        return Ok(tagged.unwrap_or_else(|_| Error::new(Kind::Deadline).into_response()));
    }
    Ok(response)
}

/// An answer that the endpoint made and the client must not get.
fn overruled(context: &Arc<Context>, response: &Response) -> Option<Error> {
    if !response.status().is_success() {
        return None;
    }
    if let Err(error) = Composer::new(context.clone()).check_selection() {
        return Some(error);
    }
    if context.terms.strict && !context.wishes.partial && context.ledger.is_degraded() {
        let parts = context.ledger.in_answer_order();
        let Some(part) = parts.iter().find(|part| part.outcome.is_degraded()) else {
            return Some(Error::new(Kind::Incomplete(Reason::UpstreamError)));
        };
        let reason = part.reason.unwrap_or(Reason::UpstreamError);
        let error = Error::new(Kind::Incomplete(reason)).in_part(part.name.clone(), part.need);
        return Some(match part.retry_after {
            Some(after) => error.with_retry_after(after),
            None => error,
        });
    }
    None
}

/// Every request header that may have changed the answer.
fn vary(headers: &mut HeaderMap, context: &Context) {
    headers.append(header::VARY, HeaderValue::from_name(header::ACCEPT_ENCODING));
    let mut named: Vec<HeaderName> = Vec::new();
    context.ledger.read(|_, calls| {
        for name in calls.iter().flat_map(|call| call.vary.iter()) {
            if !named.contains(name) {
                named.push(name.clone());
            }
        }
    });
    named.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    for name in named {
        headers.append(header::VARY, HeaderValue::from_name(name));
    }
}

/// A structured field list (RFC 9651) of what is not as it should be, `omitted` left out.
fn degraded(meta: &Meta) -> String {
    let mut list = String::new();
    for part in meta.parts.iter().filter(|part| part.outcome != PartOutcome::Omitted) {
        if !list.is_empty() {
            list.push_str(", ");
        }
        let _ = write!(list, "{};outcome={};reason={}", part.part, part.outcome.as_str(), part.reason);
        if let Some(age) = part.age_seconds {
            let _ = write!(list, ";age={age}");
        }
        if let Some(after) = part.retry_after_seconds {
            let _ = write!(list, ";retry_after={after}");
        }
        if let (Some(count), Some(of)) = (part.count, part.of) {
            let _ = write!(list, ";count={count};of={of}");
        }
    }
    list
}

/// A weak tag over the uncompressed body: 128 bits of SHA-256, the same in every process and release.
pub(crate) async fn with_etag(response: Response, known: &[HeaderValue]) -> Response {
    let (mut head, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Error::internal(error).into_response(),
    };
    let digest = digest::digest(&digest::SHA256, &body);
    let mut tag = String::with_capacity(26);
    tag.push_str("W/\"");
    URL_SAFE_NO_PAD.encode_string(&digest.as_ref()[..16], &mut tag);
    tag.push('"');
    let matches = known.iter().filter_map(|known| known.to_str().ok()).any(|known| names(known, &tag));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        head.headers.insert(header::ETAG, tag);
    }
    if matches {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(header::CONTENT_TYPE);
        head.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::from(body))
}

/// Weak comparison (RFC 9110 §8.8.3.2): the mark of weakness does not count.
fn names(known: &str, tag: &str) -> bool {
    fn opaque(tag: &str) -> &str {
        tag.trim().trim_start_matches("W/")
    }
    known.trim() == "*" || known.split(',').any(|candidate| opaque(candidate) == opaque(tag))
}

/// One entry for each part, for a browser's developer tools.
fn server_timing(headers: &mut HeaderMap, context: &Context, page: &Page) {
    let mut text = String::new();
    for part in context.ledger.in_answer_order() {
        let millis = part.took.as_secs_f64() * 1000.0;
        // A part's name is a token but for the dot of a joined field, which a token may hold too.
        let _ = write!(text, "{};dur={millis:.1};desc=\"{}", part.name, part.outcome.as_str());
        if let Some(reason) = part.reason {
            let _ = write!(text, " {reason}");
        }
        text.push_str("\", ");
    }
    let total = (clock::now() - context.started()).as_secs_f64() * 1000.0;
    let _ = write!(text, "total;dur={total:.1}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(SERVER_TIMING, value);
    }
    if !page.settings.cors_origins.is_empty()
        && let Ok(origins) = HeaderValue::from_str(&page.settings.cors_origins.join(", "))
    {
        headers.insert(TIMING_ALLOW_ORIGIN, origins);
    }
}
