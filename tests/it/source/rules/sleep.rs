//! Tests do not wait for the clock on the wall.

use crate::source::lexer::reads;
use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::SourceFile;

pub(super) const RULE: Rule = Rule {
    sentence: "no test sleeps: it would be slow on a good day and wrong on a busy one",
    remedy: "pause the time (`#[tokio::test(start_paused = true)]`), wait for the event itself (a channel, `Notify`, a \
             line of output), or let a driven mock answer when told",
    find,
};

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let tokens = file.test_tokens();
        let is_paused =
            (0..tokens.len()).any(|i| tokens[i].text == "start_paused" || reads(&tokens, i, &["time", "::", "pause"]));
        for i in 0..tokens.len() {
            // A paused runtime does not pause a thread.
            if reads(&tokens, i, &["thread", "::", "sleep"]) {
                found.push(Violation::new(file, tokens[i].line, "`thread::sleep` in a test"));
            }
            let sleeps = matches!(tokens[i].text, "sleep" | "sleep_until") && reads(&tokens, i + 1, &["("]);
            let is_thread = i >= 2 && reads(&tokens, i - 2, &["thread", "::"]);
            let is_other = i >= 1 && matches!(tokens[i - 1].text, "." | "fn");
            if sleeps && !is_thread && !is_other && !is_paused {
                found.push(Violation::new(file, tokens[i].line, format!("`{}` without a paused time", tokens[i].text)));
            }
        }
    }
    found
}

#[test]
fn a_test_does_not_sleep() {
    let sleeps =
        "use tokio::time::sleep;\nfn a() { tokio::time::sleep(x); sleep(x); }\nfn b() { std::thread::sleep(x); }";
    let paused = "#[tokio::test(start_paused = true)]\nasync fn a() { time::sleep(x) }\nfn b() { thread::sleep(x) }";
    let inline = "fn a() { time::sleep(x) }\n#[cfg(test)]\nmod tests { fn a() { time::sleep(x) } }";
    check(
        &RULE,
        &[
            ("a/tests/1.rs", sleeps),
            ("a/src/2/tests.rs", paused),
            ("a/src/3.rs", inline),
            ("mock-services/src/faults.rs", sleeps),
        ],
        &[
            "a/src/2/tests.rs:3: `thread::sleep` in a test",
            "a/src/3.rs:3: `sleep` without a paused time",
            "a/tests/1.rs:2: `sleep` without",
            "a/tests/1.rs:2: `sleep` without",
            "a/tests/1.rs:3: `thread::sleep` in a test",
        ],
    );
}
