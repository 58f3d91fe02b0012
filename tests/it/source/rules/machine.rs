//! The source works on every machine, and every test runs.

use crate::source::lexer::attribute;
use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::SourceFile;

pub(super) const RULE: Rule = Rule {
    sentence: "no path of one machine stands in the source, and no test is ignored",
    remedy: "start from `env!(\"CARGO_MANIFEST_DIR\")`, a temporary folder or an argument; repair or remove the test",
    find,
};

/// In pieces, lest this file finds itself.
const PLACES: [&str; 3] = [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/")];

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files {
        // In an image the paths are those of the image.
        if !file.name().contains("Dockerfile") {
            for (i, line) in file.text.lines().enumerate() {
                found.extend(path(line).map(|place| Violation::new(file, i + 1, format!("`{place}…`"))));
            }
        }
        if file.is_rust() {
            let tokens = file.tokens();
            for i in 0..tokens.len() {
                let is_ignored = attribute(&tokens, i).is_some_and(|inside| {
                    let inside = &tokens[inside];
                    let is_conditional = inside.first().is_some_and(|token| token.text == "cfg_attr");
                    inside.first().is_some_and(|token| token.text == "ignore")
                        || (is_conditional && inside.iter().any(|token| token.text == "ignore"))
                });
                if is_ignored {
                    found.push(Violation::new(file, tokens[i].line, "an ignored test"));
                }
            }
        }
    }
    found
}

/// The first path of one machine in a line: one of the places where a path begins, with a further folder below it.
fn path(line: &str) -> Option<&'static str> {
    PLACES.into_iter().find(|place| {
        line.match_indices(place).any(|(at, _)| {
            let begins =
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '}' | '.' | '-' | '_' | '~'));
            let below = line[at + place.len()..].chars().next();
            begins && below.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_'))
        })
    })
}

#[test]
fn a_path_of_one_machine_is_found() {
    let text = format!(
        "let a = \"{0}me/x\";\nlet b = \"https://host{0}me\"; // {1}.cargo\n{{base}}{0}x ../..{1}x {2}\n",
        PLACES[2], PLACES[1], PLACES[0],
    );
    check(
        &RULE,
        &[("a/src/a.rs", &text), ("deploy/Dockerfile", &text), ("docs/a.md", &text)],
        &["a/src/a.rs:1: ", "a/src/a.rs:2: ", "docs/a.md:1: ", "docs/a.md:2: "],
    );
}

#[test]
fn an_ignored_test_is_found() {
    let text =
        "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n#[cfg_attr(unix, ignore)] fn b() {}\n// #[ignore]\nlet ignore = 1;";
    check(&RULE, &[("a/tests/a.rs", text)], &["a/tests/a.rs:2: an ignored test", "a/tests/a.rs:4: an ignored test"]);
}
