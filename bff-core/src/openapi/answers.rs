//! Headers, problems, and the answer that says "not modified".

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use utoipa::ToSchema;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response};

use super::claims;
use crate::bff::About;
use crate::context::Need;
use crate::edge::{PROBLEM_TYPES, Problem};
use crate::routes::{Route, SurveyedPart};

const DEGRADED: &str = "Bff-Degraded";
const CACHE_CONTROL: &str = "Cache-Control";
const ETAG: &str = "ETag";
const REQUEST_ID: &str = "X-Request-Id";
const RETRY_AFTER: &str = "Retry-After";
const CHALLENGE: &str = "WWW-Authenticate";

/// Every header that an answer may carry by contract, once; answers point here.
pub(super) fn headers() -> impl Iterator<Item = (&'static str, Header)> {
    let text = |description: &str, example: &str| {
        HeaderBuilder::new()
            .schema(Some(Object::with_type(Type::String)))
            .description(Some(description))
            .example(Some(example.into()))
            .build()
    };
    let retry_after = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1))))
        .description(Some("Seconds after which asking again may help, where that is known."))
        .example(Some(5.into()))
        .build();
    [
        (
            DEGRADED,
            text(
                "A structured field list (RFC 9651) of what is missing, older than it should be, or replaced by a \
                 stand-in; the same as `meta.parts` without `omitted`. Absent on a good day.",
                "name;outcome=missing;reason=timeout",
            ),
        ),
        (CACHE_CONTROL, text("How long, and by whom, the answer may be kept.", "private, no-cache")),
        (
            ETAG,
            text(
                "The answer's weak tag, for `If-None-Match`. Absent on degraded answers.",
                "W/\"kZ5vJ0wq3mVtX1bN8sYc2Q\"",
            ),
        ),
        (
            REQUEST_ID,
            text(
                "The request, as our log names it; yours if it was well-formed.",
                "5f8b9f0e-3c1d-4b6e-9a51-0d2f6c1b7a10",
            ),
        ),
        (RETRY_AFTER, retry_after),
        (CHALLENGE, text("How to prove who you are (RFC 6750).", "Bearer")),
    ]
    .into_iter()
}

/// Completes the answers that the endpoint's function declares.
pub(super) fn add<State>(operation: &mut Operation, about: &About, route: &Route<State>, parts: &[SurveyedPart]) {
    let reads = route.method == Method::GET;
    // Parts of writes are not known, but that they may have some is.
    let is_composite = !parts.is_empty() || claims::has_meta(route);
    let has_body = operation.request_body.is_some();
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('2')) {
        let RefOr::T(response) = response else { continue };
        // A required part may be stale, so any composite can be degraded.
        let of_composite = is_composite.then_some(DEGRADED);
        let of_read = (reads && status == "200").then_some(ETAG);
        mention(response, [CACHE_CONTROL, REQUEST_ID].into_iter().chain(of_composite).chain(of_read));
    }
    if reads && responses.contains_key("200") {
        let mut unchanged = Response::new("What `If-None-Match` names is still right.");
        mention(&mut unchanged, [CACHE_CONTROL, ETAG, REQUEST_ID]);
        responses.entry("304".to_owned()).or_insert(unchanged.into());
    }
    let declared = responses.keys().filter_map(|status| status.parse().ok()).filter(|status| *status >= 400);
    let statuses: BTreeSet<u16> = declared.chain(problems(route, parts, has_body)).collect();
    for status in statuses {
        let known = responses.entry(status.to_string()).or_insert_with(|| Response::new("").into());
        let RefOr::T(response) = known else { continue };
        if response.description.is_empty() {
            response.description = explain(status, about.strict && !parts.is_empty());
        }
        if response.content.is_empty() {
            let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
            response.content.insert("application/problem+json".to_owned(), problem.into());
        }
        mention(response, headers_of(status));
    }
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = reason(status, is_composite);
        }
    }
}

/// Every status of a problem that the endpoint may answer with.
fn problems<State>(route: &Route<State>, parts: &[SurveyedPart], has_body: bool) -> Vec<u16> {
    let writes = route.method != Method::GET;
    let is_about_something = route.path.contains('{') || parts.iter().any(|part| part.need == Need::Subject);
    // Credentials that do not hold are refused everywhere, also where none are needed.
    let mut statuses = vec![400, 401, 414, 500, 502, 503, 504];
    if route.policy.access.needs_identity || writes {
        statuses.push(403);
    }
    if is_about_something || writes {
        statuses.push(404);
    }
    if has_body {
        statuses.extend([408, 413, 415, 422]);
    }
    if writes {
        statuses.extend([409, 412, 422]);
    }
    statuses
}

/// The headers of a problem of this status.
fn headers_of(status: u16) -> impl Iterator<Item = &'static str> {
    let own = match status {
        401 => Some(CHALLENGE),
        429 | 502 | 503 => Some(RETRY_AFTER),
        _ => None,
    };
    own.into_iter().chain([REQUEST_ID])
}

fn mention<'a>(response: &mut Response, names: impl IntoIterator<Item = &'a str>) {
    for name in names {
        let pointer = Ref::new(format!("#/components/headers/{name}"));
        response.headers.entry(name.to_owned()).or_insert(RefOr::Ref(pointer));
    }
}

/// OpenAPI wants a description of every answer.
fn reason(status: &str, is_composite: bool) -> String {
    if status == "200" && is_composite {
        return "The answer, whole or with parts that `meta` accounts for.".to_owned();
    }
    let known = StatusCode::from_bytes(status.as_bytes()).ok().and_then(|status| status.canonical_reason());
    known.unwrap_or(status).to_owned()
}

/// A problem as an answer.
pub(super) fn problem(status: u16, is_strict: bool) -> Response {
    let mut response = Response::new(explain(status, is_strict));
    let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
    response.content.insert("application/problem+json".to_owned(), problem.into());
    mention(&mut response, headers_of(status));
    response
}

/// The problems of one status, each with its `type`.
fn explain(status: u16, is_strict: bool) -> String {
    // Neither is what an endpoint of the document answers with: the one is for unknown paths, the other for routes.
    let elsewhere = ["no-such-endpoint", "not-kept"];
    let kinds = PROBLEM_TYPES.iter().filter(|kind| kind.status == status && !elsewhere.contains(&kind.slug));
    let kinds = kinds.filter(|kind| is_strict || kind.slug != "incomplete");
    let kinds: Vec<String> = kinds.map(|kind| format!("{} (`/problems/{}`).", kind.title, kind.slug)).collect();
    kinds.join(" ")
}
