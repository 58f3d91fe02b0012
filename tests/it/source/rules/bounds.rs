//! Sentence 11, in as much as the source shows it.

use crate::source::lexer::{Token, reads};
use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::SourceFile;

pub(super) const RULE: Rule = Rule {
    sentence: "11. no queue, map, label set or buffer without a bound",
    remedy: "use a bounded channel, a cache with a capacity, or a map whose keys come from the configuration, and say \
             so: `// bound: one entry per configured upstream` on the line or above it",
    find,
};

/// Shared and therefore long-lived.
const HOLDERS: [&str; 6] = ["Mutex", "RwLock", "ArcSwap", "ArcSwapOption", "OnceLock", "LazyLock"];

const COLLECTIONS: [&str; 8] =
    ["HashMap", "BTreeMap", "IndexMap", "HashSet", "BTreeSet", "VecDeque", "BinaryHeap", "DashMap"];

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let tokens = file.shipped_tokens();
        for i in 0..tokens.len() {
            if let Some(what) = queue(&tokens, i) {
                found.push(Violation::new(file, tokens[i].line, format!("`{what}` has no bound")));
            }
        }
        if file.below("bff-core/src").is_some() {
            found.extend(maps(file, &tokens));
        }
    }
    found
}

/// The queues that cannot have a bound.
fn queue(tokens: &[Token<'_>], at: usize) -> Option<&'static str> {
    let begins = |words: &[&str]| reads(tokens, at, words);
    if begins(&["unbounded_channel"]) {
        Some("unbounded_channel")
    } else if begins(&["UnboundedSender"]) || begins(&["UnboundedReceiver"]) {
        Some("UnboundedSender")
    } else if begins(&["unbounded", "("]) {
        Some("unbounded")
    } else if begins(&["std", "::", "sync", "::", "mpsc", "::"]) {
        let mut named = tokens[at + 6..].iter().take_while(|token| !matches!(token.text, ";" | "(" | "<"));
        named.any(|token| matches!(token.text, "channel" | "Sender")).then_some("std::sync::mpsc::channel")
    } else if begins(&["mpsc", "::", "channel", "(", ")"]) {
        // tokio's takes a size; std's by its whole path is found above.
        let is_found = at >= 4 && reads(tokens, at - 4, &["std", "::", "sync", "::"]);
        (!is_found).then_some("mpsc::channel()")
    } else if begins(&["mpsc", "::", "channel", "::", "<"]) {
        let close = generics(tokens, at + 4);
        reads(tokens, close + 1, &["(", ")"]).then_some("mpsc::channel()")
    } else {
        None
    }
}

/// Shared collections that nobody says the bound of.
fn maps(file: &SourceFile, tokens: &[Token<'_>]) -> Vec<Violation> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found: Vec<(Token<'_>, Token<'_>)> = Vec::new();
    for (i, holder) in tokens.iter().enumerate() {
        let end = if HOLDERS.contains(&holder.text) && reads(tokens, i + 1, &["<"]) {
            generics(tokens, i + 1)
        } else if HOLDERS.contains(&holder.text) && reads(tokens, i + 1, &["::", "new", "("]) {
            (i + 8).min(tokens.len())
        } else if holder.text == "static" {
            let length = tokens[i..].iter().position(|token| matches!(token.text, "=" | ";"));
            length.map_or(tokens.len(), |length| i + length)
        } else if holder.text == "DashMap" && reads(tokens, i + 1, &["<"]) {
            i + 1
        } else {
            continue;
        };
        let inside = tokens[i..end].iter().filter(|token| COLLECTIONS.contains(&token.text));
        for map in inside {
            let is_new = found.iter().all(|(_, other)| other.at != map.at);
            if is_new && !says_bound(&lines, map.line) && !says_bound(&lines, holder.line) {
                found.push((*holder, *map));
            }
        }
    }
    let why = |holder: &str, map: &str| format!("`{map}` in `{holder}` without a `// bound: …`");
    found.iter().map(|(holder, map)| Violation::new(file, map.line, why(holder.text, map.text))).collect()
}

/// The place of the `>` that closes the `<` at `tokens[open]`.
fn generics(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "<" => depth += 1,
            ">" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    tokens.len()
}

/// Whether the line, or the comments and attributes right above it, say what the bound is.
fn says_bound(lines: &[&str], line: usize) -> bool {
    let says = |line: &&str| line.split_once("// bound:").is_some_and(|(_, what)| what.split_whitespace().count() >= 2);
    let above = lines[..line - 1].iter().rev().take_while(|line| {
        let line = line.trim_start();
        line.starts_with("//") || line.starts_with("#[")
    });
    std::iter::once(&lines[line - 1]).chain(above).any(says)
}

#[test]
fn a_queue_has_a_size() {
    let text = "\
let a = mpsc::unbounded_channel();
let b = std::sync::mpsc::channel();
let c = mpsc::channel::<Vec<u8>>();
let d = (tokio::sync::mpsc::channel(8), oneshot::channel(), mpsc::channel::<u8>(1));
let e = futures::channel::mpsc::unbounded();
use std::sync::mpsc::{self, Sender};
use std::sync::mpsc::{SyncSender, sync_channel};
let f = mpsc::channel();
";
    check(
        &RULE,
        &[("bff-web/src/a.rs", text)],
        &[
            "bff-web/src/a.rs:1: `unbounded_channel` has no bound",
            "bff-web/src/a.rs:2: `std::sync::mpsc::channel`",
            "bff-web/src/a.rs:3: `mpsc::channel()`",
            "bff-web/src/a.rs:5: `unbounded`",
            "bff-web/src/a.rs:6: `std::sync::mpsc::channel`",
            "bff-web/src/a.rs:8: `mpsc::channel()`",
        ],
    );
}

#[test]
fn a_shared_map_says_its_bound() {
    let text = "\
struct A {
    a: Mutex<HashMap<u8, u8>>,
    // bound: one entry per upstream
    // in the configuration
    b: RwLock<BTreeMap<u8, u8>>,
    c: Arc<Mutex<Vec<VecDeque<u8>>>>, // bound: the ring has 64 places
    d: HashMap<&'static str, u8>,
    // bound:
    e: Mutex<Option<DashMap<u8, u8>>>,
}
static F: LazyLock<
    HashMap<u8, u8>> = LazyLock::new(f);
let g = Mutex::new(HashMap::new());
";
    check(
        &RULE,
        &[("bff-core/src/a.rs", text), ("mock-services/src/a.rs", text)],
        &[
            "bff-core/src/a.rs:2: `HashMap` in `Mutex`",
            "bff-core/src/a.rs:9: `DashMap` in `Mutex`",
            "bff-core/src/a.rs:12: `HashMap` in `static`",
            "bff-core/src/a.rs:13: `HashMap` in `Mutex`",
        ],
    );
}
