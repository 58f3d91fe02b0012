//! What a BFF is configured with: the settings of every mechanism, and where they come from.
//!
//! - [`Sources`]: one TOML file, then the environment, then flags; the later wins.
//! - [`Settings::load`]: reads them, and reports every mistake at once, each with the place it was written at.
//! - [`Loaded`]: the result, and [what holds](Loaded::to_toml) as TOML with the origin of every value.
//! - `shape`: the defaults, from which "did you mean" and the type of a key are known.
//! - `reader`: a merged value as serde sees it; a variable's text is whatever is asked for.
//! - `secret`: values that stand in files of their own, and what is never shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::auth::AuthSettings;
use crate::cache::CacheSettings;
use crate::edge::EdgeSettings;
use crate::passthrough::RouteSettings;
use crate::routes::EndpointSettings;
use crate::serve::ServerSettings;
use crate::settings::{Check, Mistakes};
use crate::telemetry::LogSettings;
use crate::upstream::UpstreamSettings;

mod load;
mod reader;
mod report;
mod secret;
mod shape;
mod source;
#[cfg(test)]
mod tests;

pub use load::{Loaded, Origins};
pub use report::Report;
pub use secret::MASK;
pub use source::{Override, Sources};

/// Everything a BFF is configured with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Listeners and their limits.
    pub server: ServerSettings,
    /// What a client may send, and what it is told.
    pub edge: EdgeSettings,
    /// The store of upstream answers.
    pub cache: CacheSettings,
    /// Who is believed.
    pub auth: AuthSettings,
    /// Where the log goes.
    pub log: LogSettings,
    // bound: the endpoints of one BFF; others are refused at start
    /// Numbers of single endpoints.
    pub endpoints: BTreeMap<String, EndpointSettings>,
    // bound: the routes that a configuration names
    /// Requests that are passed on as they are, by the name of the route.
    pub routes: BTreeMap<String, RouteSettings>,
    // bound: the backends of one BFF; others are refused at start
    /// The backends, by name.
    pub upstreams: BTreeMap<String, UpstreamSettings>,
}

impl Check for Settings {
    fn check(&self, mistakes: &mut Mistakes) {
        let Self { server, edge, cache, auth, log, endpoints, routes, upstreams } = self;
        mistakes.within("server", |mistakes| server.check(mistakes));
        mistakes.within("edge", |mistakes| edge.check(mistakes));
        if server.proxy_protocol && edge.trusted_proxies.is_empty() {
            let remedy = "name the balancers in edge.trusted_proxies; from others it is not taken";
            mistakes.note("server.proxy_protocol", "nobody is trusted to say where connections come from", remedy);
        }
        mistakes.within("cache", |mistakes| cache.check(mistakes));
        mistakes.within("auth", |mistakes| auth.check(mistakes));
        mistakes.within("log", |mistakes| log.check(mistakes));
        mistakes.within("endpoints", |mistakes| {
            for (name, endpoint) in endpoints {
                mistakes.within(name, |mistakes| endpoint.check(mistakes));
            }
        });
        mistakes.within("routes", |mistakes| {
            for (name, route) in routes {
                mistakes.within(name, |mistakes| route.check(mistakes));
            }
        });
        mistakes.within("upstreams", |mistakes| {
            for (name, upstream) in upstreams {
                mistakes.within(name, |mistakes| upstream.check(mistakes));
            }
        });
    }
}
