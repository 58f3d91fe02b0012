//! Walking through schemas: what stands inside one, where one points, what an operation is made of.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Schema};
use utoipa::openapi::{Content, RefOr, Responses};

/// All named schemas of a document.
pub(super) type Schemas = BTreeMap<String, RefOr<Schema>>;

const NAMED: &str = "#/components/schemas/";

/// The name that a pointer into the named schemas ends with.
pub(super) fn name(pointer: &str) -> Option<&str> {
    pointer.strip_prefix(NAMED)
}

/// Visits `schema` and everything inside it; pointers are visited, not followed.
pub(super) fn walk(schema: &mut RefOr<Schema>, visit: &mut dyn FnMut(&mut RefOr<Schema>)) {
    visit(schema);
    let RefOr::T(inside) = schema else { return };
    match inside {
        Schema::Object(object) => {
            object.properties.values_mut().for_each(|property| walk(property, visit));
            if let Some(AdditionalProperties::RefOr(values)) = object.additional_properties.as_deref_mut() {
                walk(values, visit);
            }
            if let Some(names) = object.property_names.as_deref_mut() {
                walk_bare(names, visit);
            }
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                walk(items, visit);
            }
            array.prefix_items.iter_mut().for_each(|item| walk_bare(item, visit));
        }
        Schema::OneOf(one) => one.items.iter_mut().for_each(|item| walk(item, visit)),
        Schema::AllOf(all) => all.items.iter_mut().for_each(|item| walk(item, visit)),
        Schema::AnyOf(any) => any.items.iter_mut().for_each(|item| walk(item, visit)),
        // A kind of schema that a later utoipa knows.
        _ => {}
    }
}

fn walk_bare(schema: &mut Schema, visit: &mut dyn FnMut(&mut RefOr<Schema>)) {
    let mut wrapped = RefOr::T(std::mem::take(schema));
    walk(&mut wrapped, visit);
    if let RefOr::T(walked) = wrapped {
        *schema = walked;
    }
}

/// The names that these schemas point to, directly or by way of others.
pub(super) fn reachable<'a>(
    roots: impl IntoIterator<Item = &'a mut RefOr<Schema>>,
    schemas: &mut Schemas,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = roots.into_iter().flat_map(pointers).collect();
    while let Some(name) = open.pop() {
        if let Some(schema) = schemas.get_mut(&name)
            && found.insert(name)
        {
            open.extend(pointers(schema));
        }
    }
    found
}

fn pointers(schema: &mut RefOr<Schema>) -> Vec<String> {
    let mut found = Vec::new();
    walk(schema, &mut |node| {
        if let RefOr::Ref(pointer) = node {
            found.extend(name(&pointer.ref_location).map(str::to_owned));
        }
    });
    found
}

/// The schemas of what an operation answers.
pub(super) fn answered(operation: &mut Operation) -> impl Iterator<Item = &mut RefOr<Schema>> {
    of_responses(&mut operation.responses)
}

/// All schemas of an operation: of its parameters, its body, its answers.
pub(super) fn all(operation: &mut Operation) -> impl Iterator<Item = &mut RefOr<Schema>> {
    let parameters = operation.parameters.iter_mut().flatten().filter_map(own);
    let body = operation.request_body.iter_mut().filter_map(own).flat_map(|body| body.content.values_mut());
    parameters
        .filter_map(|parameter| parameter.schema.as_mut())
        .chain(body.filter_map(of_content))
        .chain(of_responses(&mut operation.responses))
}

fn of_responses(responses: &mut Responses) -> impl Iterator<Item = &mut RefOr<Schema>> {
    let responses = responses.responses.values_mut().filter_map(own);
    responses.flat_map(|response| response.content.values_mut()).filter_map(of_content)
}

fn of_content(content: &mut RefOr<Content>) -> Option<&mut RefOr<Schema>> {
    own(content)?.schema.as_mut()
}

fn own<T>(value: &mut RefOr<T>) -> Option<&mut T> {
    match value {
        RefOr::T(value) => Some(value),
        RefOr::Ref(_) => None,
    }
}
