//! Sentence 4.

use super::floors;
use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::SourceFile;

pub(super) const RULE: Rule = Rule {
    sentence: "4. `reqwest` is named in one file of `bff-core` (`upstream/transport.rs`); axum only in `edge/` and on \
               the roof",
    remedy: "below the transport speak `http` and `tower`; take and return types of floor 0",
    find,
};

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files {
        let Some(path) = file.below("bff-core/src") else { continue };
        let may_axum = floors::is_roof(file) == Some(true) || path.starts_with("edge/") || path == "edge.rs";
        let may_reqwest = path == "upstream/transport.rs";
        for token in file.shipped_tokens() {
            let is_axum = token.text == "axum" || token.text.starts_with("axum_");
            if (is_axum && !may_axum) || (token.text == "reqwest" && !may_reqwest) {
                found.push(Violation::new(file, token.line, format!("names `{}`", token.text)));
            }
        }
    }
    found
}

#[test]
fn libraries_stay_in_their_place() {
    let text = "use axum::Router;\n// reqwest\nuse reqwest::Client;\n#[cfg(test)] mod tests { use axum; }";
    check(
        &RULE,
        &[
            ("bff-core/src/auth/mod.rs", text),
            ("bff-core/src/edge/stack.rs", text),
            ("bff-core/src/lib.rs", text),
            ("bff-core/src/upstream/transport.rs", text),
            ("mock-services/src/lib.rs", text),
        ],
        &[
            "bff-core/src/auth/mod.rs:1: names `axum`",
            "bff-core/src/auth/mod.rs:3: names `reqwest`",
            "bff-core/src/edge/stack.rs:3: names `reqwest`",
            "bff-core/src/lib.rs:3: names `reqwest`",
            "bff-core/src/upstream/transport.rs:1: names `axum`",
        ],
    );
}
