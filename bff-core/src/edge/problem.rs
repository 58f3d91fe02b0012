//! The one place where an error becomes HTTP: RFC 9457 documents.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use tower::Service;
use utoipa::ToSchema;

use super::problem_types::{ProblemType, classify, of_status};
use crate::context::Context;
use crate::error::{Error, Kind, RetryAfter};

/// Why there is no answer (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The kind of problem; the BFF explains it at this address.
    #[serde(rename = "type")]
    #[schema(example = "/problems/timeout")]
    pub kind: String,
    /// The same for every problem of this kind.
    #[schema(example = "It took too long")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 504, minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened this time, for people.
    pub detail: String,
    /// This occurrence.
    #[schema(example = "urn:uuid:5f8b9f0e-3c1d-4b6e-9a51-0d2f6c1b7a10")]
    pub instance: String,
    /// The request, as `X-Request-Id` names it; support can find it by this.
    pub request_id: String,
    /// The part of the page that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Why it failed; the same words as in `meta.parts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Each mistake in what was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<FieldError>>,
    /// A write that was sent and not confirmed: it may have happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome_unknown: Option<bool>,
}

/// One mistake in what was sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// A JSON pointer into the body, or `?name` / `{name}` for a parameter.
    #[schema(example = "/quantity")]
    pub pointer: String,
    /// What would be right.
    pub detail: String,
}

/// Stands in an endpoint's `responses(…)` for all the problems it may answer with.
#[derive(Clone, Copy, Debug)]
pub enum Problems {}

impl utoipa::IntoResponses for Problems {
    fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
        // The document fills them in for every endpoint, with those that its access asks for.
        std::collections::BTreeMap::new()
    }
}

/// In a response's extensions: the error that it tells of, for the log.
#[derive(Clone)]
pub(super) struct Cause(pub(super) Error);

/// The error that an answer of an endpoint tells of.
pub(crate) fn cause(response: &Response) -> Option<&Error> {
    response.extensions().get().map(|Cause(error)| error)
}

/// In a response's extensions: it is an upstream's answer, passed on as it is; no problem is made of it.
#[derive(Clone, Copy, Debug)]
pub struct PassedOn;

impl IntoResponse for Error {
    /// Only carries the error outwards; the document is made where the request is known.
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        // An answer is needed here.
        response.extensions_mut().insert(Cause(self.where_needed()));
        response
    }
}

pub(super) async fn problem<Inner>((): (), request: Request, mut inner: Inner) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    let Some(context) = request.extensions().get::<Arc<Context>>().cloned() else {
        return inner.call(request).await;
    };
    let response = inner.call(request).await?;
    if let Some(Cause(error)) = response.extensions().get::<Cause>() {
        let mut problem = document(error, &context);
        problem.extensions_mut().insert(Cause(error.clone()));
        return Ok(problem);
    }
    let status = response.status().as_u16();
    if response.extensions().get::<PassedOn>().is_some() {
        return Ok(response);
    }
    if status < 400 || is_problem(response.headers()) {
        return Ok(response);
    }
    // A library of ours answered by itself, or an upstream in a form that is not passed on: keep what is said in headers.
    let kind = of_status(status);
    let body = describe(kind, &context, kind.explanation.to_owned());
    let mut problem = render(kind, &body);
    for name in [header::ALLOW, header::RETRY_AFTER, header::VARY, header::WWW_AUTHENTICATE] {
        for value in response.headers().get_all(&name) {
            problem.headers_mut().append(name.clone(), value.clone());
        }
    }
    Ok(problem)
}

const OUTCOME_UNKNOWN: &str = "The change was sent and not confirmed: it may have happened. Read before you try again, or \
                               repeat it with the same `Idempotency-Key`.";

fn is_problem(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/problem+json"))
}

fn document(error: &Error, context: &Context) -> Response {
    let kind = classify(error);
    let detail = match error.detail() {
        Some(detail) => detail,
        None if error.outcome_unknown() => OUTCOME_UNKNOWN,
        None => kind.explanation,
    };
    let mut problem = describe(kind, context, detail.to_owned());
    problem.part = error.part().map(|(part, _)| part.to_owned());
    // A reason tells of a service behind us; where none is involved there is none to tell.
    if (error.upstream().is_some() || problem.part.is_some()) && kind.status >= 500 {
        let reason = error.reason().unwrap_or(crate::error::Reason::UpstreamError);
        let reason = if context.terms.coarse_reasons { reason.coarse() } else { reason };
        problem.reason = Some(reason.as_str().to_owned());
    }
    if !error.faults().is_empty() {
        let faults = error.faults().iter();
        problem.errors = Some(
            faults.map(|fault| FieldError { pointer: fault.pointer.clone(), detail: fault.detail.clone() }).collect(),
        );
    }
    problem.outcome_unknown = error.outcome_unknown().then_some(true);
    let mut response = render(kind, &problem);
    let headers = response.headers_mut();
    if kind.status == 401 {
        headers.insert(header::WWW_AUTHENTICATE, challenge(context));
    } else if error.kind() == Kind::NotAllowed {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"insufficient_scope\""));
    }
    let after = match kind.status {
        429 | 503 => Some(error.retry_after().unwrap_or_default()),
        // Where the upstream has said it.
        502 => error.retry_after(),
        _ => None,
    };
    if let Some(after) = after.map(RetryAfter::from) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.seconds()));
    }
    response
}

/// RFC 6750 §3: without credentials only the scheme is named.
fn challenge(context: &Context) -> HeaderValue {
    if context.credentials_sent {
        HeaderValue::from_static("Bearer error=\"invalid_token\"")
    } else {
        HeaderValue::from_static("Bearer")
    }
}

fn describe(kind: &ProblemType, context: &Context, detail: String) -> Problem {
    Problem {
        kind: format!("/problems/{}", kind.slug),
        title: kind.title.to_owned(),
        status: kind.status,
        detail,
        instance: context.id.urn().to_string(),
        request_id: context.request_id.to_string(),
        part: None,
        reason: None,
        errors: None,
        outcome_unknown: None,
    }
}

fn render(kind: &ProblemType, problem: &Problem) -> Response {
    let status = StatusCode::from_u16(kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body).into_response()
}
