//! Reading schemas as plain JSON.

use serde_json::{Map, Value};

use super::shapes;

/// The longest way from pointer to pointer that is followed.
const LONGEST_WAY: usize = 16;

/// All named schemas of a document, as plain JSON.
#[derive(Clone, Copy)]
pub(super) struct Book<'a>(pub(super) Option<&'a Map<String, Value>>);

impl<'a> Book<'a> {
    /// What `schema` is, pointers followed; itself where one leads nowhere.
    pub(super) fn open(&self, mut schema: &'a Value) -> &'a Value {
        for _ in 0..LONGEST_WAY {
            let target = schema.get("$ref").and_then(Value::as_str).and_then(shapes::name);
            match target.and_then(|name| self.0?.get(name)) {
                Some(named) => schema = named,
                None => break,
            }
        }
        schema
    }

    /// The schema of a property, also where the object is put together from several.
    pub(super) fn property(&self, schema: &'a Value, name: &str) -> Option<&'a Value> {
        let schema = self.open(schema);
        let own = schema.get("properties").and_then(|properties| properties.get(name));
        own.or_else(|| branches(schema, "allOf").iter().find_map(|part| self.property(part, name)))
    }

    /// Whether null is a value of this schema.
    pub(super) fn takes_null(&self, schema: &'a Value) -> bool {
        let schema = self.open(schema);
        let either = |key| branches(schema, key).iter().any(|branch| self.takes_null(branch));
        kinds(schema).contains(&"null") || either("oneOf") || either("anyOf")
    }
}

/// The schemas under `oneOf`, `anyOf` or `allOf`.
pub(super) fn branches<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    schema.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The types that a schema names; none for any.
pub(super) fn kinds(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether a value is of one of the types that a schema names.
pub(super) fn fits(schema: &Value, value: &Value) -> bool {
    let kinds = kinds(schema);
    kinds.is_empty()
        || kinds.iter().any(|kind| match *kind {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => false,
        })
}
