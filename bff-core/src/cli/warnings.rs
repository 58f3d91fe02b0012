//! What `check` finds odd, though nothing forbids it.

use crate::config::{Loaded, Settings};
use crate::routes::Route;
use crate::settings::Mistake;

/// Everything odd about the configuration.
///
/// `typed` are the upstreams that pages can call.
pub(super) fn warnings<State>(routes: &[Route<State>], typed: &[&str], loaded: &Loaded) -> Vec<Mistake> {
    let mut warnings = inversions(routes, typed, &loaded.settings);
    warnings.extend(upstreams(&loaded.settings));
    for warning in &mut warnings {
        warning.origin = loaded.origins.of(&warning.key).map(str::to_owned);
    }
    warnings
}

fn warning(key: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Mistake {
    Mistake { key: key.to_owned(), problem: problem.into(), remedy: remedy.into(), origin: None }
}

/// Upstreams that would be given more time than a page has. Which of them a page calls is not known here, so one line
/// for each page.
fn inversions<State>(routes: &[Route<State>], typed: &[&str], settings: &Settings) -> Vec<Mistake> {
    let inverted = |route: &Route<State>| {
        let terms = route.terms(settings.endpoints.get(&route.name), false, false);
        let patience = terms.budget.mul_f64(terms.soft_share);
        let slower = settings
            .upstreams
            .iter()
            .filter(|(name, upstream)| typed.contains(&name.as_str()) && upstream.timeout > patience);
        let slower: Vec<&str> = slower.map(|(name, _)| name.as_str()).collect();
        if slower.is_empty() {
            return None;
        }
        let problem = format!(
            "parts it can do without degrade after {}, before calls to {} time out",
            humantime::format_duration(patience),
            slower.join(", ")
        );
        let key = format!("endpoints.{}.budget", route.name);
        Some(warning(&key, problem, "if it calls them, make their timeout shorter or its budget longer"))
    };
    routes.iter().filter_map(inverted).collect()
}

fn upstreams(settings: &Settings) -> Vec<Mistake> {
    let mut warnings = Vec::new();
    for (name, upstream) in &settings.upstreams {
        if upstream.connect_timeout >= upstream.attempt_timeout {
            let key = format!("upstreams.{name}.connect_timeout");
            let problem = "is never reached, because an attempt ends before it";
            warnings.push(warning(&key, problem, "make it shorter than attempt_timeout"));
        }
        if upstream.owner.is_empty() {
            let key = format!("upstreams.{name}.owner");
            warnings.push(warning(&key, "nobody is named who can be called when it fails", "name a team"));
        }
    }
    warnings
}
