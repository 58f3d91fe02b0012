//! Calls that are made twice, to an upstream and to its shadow, and what differs between the answers.
//!
//! The shadow's answer goes to nobody. What is kept of the two is where they differ and how often, never what
//! stands there: the report is for people who may not see users' data.

mod diff;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::diff::{Ignore, Kind, diff};
use crate::settings::{Check, Mistakes};

/// How many fields a report tells apart; more than that is another interface, not a difference.
const FIELDS: usize = 64;
/// How many pairs of statuses, and how many ways to fail, it tells apart.
const WAYS: usize = 16;
/// The row, and the way to fail, for all beyond that. A path begins with a slash or is empty, so this is none.
const OTHERS: &str = "others";

/// `[upstreams.<name>.shadow]`: a second upstream that gets the same calls, to see whether it answers the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShadowSettings {
    /// Where it is. Default: nowhere, there is no shadow.
    pub url: String,
    /// Which share of the safe calls it gets; others never. Default 1, all of them.
    pub share: f64,
    /// How long it may take. Default 1 s: nobody waits for it, but it holds one of the places in `at_once`.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How many calls to it may be under way at once; while there are so many, further ones are left out (and counted).
    /// Default 16.
    pub at_once: usize,
    /// JSON pointers (RFC 6901) to what may differ, with everything below; `*` stands for any index or key, as in
    /// `/items/*/updated`. Default: none.
    pub ignore: Vec<String>,
}

impl Default for ShadowSettings {
    fn default() -> Self {
        Self { url: String::new(), share: 1.0, timeout: Duration::from_secs(1), at_once: 16, ignore: Vec::new() }
    }
}

impl Check for ShadowSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if !(self.share > 0.0 && self.share <= 1.0) {
            mistakes.note(
                "share",
                format!("{} is no share of the calls", self.share),
                "give a number above 0 and at most 1, or leave url out",
            );
        }
        if self.timeout.is_zero() {
            mistakes.note("timeout", "0 leaves no time for a call", "give a time above 0, such as \"1s\"");
        }
        if self.at_once == 0 {
            mistakes.note("at_once", "0 leaves every call out", "give a number above 0, or leave url out");
        }
        for pointer in self.ignore.iter().filter(|pointer| !Ignore::is_pointer(pointer)) {
            mistakes.note("ignore", format!("{pointer:?} is no JSON pointer"), "write \"/items/*/updated\"");
        }
    }
}

/// What was seen of a shadow so far. Its size is bounded, whatever the answers are.
#[derive(Debug)]
pub struct Report {
    ignore: Ignore,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    compared: u64,
    different: u64,
    skipped: u64,
    // bound: `WAYS`, and one for the others
    failed: BTreeMap<&'static str, u64>,
    // bound: `WAYS`, and one for the others
    statuses: BTreeMap<(u16, u16), u64>,
    // bound: `FIELDS`; what is beyond goes to `others`
    fields: BTreeMap<(String, Kind), u64>,
    others: u64,
}

/// A report, for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShadowView {
    /// Pairs of answers that were compared.
    pub compared: u64,
    /// Pairs without a difference.
    pub same: u64,
    /// Pairs with one.
    pub different: u64,
    /// Calls that the shadow did not answer, by how.
    pub failed: BTreeMap<&'static str, u64>,
    /// Calls that were left out because too many were under way.
    pub skipped: u64,
    /// Statuses that differed, the most frequent first; `0` and `0` are all further pairs.
    pub statuses: Vec<StatusView>,
    /// Fields that differed, the most frequent first; at most 65.
    pub fields: Vec<FieldView>,
}

/// A pair of different statuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusView {
    /// Of the upstream.
    pub real: u16,
    /// Of its shadow.
    pub shadow: u16,
    /// In how many pairs.
    pub count: u64,
}

/// A field that differed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldView {
    /// Where it stands, as a JSON pointer with `*` for indexes and for keys that look like ids; `""` is the whole body,
    /// `others` all that the report has no row for.
    pub path: String,
    /// `changed`, `missing` in the shadow's answer, `added` by it, of another `type`; `various` for the others.
    pub kind: &'static str,
    /// In how many pairs, for `others`: how often.
    pub count: u64,
}

impl Report {
    /// A report of nothing yet.
    #[must_use]
    pub fn new(settings: &ShadowSettings) -> Self {
        Self { ignore: Ignore::new(&settings.ignore), counts: Mutex::default() }
    }

    /// Both have answered with the same status, and with these bodies.
    ///
    /// What is no JSON is compared byte by byte.
    pub fn compared(&self, real: &[u8], shadow: &[u8]) {
        let mut found = BTreeSet::new();
        if real != shadow {
            match (serde_json::from_slice::<Value>(real), serde_json::from_slice::<Value>(shadow)) {
                (Ok(real), Ok(shadow)) => diff(&real, &shadow, &self.ignore, &mut |path: &str, kind| {
                    // Once per pair: in a list each item has the same path.
                    found.insert((path.to_owned(), kind));
                }),
                _ => {
                    found.insert((String::new(), Kind::Changed));
                }
            }
        }
        let mut counts = self.lock();
        counts.compared += 1;
        counts.different += u64::from(!found.is_empty());
        for field in found {
            if let Some(count) = counts.fields.get_mut(&field) {
                *count += 1;
            } else if counts.fields.len() < FIELDS {
                counts.fields.insert(field, 1);
            } else {
                counts.others += 1;
            }
        }
    }

    /// Both have answered, with these statuses. If they differ, that is the difference, and the bodies are not
    /// compared; if not, nothing is counted here.
    pub fn status(&self, real: u16, shadow: u16) {
        if real == shadow {
            return;
        }
        let mut counts = self.lock();
        counts.compared += 1;
        counts.different += 1;
        count(&mut counts.statuses, (real, shadow), (0, 0));
    }

    /// The shadow did not answer: a timeout, no connection, too long a body.
    pub fn failed(&self, how: &'static str) {
        count(&mut self.lock().failed, how, OTHERS);
    }

    /// A call was left out because `at_once` were under way.
    pub fn skipped(&self) {
        self.lock().skipped += 1;
    }

    /// What was seen so far.
    #[must_use]
    pub fn view(&self) -> ShadowView {
        let counts = self.lock();
        let field = |((path, kind), count): (&(String, Kind), &u64)| FieldView {
            path: path.clone(),
            kind: kind.name(),
            count: *count,
        };
        let mut fields: Vec<_> = counts.fields.iter().map(field).collect();
        if counts.others > 0 {
            fields.push(FieldView { path: OTHERS.to_owned(), kind: "various", count: counts.others });
        }
        fields.sort_by_key(|field| std::cmp::Reverse(field.count));
        let status =
            |((real, shadow), count): (&(u16, u16), &u64)| StatusView { real: *real, shadow: *shadow, count: *count };
        let mut statuses: Vec<_> = counts.statuses.iter().map(status).collect();
        statuses.sort_by_key(|status| std::cmp::Reverse(status.count));
        ShadowView {
            compared: counts.compared,
            same: counts.compared - counts.different,
            different: counts.different,
            failed: counts.failed.clone(),
            skipped: counts.skipped,
            statuses,
            fields,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One more of this, or of the others where there are too many already.
fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, others: K) {
    let key = if counts.len() < WAYS || counts.contains_key(&key) { key } else { others };
    *counts.entry(key).or_default() += 1;
}

#[cfg(test)]
mod tests;
