//! A good day and a degraded one, from the schemas alone.

use serde_json::Value;
use utoipa::openapi::example::Example;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, RefOr};

use super::book::Book;
use super::operation::choosable;
use super::shapes::Schemas;
use crate::bff::About;
use crate::compose::{Meta, PartOutcome, PartStatus};
use crate::context::Need;
use crate::error::Reason;
use crate::routes::SurveyedPart;

/// The name of the example that stands first.
pub(super) const GOOD_DAY: &str = "good_day";

/// Gives every successful JSON answer of an operation its examples, unless its function declares some.
pub(super) fn add(about: &About, operation: &mut Operation, parts: &[SurveyedPart], schemas: &Schemas) {
    let Ok(Value::Object(named)) = serde_json::to_value(schemas) else { return };
    let book = Book(Some(&named));
    let responses = operation.responses.responses.iter_mut().filter(|(status, _)| status.starts_with('2'));
    for (_, response) in responses {
        let RefOr::T(response) = response else { continue };
        for (kind, content) in &mut response.content {
            let RefOr::T(content) = content else { continue };
            let is_json = kind == "application/json" || kind.ends_with("+json");
            if is_json && content.example.is_none() && content.examples.is_empty() {
                add_to(content, about, parts, &book);
            }
        }
    }
}

fn add_to(content: &mut Content, about: &About, parts: &[SurveyedPart], book: &Book<'_>) {
    let Some(Ok(schema)) = content.schema.as_ref().map(serde_json::to_value) else { return };
    let mut good = book.example(&schema, "");
    let is_page = book.property(&schema, "meta").is_some() && good.is_object();
    if is_page {
        good["meta"] = meta(None);
    }
    let mut named = vec![(GOOD_DAY, "A good day".to_owned(), good.clone())];
    if is_page && let Some((name, bad)) = degraded(&schema, &good, parts, book) {
        let wish = if about.strict { " With `?partial=true`." } else { "" };
        named.push(("degraded", format!("A degraded day: `{name}` did not come in time.{wish}"), bad));
    }
    for (key, summary, value) in named {
        let mut example = Example::new();
        example.summary = summary;
        example.value = Some(value);
        content.examples.insert(key.to_owned(), RefOr::T(example));
    }
}

/// The good day without the first part that can be missing; else with a stand-in for the first that has one.
fn degraded<'a>(
    schema: &'a Value,
    good: &Value,
    parts: &'a [SurveyedPart],
    book: &Book<'a>,
) -> Option<(&'a str, Value)> {
    let named = |need: Need| {
        choosable(parts)
            .filter(move |part| part.need == need)
            .filter_map(|part| Some((part.name.as_str(), book.property(schema, &part.name)?)))
    };
    let missing = named(Need::Optional)
        .find(|(_, shape)| book.takes_null(shape))
        .map(|(name, _)| (name, Value::Null, PartOutcome::Missing));
    let (name, instead, outcome) = missing.or_else(|| {
        let (name, shape) = named(Need::Fallback).next()?;
        Some((name, book.emptied(shape, good.get(name)?), PartOutcome::Fallback))
    })?;
    let mut bad = good.clone();
    bad[name] = instead;
    bad["meta"] = meta(Some((name, outcome)));
    Some((name, bad))
}

fn meta(bad: Option<(&str, PartOutcome)>) -> Value {
    let parts = bad.into_iter().map(|(part, outcome)| PartStatus {
        part: part.to_owned(),
        outcome,
        reason: Reason::Timeout.as_str().to_owned(),
        age_seconds: None,
        retry_after_seconds: None,
        count: None,
        of: None,
    });
    let meta = Meta { degraded: bad.is_some(), parts: parts.collect() };
    serde_json::to_value(meta).unwrap_or(Value::Null)
}
