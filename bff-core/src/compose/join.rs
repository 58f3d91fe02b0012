//! Joining a list with a second service: bounded, each element with its own outcome.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::time::Duration;

use futures::StreamExt;

use super::Composer;
use super::composer::{failed, within};
use crate::context::{Need, Outcome, PartId, Scope};
use crate::error::{Error, Kind, Reason, Result};
use crate::fetched::{Fetched, Staleness};
use crate::reading::is_damaged;

/// The second service's answers, by key. An element without an answer holds `null`; `meta` says why, unless
/// there simply is none.
#[derive(Clone, Debug)]
pub struct Joined<Key, Value> {
    found: HashMap<Key, Value>,
}

impl<Key: Hash + Eq, Value> Joined<Key, Value> {
    /// The answer for this key, if there is one.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.found.get(key)
    }

    /// The answer for this key as a view.
    #[must_use]
    pub fn view<View>(&self, key: &Key) -> Option<View>
    where
        Value: Clone,
        View: From<Value>,
    {
        self.found.get(key).cloned().map(View::from)
    }
}

/// What became of one key.
enum Element<Value> {
    There(Value, Option<Staleness>),
    /// There, but its lists have lost something.
    Less(Value),
    Failed(Error),
}

impl Composer {
    /// Joins the elements of a list with one batch call: `fetch` gets the distinct keys, `key_of` says to which
    /// key an answer belongs. `path` is where the joined field stands, without indexes (`items.name`).
    ///
    /// Degrades at the soft deadline and never fails. A key the batch does not answer has none. Keys beyond the
    /// endpoint's join limit (default 100) are not asked for and count as `join_limit`. Keys that hold U+FFFD could not be
    /// read and may have been any: they are not asked for and count as `invalid_response`.
    pub async fn batch<Key, Value, Batch, Call>(
        &self,
        path: &'static str,
        keys: impl IntoIterator<Item = Key>,
        fetch: impl FnOnce(Vec<Key>) -> Call,
        key_of: impl Fn(&Value) -> Key,
    ) -> Joined<Key, Value>
    where
        Key: Clone + Hash + Eq,
        Batch: IntoIterator<Item = Value>,
        Call: Future<Output = Result<Fetched<Batch>>>,
    {
        let mut join = Join::open(self, path, keys);
        if join.distinct.is_empty() {
            return join.close(Vec::new());
        }
        let asked = join.distinct.clone();
        let answers = match within(join.scope.clone(), fetch(asked.clone())).await {
            Ok(batch) => {
                let (staleness, lost) = (batch.staleness(), batch.lost());
                let there = |value| (key_of(&value), Element::There(value, staleness));
                let mut answers: Vec<_> = batch.into_inner().into_iter().map(there).collect();
                if lost.is_some() {
                    // Nobody knows whose answers were lost, and nobody says of any of these that there is none.
                    let told: HashSet<Key> = answers.iter().map(|(key, _)| key.clone()).collect();
                    let untold = asked.into_iter().filter(|key| !told.contains(key));
                    let failed = |key| (key, Element::Failed(Error::new(Kind::InvalidResponse)));
                    answers.extend(untold.map(failed));
                }
                answers
            }
            Err(error) => asked.into_iter().map(|key| (key, Element::Failed(error.clone()))).collect(),
        };
        join.close(answers)
    }

    /// Joins the elements of a list with one call for each distinct key, at most 8 at once by default.
    ///
    /// Degrades at the soft deadline and never fails. Keys beyond the endpoint's join limit (default 100) are not
    /// asked for and count as `join_limit`, those that hold U+FFFD as `invalid_response`.
    pub async fn each<Key, Value, Call>(
        &self,
        path: &'static str,
        keys: impl IntoIterator<Item = Key>,
        fetch: impl Fn(Key) -> Call,
    ) -> Joined<Key, Value>
    where
        Key: Clone + Hash + Eq,
        Call: Future<Output = Result<Fetched<Value>>>,
    {
        let mut join = Join::open(self, path, keys);
        let scope = &join.scope;
        let calls = join.distinct.iter().cloned().map(|key| {
            let call = fetch(key.clone());
            async move {
                match within(scope.clone(), call).await {
                    Ok(fetched) => {
                        let (staleness, lost) = (fetched.staleness(), fetched.lost());
                        let value = fetched.into_inner();
                        match lost {
                            None => (key, Element::There(value, staleness)),
                            Some(_) => (key, Element::Less(value)),
                        }
                    }
                    Err(error) => (key, Element::Failed(error)),
                }
            }
        });
        let at_once = self.context().terms.join_at_once.max(1);
        let answers = futures::stream::iter(calls).buffer_unordered(at_once).collect().await;
        join.close(answers)
    }
}

