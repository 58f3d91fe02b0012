//! What an answer says about itself.

use serde::Serialize;
use utoipa::ToSchema;

use crate::context::{Context, Outcome};
use crate::error::RetryAfter;

/// Whether everything is there, and what is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Meta {
    /// Something is missing, older than it should be, or stands in for the real thing.
    pub degraded: bool,
    /// Only the parts that are not as they should be, in the order in which the answer is written.
    pub parts: Vec<PartStatus>,
}

/// One part that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartStatus {
    /// The key of the part, or a path without indexes (`items.name`) for a joined field.
    pub part: String,
    /// What is in its place.
    pub outcome: PartOutcome,
    /// Why: one of [`Reason`](crate::error::Reason). The API document lists those that this BFF tells.
    #[schema(example = "timeout")]
    pub reason: String,
    /// For `stale`: how old the data is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
    /// When asking again may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub retry_after_seconds: Option<u64>,
    /// For a joined field: how many elements lack it. For a list: how many of its elements are not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Of how many elements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<u32>,
}

/// What is in the place of a part that is not as it should be. Closed: no value will be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartOutcome {
    /// Older data, because a refresh failed.
    Stale,
    /// The stand-in.
    Fallback,
    /// Null.
    Missing,
    /// Deliberately not fetched; does not make the answer degraded.
    Omitted,
}

impl PartOutcome {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Fallback => "fallback",
            Self::Missing => "missing",
            Self::Omitted => "omitted",
        }
    }

    fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Stale => Some(Self::Stale),
            Outcome::Fallback => Some(Self::Fallback),
            Outcome::Missing => Some(Self::Missing),
            Outcome::Omitted => Some(Self::Omitted),
            Outcome::Pending | Outcome::Live | Outcome::Absent | Outcome::Failed => None,
        }
    }
}

impl Meta {
    /// What the ledger of this request comes to. A frontend with coarse reasons is told `timeout` or `unavailable`.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        let degraded = context.ledger.is_degraded();
        let nothing_to_say = context.ledger.read(|parts, _| parts.iter().all(|part| !part.outcome.is_listed()));
        if nothing_to_say {
            return Self { degraded, parts: Vec::new() };
        }
        let parts = context.ledger.in_answer_order();
        let parts = parts
            .into_iter()
            .filter_map(|part| {
                let outcome = PartOutcome::of(part.outcome)?;
                let reason = part.reason?;
                let reason = if context.terms.coarse_reasons { reason.coarse() } else { reason };
                Some(PartStatus {
                    part: part.name.into_owned(),
                    outcome,
                    reason: reason.as_str().to_owned(),
                    age_seconds: part.age.map(|age| age.as_secs()),
                    retry_after_seconds: part.retry_after.map(|after| RetryAfter::from(after).seconds()),
                    count: part.tally.map(|(count, _)| count),
                    of: part.tally.map(|(_, of)| of),
                })
            })
            .collect();
        Self { degraded, parts }
    }
}
