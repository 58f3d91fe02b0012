//! A plausible value for a schema.

use serde_json::{Map, Number, Value};

use super::book::{Book, branches, fits, kinds};
use super::shapes;

/// Nothing is built below this depth; no type of an API is that deep, but for one that never ends.
const DEEPEST: usize = 32;

/// The names of the schemas that a value is being built inside of, outermost first; empty for those without one.
type Trail<'a> = Vec<&'a str>;

impl<'a> Book<'a> {
    /// A plausible value: what the schema gives as its example, else one by format, enumeration and type. Text
    /// without an example says `word`, or the name of its property.
    ///
    /// Keeps to bounds and lengths; not to patterns, which need an example. A type inside itself comes to an end as
    /// soon as it may: with null, with an empty list.
    pub(super) fn example(&self, schema: &'a Value, word: &str) -> Value {
        self.build(schema, word, &mut Vec::new())
    }

    fn build(&self, schema: &'a Value, word: &str, trail: &mut Trail<'a>) -> Value {
        if trail.len() > DEEPEST {
            return Value::Null;
        }
        trail.push(pointer(schema).unwrap_or_default());
        let value = given(schema).cloned().unwrap_or_else(|| self.build_named(self.open(schema), word, trail));
        trail.pop();
        value
    }

    fn build_named(&self, schema: &'a Value, word: &str, trail: &mut Trail<'a>) -> Value {
        if let Some(given) = given(schema) {
            return given.clone();
        }
        let parts = branches(schema, "allOf");
        if !parts.is_empty() {
            return self.together(schema, parts, word, trail);
        }
        let choices = || branches(schema, "oneOf").iter().chain(branches(schema, "anyOf"));
        let somethings = || choices().filter(|choice| kinds(self.open(choice)) != ["null"]);
        if let Some(choice) = somethings().find(|choice| !is_inside(choice, trail)) {
            return self.build(choice, word, trail);
        }
        if let Some(choice) = choices().find(|choice| self.takes_null(choice)).or_else(|| choices().next()) {
            return self.build(choice, word, trail);
        }
        match kinds(schema).into_iter().find(|kind| *kind != "null") {
            Some("boolean") => Value::Bool(true),
            Some("integer") => number(schema, 1.0, true),
            Some("number") => number(schema, 1.5, false),
            Some("string") => Value::String(text(schema, word)),
            Some("array") => self.array(schema, word, trail),
            Some("object") => Value::Object(self.object(schema, trail)),
            _ if kinds(schema).contains(&"null") => Value::Null,
            _ if schema.get("properties").is_some() => Value::Object(self.object(schema, trail)),
            _ => Value::String(text(schema, word)),
        }
    }

    fn together(&self, schema: &'a Value, parts: &'a [Value], word: &str, trail: &mut Trail<'a>) -> Value {
        let mut whole = self.object(schema, trail);
        let mut other = None;
        for part in parts {
            match self.build(part, word, trail) {
                Value::Object(members) => whole.extend(members),
                value => other = Some(value),
            }
        }
        other.filter(|_| whole.is_empty()).unwrap_or(Value::Object(whole))
    }

    fn object(&self, schema: &'a Value, trail: &mut Trail<'a>) -> Map<String, Value> {
        let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let mut object = Map::new();
        for (name, schema) in properties {
            object.insert(name.clone(), self.build(schema, name, trail));
        }
        if let Some(values @ Value::Object(_)) = schema.get("additionalProperties")
            && object.is_empty()
            && !is_inside(values, trail)
        {
            let names = schema.get("propertyNames").map(|names| self.build(names, "key", trail));
            let key = names.as_ref().and_then(Value::as_str).unwrap_or("key");
            object.insert(key.to_owned(), self.build(values, "", trail));
        }
        object
    }