/// A join under way.
struct Join<Key> {
    part: PartId,
    under: Option<PartId>,
    path: &'static str,
    scope: Scope,
    /// Every element's key, in the order of the list.
    elements: Vec<Key>,
    /// The keys that are asked for.
    distinct: Vec<Key>,
    /// The keys that could not be read.
    damaged: HashSet<Key>,
}

impl<Key: Clone + Hash + Eq> Join<Key> {
    fn open(page: &Composer, path: &'static str, keys: impl IntoIterator<Item = Key>) -> Self {
        let context = page.context().clone();
        let outer = Scope::current();
        let under = outer.as_ref().and_then(|scope| scope.part);
        let part = context.ledger.open(Cow::Borrowed(path), under, Need::Optional);
        let deadline = outer.map_or(context.soft_deadline(), |scope| scope.deadline.min(context.soft_deadline()));
        let elements: Vec<Key> = keys.into_iter().collect();
        let mut seen = HashSet::with_capacity(elements.len());
        let mut distinct: Vec<Key> = elements.iter().filter(|key| seen.insert(*key)).cloned().collect();
        let damaged: HashSet<Key> = distinct.extract_if(.., |key| is_damaged(key)).collect();
        distinct.truncate(context.terms.join_limit);
        let scope = Scope { context, part: Some(part), need: Need::Optional, deadline };
        Self { part, under, path, scope, elements, distinct, damaged }
    }

    /// Counts what is missing, by outcome and reason, over the elements of the list (not over the keys).
    fn close<Value>(&mut self, answers: Vec<(Key, Element<Value>)>) -> Joined<Key, Value> {
        let mut found = HashMap::with_capacity(answers.len());
        let mut marked: HashMap<Key, Mark> = HashMap::new();
        for (key, answer) in answers {
            match answer {
                Element::There(value, staleness) => {
                    if let Some(staleness) = staleness {
                        marked.insert(key.clone(), Mark::stale(staleness));
                    }
                    found.insert(key, value);
                }
                Element::Less(value) => {
                    marked.insert(key.clone(), Mark::missing(Reason::InvalidResponse));
                    found.insert(key, value);
                }
                Element::Failed(error) => {
                    if let Some(mark) = Mark::failed(&error) {
                        marked.insert(key, mark);
                    }
                }
            }
        }
        // Two that were not the same may look the same.
        found.retain(|key, _| !self.damaged.contains(key));
        let asked: HashSet<&Key> = self.distinct.iter().collect();
        let of = u32::try_from(self.elements.len()).unwrap_or(u32::MAX);
        let mut tallies: BTreeMap<(u8, Reason), (Mark, u32)> = BTreeMap::new();
        for key in &self.elements {
            let mark = match marked.get(key) {
                Some(mark) => *mark,
                None if self.damaged.contains(key) => Mark::missing(Reason::InvalidResponse),
                None if !asked.contains(key) => Mark::missing(Reason::JoinLimit),
                None => continue,
            };
            let (worst, count) = tallies.entry((mark.outcome as u8, mark.reason)).or_insert((mark, 0));
            worst.age = worst.age.max(mark.age);
            worst.retry_after = worst.retry_after.max(mark.retry_after);
            *count += 1;
        }
        self.write(tallies.into_values(), of);
        Joined { found }
    }

    fn write(&self, tallies: impl Iterator<Item = (Mark, u32)>, of: u32) {
        let ledger = &self.scope.context.ledger;
        ledger.close(self.part, |record| record.outcome = Outcome::Live);
        for (index, (mark, count)) in tallies.enumerate() {
            // One entry per path, outcome and reason: the first is the join's own record.
            let part = match index {
                0 => self.part,
                _ => ledger.open(Cow::Borrowed(self.path), self.under, Need::Optional),
            };
            ledger.close(part, |record| {
                record.outcome = mark.outcome;
                record.reason = Some(mark.reason);
                record.age = mark.age;
                record.retry_after = mark.retry_after;
                record.tally = Some((count, of));
            });
        }
    }
}

/// Why an element is not as it should be.
#[derive(Clone, Copy)]
struct Mark {
    outcome: Outcome,
    reason: Reason,
    age: Option<Duration>,
    retry_after: Option<Duration>,
}

impl Mark {
    fn stale(staleness: Staleness) -> Self {
        Self { outcome: Outcome::Stale, reason: staleness.reason, age: Some(staleness.age), retry_after: None }
    }

    fn failed(error: &Error) -> Option<Self> {
        let (outcome, reason) = failed(error, Outcome::Missing);
        reason.map(|reason| Self { outcome, reason, age: None, retry_after: error.retry_after() })
    }

    fn missing(reason: Reason) -> Self {
        Self { outcome: Outcome::Missing, reason, age: None, retry_after: None }
    }
}
