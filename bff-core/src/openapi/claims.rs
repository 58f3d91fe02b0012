//! What a function says of itself in `#[utoipa::path]`, held against what its path and its type say.

use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Response};

use super::book::Book;
use super::operation::placeholders;
use super::shapes;
use crate::compose::Meta;
use crate::routes::{Content, Route};
use crate::settings::Mistakes;

/// Notes everything in which the API document would lie about this endpoint.
pub(crate) fn check<State>(route: &Route<State>, mistakes: &mut Mistakes) {
    let named = named(route);
    let book = Book(Some(&named));
    mistakes.within(&route.title(), |mistakes| {
        check_path(&route.path, &route.operation, mistakes);
        check_body(route, &book, mistakes);
        check_answer(route, &book, mistakes);
        check_meta(route, mistakes);
    });
}

fn named<State>(route: &Route<State>) -> Map<String, Value> {
    route.schemas.iter().filter_map(|(name, schema)| Some((name.clone(), serde_json::to_value(schema).ok()?))).collect()
}

fn check_path(path: &str, operation: &Operation, mistakes: &mut Mistakes) {
    let declared: Vec<&str> = parameters(operation, ParameterIn::Path).map(|known| known.name.as_str()).collect();
    let written: Vec<&str> = placeholders(path).collect();
    for name in declared.iter().filter(|name| !written.contains(name)) {
        let problem = format!("`params` declares {name:?}, which the path does not have");
        let remedy = match written.as_slice() {
            [] => format!("write {{{name}}} into the path, or take it out of `params`"),
            written => format!("call it as the path does: {}", written.join(", ")),
        };
        mistakes.note("", problem, remedy);
    }
    for name in written.iter().filter(|name| !declared.contains(name)) {
        let problem = format!("the path has {{{name}}}, which `params` does not declare");
        mistakes.note("", problem, format!("declare it: `params((\"{name}\" = …, Path))`"));
    }
}

/// The parameters of an operation that stand in this place.
pub(super) fn parameters(operation: &Operation, place: ParameterIn) -> impl Iterator<Item = &Parameter> {
    operation.parameters.iter().flatten().filter_map(move |parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == place => Some(parameter),
        _ => None,
    })
}

/// A declared body must be what the function reads.
fn check_body<State>(route: &Route<State>, book: &Book<'_>, mistakes: &mut Mistakes) {
    let Some(Content::Json { name, schema }) = &route.takes else { return };
    let declared = route.operation.request_body.iter().filter_map(|body| match body {
        RefOr::T(body) => Some(body),
        RefOr::Ref(_) => None,
    });
    for content in declared.flat_map(|body| body.content.values()) {
        if let Some(shown) = other_type("request_body", content, name, schema, book) {
            let problem = format!("declares {shown}, and its function reads {name}");
            mistakes.note("", problem, "take `request_body` out: it is known by the argument");
        }
    }
}

/// What is declared, where it is another type than this.
fn other_type(
    key: &str,
    content: &RefOr<utoipa::openapi::Content>,
    name: &str,
    schema: &Value,
    book: &Book<'_>,
) -> Option<String> {
    let RefOr::T(content) = content else { return None };
    let declared = serde_json::to_value(content.schema.as_ref()?).ok()?;
    let pointed = pointer(&declared);
    // Two types of one name are told apart by what is in them.
    let is_same = match pointed {
        Some(pointed) => {
            // The document names a generic type by its arguments, too: `List_Ticket`.
            let is_named = pointed.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
            is_named && book.0.and_then(|named| named.get(pointed)).is_none_or(|known| same(known, schema, book))
        }
        None => same(&declared, schema, book),
    };
    (!is_same).then(|| pointed.map_or_else(|| "another type".to_owned(), |pointed| format!("`{key} = {pointed}`")))
}

/// Every declared success must be what the function's type answers.
fn check_answer<State>(route: &Route<State>, book: &Book<'_>, mistakes: &mut Mistakes) {
    let mut declared = successes(&route.operation).peekable();
    if declared.peek().is_none() {
        let remedy = match &route.form.content {
            Content::Json { name, .. } => format!("declare it: `responses((status = OK, body = {name}), Problems)`"),
            _ => "declare it in `responses(…)`".to_owned(),
        };
        mistakes.note("", "declares no answer", remedy);
    }
    for (status, response) in declared {
        if let Some(own) = route.form.status
            && own.as_str() != status
        {
            let problem = format!("declares a {status}, and its function answers {}", own.as_u16());
            mistakes.note("", problem, "declare what it answers, or return `(StatusCode, Json<T>)` for another status");
        }
        check_content(&route.form.content, status, response, book, mistakes);
    }
}

