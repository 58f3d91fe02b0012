//! Sentence 7, its first half: nothing panics, nothing is unsafe.

use crate::source::lexer::{Token, reads};
use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::{Manifest, SourceFile};

pub(super) const RULE: Rule = Rule {
    sentence: "7. no `unwrap`, `expect`, `panic!`, `todo!` outside tests and `main.rs` (lints); `unsafe` is forbidden",
    remedy: "return an `Error`, or choose a type in which the case cannot occur; every Cargo.toml has `[lints]` with \
             `workspace = true`",
    find,
};

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files {
        if let Some(manifest) = Manifest::read(file) {
            let mut entries = manifest.entries().iter();
            if !entries.any(|entry| entry.table == "lints" && (entry.key, entry.value) == ("workspace", "true")) {
                found.push(Violation::new(file, 1, "without the lints of the workspace"));
            }
        }
        if !file.is_rust() {
            continue;
        }
        for token in file.tokens().iter().filter(|token| token.text == "unsafe") {
            found.push(Violation::new(file, token.line, "`unsafe`"));
        }
        if file.within("benches") || file.name() == "main.rs" {
            continue;
        }
        let tokens = file.shipped_tokens();
        for i in 0..tokens.len() {
            if let Some(what) = panics(&tokens, i) {
                found.push(Violation::new(file, tokens[i].line, format!("`{what}`")));
            }
        }
    }
    found
}

fn panics(tokens: &[Token<'_>], at: usize) -> Option<String> {
    let name = tokens[at].text;
    let is_method = at > 0 && matches!(tokens[at - 1].text, "." | "::");
    match name {
        "unwrap" | "expect" | "unwrap_err" | "expect_err" if is_method && !reads(tokens, at + 1, &["::"]) => {
            Some(format!(".{name}()"))
        }
        "panic" | "todo" | "unimplemented" if reads(tokens, at + 1, &["!"]) => Some(format!("{name}!")),
        _ => None,
    }
}

#[test]
fn shipped_code_does_not_panic() {
    let text = "\
fn f() { a.unwrap(); b\n.expect(\"c\"); panic!(\"d\"); todo!(); unimplemented!{} }
fn g() { a.unwrap_or_default(); std::panic::catch_unwind(h); list.map(Option::unwrap); } // .unwrap()
#[expect(unused, reason = \"x\")] fn h() { assert!(true); expect(1); }
#[cfg(test)] mod tests { fn t() { a.unwrap() } }
";
    check(
        &RULE,
        &[("a/src/b.rs", text), ("a/src/main.rs", text), ("a/benches/b.rs", text), ("a/tests/b.rs", text)],
        &[
            "a/src/b.rs:1: `.unwrap()`",
            "a/src/b.rs:2: `.expect()`",
            "a/src/b.rs:2: `panic!`",
            "a/src/b.rs:2: `todo!`",
            "a/src/b.rs:2: `unimplemented!`",
            "a/src/b.rs:3: `.unwrap()`",
        ],
    );
}

#[test]
fn nothing_is_unsafe_and_every_crate_has_the_lints() {
    check(
        &RULE,
        &[
            ("Cargo.toml", "[workspace]\n"),
            ("a/Cargo.toml", "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"),
            ("a/tests/b.rs", "// unsafe\n#![forbid(unsafe_code)]\nfn f() { unsafe { g() } }"),
            ("b/Cargo.toml", "[package]\nname = \"b\"\n[lints.rust]\nunsafe_code = \"forbid\"\n"),
        ],
        &["a/tests/b.rs:3: `unsafe`", "b/Cargo.toml:1: without the lints"],
    );
}
