//! The tests that read the source: "Sentences that must stay true" of `ARCHITECTURE.md`, one file each in `rules/`.
//!
//! - `tree.rs` reads every text file of the repository once;
//! - `lexer.rs` takes comments, literals and test code out of it and cuts the rest into tokens;
//! - `rule.rs` says what a rule is, how it is held over the tree and how a fixture proves that it can fail;
//! - `rules/` holds the rules. `rules/mod.rs` tells how to add one.
//!
//! A rule sees text, not types: it holds what a hurried hand does by habit, not what a clever one hides.

mod lexer;
mod rule;
mod rules;
mod tree;
