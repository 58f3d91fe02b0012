//! What the finished document demands of requests, for the edge to hold them to.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;

use super::book::{Book, branches, kinds};
use super::document::without_stars;
use super::shapes;
use crate::edge::{List, Place, Rule, Rules, Text, validator};
use crate::routes::Route;
use crate::settings::Mistakes;

/// What a schema may demand beyond the types that reading a request checks anyway.
const DEMANDS: [&str; 15] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "enum",
    "const",
];
/// Names of formats that say which type of Rust reads a number, and nothing that could be checked.
const OF_NUMBERS: [&str; 10] =
    ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float", "double"];

/// The rules of every endpoint whose document demands something, by its name. Notes schemas that nobody can check.
pub(crate) fn rules<State>(
    document: &OpenApi,
    routes: &[Route<State>],
    mistakes: &mut Mistakes,
) -> HashMap<String, Arc<Rules>> {
    let document = serde_json::to_value(document).unwrap_or_default();
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let reader = Reader { components: document.get("components"), book: Book(schemas) };
    let mut all = HashMap::new();
    for route in routes {
        let operation = document.get("paths").and_then(|paths| paths.get(without_stars(&route.path)));
        let operation = operation.and_then(|item| item.get(route.method.as_str().to_ascii_lowercase()));
        let Some(operation) = operation else { continue };
        mistakes.within(&route.title(), |mistakes| {
            let rules = reader.rules(operation, mistakes);
            if !rules.parameters.is_empty() || rules.body.is_some() {
                all.insert(route.name.clone(), Arc::new(rules));
            }
        });
    }
    all
}

struct Reader<'a> {
    components: Option<&'a Value>,
    book: Book<'a>,
}

impl<'a> Reader<'a> {
    fn rules(&self, operation: &'a Value, mistakes: &mut Mistakes) -> Rules {
        let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
        let content = operation.pointer("/requestBody/content").and_then(Value::as_object);
        let is_json = |kind: &String| kind == "application/json" || kind.ends_with("+json");
        let body = content.into_iter().flatten().find(|(kind, _)| is_json(kind));
        let body = body.and_then(|(_, content)| content.get("schema")).filter(|schema| self.demands(schema));
        Rules {
            parameters: parameters.filter_map(|parameter| self.rule(parameter, mistakes)).collect(),
            body: body.and_then(|schema| self.validator(schema, "its body", mistakes)),
        }
    }

    fn rule(&self, parameter: &'a Value, mistakes: &mut Mistakes) -> Option<Rule> {
        let place = match parameter.get("in")?.as_str()? {
            "path" => Place::Path,
            "query" => Place::Query,
            _ => return None,
        };
        let name = parameter.get("name")?.as_str()?;
        // The door reads these itself.
        if place == Place::Query && matches!(name, "parts" | "partial") {
            return None;
        }
        let schema = parameter.get("schema").filter(|schema| self.demands(schema))?;
        let value = self.meant(schema);
        let is_list = kinds(value).contains(&"array");
        let repeated = parameter.get("explode").and_then(Value::as_bool).unwrap_or(true);
        let item = if is_list { value.get("items").map_or(value, |item| self.meant(item)) } else { value };
        Some(Rule {
            place,
            name: name.to_owned(),
            text: text(item),
            list: is_list.then_some(if repeated { List::Repeated } else { List::Commas }),
            validator: self.validator(schema, &format!("its parameter {name}"), mistakes)?,
        })
    }

    /// What a schema is where it is not null.
    fn meant(&self, schema: &'a Value) -> &'a Value {
        let schema = self.book.open(schema);
        let mut choices = branches(schema, "oneOf").iter().chain(branches(schema, "anyOf"));
        let something = choices.find(|choice| kinds(self.book.open(choice)) != ["null"]);
        something.map_or(schema, |choice| self.book.open(choice))
    }

    fn validator(&self, schema: &Value, whose: &str, mistakes: &mut Mistakes) -> Option<jsonschema::Validator> {
        let mut rooted = schema.as_object().cloned().unwrap_or_default();
        rooted.extend(self.components.map(|components| ("components".to_owned(), components.clone())));
        let read = validator(&Value::Object(rooted));
        read.map_err(|problem| {
            let problem = format!("nobody can hold {whose} to its schema ({problem})");
            mistakes.note(
                "",
                problem,
                "write a JSON Schema of 2020-12; patterns without look-around and back-references",
            );
        })
        .ok()
    }

    fn demands(&self, schema: &'a Value) -> bool {
        demands(schema, self.book.0, &mut Vec::new())
    }
}

/// Whether a schema, or one inside it, demands more than a type.
fn demands<'a>(schema: &'a Value, named: Option<&'a Map<String, Value>>, seen: &mut Vec<&'a str>) -> bool {
    let members = match schema {
        Value::Object(members) => members,
        Value::Array(items) => return items.iter().any(|item| demands(item, named, seen)),
        _ => return false,
    };
    if let Some(name) = members.get("$ref").and_then(Value::as_str).and_then(shapes::name)
        && !seen.contains(&name)
    {
        seen.push(name);
        if named.and_then(|named| named.get(name)).is_some_and(|target| demands(target, named, seen)) {
            return true;
        }
    }
    members.iter().any(|(key, value)| {
        DEMANDS.contains(&key.as_str())
            || (key == "format" && value.as_str().is_some_and(|format| !OF_NUMBERS.contains(&format)))
            || demands(value, named, seen)
    })
}

fn text(schema: &Value) -> Text {
    let kinds = kinds(schema);
    match kinds.iter().find(|kind| **kind != "null") {
        // What may be text is: any text is good enough for it.
        _ if kinds.contains(&"string") => Text::Plain,
        Some(&"integer") => Text::Whole,
        Some(&"number") => Text::Number,
        Some(&"boolean") => Text::Boolean,
        _ => Text::Plain,
    }
}
