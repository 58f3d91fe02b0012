//! `[routes.<name>]`: requests that are passed on to one upstream as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytesize::ByteSize;
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};

use super::headers::{is_made_here, is_of_connection};
use super::pattern::Pattern;
use crate::settings::{Check, Mistakes};

/// One route: which requests it takes, where they go, and what may be changed about them. Everything is off unless asked
/// for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteSettings {
    /// The paths it takes: a template for the whole path (`/files/{id}/raw`), or a beginning (`/v1/*`, which takes `/v1`
    /// and `/v1/` too). No default. An endpoint of the BFF at the same path goes first.
    pub path: String,
    /// The table under `[upstreams]` that its requests go to. No default.
    pub upstream: String,
    /// The methods it takes, HEAD only if it is named. Default: all but CONNECT and TRACE.
    pub methods: Vec<String>,
    /// The hosts it takes, without a port; `*.example.com` for all names below one. Default: any.
    pub hosts: Vec<String>,
    // bound: the headers that a configuration names
    /// Headers that a request must have, with their value; an empty value stands for any. Default: none.
    pub headers: BTreeMap<String, String>,
    // bound: the parameters that a configuration names
    /// Parameters that the query must have, with their value; an empty value stands for any. Default: none.
    pub query: BTreeMap<String, String>,
    /// What is taken from the front of the path. Default: nothing.
    pub strip_prefix: Option<String>,
    /// What is then put in front of it. Default: nothing.
    pub add_prefix: Option<String>,
    /// How long the upstream may take until the head of its answer is here, once it has the whole request; where the
    /// answer is filtered, as long again until its end. Default: the upstream's `timeout`.
    #[serde(with = "humantime_serde")]
    pub timeout: Option<Duration>,
    /// How long either side may send nothing in the middle of a body. Default 30 s.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// The largest request body; a larger one is a 413. Default: `edge.body_limit`.
    pub body_limit: Option<ByteSize>,
    /// Request bodies come as slowly as their clients like, and are passed on from the first byte: for gRPC, and for uploads
    /// that take hours. Default: no; one of up to 64 KiB is read to its end first, and any other has to come at
    /// `edge.bodies.min_rate`.
    pub streaming: bool,
    /// GET and HEAD may have a body. Default: no; it is a 400.
    pub body_on_get: bool,
    /// Who may come by. Default `public`.
    pub auth: Auth,
    /// The roles that the subject must have, with `auth = "user"`. Default: none.
    pub roles: Vec<String>,
    /// The scopes that the program must have, with `auth = "user"`. Default: none.
    pub scopes: Vec<String>,
    /// Passes `Cookie` on and `Set-Cookie` back. Default: neither.
    pub cookies: bool,
    /// Tells the upstream the host that the client named. Default: it is told its own.
    pub preserve_host: bool,
    /// Keeps answers, as they allow it, and gives those that are kept. Default: no.
    pub cache: bool,
    /// Passes on WebSockets (RFC 6455). Default: no; such a request is passed on as an ordinary one.
    pub websocket: bool,
    /// What is changed about the request's headers, last of all.
    pub request_headers: HeaderRules,
    /// What is changed about the answer's headers, last of all.
    pub response_headers: HeaderRules,
    /// Which fields of a JSON answer are passed on.
    pub json: JsonSettings,
    /// The JSON Schema of a 200, for the API document: the route is in it if this is given. Default: none.
    pub schema: Option<serde_json::Value>,
    /// One line for the API document. Default: none.
    pub summary: Option<String>,
}

/// Who may come by a route, and what its upstream is told about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Anybody; nobody is asked who they are, and the upstream is told nothing.
    #[default]
    Public,
    /// Whoever has valid credentials; the upstream is told who it is in headers, as by typed clients.
    User,
    /// Whom the upstream lets in: it gets `Authorization` as it came.
    Upstream,
}

impl Auth {
    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::User => "user",
            Self::Upstream => "upstream",
        }
    }
}

/// Headers that are set and removed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HeaderRules {
    // bound: the headers that a configuration names
    /// Headers to put in, in place of those of the same name.
    pub set: BTreeMap<String, String>,
    /// Headers to take out.
    pub remove: Vec<String>,
}

