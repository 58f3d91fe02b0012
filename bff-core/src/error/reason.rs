//! Why a part is not there, as `meta` says it.

use std::fmt;

/// Why a part is not as it should be, in the words of the wire contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// That call's own time limit.
    Timeout,
    /// The page's budget.
    Deadline,
    /// The upstream answered with an error.
    UpstreamError,
    /// No connection, or one that broke.
    Unreachable,
    /// The breaker is open.
    CircuitOpen,
    /// The upstream, or our limit for it, is full.
    Overloaded,
    /// An answer that cannot be used.
    InvalidResponse,
    /// A call that another part made first failed.
    Dependency,
    /// Left out because `?parts=` did not name it.
    NotRequested,
    /// Left out because the identity may not see it, or there is none.
    NotEntitled,
    /// Any of the above but a timeout, for frontends that are told no more.
    Unavailable,
}

impl Reason {
    /// All of them, for documents and label sets.
    pub const ALL: [Self; 11] = [
        Self::Timeout,
        Self::Deadline,
        Self::UpstreamError,
        Self::Unreachable,
        Self::CircuitOpen,
        Self::Overloaded,
        Self::InvalidResponse,
        Self::Dependency,
        Self::NotRequested,
        Self::NotEntitled,
        Self::Unavailable,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Deadline => "deadline",
            Self::UpstreamError => "upstream_error",
            Self::Unreachable => "unreachable",
            Self::CircuitOpen => "circuit_open",
            Self::Overloaded => "overloaded",
            Self::InvalidResponse => "invalid_response",
            Self::Dependency => "dependency",
            Self::NotRequested => "not_requested",
            Self::NotEntitled => "not_entitled",
            Self::Unavailable => "unavailable",
        }
    }

    /// The same, told to a frontend that is to know no more than `timeout` or `unavailable`.
    #[must_use]
    pub const fn coarse(self) -> Self {
        match self {
            Self::Timeout | Self::Deadline => Self::Timeout,
            Self::NotRequested | Self::NotEntitled => self,
            _ => Self::Unavailable,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
