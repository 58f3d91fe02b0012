//! Whether everything that one side may write can be read by the other.
//!
//! One rule for both ways: in answers the old clients read what the new server writes, in requests the new server reads
//! what the old clients write.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::book::{Book, branches, kinds};
use super::super::shapes;
use super::members;

/// Whose words they are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// The server's: read by old clients.
    Answer,
    /// Old clients': read by the server.
    Request,
}

/// A schema and the document that it stands in.
#[derive(Clone, Copy)]
struct At<'a> {
    book: Book<'a>,
    schema: &'a Value,
}

/// Compares schemas of two documents. A pair of named schemas is looked at once, so each of its breaks is told once.
pub(super) struct Reader<'a> {
    old: Book<'a>,
    new: Book<'a>,
    seen: BTreeSet<(&'a str, &'a str, Way)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(old: Option<&'a Map<String, Value>>, new: Option<&'a Map<String, Value>>) -> Self {
        Self { old: Book(old), new: Book(new), seen: BTreeSet::new() }
    }

    /// What breaks in the change of one schema.
    pub(super) fn compare(&mut self, place: &str, was: &'a Value, is: &'a Value, way: Way) -> Vec<String> {
        let old = At { book: self.old, schema: was };
        let new = At { book: self.new, schema: is };
        let mut found = Vec::new();
        match way {
            Way::Answer => self.read(place, old, new, way, &mut found),
            Way::Request => self.read(place, new, old, way, &mut found),
        }
        found
    }

    fn read(&mut self, place: &str, reader: At<'a>, writer: At<'a>, way: Way, found: &mut Vec<String>) {
        if let (Some(read), Some(written)) = (reader.pointer(), writer.pointer())
            && !self.seen.insert((read, written, way))
        {
            return;
        }
        if writer.book.takes_null(writer.schema) && !reader.book.takes_null(reader.schema) && !reader.is_any() {
            found.push(match way {
                Way::Answer => told(place, "may be null now"),
                Way::Request => told(place, "null is no longer taken"),
            });
        }
        let (readers, writers) = (reader.alternatives(), writer.alternatives());
        if let ([reader], [writer]) = (readers.as_slice(), writers.as_slice()) {
            return self.read_one(place, *reader, *writer, way, found);
        }
        for writer in writers {
            let is_read = readers.iter().any(|reader| {
                let mut trial = Self { old: self.old, new: self.new, seen: self.seen.clone() };
                let mut breaks = Vec::new();
                trial.read_one(place, *reader, writer, way, &mut breaks);
                breaks.is_empty()
            });
            if !is_read {
                found.push(match way {
                    Way::Answer => told(place, "a variant is new or changed"),
                    Way::Request => told(place, "a variant is no longer taken"),
                });
            }
        }
    }

    fn read_one(&mut self, place: &str, reader: At<'a>, writer: At<'a>, way: Way, found: &mut Vec<String>) {
        if let Some(problem) = kind(reader.schema, writer.schema, way) {
            found.push(told(place, &problem));
            return;
        }
        values(place, reader.schema, writer.schema, way, found);
        if way == Way::Request {
            bounds(place, reader.schema, writer.schema, found);
        }
        self.properties(place, reader, writer, way, found);
        for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
            if let (Some(read), Some(written)) = (reader.schema.get(key), writer.schema.get(key))
                && read.is_object()
                && written.is_object()
            {
                self.read(&inside(place, mark), reader.to(read), writer.to(written), way, found);
            }
        }
    }

    fn properties(&mut self, place: &str, reader: At<'a>, writer: At<'a>, way: Way, found: &mut Vec<String>) {
        let (read, written) = (reader.object(), writer.object());
        let at = |name: &str| below(place, name);
        for (name, shape) in &read.properties {
            let is_required = read.required.contains(name);
            match written.properties.get(name) {
                Some(own) => {
                    if is_required && !written.required.contains(name) {
                        found.push(match way {
                            Way::Answer => told(&at(name), "no longer always there"),
                            Way::Request => told(&at(name), "required now"),
                        });
                    }
                    self.read(&at(name), reader.to(shape), writer.to(own), way, found);
                }
                None if way == Way::Answer => found.push(told(&at(name), "removed")),
                None if is_required => found.push(told(&at(name), "new and required")),
                None => {}
            }
        }
        let is_closed = reader.schema.get("additionalProperties") == Some(&Value::Bool(false));
        for name in written.properties.keys().filter(|name| !read.properties.contains_key(*name)) {
            match way {
                Way::Request => found.push(told(&at(name), "no longer taken")),
                Way::Answer if is_closed => found.push(told(&at(name), "new in an object that was closed")),
                Way::Answer => {}
            }
        }
    }
}

/// What an object is made of, all its parts taken together.
#[derive(Default)]
struct Object<'a> {
    properties: BTreeMap<&'a str, &'a Value>,
    required: BTreeSet<&'a str>,
}

