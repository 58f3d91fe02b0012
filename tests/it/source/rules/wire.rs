//! Sentence 6.

use crate::source::lexer::{Token, attribute, reads};
use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::SourceFile;

pub(super) const RULE: Rule = Rule {
    sentence: "6. types that upstreams send are only `Deserialize`, views only `Serialize` and never skip a field: wire \
               types are not inner types, no type serves both ways",
    remedy: "write two types and a `From` between them; an absent value of a view is `null`, never a missing key; what \
             goes both ways is a name only, a tuple struct called `…Id`",
    find,
};

/// Which ways a type goes.
#[derive(Default)]
struct Ways {
    out: bool,
    back: bool,
    line: usize,
}

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files {
        let is_bff = file.krate().starts_with("bff-") && !matches!(file.krate(), "bff-core" | "bff-tests");
        if !file.is_rust() || !file.within("src") || !(is_bff || file.krate() == "upstreams") {
            continue;
        }
        let tokens = file.shipped_tokens();
        for (name, ways) in types(&tokens) {
            if ways.out && ways.back {
                let why = format!("`{name}` is both `Serialize` and `Deserialize`");
                found.push(Violation::new(file, ways.line, why));
            }
        }
        if is_bff {
            let skips = skips(&tokens).into_iter();
            found.extend(skips.map(|token| Violation::new(file, token.line, format!("`{}`", token.text))));
        }
    }
    found
}

/// The types of a file, by derive and by `impl`.
fn types<'a>(tokens: &[Token<'a>]) -> Vec<(&'a str, Ways)> {
    let mut found = Vec::new();
    let mut by_hand = Vec::new();
    let mut derived = Ways::default();
    let mut i = 0;
    while i < tokens.len() {
        if let Some(inside) = attribute(tokens, i) {
            if tokens[inside.start].text == "derive" {
                let derives = |name| tokens[inside.clone()].iter().any(|token| token.text == name);
                derived.out |= derives("Serialize");
                derived.back |= derives("Deserialize");
            }
            i = inside.end + 1;
            continue;
        }
        if let Some(name) = tokens.get(i + 1) {
            if matches!(tokens[i].text, "struct" | "enum" | "union") {
                let is_id = name.text.ends_with("Id") && reads(tokens, i + 2, &["("]);
                let ways = Ways { line: name.line, ..std::mem::take(&mut derived) };
                if !is_id {
                    found.push((name.text, ways));
                }
            } else if tokens[i].text == "for" {
                let what = tokens[..i].iter().rev().find(|token| token.is_name());
                by_hand.extend(what.map(|what| (name.text, what.text)));
            }
        }
        i += 1;
    }
    for (name, ways) in &mut found {
        ways.out |= by_hand.contains(&(name, "Serialize"));
        ways.back |= by_hand.contains(&(name, "Deserialize"));
    }
    found
}

/// The words by which serde leaves a field out of an answer.
fn skips<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut found = Vec::new();
    for i in 0..tokens.len() {
        if let Some(inside) = attribute(tokens, i) {
            let inside = &tokens[inside];
            let is_serde = inside.iter().any(|token| token.text == "serde");
            found.extend(
                inside
                    .iter()
                    .filter(|token| token.text.starts_with("skip_serializing") || (is_serde && token.text == "skip")),
            );
        }
    }
    found
}

#[test]
fn no_type_goes_both_ways() {
    let text = "\
#[derive(Debug, Serialize, Deserialize)]
pub struct Both { a: u8 }
#[derive(serde::Serialize)]
#[serde(rename_all = \"camelCase\")]
#[derive(Deserialize)]
enum Twice { A }
#[derive(Serialize)] struct NewThing { a: u8 }
#[derive(Deserialize)] struct Thing { a: u8 }
impl Serialize for Thing {}
impl<'de> Deserialize<'de> for Other {}
#[derive(Serialize, Deserialize)] pub struct ThingId(String);
#[cfg(test)] mod tests { #[derive(Serialize, Deserialize)] struct T { } }
";
    check(
        &RULE,
        &[("bff-core/src/a.rs", text), ("bff-web/src/a.rs", text), ("upstreams/src/a.rs", text)],
        &[
            "bff-web/src/a.rs:2: `Both` is both",
            "bff-web/src/a.rs:6: `Twice` is both",
            "bff-web/src/a.rs:8: `Thing` is both",
            "upstreams/src/a.rs:2: `Both` is both",
            "upstreams/src/a.rs:6: `Twice` is both",
            "upstreams/src/a.rs:8: `Thing` is both",
        ],
    );
}

#[test]
fn a_view_shows_every_field() {
    let text = "\
#[derive(Serialize)]
struct View {
    #[serde(skip_serializing_if = \"Option::is_none\")]
    a: Option<u8>,
    #[serde(rename = \"x\", skip)]
    b: u8,
    c: Vec<u8>, // skip
}
fn f() { list.iter().skip(1) }
";
    check(
        &RULE,
        &[("bff-mobile/src/endpoints/a.rs", text), ("upstreams/src/a.rs", text)],
        &["bff-mobile/src/endpoints/a.rs:3: `skip_serializing_if`", "bff-mobile/src/endpoints/a.rs:5: `skip`"],
    );
}
