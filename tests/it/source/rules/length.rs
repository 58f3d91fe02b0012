//! A file holds one concept.

use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::SourceFile;

pub(super) const RULE: Rule = Rule {
    sentence: "a file above 400 lines usually holds two concepts; none is above 1000",
    remedy: "find the second concept and give it a file; where it is truly one thing, say why in the first 15 lines: \
             `// length: the table of all status codes`",
    find,
};

const LONG: usize = 400;
const LONGEST: usize = 1000;
const HEAD: usize = 15;

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let length = file.text.lines().count();
        let reason = file.text.lines().take(HEAD).filter_map(|line| line.split_once("// length:"));
        let is_one_thing = reason.map(|(_, why)| why.split_whitespace().count()).any(|words| words >= 3);
        if length > LONGEST {
            found.push(Violation::new(file, LONGEST + 1, format!("{length} lines")));
        } else if length > LONG && !is_one_thing {
            found.push(Violation::new(file, LONG + 1, format!("{length} lines, and no `// length: …` says why")));
        }
    }
    found
}

#[test]
fn a_long_file_says_why() {
    let lines = |head: &str, count: usize| format!("{head}\n{}", "\n".repeat(count - 1));
    check(
        &RULE,
        &[
            ("a/1.rs", &lines("//! a", 400)),
            ("a/2.rs", &lines("//! a", 401)),
            ("a/3.rs", &lines("//! a\n// length: it is one table", 700)),
            ("a/4.rs", &lines("// length:", 500)),
            ("a/5.rs", &lines("// length: it is one table", 1001)),
            ("a/6.md", &lines("", 2000)),
        ],
        &["a/2.rs:401: 401 lines", "a/4.rs:401: 500 lines", "a/5.rs:1001: 1001 lines"],
    );
}
