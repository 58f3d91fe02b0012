//! What of a change breaks the clients of a released version.

mod operation;
mod schema;

use serde_json::{Map, Value};

use self::operation::Operations;

/// What of the change from the document `old` to the document `new` breaks a client that was written against `old`;
/// empty for nothing.
///
/// Answers may say more than before, never less and never something else: a property stays, stays required, does not
/// become null, keeps its type, and an enumeration does not grow. Requests may leave out more, never less: no new
/// required parameter or property, no value that is no longer taken. Paths, operations, their ids, statuses, headers
/// and access rules stay. A document that cannot be read is one entry that says so.
#[must_use]
pub fn breaking(old: &str, new: &str) -> Vec<String> {
    let read = |text: &str, which: &str| {
        serde_json::from_str::<Value>(text).map_err(|error| format!("the {which} document is not JSON: {error}"))
    };
    match (read(old, "released"), read(new, "new")) {
        (Ok(old), Ok(new)) => Operations::new(&old, &new).compare(),
        (old, new) => old.err().into_iter().chain(new.err()).collect(),
    }
}

/// The member of this name, if it is an object; else an empty one.
fn members<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    let members = value.get(key).and_then(Value::as_object);
    members.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// The named schemas of a document.
fn schemas(document: &Value) -> Option<&Map<String, Value>> {
    document.get("components")?.get("schemas")?.as_object()
}
