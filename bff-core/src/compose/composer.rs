//! The composer: one word per policy.

use std::borrow::Cow;
use std::sync::Arc;

use super::Meta;
use crate::clock::Instant;
use crate::context::{Context, Need, Outcome, PartId, Scope};
use crate::error::{Error, Input, Kind, Reason, Result};
use crate::fetched::{Fetched, Staleness};

/// Asks for the parts of one page. An endpoint takes it as an argument.
///
/// A part registers when its method is *called*, so the order in `meta` is the order written; it starts when
/// its future is first polled.
#[derive(Clone, Debug)]
pub struct Composer {
    context: Arc<Context>,
}

/// What a part's future may yield for a field of type `View`: the view itself, or a [`Fetched`] that the view
/// can be made `From`. `Via` only tells the two apart and is always inferred.
pub trait IntoPart<View, Via> {
    /// The view.
    fn into_part(self) -> View;
}

/// The future yields the view itself.
#[derive(Debug)]
pub enum Plain {}

/// The future yields a [`Fetched`] that the view is made from.
#[derive(Debug)]
pub enum ViaFetched {}

impl<View> IntoPart<View, Plain> for View {
    fn into_part(self) -> View {
        self
    }
}

impl<T, View: From<T>> IntoPart<View, ViaFetched> for Fetched<T> {
    fn into_part(self) -> View {
        self.into_inner().into()
    }
}

/// What became of an optional or fallback part's future.
enum Settled<T> {
    There(T),
    Absent,
    Failed,
}

impl Composer {
    /// The composer of this request.
    #[must_use]
    pub fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    /// The request itself.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// What the page is about.
    ///
    /// # Errors
    /// When it cannot be had: there is no page. A 404 of its upstream is the page's 404; a 204 is an invalid response.
    pub fn subject<View, Via, Call, Value>(
        &self,
        name: &'static str,
        call: Call,
    ) -> impl Future<Output = Result<View>> + use<View, Via, Call, Value>
    where
        Call: Future<Output = Result<Value>>,
        Value: IntoPart<View, Via>,
    {
        self.needed(name, Need::Subject, call)
    }

    /// A part without which there is no page.
    ///
    /// # Errors
    /// When it cannot be had, a 404 included: a 502, 503 or 504 that names the part. A 404 is held back until the subject
    /// has ended: if that is not there either, the page is about nothing and says so.
    pub fn required<View, Via, Call, Value>(
        &self,
        name: &'static str,
        call: Call,
    ) -> impl Future<Output = Result<View>> + use<View, Via, Call, Value>
    where
        Call: Future<Output = Result<Value>>,
        Value: IntoPart<View, Via>,
    {
        self.needed(name, Need::Required, call)
    }

    /// A part that is `null` when it cannot be had by the soft deadline; `meta` says why. Never fails.
    pub fn optional<View, Via, Call, Value>(
        &self,
        name: &'static str,
        call: Call,
    ) -> impl Future<Output = Result<Option<View>>> + use<View, Via, Call, Value>
    where
        Call: Future<Output = Result<Value>>,
        Value: IntoPart<View, Via>,
    {
        let part = self.dispensable(name, Need::Optional);
        let context = self.context.clone();
        async move {
            surveyed(&context)?;
            let Some((id, scope)) = part else { return Ok(None) };
            let settled = degrade(&context, id, scope, call, Outcome::Missing).await;
            Ok(match settled {
                Settled::There(value) => Some(value),
                Settled::Absent | Settled::Failed => None,
            })
        }
    }

    /// A part with a stand-in for when it cannot be had by the soft deadline; `meta` says why. Never fails.
    pub fn fallback<View, Via, Call, Value, StandIn>(
        &self,
        name: &'static str,
        call: Call,
        stand_in: StandIn,
    ) -> impl Future<Output = Result<View>> + use<View, Via, Call, Value, StandIn>
    where
        Call: Future<Output = Result<Value>>,
        Value: IntoPart<View, Via>,
        StandIn: FnOnce() -> View,
    {
        let part = self.dispensable(name, Need::Fallback);
        let context = self.context.clone();
        async move {
            surveyed(&context)?;
            let Some((id, scope)) = part else { return Ok(stand_in()) };
            let settled = degrade(&context, id, scope, call, Outcome::Fallback).await;
            Ok(match settled {
                Settled::There(value) => value,
                Settled::Absent | Settled::Failed => stand_in(),
            })
        }
    }

    /// A field that needs no call: a value that is already there.
    ///
    /// # Errors
    /// Never.
    pub fn given<View>(&self, _name: &'static str, value: View) -> impl Future<Output = Result<View>> + use<View> {
        std::future::ready(Ok(value))
    }

    /// Says that all parts are registered. `compose!` calls it; a page written with the methods calls it before the
    /// first `await`, so that a wrong `?parts=` costs no call and the API document knows the parts.
    ///
    /// # Errors
    /// When `?parts=` names a part that is not there, or one that is always there anyway.
    pub fn open(&self) -> Result<()> {
        surveyed(&self.context)?;
        self.check_selection()
    }

    /// # Errors
    /// When `?parts=` names a part that cannot be chosen.
    pub(crate) fn check_selection(&self) -> Result<()> {
        let Some(wanted) = &self.context.wishes.parts else { return Ok(()) };
        self.context.ledger.read(|parts, _| {
            let names =
                || parts.iter().filter(|part| !part.is_joined() && !part.need.is_required()).map(|part| &part.name);
            match wanted.iter().find(|wish| !names().any(|name| name == *wish)) {
                None => Ok(()),
                Some(_) => {
                    let known: Vec<&str> = names().map(Cow::as_ref).collect();
                    let detail = if known.is_empty() {
                        "this endpoint has no parts to choose from".to_owned()
                    } else {
                        format!("choose among {}, separated by commas", known.join(", "))
                    };
                    Err(Error::invalid(Input::Malformed, "?parts", detail))
                }
            }
        })
    }

