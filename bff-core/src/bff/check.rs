//! What is wrong with settings for one BFF, which no mechanism can see by itself.

use super::Bff;
use crate::config::Settings;
use crate::openapi;
use crate::passthrough::{self, Surroundings};
use crate::settings::{Mistake, Mistakes};
use crate::upstream::Clients;

impl<Upstreams: Clients> Bff<Upstreams> {
    /// What is wrong with `settings` for this BFF; empty for nothing.
    #[must_use]
    pub fn check(&self, settings: &Settings) -> Vec<Mistake> {
        let mut mistakes = Mistakes::default();
        let typed = |name: &String| Upstreams::NAMES.contains(&name.as_str());
        let known = |name: &String| typed(name) || settings.routes.values().any(|route| route.upstream == *name);
        for name in settings.upstreams.keys().filter(|name| !known(name)) {
            mistakes.within("upstreams", |mistakes| {
                mistakes.note(name, "this BFF has no such upstream", format!("it has {}", Upstreams::NAMES.join(", ")));
            });
        }
        for name in Upstreams::NAMES.iter().filter(|name| !settings.upstreams.contains_key(**name)) {
            let remedy = format!("add [upstreams.{name}] with its url");
            mistakes.within("upstreams", |mistakes| mistakes.note(name, "is missing", remedy));
        }
        let names: Vec<&str> = self.routes.iter().map(|route| route.name.as_str()).collect();
        for name in settings.endpoints.keys().filter(|name| !names.contains(&name.as_str())) {
            mistakes.within("endpoints", |mistakes| {
                mistakes.note(name, "this BFF has no such endpoint", format!("it has {}", names.join(", ")));
            });
        }
        let longest = self.routes.iter().map(|route| {
            let terms = route.terms(settings.endpoints.get(&route.name), false, false);
            terms.budget.mul_f64(terms.soft_share)
        });
        if let Some(longest) = longest.max() {
            for (name, upstream) in
                settings.upstreams.iter().filter(|(name, upstream)| typed(name) && upstream.timeout >= longest)
            {
                let problem = format!(
                    "a call may take {}, but no page waits longer than {} for a part it can do without",
                    humantime::format_duration(upstream.timeout),
                    humantime::format_duration(longest)
                );
                mistakes.within("upstreams", |mistakes| {
                    mistakes.within(name, |mistakes| {
                        mistakes.note("timeout", problem, "make it shorter, or an endpoint's budget longer");
                    });
                });
            }
        }
        if settings.auth.issuers.is_empty()
            && let Some(route) = self.routes.iter().find(|route| route.policy.access.needs_identity)
        {
            let problem = format!("{} needs credentials and nobody can check them", route.name);
            mistakes.note("auth.issuers", problem, "add [auth.issuers.<name>] with issuer, jwks_url and audiences");
        }
        if settings.auth.issuers.is_empty() {
            for (name, _) in settings.upstreams.iter().filter(|(_, upstream)| upstream.forward_authorization) {
                let remedy = "add [auth.issuers.<name>], or take it out";
                mistakes.within("upstreams", |mistakes| {
                    mistakes.within(name, |mistakes| {
                        mistakes.note("forward_authorization", "passes on what nobody can check", remedy);
                    });
                });
            }
        }
        let around = Surroundings {
            endpoints: self.routes.iter().map(|route| (route.name.as_str(), route.path.as_str())).collect(),
            schemas: openapi::schema_names(&self.routes),
            upstreams: &settings.upstreams,
            has_issuers: !settings.auth.issuers.is_empty(),
        };
        mistakes.within("routes", |mistakes| passthrough::check(&settings.routes, &around, mistakes));
        mistakes.into_inner()
    }
}
