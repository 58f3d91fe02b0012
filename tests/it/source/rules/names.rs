//! Sentence 8.

use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::SourceFile;

pub(super) const RULE: Rule = Rule {
    sentence: "8. no module is called `utils`, `helpers`, `common`, `types`",
    remedy: "name it by the behaviour that a reader looks for, or put the function beside its only caller",
    find,
};

const NAMES: [&str; 8] = ["util", "utils", "helper", "helpers", "common", "commons", "type", "types"];

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        for part in file.path.trim_end_matches(".rs").split('/').filter(|part| NAMES.contains(part)) {
            found.push(Violation::new(file, 1, format!("`{part}` in the path")));
        }
        for pair in file.tokens().windows(2) {
            if pair[0].text == "mod" && NAMES.contains(&pair[1].text) {
                found.push(Violation::new(file, pair[1].line, format!("`mod {}`", pair[1].text)));
            }
        }
    }
    found
}

#[test]
fn a_module_says_what_it_does() {
    check(
        &RULE,
        &[
            ("a/src/lib.rs", "mod typed;\npub(crate) mod types { }\n// mod utils\nfn helper() {}"),
            ("a/src/utils.rs", ""),
            ("a/tests/common/mod.rs", ""),
            ("docs/common/a.md", "mod utils;"),
        ],
        &[
            "a/src/lib.rs:2: `mod types`",
            "a/src/utils.rs:1: `utils` in the path",
            "a/tests/common/mod.rs:1: `common` in the path",
        ],
    );
}
