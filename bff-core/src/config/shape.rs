//! The shape of the configuration: every key with its default, taken from the `Default` of the structs.

use serde::Serialize;
use serde_json::Value;

use super::Settings;
use crate::auth::IssuerSettings;
use crate::passthrough::RouteSettings;
use crate::resilience::VariantSettings;
use crate::routes::EndpointSettings;
use crate::upstream::UpstreamSettings;

/// Stands for any name in a table of named tables.
pub(super) const ANY: &str = "*";

/// Every key with its default, as JSON; `null` where there is none.
pub(super) fn shape() -> Value {
    let mut shape = json(&Settings::default());
    for (table, entry) in [
        ("/upstreams", upstream()),
        ("/endpoints", json(&EndpointSettings::default())),
        ("/routes", route()),
        ("/auth/issuers", json(&IssuerSettings::default())),
    ] {
        if let Some(Value::Object(named)) = shape.pointer_mut(table) {
            named.insert(ANY.to_owned(), entry);
        }
    }
    shape
}

fn upstream() -> Value {
    let mut upstream = json(&UpstreamSettings::default());
    upstream["request_headers"][ANY] = Value::String(String::new());
    upstream["variants"][ANY] = json(&VariantSettings::default());
    upstream
}

fn route() -> Value {
    let mut route = json(&RouteSettings::default());
    for table in ["/headers", "/query", "/request_headers/set", "/response_headers/set", "/json/rename"] {
        if let Some(Value::Object(named)) = route.pointer_mut(table) {
            named.insert(ANY.to_owned(), Value::String(String::new()));
        }
    }
    route
}

/// Settings hold nothing that JSON cannot; `null` would only cost a suggestion.
pub(super) fn json(settings: &impl Serialize) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}

/// What stands at `key` of a table.
pub(super) fn below<'a>(table: &'a Value, key: &str) -> Option<&'a Value> {
    let table = table.as_object()?;
    table.get(key).or_else(|| table.get(ANY))
}

/// What stands at the end of `path`.
pub(super) fn at<'a>(shape: &'a Value, path: &[impl AsRef<str>]) -> Option<&'a Value> {
    path.iter().try_fold(shape, |table, key| below(table, key.as_ref()))
}

/// What to do about `key`, which `table` does not have.
pub(super) fn suggest(table: Option<&Value>, key: &str) -> String {
    let Some(Value::Object(table)) = table else { return "take it out".to_owned() };
    let known = || table.keys().filter(|known| *known != ANY);
    let nearest = known()
        .map(|known| (strsim::damerau_levenshtein(&key.to_ascii_lowercase(), known), known))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        // A third of the letters may be wrong: more is another word, not a slip of the finger.
        Some((distance, known)) if distance <= (known.len() / 3).max(1) => format!("did you mean `{known}`?"),
        Some(_) => format!("known here: {}", known().cloned().collect::<Vec<_>>().join(", ")),
        None => "take it out".to_owned(),
    }
}
