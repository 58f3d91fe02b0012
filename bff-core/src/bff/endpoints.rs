//! What is wrong with the table of contents itself, whatever the configuration says.

use std::collections::{BTreeMap, btree_map};
use std::fmt;

use http::Method;

use super::Bff;
use super::survey::{Parts, survey};
use crate::error::{Error, Result};
use crate::openapi;
use crate::passthrough::OWN_PATHS;
use crate::settings::{Mistake, Mistakes};
use crate::upstream::Clients;

/// Endpoints that cannot be served as they are: everything that is wrong with any of them.
#[derive(Debug)]
struct Refused(Vec<Mistake>);

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.0.len() == 1 { "mistake" } else { "mistakes" };
        write!(out, "{} {word} in the endpoints", self.0.len())?;
        self.0.iter().try_for_each(|mistake| write!(out, "\n  {mistake}"))
    }
}

impl std::error::Error for Refused {}

/// # Errors
/// When there are mistakes.
pub(super) fn refuse(mistakes: Vec<Mistake>) -> Result<()> {
    if mistakes.is_empty() { Ok(()) } else { Err(Error::internal(Refused(mistakes))) }
}

/// What two endpoints cannot both have.
#[derive(Default)]
struct Taken<'a> {
    /// As the router of axum, which panics where this one complains.
    paths: matchit::Router<()>,
    operations: BTreeMap<(&'a str, Method), &'a str>,
    names: BTreeMap<&'a str, String>,
}

impl<Upstreams: Clients> Bff<Upstreams> {
    /// The parts of every page.
    ///
    /// # Errors
    /// When an endpoint cannot be served as it says of itself; all of them are named.
    pub(super) async fn learn_parts(&self, upstreams: &Upstreams) -> Result<Parts> {
        let mut mistakes = Mistakes::default();
        let known = self.mistakes_without_running();
        let wrong = |title: &String| known.iter().any(|mistake| mistake.key == *title);
        let sound: Vec<_> = self.routes.iter().filter(|route| !wrong(&route.title())).collect();
        let parts = survey(&sound, upstreams, &mut mistakes).await;
        let all: Vec<Mistake> = known.into_iter().chain(mistakes.into_inner()).collect();
        refuse(all).map(|()| parts)
    }

    fn mistakes_without_running(&self) -> Vec<Mistake> {
        let mut mistakes = Mistakes::default();
        let mut taken = Taken::default();
        for path in OWN_PATHS {
            // They are known not to clash with one another.
            let _ = taken.paths.insert(path, ());
        }
        for route in &self.routes {
            let title = route.title();
            mistakes.within(&title, |mistakes| {
                taken.path(&route.path, &route.method, &route.name, mistakes);
                taken.name(&route.name, &title, mistakes);
            });
            openapi::check_claims(route, &mut mistakes);
        }
        if let Some((name, clash)) = openapi::clash(&self.routes) {
            mistakes.note(&name, clash, "rename one, or give it a name of its own by `#[schema(as = …)]`");
        }
        self.refused.iter().cloned().chain(mistakes.into_inner()).collect()
    }
}

impl<'a> Taken<'a> {
    fn path(&mut self, path: &'a str, method: &Method, name: &'a str, mistakes: &mut Mistakes) {
        let is_known = self.operations.keys().any(|(known, _)| *known == path);
        match self.operations.entry((path, method.clone())) {
            btree_map::Entry::Occupied(other) => {
                let problem = format!("{method} {path} is also that of {}", other.get());
                return mistakes.note("", problem, "give one of them another path or method");
            }
            btree_map::Entry::Vacant(free) => free.insert(name),
        };
        if is_known {
            return;
        }
        if !path.starts_with('/') {
            return mistakes.note("", "its path does not begin with a slash", format!("write \"/{path}\""));
        }
        if let Some(segment) = path.split('/').find(|segment| segment.starts_with([':', '*'])) {
            let name = segment.trim_start_matches([':', '*']);
            let problem = format!("{segment:?} is no placeholder");
            return mistakes.note("", problem, format!("write {{{name}}}, or {{*{name}}} for the rest of the path"));
        }
        match self.paths.insert(path, ()) {
            Ok(()) => {}
            Err(matchit::InsertError::Conflict { with }) if OWN_PATHS.contains(&with.as_str()) => {
                mistakes.note("", format!("{with} is served by every BFF"), "give it another path");
            }
            Err(matchit::InsertError::Conflict { with }) => {
                let remedy = "call placeholders at the same place by the same name, or give it another path";
                mistakes.note("", format!("nothing tells its path from {with}"), remedy);
            }
            Err(other) => {
                let remedy = "write placeholders as {name}, one at the end of a segment";
                mistakes.note("", format!("its path cannot be read ({other})"), remedy);
            }
        }
    }

    fn name(&mut self, name: &'a str, title: &str, mistakes: &mut Mistakes) {
        match self.names.entry(name) {
            btree_map::Entry::Occupied(other) => {
                let problem = format!("its name is also that of {}", other.get());
                let remedy = "rename the function, or give it `operation_id = \"…\"`: by this name it is configured, counted, \
                              documented and drilled";
                mistakes.note("", problem, remedy);
            }
            btree_map::Entry::Vacant(free) => {
                free.insert(title.to_owned());
            }
        }
    }
}
