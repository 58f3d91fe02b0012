//! `routes`: every endpoint as the table of contents has it, and every route of the configuration.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::bff::{App, Bff};
use crate::edge::Access;
use crate::passthrough::{Auth, RouteSettings, Routes};
use crate::resilience::Criticality;
use crate::routes::SurveyedPart;

/// One endpoint.
#[derive(Debug, Serialize)]
pub(super) struct Row<'a> {
    method: &'a str,
    path: &'a str,
    name: &'a str,
    #[serde(with = "humantime_serde")]
    budget: std::time::Duration,
    needs_identity: bool,
    roles: &'a [Cow<'static, str>],
    scopes: &'a [Cow<'static, str>],
    criticality: Criticality,
    parts: &'a [SurveyedPart],
}

pub(super) fn rows<'a, Upstreams>(bff: &'a Bff<Upstreams>, app: &'a App) -> Vec<Row<'a>> {
    let row = |route: &'a crate::routes::Route<Upstreams>| {
        let Access { needs_identity, roles, scopes, credentials: _ } = &route.policy.access;
        Row {
            method: route.method.as_str(),
            path: &route.path,
            name: &route.name,
            budget: route.policy.budget,
            needs_identity: *needs_identity,
            roles,
            scopes,
            criticality: route.policy.criticality,
            parts: app.parts(&route.name),
        }
    };
    bff.routes.iter().map(row).collect()
}

/// One route of the configuration.
#[derive(Debug, Serialize)]
pub(super) struct PassedRow<'a> {
    route: &'a str,
    methods: &'a [String],
    path: &'a str,
    upstream: &'a str,
    auth: Auth,
    roles: &'a [String],
    scopes: &'a [String],
    hosts: &'a [String],
    headers: &'a BTreeMap<String, String>,
    query: &'a BTreeMap<String, String>,
    cookies: bool,
    cache: bool,
    websocket: bool,
    filtered: bool,
}

/// The routes, in the order in which they are tried.
pub(super) fn passed<'a>(
    routes: &'a Routes,
    settings: &'a BTreeMap<String, RouteSettings>,
) -> impl Iterator<Item = PassedRow<'a>> {
    routes.names().filter_map(|name| settings.get_key_value(name)).map(|(name, route)| PassedRow {
        route: name,
        methods: &route.methods,
        path: &route.path,
        upstream: &route.upstream,
        auth: route.auth,
        roles: &route.roles,
        scopes: &route.scopes,
        hosts: &route.hosts,
        headers: &route.headers,
        query: &route.query,
        cookies: route.cookies,
        cache: route.cache,
        websocket: route.websocket,
        filtered: !route.json.is_empty(),
    })
}

pub(super) fn json(rows: &[Row<'_>], passed: &[PassedRow<'_>]) -> String {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Either<'a> {
        Endpoint(&'a Row<'a>),
        Route(&'a PassedRow<'a>),
    }

    let all: Vec<Either<'_>> = rows.iter().map(Either::Endpoint).chain(passed.iter().map(Either::Route)).collect();
    // Rows hold nothing that JSON cannot.
    serde_json::to_string_pretty(&all).unwrap_or_default()
}

/// The endpoints, and below them the routes, if there are any.
pub(super) fn text(rows: &[Row<'_>], passed: &[PassedRow<'_>]) -> String {
    let head = ["METHOD", "PATH", "NAME", "BUDGET", "WHEN FULL", "WHO", "PARTS"].map(str::to_owned);
    let mut text = columns(std::iter::once(head).chain(rows.iter().map(Row::cells)).collect());
    if !passed.is_empty() {
        let head = ["METHODS", "PATH", "ROUTE", "UPSTREAM", "WHO", "ONLY WITH", "ALSO"].map(str::to_owned);
        text.push('\n');
        text.push_str(&columns(std::iter::once(head).chain(passed.iter().map(PassedRow::cells)).collect()));
    }
    text
}

/// Columns as wide as their widest cell.
fn columns(lines: Vec<[String; 7]>) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

impl Row<'_> {
    fn cells(&self) -> [String; 7] {
        let parts = self.parts.iter().map(|part| format!("{} {}", part.need.as_str(), part.name));
        [
            self.method.to_owned(),
            self.path.to_owned(),
            self.name.to_owned(),
            humantime::format_duration(self.budget).to_string(),
            self.when_full().to_owned(),
            self.who(),
            parts.collect::<Vec<_>>().join(", "),
        ]
    }

    fn when_full(&self) -> &'static str {
        match self.criticality {
            Criticality::Critical => "refused last",
            Criticality::Normal => "normal",
            Criticality::Sheddable => "refused first",
        }
    }

    fn who(&self) -> String {
        if self.needs_identity { user(self.roles, self.scopes) } else { "anybody".to_owned() }
    }
}

impl PassedRow<'_> {
    fn cells(&self) -> [String; 7] {
        let pairs = |what: &str, pairs: &BTreeMap<String, String>| {
            pairs.iter().map(|(name, value)| format!("{what} {name}={value}")).collect::<Vec<_>>()
        };
        let hosts = self.hosts.iter().map(|host| format!("host {host}"));
        let only: Vec<String> = hosts.chain(pairs("header", self.headers)).chain(pairs("query", self.query)).collect();
        let also = [
            (self.cookies, "cookies"),
            (self.cache, "cache"),
            (self.websocket, "websocket"),
            (self.filtered, "filtered"),
        ];
        let also: Vec<&str> = also.into_iter().filter(|(is_on, _)| *is_on).map(|(_, what)| what).collect();
        [
            if self.methods.is_empty() { "any".to_owned() } else { self.methods.join(",") },
            self.path.to_owned(),
            self.route.to_owned(),
            self.upstream.to_owned(),
            match self.auth {
                Auth::Public => "anybody".to_owned(),
                Auth::User => user(self.roles, self.scopes),
                Auth::Upstream => "as the upstream says".to_owned(),
            },
            only.join(", "),
            also.join(", "),
        ]
    }
}

fn user(roles: &[impl std::fmt::Display], scopes: &[impl std::fmt::Display]) -> String {
    let roles = roles.iter().map(|role| format!("role {role}"));
    let scopes = scopes.iter().map(|scope| format!("scope {scope}"));
    std::iter::once("user".to_owned()).chain(roles).chain(scopes).collect::<Vec<_>>().join(", ")
}
