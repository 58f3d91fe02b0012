//! A request that an endpoint takes, from its own examples.

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Required, Schema};

use super::book::Book;

/// Everything but the unreserved characters (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path and query that the endpoint takes: every placeholder and every required parameter of the query with
/// its example, else with one by its schema (`1` for text). `schemas` are those that the parameters point to.
pub(crate) fn example_target(path: &str, operation: &Operation, schemas: &[(String, RefOr<Schema>)]) -> Uri {
    let named: Map<String, Value> =
        schemas.iter().filter_map(|(name, schema)| Some((name.clone(), serde_json::to_value(schema).ok()?))).collect();
    let book = Book(Some(&named));
    let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    });
    let find = |name: &str| {
        parameters.clone().find(|parameter| parameter.parameter_in == ParameterIn::Path && parameter.name == name)
    };
    let mut target = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        target.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let word = find(name.trim_start_matches('*')).and_then(|parameter| words(parameter, &book).into_iter().next());
        let word = word.filter(|word| !word.is_empty()).unwrap_or_else(|| "1".to_owned());
        if name.starts_with('*') {
            let segments: Vec<String> = word.split('/').map(encoded).collect();
            target.push_str(&segments.join("/"));
        } else {
            target.push_str(&encoded(&word));
        }
        rest = after;
    }
    target.push_str(rest);
    let in_query =
        |parameter: &&Parameter| parameter.parameter_in == ParameterIn::Query && parameter.required == Required::True;
    for parameter in parameters.filter(in_query) {
        for word in words(parameter, &book) {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(&format!("{}={}", encoded(&parameter.name), encoded(&word)));
        }
    }
    target.parse().unwrap_or_default()
}

/// A parameter's example as text; several for a list whose items are sent one by one.
fn words(parameter: &Parameter, book: &Book<'_>) -> Vec<String> {
    // The example is no public field.
    let own = serde_json::to_value(parameter).ok().and_then(|mut plain| plain.get_mut("example").map(Value::take));
    let schema = parameter.schema.as_ref().and_then(|schema| serde_json::to_value(schema).ok());
    let value = own.or_else(|| schema.as_ref().map(|schema| book.example(schema, "1")));
    match value {
        Some(Value::Array(items)) if parameter.explode == Some(false) => {
            vec![items.iter().filter_map(word).collect::<Vec<_>>().join(",")]
        }
        Some(Value::Array(items)) => items.iter().filter_map(word).collect(),
        Some(value) => word(&value).into_iter().collect(),
        None => vec!["1".to_owned()],
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn encoded(word: &str) -> String {
    utf8_percent_encode(word, RESERVED).to_string()
}
