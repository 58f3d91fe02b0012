//! Sentence 2.

use std::collections::HashMap;

use crate::source::lexer::{Token, reads};
use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::SourceFile;

pub(super) const RULE: Rule = Rule {
    sentence: "2. modules of `bff-core` look only down the floors; `edge` and `upstream` never import one another",
    remedy: "move the shared word to a lower floor, or take what is needed as an argument and let the roof hand it in; \
             a new top-level module gets its line in `FLOORS` (tests/it/source/rules/floors.rs) and in ARCHITECTURE.md",
    find,
};

const ROOF: u8 = 3;

/// The floors, from the roof down. On the roof and on floor 0 modules know their neighbours.
const FLOORS: &[(u8, &[&str])] = &[
    (
        ROOF,
        &[
            "lib",
            "bff",
            "routes",
            "config",
            "serve",
            "cli",
            "testing",
            "openapi",
            "manage",
            "registry",
            "console",
            "passthrough",
        ],
    ),
    (2, &["edge", "upstream"]),
    (1, &["auth", "cache", "compose", "limit", "resilience"]),
    (
        0,
        &[
            "error",
            "context",
            "identity",
            "body",
            "clock",
            "fetched",
            "framing",
            "hop_by_hop",
            "lateness",
            "layer",
            "reading",
            "settings",
            "telemetry",
        ],
    ),
];

/// The floor of a top-level module.
fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, modules)| modules.contains(&module)).map(|(floor, _)| *floor)
}

/// Whether a file of `bff-core` stands on the roof; `None` for files of other crates and of unknown modules.
pub(super) fn is_roof(file: &SourceFile) -> Option<bool> {
    floor(module_path(file)?.first().map_or("lib", |top| top)).map(|floor| floor == ROOF)
}

/// The module of a file in `bff-core/src`, as its path from the root of the crate (empty for `lib.rs`).
fn module_path(file: &SourceFile) -> Option<Vec<&str>> {
    let path = file.below("bff-core/src")?.strip_suffix(".rs")?;
    let mut parts: Vec<_> = path.split('/').collect();
    let is_index = matches!(parts.last(), Some(&"mod")) || path == "lib";
    if is_index {
        parts.pop();
    }
    Some(parts)
}

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let homes = homes(files);
    let mut found = Vec::new();
    for file in files {
        let Some(path) = module_path(file) else { continue };
        let from = path.first().copied().unwrap_or("lib");
        let tokens = file.shipped_tokens();
        if path.is_empty() {
            found.extend(unplaced(&tokens).map(|(module, line)| Violation::new(file, line, no_floor(module))));
        }
        let Some(own) = floor(from) else {
            found.push(Violation::new(file, 1, no_floor(from)));
            continue;
        };
        for (name, line) in root_references(&tokens, path.len()) {
            let to = if floor(name).is_some() { name } else { homes.get(name).copied().unwrap_or("lib") };
            let Some(other) = floor(to) else { continue };
            let knows = from == to || other < own || (other == own && matches!(own, 0 | ROOF));
            if !knows {
                let place = match other {
                    ROOF => "the roof".to_owned(),
                    other if other == own => format!("the same floor {other}"),
                    other => format!("floor {other}"),
                };
                let what = if name == to { format!("`{to}`") } else { format!("`{name}` of `{to}`") };
                found.push(Violation::new(file, line, format!("`{from}` (floor {own}) names {what} on {place}")));
            }
        }
    }
    found
}

fn no_floor(module: &str) -> String {
    format!("`{module}` is not in the table of floors: say on which floor it stands")
}

/// Inline modules of `lib.rs` without a floor; modules in files are told by their files.
fn unplaced<'a>(tokens: &'a [Token<'a>]) -> impl Iterator<Item = (&'a str, usize)> {
    let inline = |i: &usize| tokens[*i].text == "mod" && reads(tokens, i + 2, &["{"]);
    let modules = (0..tokens.len()).filter(inline).map(|i| (tokens[i + 1].text, tokens[i + 1].line));
    modules.filter(|(name, _)| floor(name).is_none())
}

/// Where the names at the root of the crate come from: re-exports of `lib.rs`, and exported macros.
fn homes(files: &[SourceFile]) -> HashMap<&str, &str> {
    let mut homes = HashMap::new();
    for file in files {
        let Some(path) = module_path(file) else { continue };
        let tokens = file.shipped_tokens();
        for i in 0..tokens.len() {
            if let Some(top) = path.first()
                && reads(&tokens, i, &["macro_rules", "!"])
                && let Some(name) = tokens.get(i + 2)
            {
                homes.insert(name.text, *top);
            }
            if path.is_empty() && tokens[i].text == "use" {
                let from =
                    i + 1 + 2 * usize::from(reads(&tokens, i + 1, &["crate"]) || reads(&tokens, i + 1, &["self"]));
                let tree: Vec<_> = tokens[from..].iter().take_while(|token| token.text != ";").collect();
                if let Some(top) = tree.first().filter(|top| top.is_name()) {
                    // Every name of the tree, inner modules too: none of them is a module at the root.
                    homes.extend(
                        tree.iter().skip(1).filter(|token| token.is_name()).map(|token| (token.text, top.text)),
                    );
                }
            }
        }
    }
    homes
}

