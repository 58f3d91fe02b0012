//! What a route's own settings cannot know of the others, of the endpoints and of the upstreams.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::{RefOr, Schema};

use super::pattern::Pattern;
use super::table::Entry;
use super::{Auth, RouteSettings};
use crate::settings::Mistakes;
use crate::upstream::UpstreamSettings;

/// The names that metrics and logs have for what is no endpoint and no route.
const TAKEN: [&str; 4] = ["openapi", "problems", "docs", "unmatched"];
/// The paths that every BFF has.
pub(crate) const OWN_PATHS: [&str; 7] =
    ["/openapi.json", "/problems/{slug}", "/docs", "/docs/", "/docs/{*file}", "/livez", "/readyz"];

/// What stands around the routes.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    /// The BFF's endpoints: name and path.
    pub(crate) endpoints: Vec<(&'a str, &'a str)>,
    /// The names of the schemas in its API document.
    pub(crate) schemas: Vec<String>,
    pub(crate) upstreams: &'a BTreeMap<String, UpstreamSettings>,
    /// Whether there is somebody who can check credentials.
    pub(crate) has_issuers: bool,
}

/// Notes every mistake of the routes that they cannot see themselves; the table in `mistakes` is `routes`.
pub(crate) fn check(routes: &BTreeMap<String, RouteSettings>, around: &Surroundings<'_>, mistakes: &mut Mistakes) {
    let mut entries: Vec<Entry> = Vec::new();
    for (name, route) in routes {
        mistakes.within(name, |mistakes| {
            if TAKEN.contains(&name.as_str()) || around.endpoints.iter().any(|(endpoint, _)| endpoint == name) {
                mistakes.note("", "this name is taken in logs and metrics", "give the route another name");
            }
            check_upstream(route, around, mistakes);
            if route.auth == Auth::User && !around.has_issuers {
                let remedy = "add [auth.issuers.<name>] with issuer, jwks_url and audiences";
                mistakes.note("auth", "\"user\" needs credentials and nobody can check them", remedy);
            }
            if let Some(schema) = &route.schema
                && let Err(problem) = read_schema(schema, &around.schemas)
            {
                mistakes.note("schema", problem, "write a JSON Schema that OpenAPI 3.1 documents can hold");
            }
            // A path that is none is the route's own mistake.
            let Ok(entry) = Entry::new(name, route) else { return };
            let shape = entry.pattern.shape();
            let is_endpoints =
                |path: &str| Pattern::new(&path.replace("{*", "{")).is_ok_and(|own| own.shape() == shape);
            let endpoints = around.endpoints.iter().map(|(_, path)| *path).chain(OWN_PATHS);
            if let Some(path) = endpoints.into_iter().find(|path| is_endpoints(path)) {
                let problem = format!("{path:?} is an endpoint of this BFF, which would always go first");
                mistakes.note("path", problem, "choose another path, or take the route out");
            }
            if let Some(other) = entries.iter().find(|other| other.clashes(&entry)) {
                let problem = format!("nothing tells its requests from those of {}", other.name);
                mistakes.note("path", problem, "give one of them other methods, hosts, headers or query");
            }
            entries.push(entry);
        });
    }
}

fn check_upstream(route: &RouteSettings, around: &Surroundings<'_>, mistakes: &mut Mistakes) {
    let Some(upstream) = around.upstreams.get(&route.upstream) else {
        if !route.upstream.is_empty() {
            let remedy = format!("add [upstreams.{}] with its url", route.upstream);
            mistakes.note("upstream", format!("there is no upstream {:?}", route.upstream), remedy);
        }
        return;
    };
    if route.preserve_host && upstream.http2 {
        let problem = "HTTP/2 names the host in its target, which is the upstream's own";
        mistakes.note("preserve_host", problem, format!("take it out, or upstreams.{}.http2", route.upstream));
    }
}

/// A schema as the API document holds it. `known` are the names that it may point to.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read_schema(schema: &Value, known: &[String]) -> Result<RefOr<Schema>, String> {
    let read: RefOr<Schema> = serde_json::from_value(schema.clone()).map_err(|_| "it is no schema".to_owned())?;
    let written = serde_json::to_value(&read).unwrap_or_default();
    if let Some(lost) = lost(schema, &written) {
        return Err(format!("{lost:?} is no keyword that the document can hold"));
    }
    match dangling(schema, known) {
        Some(pointer) => Err(format!("{pointer:?} is no schema of the API document")),
        None => Ok(read),
    }
}

/// A key that is not there any more, or whose value is another.
fn lost<'a>(given: &'a Value, kept: &Value) -> Option<&'a str> {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => given.iter().find_map(|(key, value)| match kept.get(key) {
            None => Some(key.as_str()),
            Some(kept) if value.is_object() || value.is_array() => lost(value, kept),
            Some(_) => None,
        }),
        (Value::Array(given), Value::Array(kept)) => given.iter().zip(kept).find_map(|(given, kept)| lost(given, kept)),
        _ => None,
    }
}

fn dangling<'a>(schema: &'a Value, known: &[String]) -> Option<&'a str> {
    match schema {
        Value::Object(members) => members.iter().find_map(|(key, value)| match (key.as_str(), value) {
            ("$ref", Value::String(pointer)) => {
                let name = pointer.strip_prefix("#/components/schemas/");
                let is_known = name.is_some_and(|name| known.iter().any(|known| known == name));
                (!is_known).then_some(pointer.as_str())
            }
            _ => dangling(value, known),
        }),
        Value::Array(items) => items.iter().find_map(|item| dangling(item, known)),
        _ => None,
    }
}