fn successes(operation: &Operation) -> impl Iterator<Item = (&str, &Response)> {
    operation.responses.responses.iter().filter_map(|(status, response)| match response {
        RefOr::T(response) if status.starts_with('2') => Some((status.as_str(), response)),
        _ => None,
    })
}

fn check_content(own: &Content, status: &str, response: &Response, book: &Book<'_>, mistakes: &mut Mistakes) {
    let (name, schema) = match own {
        Content::Json { name, schema } => (name, schema),
        Content::Nothing if response.content.is_empty() => return,
        Content::Nothing => {
            return mistakes.note(
                "",
                format!("declares a body of the {status}, and its function answers none"),
                "take `body` out",
            );
        }
        Content::Anything => return,
    };
    if response.content.is_empty() {
        let problem = format!("declares no body of the {status}, and its function answers {name}");
        return mistakes.note("", problem, format!("declare it: `body = {name}`"));
    }
    for (kind, content) in &response.content {
        if !is_json(kind) {
            let problem = format!("declares {kind}, and its function answers application/json");
            mistakes.note("", problem, "take the content type out, or return a `Response`");
            continue;
        }
        if let Some(shown) = other_type("body", content, name, schema, book) {
            let problem = format!("declares {shown}, and its function answers {name}");
            mistakes.note("", problem, format!("declare what it answers: `body = {name}`"));
        }
    }
}

fn is_json(kind: &str) -> bool {
    kind == "application/json" || kind.ends_with("+json")
}

fn pointer(schema: &Value) -> Option<&str> {
    shapes::name(schema.get("$ref")?.as_str()?)
}

/// Whether two schemas say the same, where one may point to what stands in the other.
fn same(one: &Value, other: &Value, book: &Book<'_>) -> bool {
    match (pointer(one), pointer(other)) {
        (Some(one), Some(other)) => one == other,
        (Some(_), None) => !std::ptr::eq(book.open(one), one) && same(book.open(one), other, book),
        (None, Some(_)) => !std::ptr::eq(book.open(other), other) && same(one, book.open(other), book),
        (None, None) => match (one, other) {
            (Value::Object(one), Value::Object(other)) => {
                one.len() == other.len()
                    && one.iter().all(|(key, value)| other.get(key).is_some_and(|known| same(value, known, book)))
            }
            (Value::Array(one), Value::Array(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other, book))
            }
            _ => one == other,
        },
    }
}

/// A page says what is missing; one that cannot is no page.
fn check_meta<State>(route: &Route<State>, mistakes: &mut Mistakes) {
    let is_read = route.method == http::Method::GET;
    let has_meta = has_meta(route);
    if has_meta && route.policy.without_meta {
        mistakes.note("", "its policy says `without_meta`, and its answer has `meta`", "take one of them out");
    }
    if has_meta && !route.is_composed {
        let remedy = "take a `Composer` and write the page with `compose!`, which fills `meta` in";
        mistakes.note("", "its answer has `meta`, and nobody knows what to write there", remedy);
    }
    if (is_read || route.is_composed) && !has_meta && !route.policy.without_meta && answers_json(route) {
        let problem = "its answer has no `meta`, so that nobody sees what is missing or old";
        let remedy = "give the page `meta: Meta` and write it with `compose!`; say `Policy::…().without_meta()` if it is no page";
        mistakes.note("", problem, remedy);
    }
}

fn answers_json<State>(route: &Route<State>) -> bool {
    successes(&route.operation).any(|(_, response)| response.content.keys().any(|kind| is_json(kind)))
}

/// Whether what is declared has a `meta` of the composer's.
pub(super) fn has_meta<State>(route: &Route<State>) -> bool {
    let named = named(route);
    let contents = successes(&route.operation).flat_map(|(_, response)| response.content.values());
    let schemas = contents.filter_map(|content| match content {
        RefOr::T(content) => serde_json::to_value(content.schema.as_ref()?).ok(),
        RefOr::Ref(_) => None,
    });
    schemas.into_iter().any(|schema| {
        Book(Some(&named)).property(&schema, "meta").and_then(pointer).is_some_and(|name| name == Meta::name())
    })
}