    fn array(&self, schema: &'a Value, word: &str, trail: &mut Trail<'a>) -> Value {
        let first = branches(schema, "prefixItems");
        let mut items: Vec<Value> = first.iter().map(|item| self.build(item, word, trail)).collect();
        if let Some(item) = schema.get("items").filter(|item| item.is_object()) {
            let wanted = usize::from(items.is_empty() && !is_inside(item, trail));
            let least = count(schema, "minItems").unwrap_or(0).saturating_sub(items.len());
            let wanted = wanted.max(least).min(count(schema, "maxItems").unwrap_or(100));
            let item = (wanted > 0).then(|| self.build(item, word, trail));
            items.extend(item.iter().cycle().take(wanted).cloned());
        }
        Value::Array(items)
    }

    /// What a stand-in for `value` may look like: lists are empty, what may be null is null, the rest stays.
    pub(super) fn emptied(&self, schema: &'a Value, value: &Value) -> Value {
        let shape = self.open(schema);
        match value {
            Value::Array(_) if shape.get("minItems").is_none_or(|least| least == 0) => Value::Array(Vec::new()),
            Value::Object(members) => {
                let members = members.iter().map(|(name, member)| {
                    let emptied = match self.property(shape, name) {
                        Some(own) if self.takes_null(own) => Value::Null,
                        Some(own) => self.emptied(own, member),
                        None => member.clone(),
                    };
                    (name.clone(), emptied)
                });
                Value::Object(members.collect())
            }
            value => value.clone(),
        }
    }
}

/// Whether a value of this schema is being built already.
fn is_inside(schema: &Value, trail: &Trail<'_>) -> bool {
    pointer(schema).is_some_and(|name| trail.contains(&name))
}

fn pointer(schema: &Value) -> Option<&str> {
    shapes::name(schema.get("$ref")?.as_str()?)
}

fn count(schema: &Value, key: &str) -> Option<usize> {
    schema.get(key).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok())
}

/// The example that a schema gives itself, or its first permitted value.
fn given(schema: &Value) -> Option<&Value> {
    let one = |key: &str| schema.get(key).into_iter();
    let each = |key: &str| branches(schema, key).iter();
    let mut candidates = one("example").chain(each("examples")).chain(one("const")).chain(each("enum"));
    let usable = |value: &&Value| !value.is_null() && fits(schema, value);
    candidates.find(usable).or_else(|| schema.get("default").filter(usable))
}

fn number(schema: &Value, wish: f64, whole: bool) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let step = bound("multipleOf").filter(|step| *step > 0.0).unwrap_or(1.0);
    let mut value = wish;
    if let Some(most) = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most - step)) {
        value = value.min(most);
    }
    if let Some(least) = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least + step)) {
        value = value.max(least);
    }
    if bound("multipleOf").is_some() {
        value = (value / step).ceil() * step;
    }
    if whole || value.fract() == 0.0 {
        // What does not fit an i64 is cut to it; no schema of ours has such bounds.
        #[allow(clippy::cast_possible_truncation)]
        return Value::from(value.ceil() as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn text(schema: &Value, word: &str) -> String {
    let known = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => Some("2026-01-31T09:30:00Z"),
        Some("date") => Some("2026-01-31"),
        Some("time") => Some("09:30:00Z"),
        Some("duration") => Some("PT15M"),
        Some("uuid") => Some("5f8b9f0e-3c1d-4b6e-9a51-0d2f6c1b7a10"),
        Some("uri" | "url" | "iri") => Some("https://www.example.com/"),
        Some("uri-reference" | "iri-reference") => Some("/"),
        Some("email" | "idn-email") => Some("somebody@example.com"),
        Some("hostname" | "idn-hostname") => Some("www.example.com"),
        Some("ipv4") => Some("192.0.2.1"),
        Some("ipv6") => Some("2001:db8::1"),
        Some("byte") => Some("ZXhhbXBsZQ=="),
        _ => None,
    };
    if let Some(known) = known {
        return known.to_owned();
    }
    let word = if word.is_empty() { "text" } else { word };
    let word = word.replace('_', " ");
    let least = count(schema, "minLength").unwrap_or(0).min(1000);
    let most = count(schema, "maxLength").unwrap_or(usize::MAX);
    let length = word.chars().count().max(least).min(most);
    word.chars().chain(std::iter::repeat('x')).take(length).collect()
}