/// What `crate::…` and `super::…::…` name at the root of the crate, in a module `depth` below it.
///
/// `$crate::…` is not among them: it is written where a macro is defined and read where it is used.
fn root_references<'a>(tokens: &[Token<'a>], depth: usize) -> Vec<(&'a str, usize)> {
    let mut found = Vec::new();
    let mut inline = Vec::new();
    let mut braces = 0_usize;
    let mut i = 0;
    while i < tokens.len() {
        match tokens[i].text {
            "{" => {
                braces += 1;
                if i >= 2 && tokens[i - 2].text == "mod" {
                    inline.push(braces);
                }
            }
            "}" => {
                inline.pop_if(|opened| *opened == braces);
                braces = braces.saturating_sub(1);
            }
            "crate" | "super" if reads(tokens, i + 1, &["::"]) && (i == 0 || tokens[i - 1].text != "$") => {
                i = resolve(tokens, i, depth + inline.len(), &mut found);
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// Follows one path or one tree of `use` and collects what it names at the root; gives the place behind it.
fn resolve<'a>(tokens: &[Token<'a>], mut at: usize, mut depth: usize, found: &mut Vec<(&'a str, usize)>) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.text {
            "crate" => depth = 0,
            "super" => depth = depth.saturating_sub(1),
            "self" | "::" => {}
            // The root itself under another name: every floor hides behind it.
            "as" => {
                if depth == 0 {
                    found.push(("self", token.line));
                }
                return at + 1;
            }
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = resolve(tokens, at, depth, found).max(at + 1);
                    // To the next branch of this tree, over the groups of the last one.
                    let mut open = 0_usize;
                    while let Some(token) = tokens.get(at) {
                        match token.text {
                            "{" => open += 1,
                            "}" if open == 0 => break,
                            "}" => open -= 1,
                            "," if open == 0 => {
                                at += 1;
                                break;
                            }
                            _ => {}
                        }
                        at += 1;
                    }
                }
                return at + 1;
            }
            name => {
                if depth == 0 && (token.is_name() || name == "*") {
                    found.push((name, token.line));
                }
                return at + usize::from(token.is_name());
            }
        }
        at += 1;
    }
    at
}

#[test]
fn nobody_looks_up_or_sideways() {
    check(
        &RULE,
        &[
            ("bff-core/src/auth/mod.rs", "use crate::limit::Limit;\nuse super::cache;\n"),
            (
                "bff-core/src/cache/store.rs",
                "use crate::{error::Error,\n compose::{A, B}, auth};\nuse super::super::edge::X;",
            ),
            ("bff-core/src/edge/stack.rs", "fn f() { crate::upstream::call(); }\nuse crate::{auth, bff::Bff};"),
            ("bff-core/src/error.rs", "mod inner { use super::super::{self as root, cache::Cache}; }\nuse crate::*;"),
            ("bff-core/src/upstream.rs", "use crate::edge::{Answer};"),
        ],
        &[
            "bff-core/src/auth/mod.rs:1: `auth` (floor 1) names `limit` on the same floor 1",
            "bff-core/src/auth/mod.rs:2: `auth` (floor 1) names `cache`",
            "bff-core/src/cache/store.rs:2: `cache` (floor 1) names `compose`",
            "bff-core/src/cache/store.rs:2: `cache` (floor 1) names `auth`",
            "bff-core/src/cache/store.rs:3: `cache` (floor 1) names `edge` on floor 2",
            "bff-core/src/edge/stack.rs:1: `edge` (floor 2) names `upstream`",
            "bff-core/src/edge/stack.rs:2: `edge` (floor 2) names `bff` on the roof",
            "bff-core/src/error.rs:1: `error` (floor 0) names `self` of `lib` on the roof",
            "bff-core/src/error.rs:1: `error` (floor 0) names `cache`",
            "bff-core/src/error.rs:2: `error` (floor 0) names `*` of `lib` on the roof",
            "bff-core/src/upstream.rs:1: `upstream` (floor 2) names `edge`",
        ],
    );
}

#[test]
fn a_name_at_the_root_stands_on_the_floor_it_comes_from() {
    check(
        &RULE,
        &[
            ("bff-core/src/auth/mod.rs", "use crate::{Error, Bff};\nfn f() { crate::compose!(); crate::NAME; }"),
            ("bff-core/src/compose/join.rs", "macro_rules! compose { () => { $crate::edge::X } }"),
            (
                "bff-core/src/lib.rs",
                "mod auth; mod error; mod bff;\npub use crate::error::{Error, Result};\npub use bff::Bff;",
            ),
        ],
        &[
            "bff-core/src/auth/mod.rs:1: `auth` (floor 1) names `Bff` of `bff` on the roof",
            "bff-core/src/auth/mod.rs:2: `auth` (floor 1) names `compose` on the same floor 1",
            "bff-core/src/auth/mod.rs:2: `auth` (floor 1) names `NAME` of `lib` on the roof",
        ],
    );
}

#[test]
fn every_module_has_a_floor() {
    check(
        &RULE,
        &[
            ("bff-core/src/lib.rs", "mod edge;\nmod inline { }"),
            ("bff-core/src/attic/mod.rs", "use crate::edge;"),
            ("bff-web/src/attic.rs", ""),
        ],
        &[
            "bff-core/src/attic/mod.rs:1: `attic` is not in the table of floors: say on which floor it stands",
            "bff-core/src/lib.rs:2: `inline` is not in the table",
        ],
    );
}

#[test]
fn looking_down_passes() {
    check(
        &RULE,
        &[
            ("bff-core/src/bff.rs", "use crate::{edge, upstream, routes::Routes};"),
            ("bff-core/src/context.rs", "use crate::clock::Clock; pub(crate) struct A;"),
            (
                "bff-core/src/edge/answer/vary.rs",
                "use super::super::{self as edge, stack}; use crate::{edge::stack, auth::A};",
            ),
            (
                "bff-core/src/limit/mod.rs",
                "//! See [`crate::edge`].\nuse crate::error; #[cfg(test)] mod tests { use crate::testing; }",
            ),
        ],
        &[],
    );
}
