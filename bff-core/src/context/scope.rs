//! The ambient piece of a request that a part's future runs in.

use std::sync::Arc;

use super::{Context, PartId};
use crate::clock::Instant;

/// How much a page needs a part. The word in `compose!` is the policy; there is no default to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// What the page is about: no page without it, and its 404 is the page's 404.
    Subject,
    /// No page without it.
    Required,
    /// `null` when it cannot be had.
    Optional,
    /// A stand-in when it cannot be had.
    Fallback,
}

impl Need {
    /// The word in `compose!`, in `routes` and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Required => "required",
            Self::Optional => "optional",
            Self::Fallback => "fallback",
        }
    }

    /// Whether the page fails with it.
    #[must_use]
    pub const fn is_required(self) -> bool {
        matches!(self, Self::Subject | Self::Required)
    }
}

/// For which part a call is made, and until when its caller waits.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The request it belongs to.
    pub context: Arc<Context>,
    /// The part; `None` outside any part, which counts as required and has no name.
    pub part: Option<PartId>,
    /// How much the page needs it.
    pub need: Need,
    /// When its caller stops waiting.
    pub deadline: Instant,
}

tokio::task_local! {
    static SCOPE: Scope;
}

impl Scope {
    /// The scope of the endpoint itself, outside any part.
    #[must_use]
    pub fn endpoint(context: Arc<Context>) -> Self {
        let deadline = context.deadline();
        Self { context, part: None, need: Need::Required, deadline }
    }

    /// Runs `future` in this scope.
    pub fn enter<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        SCOPE.scope(self, future)
    }

    /// Runs `work` in this scope.
    pub fn within<T>(self, work: impl FnOnce() -> T) -> T {
        SCOPE.sync_scope(self, work)
    }

    /// The scope this runs in; `None` outside a request (a background task).
    #[must_use]
    pub fn current() -> Option<Self> {
        SCOPE.try_with(Self::clone).ok()
    }

    /// Whether this runs to learn an endpoint's parts: what it makes is thrown away.
    #[must_use]
    pub fn is_survey() -> bool {
        SCOPE.try_with(|scope| scope.context.survey).unwrap_or(false)
    }
}
