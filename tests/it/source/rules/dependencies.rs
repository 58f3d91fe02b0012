//! Sentence 3.

use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::{Entry, Manifest, SourceFile};

pub(super) const RULE: Rule = Rule {
    sentence: "3. the BFF crates do not depend on one another; `mock-services` depends on none of ours",
    remedy: "what two frontends share is either framework (`bff-core`) or a backend's client (`upstreams`); tests that \
             need several of them stand in `tests/`",
    find,
};

/// Which of our crates a crate may depend on, and which more in its tests; `None` for any.
///
/// A crate that is not named here is a frontend's.
fn allowed(package: &str, for_tests: bool) -> Option<&'static [&'static str]> {
    match package {
        "bff-core" | "mock-services" => Some(&[]),
        "upstreams" => Some(&["bff-core"]),
        "bff-tests" | "demo" => None,
        _ if for_tests => Some(&["bff-core", "upstreams", "mock-services"]),
        _ => Some(&["bff-core", "upstreams"]),
    }
}

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let manifests: Vec<_> = files.iter().filter_map(|file| Some((file, Manifest::read(file)?))).collect();
    let ours: Vec<_> = manifests.iter().map(|(_, manifest)| manifest.package).collect();
    let mut found = Vec::new();
    for (file, manifest) in &manifests {
        for entry in manifest.entries() {
            let Some(dependency) = dependency(entry) else { continue };
            let Some(allowed) = allowed(manifest.package, entry.table.contains("dev-dependencies")) else {
                continue;
            };
            let is_free = dependency == manifest.package || allowed.contains(&dependency);
            if ours.contains(&dependency) && !is_free {
                let why = format!("`{}` depends on `{dependency}`", manifest.package);
                found.push(Violation::new(file, entry.line, why));
            }
        }
    }
    found
}

/// The package that a line of a manifest depends on.
fn dependency<'a>(entry: &Entry<'a>) -> Option<&'a str> {
    let (table, name) = match entry.table.rsplit_once("dependencies")? {
        (_, "") => (true, entry.key.split('.').next()?),
        (_, name) => (false, name.strip_prefix('.')?),
    };
    let renamed = match (table, entry.key) {
        (false, "package") => Some(entry.value),
        (true, key) if key.ends_with(".package") => Some(entry.value),
        (true, _) => entry.value.split_once("package").map(|(_, rest)| rest.trim_start_matches([' ', '='])),
        (false, "") => None,
        (false, _) => return None,
    };
    Some(match renamed.and_then(|value| value.split('"').nth(1)) {
        Some(package) => package,
        None => name.trim().trim_matches('"'),
    })
    .filter(|package| !package.is_empty())
}

#[test]
fn frontends_and_mocks_stay_apart() {
    let package = |name: &str, rest: &str| format!("[package]\nname = \"{name}\"\n{rest}");
    check(
        &RULE,
        &[
            ("bff-core/Cargo.toml", &package("bff-core", "[dev-dependencies]\nupstreams.workspace = true\n")),
            (
                "bff-mobile/Cargo.toml",
                &package(
                    "bff-mobile",
                    "[dependencies]\nbff-core = { workspace = true }\nupstreams.workspace = true\nserde = \"1\"\n\
                     sister = { path = \"../bff-web\", package = \"bff-web\" }\n\
                     [dev-dependencies]\nmock-services.workspace = true\n[dev-dependencies.bff-partner]\nworkspace = true\n",
                ),
            ),
            ("bff-partner/Cargo.toml", &package("bff-partner", "[dependencies]\nmock-services.workspace = true")),
            ("bff-web/Cargo.toml", &package("bff-web", "# bff-mobile = 1\n")),
            ("demo/Cargo.toml", &package("demo", "[dependencies]\nbff-web.workspace = true\n")),
            (
                "mock-services/Cargo.toml",
                &package("mock-services", "[target.'cfg(unix)'.dependencies]\nbff-core.workspace = true\n"),
            ),
            ("tests/Cargo.toml", &package("bff-tests", "[dependencies]\nbff-mobile.workspace = true\n")),
            (
                "upstreams/Cargo.toml",
                &package("upstreams", "[dependencies]\nbff-core.workspace = true\nbff-web.workspace = true\n"),
            ),
        ],
        &[
            "bff-core/Cargo.toml:4: `bff-core` depends on `upstreams`",
            "bff-mobile/Cargo.toml:7: `bff-mobile` depends on `bff-web`",
            "bff-mobile/Cargo.toml:10: `bff-mobile` depends on `bff-partner`",
            "bff-partner/Cargo.toml:4: `bff-partner` depends on `mock-services`",
            "mock-services/Cargo.toml:4: `mock-services` depends on `bff-core`",
            "upstreams/Cargo.toml:5: `upstreams` depends on `bff-web`",
        ],
    );
}
