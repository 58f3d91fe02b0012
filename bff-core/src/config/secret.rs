//! Secrets: values that stand in files of their own, and what is never shown.

use std::fs::File;
use std::io::{self, Read};

use ::config::{Value, ValueKind};

use super::shape;
use super::source::Merged;
use crate::settings::Mistake;

/// What stands in place of a secret wherever the configuration is shown.
pub const MASK: &str = "********";

/// A key whose name contains one of these holds a secret.
const SECRET_WORDS: [&str; 4] = ["secret", "password", "token", "key"];
/// Keys that only sound like it.
const NOT_SECRET: [&str; 2] = ["max_token_bytes", "max_keys"];
/// The longest value that is read from a file: a key in PEM has some 3 KiB.
const LONGEST: u64 = 64 * 1024;
/// A shorter value would mask half of a message that does not even mention it.
const SHORTEST_SCRUBBED: usize = 4;

/// Whether the value at a key of this name is not to be shown.
pub(super) fn is_secret(name: &str) -> bool {
    !NOT_SECRET.contains(&name) && SECRET_WORDS.iter().any(|word| name.to_ascii_lowercase().contains(word))
}

/// A value that came from a file of its own.
pub(super) struct FromFile {
    pub(super) key: Vec<String>,
    pub(super) value: String,
}

/// What `{ file = "…" }` came to.
#[derive(Default)]
pub(super) struct Expanded {
    pub(super) read: Vec<FromFile>,
    pub(super) unread: Vec<Vec<String>>,
    pub(super) mistakes: Vec<Mistake>,
}

/// Puts the content of a file where `{ file = "…" }` is written in place of a value.
pub(super) fn expand(merged: &mut Merged, shape: &serde_json::Value) -> Expanded {
    let mut expanded = Expanded::default();
    let mut origins = Vec::new();
    walk(&mut merged.root, Some(shape), &mut Vec::new(), &mut expanded, &mut origins);
    // A file knows no types, like a variable.
    merged.texts.extend(origins);
    expanded
}

fn walk(
    value: &mut Value,
    shape: Option<&serde_json::Value>,
    path: &mut Vec<String>,
    expanded: &mut Expanded,
    origins: &mut Vec<String>,
) {
    let ValueKind::Table(table) = &mut value.kind else { return };
    let is_table = shape.is_none_or(serde_json::Value::is_object);
    if let (false, 1, Some(Value { kind: ValueKind::String(file), .. })) = (is_table, table.len(), table.get("file")) {
        let origin = table.get("file").and_then(Value::origin).unwrap_or_default().to_owned();
        match read(file) {
            Ok(content) => {
                let origin = format!("{file}, named in {origin}");
                expanded.read.push(FromFile { key: path.clone(), value: content.clone() });
                *value = Value::new(Some(&origin), content);
                origins.push(origin);
            }
            Err(cause) => {
                expanded.mistakes.push(Mistake {
                    key: path.join("."),
                    problem: format!("the file {file} cannot be read ({cause})"),
                    remedy: "name a text file that this process may read".to_owned(),
                    origin: Some(origin),
                });
                expanded.unread.push(path.clone());
            }
        }
        return;
    }
    for (key, value) in table {
        path.push(key.clone());
        walk(value, shape.and_then(|shape| shape::below(shape, key)), path, expanded, origins);
        path.pop();
    }
}

/// The content of a file without the newline that editors end it with.
fn read(file: &str) -> io::Result<String> {
    let mut content = String::new();
    File::open(file)?.take(LONGEST + 1).read_to_string(&mut content)?;
    if content.len() as u64 > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 64 KiB"));
    }
    let line = content.strip_suffix('\n').unwrap_or(&content);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// `text` without the values in `secrets`, and without the user and the password of any URL in it.
pub(super) fn scrub(text: &str, secrets: &[FromFile]) -> String {
    let mut scrubbed = text.to_owned();
    for FromFile { value, .. } in secrets.iter().filter(|secret| secret.value.len() >= SHORTEST_SCRUBBED) {
        // A message may quote the value.
        scrubbed = scrubbed.replace(value, MASK).replace(&value.escape_debug().to_string(), MASK);
    }
    without_userinfo(&scrubbed)
}

/// `text` without the user and the password of any URL in it.
pub(super) fn without_userinfo(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (scheme, authority) = rest.split_at(at + 3);
        shown.push_str(scheme);
        rest = authority;
        let end = rest.find(['/', '?', '#', '"', ' ']).unwrap_or(rest.len());
        if let Some(user) = rest.get(..end).and_then(|authority| authority.rfind('@')) {
            shown.push_str(MASK);
            rest = rest.split_at(user).1;
        }
    }
    shown.push_str(rest);
    shown
}
