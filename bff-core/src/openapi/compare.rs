//! Where a committed document is not what the code makes.

use serde_json::Value;

/// So many differences are told of one by one.
const TOLD: usize = 10;
/// So much of a value is shown.
const SHOWN: usize = 60;

/// Whether a committed document is the one that the code makes; line ends do not count.
///
/// # Errors
/// When it is not: the first places that differ, as JSON pointers (RFC 6901).
pub fn compare(committed: &str, made: &str) -> Result<(), String> {
    if committed.lines().eq(made.lines()) {
        return Ok(());
    }
    let old: Value =
        serde_json::from_str(committed).map_err(|error| format!("the committed document is not JSON: {error}"))?;
    let new: Value = serde_json::from_str(made).map_err(|error| format!("the made document is not JSON: {error}"))?;
    let mut differences = Vec::new();
    collect(&old, &new, "", &mut differences);
    if differences.is_empty() {
        return Err("the committed document says the same in another order or spacing; write it anew".to_owned());
    }
    let more = differences.len().saturating_sub(TOLD);
    let mut text = differences[..differences.len() - more].join("\n");
    if more > 0 {
        text.push_str(&format!("\nand {more} more"));
    }
    Err(text)
}

fn collect(old: &Value, new: &Value, pointer: &str, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, old) in old {
                let below = below(pointer, key);
                match new.get(key) {
                    Some(new) => collect(old, new, &below, found),
                    None => found.push(format!("{below}: committed, but no longer made")),
                }
            }
            let added = new.iter().filter(|(key, _)| !old.contains_key(*key));
            found.extend(added.map(|(key, _)| format!("{}: made, but not committed", below(pointer, key))));
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                collect(old, new, &below(pointer, &index.to_string()), found);
            }
        }
        _ if old == new => {}
        _ => found.push(format!("{pointer}: committed {}, made {}", shown(old), shown(new))),
    }
}

fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