    /// What the answer says about itself, once its parts have ended.
    #[must_use]
    pub fn meta(&self) -> Meta {
        Meta::of(&self.context)
    }

    fn needed<View, Via, Call, Value>(
        &self,
        name: &'static str,
        need: Need,
        call: Call,
    ) -> impl Future<Output = Result<View>> + use<View, Via, Call, Value>
    where
        Call: Future<Output = Result<Value>>,
        Value: IntoPart<View, Via>,
    {
        let context = self.context.clone();
        let id = context.ledger.open(Cow::Borrowed(name), None, need);
        async move {
            surveyed(&context)?;
            context.ledger.begin(id);
            let deadline = context.deadline();
            let scope = Scope { context: context.clone(), part: Some(id), need, deadline };
            match within(scope, call).await {
                Ok(value) => {
                    settle_value(&context, id);
                    Ok(value.into_part())
                }
                Err(error) => {
                    let error = error.where_needed();
                    context.ledger.close(id, |record| {
                        record.outcome = Outcome::Failed;
                        record.reason = error.reason();
                        record.retry_after = error.retry_after();
                    });
                    if need == Need::Required && error.kind() == Kind::NotFound {
                        // Whoever asks for what does not exist is told so by every upstream, in any order: only where
                        // the subject is there is this a contradiction of ours.
                        context.ledger.subject_closed().await;
                    }
                    Err(error.in_part(Cow::Borrowed(name), need))
                }
            }
        }
    }

    /// Registers a part that the page can do without; `None` when the client does not want it.
    fn dispensable(&self, name: &'static str, need: Need) -> Option<(PartId, Scope)> {
        let id = self.context.ledger.open(Cow::Borrowed(name), None, need);
        if self.context.wishes.parts.as_ref().is_some_and(|wanted| !wanted.iter().any(|wish| wish == name)) {
            self.context.ledger.close(id, |record| {
                record.outcome = Outcome::Omitted;
                record.reason = Some(Reason::NotRequested);
            });
            return None;
        }
        let deadline = self.context.soft_deadline();
        Some((id, Scope { context: self.context.clone(), part: Some(id), need, deadline }))
    }
}

/// A survey ends here: no part is run for it, also where nobody says [`open`](Composer::open).
fn surveyed(context: &Context) -> Result<()> {
    if context.survey { Err(Error::new(Kind::Surveyed)) } else { Ok(()) }
}

/// Runs a part's future in its scope. The calls in it obey the scope's deadline themselves; the timer here is
/// the backstop for what an `async` block does besides calling.
pub(super) async fn within<Call, Value>(scope: Scope, call: Call) -> Result<Value>
where
    Call: Future<Output = Result<Value>>,
{
    let deadline: Instant = scope.deadline;
    match tokio::time::timeout_at(deadline, scope.enter(call)).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(Kind::Deadline)),
    }
}

async fn degrade<View, Via, Call, Value>(
    context: &Context,
    id: PartId,
    scope: Scope,
    call: Call,
    instead: Outcome,
) -> Settled<View>
where
    Call: Future<Output = Result<Value>>,
    Value: IntoPart<View, Via>,
{
    match within(scope, call).await {
        Ok(value) => {
            settle_value(context, id);
            Settled::There(value.into_part())
        }
        Err(error) => {
            let (outcome, reason) = failed(&error, instead);
            context.ledger.close(id, |record| {
                record.outcome = outcome;
                record.reason = reason;
                record.retry_after = error.retry_after();
            });
            if outcome == Outcome::Absent {
                Settled::Absent
            } else {
                tracing::debug!(error = %error, "part degraded");
                Settled::Failed
            }
        }
    }
}

/// What a part that failed so comes to: nothing to say for a 404 or a 204, `omitted` for a refused identity.
pub(super) fn failed(error: &Error, instead: Outcome) -> (Outcome, Option<Reason>) {
    match error.reason() {
        None => (Outcome::Absent, None),
        Some(Reason::NotEntitled) => (Outcome::Omitted, Some(Reason::NotEntitled)),
        reason => (instead, reason),
    }
}

/// A part is as old as the oldest answer it was made from, and lacks what the lists of those have lost.
fn settle_value(context: &Context, id: PartId) {
    let staleness = context.ledger.read(|_, calls| {
        calls
            .iter()
            .filter(|call| call.part == Some(id))
            .filter_map(|call| call.staleness)
            .max_by_key(|stale| stale.age)
    });
    context.ledger.close(id, |record| match staleness {
        None => record.outcome = Outcome::Live,
        Some(Staleness { age, reason }) => {
            record.outcome = Outcome::Stale;
            record.age = Some(age);
            record.reason = Some(reason);
        }
    });
    // Beside the part's own record: it is there, and what is joined to it stands.
    if let Some((name, lost)) = context.ledger.lost(id) {
        let rest = context.ledger.open(name, Some(id), Need::Optional);
        context.ledger.close(rest, |record| {
            record.outcome = Outcome::Missing;
            record.reason = Some(Reason::InvalidResponse);
            record.tally = Some((lost.count, lost.of));
        });
    }
}
