//! What a route's policy and parts add to what its function says of itself.

use std::borrow::Cow;

use serde_json::json;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{RefOr, Required};

use super::answers;
use super::document::BEARER;
use crate::bff::About;
use crate::context::Need;
use crate::edge::Access;
use crate::routes::{Route, SurveyedPart};

/// The operation of one route.
pub(super) fn operation<State>(about: &About, route: &Route<State>, parts: &[SurveyedPart]) -> Operation {
    let mut operation = route.operation.clone();
    operation.operation_id = Some(route.name.clone());
    operation.tags = tag(&route.path).map(|tag| vec![tag.to_owned()]);
    operation.description = Some(description(route, parts, operation.description.as_deref()));
    add_parameters(&mut operation, about, &route.path, parts);
    answers::add(&mut operation, about, route, parts);

    let access = &route.policy.access;
    let mut extensions = operation.extensions.take().unwrap_or_default();
    let budget = u64::try_from(route.policy.budget.as_millis()).unwrap_or(u64::MAX);
    extensions.insert("x-budget-ms".to_owned(), json!(budget));
    if access.needs_identity {
        operation.security = Some(vec![SecurityRequirement::new(BEARER, access.scopes.iter().map(AsRef::as_ref))]);
        if !access.roles.is_empty() {
            extensions.insert("x-roles".to_owned(), json!(access.roles));
        }
    }
    operation.extensions = Some(extensions);
    operation
}

/// The names that `?parts=` may choose among.
pub(super) fn choosable(parts: &[SurveyedPart]) -> impl Iterator<Item = &SurveyedPart> {
    // A joined field comes and goes with the part that it stands in.
    parts.iter().filter(|part| !part.need.is_required() && !part.name.contains('.'))
}

/// The first word of the path that is neither a version nor a placeholder.
pub(super) fn tag(path: &str) -> Option<&str> {
    let is_version = |word: &str| {
        word.strip_prefix('v')
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
    };
    path.split('/').find(|word| !word.is_empty() && !word.contains('{') && !is_version(word))
}

fn description<State>(route: &Route<State>, parts: &[SurveyedPart], own: Option<&str>) -> String {
    let mut paragraphs = Vec::new();
    paragraphs.extend(own.map(str::trim).filter(|own| !own.is_empty()).map(str::to_owned));
    let named = |need: Need| {
        let names = choosable(parts).filter(|part| part.need == need).map(|part| format!("`{}`", part.name));
        Some(list(names.collect())).filter(|names| !names.is_empty())
    };
    if let Some(names) = named(Need::Optional) {
        paragraphs.push(format!("Null when not available: {names}; `meta` says why."));
    }
    if let Some(names) = named(Need::Fallback) {
        paragraphs.push(format!("With a stand-in when not available: {names}; `meta` says why."));
    }
    paragraphs.extend(access(&route.policy.access));
    paragraphs.push(format!("Answers within {}.", humantime::format_duration(route.policy.budget)));
    paragraphs.join("\n\n")
}

pub(super) fn access(access: &Access) -> Option<String> {
    if !access.needs_identity {
        return None;
    }
    let mut sentence = "Needs a bearer token".to_owned();
    let quoted = |words: &[Cow<'static, str>]| list(words.iter().map(|word| format!("`{word}`")).collect());
    for (one, many, words) in [("role", "roles", &access.roles), ("scope", "scopes", &access.scopes)] {
        if !words.is_empty() {
            let noun = if words.len() == 1 { one } else { many };
            let joint = if sentence.ends_with("token") { "with" } else { "and" };
            sentence.push_str(&format!(" {joint} the {noun} {}", quoted(words)));
        }
    }
    sentence.push('.');
    Some(sentence)
}

/// `a`, `a and b`, `a, b and c`.
fn list(mut words: Vec<String>) -> String {
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) }
}

fn add_parameters(operation: &mut Operation, about: &About, path: &str, parts: &[SurveyedPart]) {
    let parameters = operation.parameters.get_or_insert_default();
    let mut add = |parameter: Parameter| {
        let same = |known: &RefOr<Parameter>| {
            matches!(known, RefOr::T(known)
                if known.name == parameter.name && known.parameter_in == parameter.parameter_in)
        };
        if !parameters.iter().any(same) {
            parameters.push(parameter.into());
        }
    };
    for name in placeholders(path) {
        add(ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(Object::with_type(Type::String)))
            .build());
    }
    let names: Vec<&str> = choosable(parts).map(|part| part.name.as_str()).collect();
    if !names.is_empty() {
        let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
        let about = "Only these of the parts that the answer can do without, separated by commas; all others are \
                     always there. Without it: all.";
        add(ParameterBuilder::new()
            .name("parts")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(ArrayBuilder::new().items(name)))
            .style(Some(ParameterStyle::Form))
            .explode(Some(false))
            .build());
    }
    if about.strict && !parts.is_empty() {
        let about = "With `true`, an answer of which only a part is available is given instead of a 503.";
        add(ParameterBuilder::new()
            .name("partial")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(Object::with_type(Type::Boolean)))
            .build());
    }
    if parameters.is_empty() {
        operation.parameters = None;
    }
}

/// The names in a path's braces.
pub(super) fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(|name| name.trim_start_matches('*'))
}
