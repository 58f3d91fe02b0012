//! How a mechanism says what is wrong with its settings.
//!
//! The settings of a mechanism stand beside it, as a struct whose `Default` states every default. The roof
//! reads them from files, environment and flags; all mistakes are reported at once.

use std::fmt;

/// One mistake in the configuration: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key's path, as it is written in TOML (`upstreams.ledger.timeout`).
    pub key: String,
    /// What is wrong, and with which value.
    pub problem: String,
    /// What would be right.
    pub remedy: String,
    /// Where it was written (a file, a variable, a flag), where that is known. A mechanism that looks at its own
    /// settings does not know it; the loader does.
    pub origin: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, problem, remedy, origin } = self;
        match origin {
            Some(origin) => write!(out, "{key} ({origin}): {problem}; {remedy}"),
            None => write!(out, "{key}: {problem}; {remedy}"),
        }
    }
}

/// All mistakes found so far, and the table that is being looked at.
#[derive(Debug, Default)]
pub struct Mistakes {
    found: Vec<Mistake>,
    table: String,
}

impl Mistakes {
    /// Notes a mistake at `key` of the present table.
    pub fn note(&mut self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        let key = match (self.table.as_str(), key) {
            ("", key) => key.to_owned(),
            (table, "") => table.to_owned(),
            (table, key) => format!("{table}.{key}"),
        };
        self.found.push(Mistake { key, problem: problem.into(), remedy: remedy.into(), origin: None });
    }

    /// Looks at a table below the present one.
    pub fn within(&mut self, table: &str, look: impl FnOnce(&mut Self)) {
        let outer = self.table.clone();
        if !self.table.is_empty() {
            self.table.push('.');
        }
        self.table.push_str(table);
        look(self);
        self.table = outer;
    }

    /// Everything found, in the order in which it was found.
    #[must_use]
    pub fn into_inner(self) -> Vec<Mistake> {
        self.found
    }
}

/// Settings that can be wrong although they can be read.
pub trait Check {
    /// Notes every mistake, not only the first.
    fn check(&self, mistakes: &mut Mistakes);
}