impl<'a> At<'a> {
    fn to(self, schema: &'a Value) -> Self {
        Self { schema, ..self }
    }

    fn pointer(self) -> Option<&'a str> {
        shapes::name(self.schema.get("$ref")?.as_str()?)
    }

    /// The schemas that a value may follow, null left out.
    fn alternatives(self) -> Vec<Self> {
        let schema = self.book.open(self.schema);
        let choices: Vec<&Value> = branches(schema, "oneOf").iter().chain(branches(schema, "anyOf")).collect();
        if choices.is_empty() {
            return vec![self.to(schema)];
        }
        let choices = choices.into_iter().filter(|choice| kinds(choice) != ["null"]);
        choices.flat_map(|choice| self.to(choice).alternatives()).collect()
    }

    fn is_any(self) -> bool {
        let schema = self.book.open(self.schema);
        ["type", "oneOf", "anyOf", "allOf", "enum"].iter().all(|key| schema.get(key).is_none())
    }

    fn object(self) -> Object<'a> {
        let schema = self.book.open(self.schema);
        let mut object = Object::default();
        for part in branches(schema, "allOf") {
            let part = self.to(part).object();
            object.properties.extend(part.properties);
            object.required.extend(part.required);
        }
        object.properties.extend(members(schema, "properties"));
        object.required.extend(branches(schema, "required").iter().filter_map(Value::as_str));
        object
    }
}

/// A type or format that the reader does not expect.
fn kind(reader: &Value, writer: &Value, way: Way) -> Option<String> {
    let without_null = |schema| kinds(schema).into_iter().filter(|kind| *kind != "null").collect::<Vec<_>>();
    let (read, written) = (without_null(reader), without_null(writer));
    let is_read = |kind: &&str| read.contains(kind) || (*kind == "integer" && read.contains(&"number"));
    let changed = |what: &str, read: &str, written: &str| match way {
        Way::Answer => format!("{what} was {read}, is {written}"),
        Way::Request => format!("{what} was {written}, is {read}"),
    };
    let named = |kinds: &[&str]| if kinds.is_empty() { "any".to_owned() } else { kinds.join(" or ") };
    if !read.is_empty() && (written.is_empty() || !written.iter().all(is_read)) {
        // An object in parts names no type of its own.
        let in_parts = written.is_empty() && !branches(writer, "allOf").is_empty() && read == ["object"];
        if !in_parts {
            return Some(changed("type", &named(&read), &named(&written)));
        }
    }
    let format = |schema: &Value| schema.get("format").and_then(Value::as_str).map(str::to_owned);
    match (format(reader), format(writer)) {
        (Some(read), Some(written)) if read == written || (read == "int64" && written == "int32") => None,
        (Some(read), written) => Some(changed("format", &read, written.as_deref().unwrap_or("any"))),
        (None, _) => None,
    }
}

/// Values of an enumeration that the reader does not know.
fn values(place: &str, reader: &Value, writer: &Value, way: Way, found: &mut Vec<String>) {
    let Some(known) = listed(reader) else { return };
    let Some(written) = listed(writer) else {
        found.push(told(place, "the values are listed on one side only"));
        return;
    };
    for value in written.into_iter().filter(|value| !value.is_null() && !known.contains(value)) {
        found.push(match way {
            Way::Answer => told(place, &format!("the value {value} is new")),
            Way::Request => told(place, &format!("the value {value} is no longer taken")),
        });
    }
}

fn listed(schema: &Value) -> Option<Vec<&Value>> {
    let listed = schema.get("enum").and_then(Value::as_array).map(|values| values.iter().collect());
    listed.or_else(|| schema.get("const").map(|value| vec![value]))
}

/// Bounds that are narrower than they were.
fn bounds(place: &str, reader: &Value, writer: &Value, found: &mut Vec<String>) {
    let bound = |schema: &Value, key| schema.get(key).and_then(Value::as_f64);
    let least = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
    let most = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
    for (keys, sign) in [(least, 1.0), (most, -1.0)] {
        for key in keys {
            if let Some(read) = bound(reader, key)
                && bound(writer, key).is_none_or(|written| read * sign > written * sign)
            {
                found.push(told(place, &format!("{key} is {read} now")));
            }
        }
    }
    if let Some(pattern) = reader.get("pattern")
        && writer.get("pattern") != Some(pattern)
    {
        found.push(told(place, &format!("the pattern is {pattern} now")));
    }
}

/// A property of what stands at `place`, which ends with a colon where that is a whole body.
fn below(place: &str, name: &str) -> String {
    let joint = if place.ends_with(':') { ' ' } else { '.' };
    format!("{place}{joint}{name}")
}

fn told(place: &str, what: &str) -> String {
    let place = place.trim_end_matches(':');
    format!("{place}: {what}")
}

/// The elements of what stands at `place`.
fn inside(place: &str, mark: &str) -> String {
    if place.ends_with(':') { format!("{place} {mark}") } else { format!("{place}{mark}") }
}
