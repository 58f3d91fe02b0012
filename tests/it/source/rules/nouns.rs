//! Sentence 1.

use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::SourceFile;

pub(super) const RULE: Rule = Rule {
    sentence: "1. `bff-core` names no business noun (product, price, catalog, inventory, review, recommendation, \
               cart, promotion, shop)",
    remedy: "say what the framework knows (part, subject, page, upstream, item), or move the code to `upstreams` or \
             to a BFF; a fenced example in a doc comment may use the words",
    find,
};

const NOUNS: [&str; 10] =
    ["product", "price", "catalog", "catalogue", "inventory", "review", "recommendation", "cart", "promotion", "shop"];

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let ours = |file: &&SourceFile| {
        file.krate() == "bff-core" && (file.is_rust() || file.name() == "Cargo.toml" || file.path.ends_with(".snap"))
    };
    let mut found = Vec::new();
    for file in files.iter().filter(ours) {
        for noun in nouns(&file.path) {
            found.push(Violation::new(file, 1, format!("`{noun}` in the path")));
        }
        let mut fenced = false;
        for (i, line) in file.text.lines().enumerate() {
            let trimmed = line.trim_start();
            let doc = trimmed.strip_prefix("//!").or_else(|| trimmed.strip_prefix("///"));
            let fence = doc.is_some_and(|doc| doc.trim_start().starts_with("```"));
            // A doc comment that ends without closing its fence closes it.
            fenced = doc.is_some() && (fenced != fence);
            if !fenced || fence {
                found.extend(nouns(line).map(|noun| Violation::new(file, i + 1, format!("`{noun}`"))));
            }
        }
    }
    found
}

fn nouns(text: &str) -> impl Iterator<Item = &str> {
    words(text).into_iter().filter(|word| {
        let word = word.to_ascii_lowercase();
        NOUNS.iter().any(|noun| {
            let plural = noun.strip_suffix('y').map_or_else(|| format!("{noun}s"), |stem| format!("{stem}ies"));
            word == *noun || word == plural
        })
    })
}

/// The words of a text, those inside `snake_case`, `camelCase`, `PascalCase` and `HTTPName` too.
fn words(text: &str) -> Vec<&str> {
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let mut found = Vec::new();
    let mut start = None;
    for (i, &(at, c)) in letters.iter().enumerate() {
        let before = i.checked_sub(1).map_or(' ', |i| letters[i].1);
        // The plural of an abbreviation (`IDs`) is one word.
        let after = letters.get(i + 1).map_or(' ', |(_, c)| *c);
        let hump = c.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && after.is_lowercase()));
        if (!c.is_alphabetic() || hump)
            && let Some(from) = start.take()
        {
            found.push(&text[from..at]);
        }
        if c.is_alphabetic() && start.is_none() {
            start = Some(at);
        }
    }
    found.extend(start.map(|from| &text[from..]));
    found
}

#[test]
fn a_noun_is_found_in_every_dress() {
    let text = r#"
        struct ProductPage { cart_items: Vec<u8>, MAX_PRICES: u8 }
        // the visitor's review
        const A: &str = "/shops/7";
        fn inCatalogueV2(httpInventory: Inventories) {}
    "#;
    check(
        &RULE,
        &[("bff-core/src/a.rs", text), ("bff-core/tests/cart/b.rs", ""), ("bff-web/src/a.rs", text)],
        &[
            "bff-core/src/a.rs:2: `Product`",
            "bff-core/src/a.rs:2: `cart`",
            "bff-core/src/a.rs:2: `PRICES`",
            "bff-core/src/a.rs:3: `review`",
            "bff-core/src/a.rs:4: `shops`",
            "bff-core/src/a.rs:5: `Catalogue`",
            "bff-core/src/a.rs:5: `Inventory`",
            "bff-core/src/a.rs:5: `Inventories`",
            "bff-core/tests/cart/b.rs:1: `cart` in the path",
        ],
    );
}

#[test]
fn false_friends_pass() {
    check(&RULE, &[("bff-core/src/a.rs", "preview workshop carton discard production stock order Reviewer")], &[]);
}

#[test]
fn a_fenced_example_may_use_the_words() {
    let text = "\
//! A product.
//! ```
//! let product = 1;
//! ```
//! A price.
/// ```json
/// {\"cart\": 1}
fn cart() {}
/// A shop.
";
    check(
        &RULE,
        &[("bff-core/src/a.rs", text)],
        &[
            "bff-core/src/a.rs:1: `product`",
            "bff-core/src/a.rs:5: `price`",
            "bff-core/src/a.rs:8: `cart`",
            "bff-core/src/a.rs:9: `shop`",
        ],
    );
}
