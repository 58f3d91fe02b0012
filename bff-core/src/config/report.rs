//! What is shown: mistakes for people, and the effective settings as TOML.

use std::fmt::{self, Write as _};

use serde_json::Value;

use super::load::{Loaded, Origins};
use super::secret::{self, MASK};
use super::shape;
use crate::settings::Mistake;

/// Mistakes, one a line, below a line that counts them.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a>(pub &'a [Mistake]);

impl fmt::Display for Report<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.0.len() == 1 { "mistake" } else { "mistakes" };
        writeln!(out, "error: {} {word} in the configuration", self.0.len())?;
        self.0.iter().try_for_each(|mistake| writeln!(out, "  {mistake}"))
    }
}

impl Loaded {
    /// The effective settings as TOML, each with where it was written. Secrets are masked: what stands in a file
    /// of its own, what has a name like a secret, and who logs in by a URL.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        write_table(&mut text, &shape::json(&self.settings), &[], &self.origins);
        text
    }
}

fn write_table(text: &mut String, table: &Value, path: &[&str], origins: &Origins) {
    let Value::Object(table) = table else { return };
    let (tables, values): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| value.is_object());
    if !values.is_empty() {
        let header: Vec<_> = path.iter().map(|name| bare_or_quoted(name)).collect();
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}[{}]", header.join("."));
    }
    for (name, value) in values {
        let key = path.iter().chain([&name.as_str()]).copied().collect::<Vec<_>>().join(".");
        let from = origins.of(&key).map_or_else(|| "default".to_owned(), |origin| format!("from {origin}"));
        let masked = origins.is_from_file(&key) || secret::is_secret(name);
        let name = bare_or_quoted(name);
        let _ = match value {
            Value::Null => writeln!(text, "# {name} is not set"),
            _ if masked => writeln!(text, "{name} = \"{MASK}\"  # {from}"),
            shown => writeln!(text, "{name} = {}  # {from}", secret::without_userinfo(&inline(shown))),
        };
    }
    for (name, table) in tables {
        let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
        write_table(text, table, &path, origins);
    }
}

/// A value as it is written in TOML behind `=`.
pub(super) fn inline(value: &Value) -> String {
    match value {
        // What JSON escapes TOML reads.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let entries = table.iter().map(|(key, value)| format!("{} = {}", bare_or_quoted(key), inline(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn bare_or_quoted(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter));
    if bare { name.to_owned() } else { Value::from(name).to_string() }
}
