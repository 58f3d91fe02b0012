//! Which route a request is for.

use http::request::Parts;

use super::RouteSettings;
use super::conditions::Conditions;
use super::pattern::{Pattern, Reading, has_dots, is_odd};
use super::settings::Auth;

/// All routes, the most specific first. Asked only for paths that no endpoint has.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: Vec<Entry>,
}

/// One route, as far as finding it goes.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) pattern: Pattern,
    pub(super) conditions: Conditions,
    auth: Auth,
    roles: Vec<String>,
    scopes: Vec<String>,
}

/// What there is for a request; the number is that of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// This route.
    Route(usize),
    /// This route, but for another method.
    NotThisMethod(usize),
    /// This route, by a path that could be read as that of a stricter one, or that leads elsewhere.
    Doubtful(usize),
    /// Nothing.
    Nothing,
}

impl Entry {
    /// # Errors
    /// What is wrong with the path.
    pub(super) fn new(name: &str, settings: &RouteSettings) -> Result<Self, String> {
        Ok(Self {
            name: name.to_owned(),
            pattern: Pattern::new(&settings.path)?,
            conditions: Conditions::new(settings),
            auth: settings.auth,
            roles: settings.roles.clone(),
            scopes: settings.scopes.clone(),
        })
    }

    fn takes(&self, head: &Parts, reading: Reading) -> bool {
        self.pattern.takes(head.uri.path(), reading) && self.conditions.hold(head)
    }

    /// Whether somebody may come by here who may not come by `other`.
    fn is_laxer_than(&self, other: &Self) -> bool {
        let all = |wanted: &[String], own: &[String]| wanted.iter().all(|word| own.contains(word));
        let as_strict = self.auth == Auth::User && all(&other.roles, &self.roles) && all(&other.scopes, &self.scopes);
        other.auth == Auth::User && !as_strict
    }

    /// Whether nothing says which of the two is meant.
    pub(super) fn clashes(&self, other: &Self) -> bool {
        self.pattern.shape() == other.pattern.shape() && self.conditions.clash(&other.conditions)
    }
}

impl Table {
    pub(super) fn new(mut entries: Vec<Entry>) -> Self {
        // Stable: what ranks the same stays in the order of the names.
        entries.sort_by_cached_key(|entry| std::cmp::Reverse((entry.pattern.rank(), entry.conditions.count())));
        Self { entries }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The first route that takes the request. Allocates nothing.
    pub(super) fn find(&self, head: &Parts) -> Found {
        let mut other_method = None;
        for (index, entry) in self.entries.iter().enumerate() {
            if !entry.takes(head, Reading::Strict) {
                continue;
            }
            if entry.conditions.takes_method(&head.method) {
                let path = head.uri.path();
                let doubtful = has_dots(path) || (is_odd(path) && self.is_doubtful(head, entry));
                return if doubtful { Found::Doubtful(index) } else { Found::Route(index) };
            }
            other_method = other_method.or(Some(index));
        }
        other_method.map_or(Found::Nothing, Found::NotThisMethod)
    }

    /// Upstreams do not agree on what `//`, `%2F` or `;` in a path means. That is theirs to say, unless another reading leads
    /// to a stricter route, which could be gone around that way.
    fn is_doubtful(&self, head: &Parts, found: &Entry) -> bool {
        let other = self
            .entries
            .iter()
            .find(|entry| entry.takes(head, Reading::Careless) && entry.conditions.takes_method(&head.method));
        other.is_some_and(|other| found.is_laxer_than(other))
    }

    /// What the routes at this path answer, for `Allow` (RFC 9110 §10.2.1).
    pub(super) fn allowed(&self, head: &Parts) -> String {
        let mut names: Vec<&str> = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.takes(head, Reading::Strict)) {
            for method in entry.conditions.methods() {
                if !names.contains(&method.as_str()) {
                    names.push(method.as_str());
                }
            }
        }
        names.join(", ")
    }
}
