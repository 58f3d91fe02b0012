//! Routes: requests that are passed on to one upstream as they are, or nearly so, streaming both ways.
//!
//! Not everything is a composite. A table under `[routes]` names a path and an upstream, and what may be changed; it is
//! asked only for paths that no endpoint has, so that endpoints pay nothing for it.
//!
//! - [`RouteSettings`]: what a configuration says of one route.
//! - `pattern`, `conditions`, `table`: which route a request is for.
//! - `passage`: one route, from the request to the answer.
//! - `headers`: what becomes of headers on their way up and down.
//! - `json`: leaving fields out of JSON answers.
//! - `check`: what a route's own settings cannot know of the others, of the endpoints and of the upstreams.
//! - `service`: all routes, as the router falls back on them.

mod check;
mod conditions;
mod headers;
mod json;
mod passage;
mod pattern;
mod private;
mod service;
mod settings;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;

use self::pattern::Pattern;
use self::table::{Entry, Table};
use crate::edge::{Access, Credentials, EdgeSettings, Receives};
use crate::error::{Error, Result};

pub(crate) use check::{OWN_PATHS, Surroundings, check, read_schema};
pub(crate) use passage::Passage;
pub(crate) use service::PassThrough;
pub use settings::{Auth, HeaderRules, JsonSettings, RouteSettings};

/// All routes of a configuration, compiled.
#[derive(Debug)]
pub(crate) struct Routes {
    table: Arc<Table>,
}

impl Routes {
    /// # Errors
    /// When a path is none; settings are to be checked before.
    pub(crate) fn new(settings: &BTreeMap<String, RouteSettings>) -> Result<Self> {
        let entries = settings.iter().map(|(name, route)| Entry::new(name, route));
        let entries = entries.collect::<Result<Vec<_>, _>>().map_err(Error::internal)?;
        Ok(Self { table: Arc::new(Table::new(entries)) })
    }

    /// Their names, in the order in which they are tried.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.table.entries().iter().map(|entry| entry.name.as_str())
    }
}

impl RouteSettings {
    /// Who may call it, in the words of the edge.
    pub(crate) fn access(&self) -> Access {
        let owned = |list: &[String]| list.iter().map(|word| word.clone().into()).collect();
        Access {
            needs_identity: self.auth == Auth::User,
            roles: owned(&self.roles),
            scopes: owned(&self.scopes),
            credentials: match self.auth {
                Auth::Public => Credentials::Ignored,
                Auth::User => Credentials::Checked,
                Auth::Upstream => Credentials::PassedOn,
            },
        }
    }

    /// What becomes of a request's body on it, in the words of the edge.
    pub(crate) fn receives(&self, edge: &EdgeSettings) -> Receives {
        Receives::Stream {
            limit: self.body_limit.unwrap_or(edge.body_limit).as_u64(),
            idle: self.idle_timeout,
            is_long: self.streaming,
            on_get: self.body_on_get,
        }
    }

    /// Its path as the API document writes it; as it is where it is none.
    pub(crate) fn path_in_document(&self) -> String {
        Pattern::new(&self.path).map_or_else(|_| self.path.clone(), |pattern| pattern.in_document())
    }

    /// The methods that the API document tells of: those that it names, or else GET.
    pub(crate) fn methods_in_document(&self) -> Vec<Method> {
        let named = conditions::Conditions::new(self).named_methods().to_vec();
        if named.is_empty() { vec![Method::GET] } else { named }
    }
}
