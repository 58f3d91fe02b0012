//! What the derive leaves out or leaves open.

use std::collections::BTreeSet;

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{Object, Schema, SchemaType, Type};

use super::passed::Passed;
use super::shapes::{self, Schemas, all, answered, reachable, walk};
use crate::compose::PartStatus;
use crate::edge::Problem;
use crate::error::Reason;

/// Mends all schemas of a document.
///
/// - What an answer always writes is `required`; the derive leaves every `Option` out, which serde writes as null.
/// - The core's own types that leave absent members out never write null.
/// - An enumeration that may be null lists null.
/// - A pointer to a schema that nobody registered becomes a string: so the derive leaves the newtypes of parameters.
/// - A schema that nobody points to is dropped.
///
/// `passed` is what upstreams answer themselves: it is as its configuration says, and only keeps what it points to.
pub(super) fn mend(operations: &mut [Operation], passed: &mut [Passed], schemas: &mut Schemas) {
    let in_answers = reachable(operations.iter_mut().flat_map(answered), schemas);
    operations.iter_mut().flat_map(answered).for_each(|schema| walk(schema, &mut always_written));
    for (name, schema) in schemas.iter_mut().filter(|(name, _)| in_answers.contains(*name)) {
        let mend = if leaves_out(name) { never_null } else { always_written };
        walk(schema, &mut |node| mend(node));
    }

    let known: BTreeSet<String> = schemas.keys().cloned().collect();
    for schema in operations.iter_mut().flat_map(all).chain(schemas.values_mut()) {
        walk(schema, &mut null_is_listed);
        walk(schema, &mut |node| registered(node, &known));
    }

    let passed = passed.iter_mut().map(|passed| &mut passed.operation);
    let referred = reachable(operations.iter_mut().chain(passed).flat_map(all), schemas);
    schemas.retain(|name, _| referred.contains(name));
}

/// Says of a part's `reason`, and of a problem's, what this BFF may tell: from the code that tells it.
pub(super) fn tell_reasons(schemas: &mut Schemas, coarse: bool) {
    let list = |of_omission: bool| {
        let told = Reason::told(coarse).filter(|reason| reason.is_of_omission() == of_omission);
        told.map(|reason| format!("`{reason}`")).collect::<Vec<_>>().join(", ")
    };
    let open = "New values may come; treat one you do not know like `upstream_error`.";
    let of_part = format!("Why: {}; for `omitted`: {}. {open}", list(false), list(true));
    let of_problem = format!("Why it failed, in the words of `meta.parts`: {}. {open}", list(false));
    for (name, about) in [(PartStatus::name(), of_part), (Problem::name(), of_problem)] {
        if let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(&*name)
            && let Some(RefOr::T(Schema::Object(reason))) = object.properties.get_mut("reason")
        {
            reason.description = Some(about);
        }
    }
}

/// Whether the type of this name leaves absent members out of what it writes.
fn leaves_out(name: &str) -> bool {
    name == PartStatus::name() || name == Problem::name()
}

fn always_written(node: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = node else { return };
    let written = object.properties.iter().filter(|(_, property)| !is_write_only(property));
    object.required = written.map(|(name, _)| name.clone()).collect();
}

fn is_write_only(property: &RefOr<Schema>) -> bool {
    match property {
        RefOr::Ref(pointer) => pointer.write_only == Some(true),
        RefOr::T(Schema::Object(object)) => object.write_only == Some(true),
        RefOr::T(_) => false,
    }
}

fn never_null(node: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = node else { return };
    let required = &object.required;
    for (_, property) in object.properties.iter_mut().filter(|(name, _)| !required.contains(name)) {
        match property {
            RefOr::T(Schema::Object(object)) => without_null(&mut object.schema_type),
            RefOr::T(Schema::Array(array)) => without_null(&mut array.schema_type),
            _ => {}
        }
    }
}

fn without_null(kind: &mut SchemaType) {
    let SchemaType::Array(kinds) = kind else { return };
    kinds.retain(|kind| *kind != Type::Null);
    if let [only] = kinds.as_slice() {
        *kind = SchemaType::Type(only.clone());
    }
}

fn null_is_listed(node: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Object(object)) = node
        && let SchemaType::Array(kinds) = &object.schema_type
        && kinds.contains(&Type::Null)
        && let Some(values) = &mut object.enum_values
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

fn registered(node: &mut RefOr<Schema>, known: &BTreeSet<String>) {
    let RefOr::Ref(pointer) = node else { return };
    let Some(name) = shapes::name(&pointer.ref_location) else { return };
    if !known.contains(name) {
        tracing::warn!(schema = name, "nobody registers this type of the API; write it as inline(…)");
        let mut text = Object::with_type(Type::String);
        text.description = Some(std::mem::take(&mut pointer.description)).filter(|about| !about.is_empty());
        *node = RefOr::T(Schema::Object(text));
    }
}
