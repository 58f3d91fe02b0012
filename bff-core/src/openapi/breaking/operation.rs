//! Paths, operations, parameters, bodies, statuses, access.

use serde_json::Value;

use super::schema::{Reader, Way};
use super::{members, schemas};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Two documents, operation by operation.
pub(super) struct Operations<'a> {
    old: &'a Value,
    new: &'a Value,
    shapes: Reader<'a>,
    found: Vec<String>,
}

impl<'a> Operations<'a> {
    pub(super) fn new(old: &'a Value, new: &'a Value) -> Self {
        Self { old, new, shapes: Reader::new(schemas(old), schemas(new)), found: Vec::new() }
    }

    pub(super) fn compare(mut self) -> Vec<String> {
        for (path, old) in members(self.old, "paths") {
            let new = self.new.get("paths").and_then(|paths| paths.get(path));
            let Some(new) = new else {
                self.found.push(format!("{path}: removed"));
                continue;
            };
            for method in METHODS {
                let place = format!("{} {path}", method.to_uppercase());
                match (old.get(method), new.get(method)) {
                    (Some(old), Some(new)) => self.operation(&place, old, new),
                    (Some(_), None) => self.found.push(format!("{place}: removed")),
                    (None, _) => {}
                }
            }
        }
        self.found
    }

    fn operation(&mut self, place: &str, old: &'a Value, new: &'a Value) {
        let (was, is) = (old.get("operationId"), new.get("operationId"));
        if was != is {
            self.found.push(format!("{place}: operationId was {}, is {}", shown(was), shown(is)));
        }
        self.access(place, old, new);
        self.parameters(place, old, new);
        self.body(place, old.get("requestBody"), new.get("requestBody"));
        self.responses(place, old, new);
    }

    fn access(&mut self, place: &str, old: &Value, new: &Value) {
        let none = Value::Array(Vec::new());
        let was = old.get("security").or_else(|| self.old.get("security")).unwrap_or(&none);
        let is = new.get("security").or_else(|| self.new.get("security")).unwrap_or(&none);
        if was != is {
            self.found.push(format!("{place}: security was {was}, is {is}"));
        }
        let known = old.get("x-roles").and_then(Value::as_array);
        let needed = new.get("x-roles").and_then(Value::as_array);
        for role in needed.into_iter().flatten().filter(|role| !known.is_some_and(|known| known.contains(role))) {
            self.found.push(format!("{place}: needs the role {role} now"));
        }
    }

    fn parameters(&mut self, place: &str, old: &'a Value, new: &'a Value) {
        let (old, new) = (list(old, "parameters"), list(new, "parameters"));
        for was in old {
            let name = parameter(was);
            let Some(is) = new.iter().find(|is| parameter(is) == name) else {
                self.found.push(format!("{place}: the {name} is no longer taken"));
                continue;
            };
            if is_required(is) && !is_required(was) {
                self.found.push(format!("{place}: the {name} is required now"));
            }
            for key in ["style", "explode"] {
                if was.get(key) != is.get(key) {
                    let (was, is) = (shown(was.get(key)), shown(is.get(key)));
                    self.found.push(format!("{place}: {key} of the {name} was {was}, is {is}"));
                }
            }
            self.schema(&format!("{place}: the {name}:"), was, is, Way::Request);
        }
        for is in new.iter().filter(|is| is_required(is)) {
            let name = parameter(is);
            if !old.iter().any(|was| parameter(was) == name) {
                self.found.push(format!("{place}: the {name} is new and required"));
            }
        }
    }

    fn body(&mut self, place: &str, old: Option<&'a Value>, new: Option<&'a Value>) {
        match (old, new) {
            (Some(_), None) => self.found.push(format!("{place}: a body is no longer taken")),
            (None, Some(new)) if is_required(new) => self.found.push(format!("{place}: a body is required now")),
            (Some(old), Some(new)) => {
                if is_required(new) && !is_required(old) {
                    self.found.push(format!("{place}: the body is required now"));
                }
                self.content(&format!("{place}: body:"), old, new, Way::Request);
            }
            (None, _) => {}
        }
    }

    fn responses(&mut self, place: &str, old: &'a Value, new: &'a Value) {
        let (before, after) = (old.get("responses"), new.get("responses"));
        for (status, was) in members(old, "responses") {
            let place = format!("{place}: answer {status}");
            let Some(is) = after.and_then(|after| after.get(status)) else {
                self.found.push(format!("{place}: removed"));
                continue;
            };
            for (header, _) in members(was, "headers") {
                if is.get("headers").and_then(|headers| headers.get(header)).is_none() {
                    self.found.push(format!("{place}: the header {header} is gone"));
                }
            }
            self.content(&format!("{place}:"), was, is, Way::Answer);
        }
        for (status, _) in members(new, "responses").filter(|(status, _)| status.starts_with('2')) {
            if before.and_then(|before| before.get(status)).is_none() {
                self.found.push(format!("{place}: answer {status}: a success of a new kind"));
            }
        }
    }

    fn content(&mut self, place: &str, old: &'a Value, new: &'a Value, way: Way) {
        for (kind, was) in members(old, "content") {
            match new.get("content").and_then(|content| content.get(kind)) {
                Some(is) => self.schema(place, was, is, way),
                None => self.found.push(format!("{place} {kind} is gone")),
            }
        }
    }

    fn schema(&mut self, place: &str, was: &'a Value, is: &'a Value, way: Way) {
        if let (Some(was), Some(is)) = (was.get("schema"), is.get("schema")) {
            self.found.extend(self.shapes.compare(place, was, is, way));
        }
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `query parameter parts`.
fn parameter(parameter: &Value) -> String {
    let word = |key| parameter.get(key).and_then(Value::as_str).unwrap_or_default();
    format!("{} parameter {}", word("in"), word("name"))
}

fn is_required(value: &Value) -> bool {
    value.get("required").and_then(Value::as_bool).unwrap_or(false)
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}