/// Which fields of a JSON answer are passed on, by dotted paths (`owner.name`). Off while all three are empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct JsonSettings {
    /// Only these, each with everything below it. Default: all.
    pub allow: Vec<String>,
    /// All but these. Default: none is left out.
    pub deny: Vec<String>,
    // bound: the fields that a configuration names
    /// Other names for the last step of a path. Default: none.
    pub rename: BTreeMap<String, String>,
    /// The largest answer that is read to be filtered; a larger one is a 502. Default 1 MiB.
    pub limit: ByteSize,
}

impl Default for RouteSettings {
    fn default() -> Self {
        Self {
            path: String::new(),
            upstream: String::new(),
            methods: Vec::new(),
            hosts: Vec::new(),
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            strip_prefix: None,
            add_prefix: None,
            timeout: None,
            idle_timeout: Duration::from_secs(30),
            body_limit: None,
            streaming: false,
            body_on_get: false,
            auth: Auth::Public,
            roles: Vec::new(),
            scopes: Vec::new(),
            cookies: false,
            preserve_host: false,
            cache: false,
            websocket: false,
            request_headers: HeaderRules::default(),
            response_headers: HeaderRules::default(),
            json: JsonSettings::default(),
            schema: None,
            summary: None,
        }
    }
}

impl Default for JsonSettings {
    fn default() -> Self {
        Self { allow: Vec::new(), deny: Vec::new(), rename: BTreeMap::new(), limit: ByteSize::mib(1) }
    }
}

impl JsonSettings {
    /// Whether nothing is filtered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty() && self.rename.is_empty()
    }
}

const A_PATH: &str = "write a whole path such as \"/files/{id}/raw\", or a beginning such as \"/v1/*\"";
const A_PREFIX: &str = "write segments such as \"/v1\", without a slash at the end";
const A_HEADER: &str = "use names such as \"x-client\"";

impl Check for RouteSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.path.is_empty() {
            mistakes.note("path", "is missing", A_PATH);
        } else if let Err(problem) = Pattern::new(&self.path) {
            mistakes.note("path", problem, A_PATH);
        }
        if self.upstream.is_empty() {
            mistakes.note("upstream", "is missing", "name a table under [upstreams]");
        }
        self.check_conditions(mistakes);
        self.check_prefixes(mistakes);
        for (key, time) in [("timeout", self.timeout), ("idle_timeout", Some(self.idle_timeout))] {
            if time.is_some_and(|time| time.is_zero()) {
                mistakes.note(key, "0 leaves no time", "give a time above 0, such as \"5s\"");
            }
        }
        if self.auth != Auth::User {
            for (key, list) in [("roles", &self.roles), ("scopes", &self.scopes)] {
                if !list.is_empty() {
                    let problem = format!("nobody is asked for them with auth = {:?}", self.auth.as_str());
                    mistakes.note(key, problem, "write auth = \"user\", or take them out");
                }
            }
        }
        if self.cache && self.cookies {
            let problem = "what one visitor is told because of a cookie would be kept for others";
            mistakes.note("cache", problem, "make a route of its own for what may be kept, without cookies");
        }
        mistakes.within("request_headers", |mistakes| self.request_headers.check(mistakes));
        mistakes.within("response_headers", |mistakes| self.response_headers.check(mistakes));
        if !self.json.is_empty() && self.websocket {
            mistakes.note("json", "a WebSocket cannot be filtered", "take out json or websocket");
        }
        mistakes.within("json", |mistakes| self.json.check(mistakes));
    }
}

