//! `routes`: every endpoint as the table of contents has it.

use serde::Serialize;

use crate::bff::{App, Bff};
use crate::edge::Access;
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
    roles: &'a [&'static str],
    scopes: &'a [&'static str],
    criticality: Criticality,
    parts: &'a [SurveyedPart],
}

pub(super) fn rows<'a, Upstreams>(bff: &'a Bff<Upstreams>, app: &'a App) -> Vec<Row<'a>> {
    let row = |route: &'a crate::routes::Route<Upstreams>| {
        let Access { needs_identity, roles, scopes } = &route.policy.access;
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

pub(super) fn json(rows: &[Row<'_>]) -> String {
    // Rows hold nothing that JSON cannot.
    serde_json::to_string_pretty(rows).unwrap_or_default()
}

/// Columns as wide as their widest cell.
pub(super) fn text(rows: &[Row<'_>]) -> String {
    let head = ["METHOD", "PATH", "NAME", "BUDGET", "WHEN FULL", "WHO", "PARTS"].map(str::to_owned);
    let lines: Vec<[String; 7]> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
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
        if !self.needs_identity {
            return "anybody".to_owned();
        }
        let roles = self.roles.iter().map(|role| format!("role {role}"));
        let scopes = self.scopes.iter().map(|scope| format!("scope {scope}"));
        std::iter::once("user".to_owned()).chain(roles).chain(scopes).collect::<Vec<_>>().join(", ")
    }
}
