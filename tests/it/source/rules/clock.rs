//! Sentence 7, its second half: one clock.

use crate::source::lexer::reads;
use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::SourceFile;

pub(super) const RULE: Rule = Rule {
    sentence: "7. no direct `SystemTime::now` or `Instant::now` (one `Clock` on floor 0; freshness, `exp`, windows use \
               it)",
    remedy: "ask the `Clock` of bff-core/src/clock.rs, or take the time as an argument",
    find,
};

/// Everything that reads the clock of the machine.
const CLOCKS: [&str; 5] = ["Instant", "SystemTime", "Timestamp", "Zoned", "Utc"];

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let is_free = matches!(file.krate(), "mock-services" | "demo") || file.within("benches");
        if is_free || file.path == "bff-core/src/clock.rs" {
            continue;
        }
        let tokens = file.shipped_tokens();
        for i in 0..tokens.len() {
            if CLOCKS.contains(&tokens[i].text) && reads(&tokens, i + 1, &["::", "now"]) {
                found.push(Violation::new(file, tokens[i].line, format!("`{}::now`", tokens[i].text)));
            }
        }
    }
    found
}

#[test]
fn there_is_one_clock() {
    let text =
        "fn f() { tokio::time::Instant::now(); }\nlet a = or_else(SystemTime::now); // Instant::now\nclock.now()";
    check(
        &RULE,
        &[
            ("bff-core/src/cache/a.rs", text),
            ("bff-core/src/clock.rs", text),
            ("bff-web/tests/a.rs", text),
            ("mock-services/src/lib.rs", text),
        ],
        &["bff-core/src/cache/a.rs:1: `Instant::now`", "bff-core/src/cache/a.rs:2: `SystemTime::now`"],
    );
}