impl RouteSettings {
    fn check_conditions(&self, mistakes: &mut Mistakes) {
        const KNOWN: [Method; 7] =
            [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
        for name in self.methods.iter().filter(|name| KNOWN.iter().all(|known| known.as_str() != name.as_str())) {
            let remedy = "use GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS; without methods, others pass too";
            mistakes.note("methods", format!("{name:?} is no method that can be named"), remedy);
        }
        for host in &self.hosts {
            let name = host.strip_prefix("*.").unwrap_or(host);
            let is_name = name.parse::<Authority>().is_ok_and(|whole| whole.host() == name) && !name.contains('*');
            if !is_name {
                mistakes.note(
                    "hosts",
                    format!("{host:?} is no host"),
                    "write a name without a port, or \"*.\" and a name",
                );
            }
        }
        mistakes.within("headers", |mistakes| {
            for name in self.headers.keys() {
                if name.parse::<HeaderName>().is_err() {
                    mistakes.note(name, "is no header name", A_HEADER);
                } else if is_made_here(&name.to_ascii_lowercase()) {
                    mistakes.note(name, "is never believed when a client sends it", "use another header");
                }
            }
        });
    }

    fn check_prefixes(&self, mistakes: &mut Mistakes) {
        for (key, prefix) in [("strip_prefix", &self.strip_prefix), ("add_prefix", &self.add_prefix)] {
            let Some(prefix) = prefix else { continue };
            match Pattern::new(prefix) {
                Err(problem) => mistakes.note(key, problem, A_PREFIX),
                Ok(_) if prefix.ends_with(['/', '*']) || (key == "add_prefix" && prefix.contains('{')) => {
                    mistakes.note(key, format!("{prefix:?} is no row of segments"), A_PREFIX);
                }
                Ok(pattern) if key == "strip_prefix" => {
                    if Pattern::new(&self.path).is_ok_and(|path| path.begins_with(&pattern).is_none()) {
                        let problem = format!("{:?} does not begin with {prefix:?}", self.path);
                        mistakes.note(key, problem, "give the first segments of path");
                    }
                }
                Ok(_) => {}
            }
        }
    }
}

impl Check for HeaderRules {
    fn check(&self, mistakes: &mut Mistakes) {
        let refuse = |mistakes: &mut Mistakes, key: &str, name: &str| {
            let lower = name.to_ascii_lowercase();
            if name.parse::<HeaderName>().is_err() {
                mistakes.note(key, format!("{name:?} is no header name"), A_HEADER);
            } else if is_of_connection(&lower) || ["host", "content-length"].contains(&lower.as_str()) {
                mistakes.note(key, format!("{name:?} belongs to the connection"), "take it out");
            } else if is_made_here(&lower) {
                mistakes.note(key, format!("{name:?} says who asks and is made here"), "take it out");
            }
        };
        for (name, value) in &self.set {
            refuse(mistakes, "set", name);
            if HeaderValue::from_str(value).is_err() {
                mistakes.note("set", format!("the value of {name:?} cannot stand in a header"), "use visible ASCII");
            }
        }
        for name in &self.remove {
            refuse(mistakes, "remove", name);
            if self.set.keys().any(|set| set.eq_ignore_ascii_case(name)) {
                mistakes.note("remove", format!("{name:?} is set as well"), "set replaces: take it out of remove");
            }
        }
    }
}

impl Check for JsonSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        let renamed: Vec<&String> = self.rename.keys().collect();
        let lists = [("allow", self.allow.iter().collect()), ("deny", self.deny.iter().collect()), ("rename", renamed)];
        for (key, paths) in lists {
            for path in paths.into_iter().filter(|path| path.split('.').any(str::is_empty)) {
                mistakes.note(
                    key,
                    format!("{path:?} is no path"),
                    "write names with dots between them: \"owner.name\"",
                );
            }
        }
        for path in self.deny.iter().filter(|path| self.allow.contains(path)) {
            mistakes.note("deny", format!("{path:?} is allowed as well"), "take it out of one of them");
        }
        let mut names = BTreeSet::new();
        for (path, name) in &self.rename {
            let (parent, old) = path.rsplit_once('.').unwrap_or(("", path));
            let sibling = |other: &String| *other == join(parent, name) && !self.rename.contains_key(other);
            if name.is_empty() || name == old {
                mistakes.note("rename", format!("{path:?} gets no new name"), "give a name, or take it out");
            } else if !names.insert((parent, name)) || self.allow.iter().any(sibling) {
                mistakes.note("rename", format!("two fields are called {name:?} then"), "give each a name of its own");
            }
            let kept = |allowed: &String| {
                path == allowed || path.starts_with(&format!("{allowed}.")) || {
                    allowed.starts_with(&format!("{path}."))
                }
            };
            if self.deny.contains(path) || !(self.allow.is_empty() || self.allow.iter().any(kept)) {
                mistakes.note("rename", format!("{path:?} is not passed on"), "allow it, or take it out");
            }
        }
        if self.limit.as_u64() == 0 {
            mistakes.note("limit", "0 refuses every answer", "give a size such as \"1 MiB\"");
        }
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}
