//! What a rule is, how it is held, and how a fixture proves that it can fail.

use std::fmt;

use super::tree::{SourceFile, TREE, sources};

/// One sentence that the source must keep.
pub(crate) struct Rule {
    /// With its number in `ARCHITECTURE.md`, where it has one.
    pub(crate) sentence: &'static str,
    /// What to do instead.
    pub(crate) remedy: &'static str,
    /// A pure function of the files.
    pub(crate) find: fn(&[SourceFile]) -> Vec<Violation>,
}

/// One place that breaks a rule.
#[derive(Debug)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    why: String,
}

impl Violation {
    pub(crate) fn new(file: &SourceFile, line: usize, why: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, why: why.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.why)
    }
}

/// Fails with every place of the repository that breaks the rule.
pub(crate) fn hold(rule: &Rule) {
    let found: Vec<_> = (rule.find)(&TREE).iter().map(|violation| format!("\n  {violation}")).collect();
    assert!(found.is_empty(), "\n\n{}\n{}\n\n  instead: {}\n", rule.sentence, found.concat(), rule.remedy);
}

/// Fails unless the rule finds in these files (path, text) exactly the violations that begin like `expect`, in order.
pub(crate) fn check(rule: &Rule, files: &[(&str, &str)], expect: &[&str]) {
    let files = sources(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect());
    let found: Vec<_> = (rule.find)(&files).iter().map(Violation::to_string).collect();
    let alike =
        found.len() == expect.len() && found.iter().zip(expect).all(|(found, expect)| found.starts_with(expect));
    assert!(alike, "\n{}\n  expected {expect:#?}\n  found {found:#?}", rule.sentence);
}
