//! Why a part is not there, as `meta` says it.

use std::fmt;

/// The reasons, each with its word on the wire: one list, so that what is documented is what can be said.
macro_rules! reasons {
    ($($(#[doc = $about:literal])+ $name:ident = $word:literal,)+) => {
        /// Why a part is not as it should be, in the words of the wire contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[doc = $about])+ $name,)+
        }

        impl Reason {
            /// All of them, for documents and label sets.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

reasons! {
    /// That call's own time limit.
    Timeout = "timeout",
    /// The page's budget.
    Deadline = "deadline",
    /// The upstream answered with an error.
    UpstreamError = "upstream_error",
    /// No connection, or one that broke.
    Unreachable = "unreachable",
    /// The breaker is open.
    CircuitOpen = "circuit_open",
    /// The upstream, or our limit for it, is full.
    Overloaded = "overloaded",
    /// An answer, or an element of one, that cannot be used.
    InvalidResponse = "invalid_response",
    /// More elements than this page may join.
    JoinLimit = "join_limit",
    /// A call that another part made first failed.
    Dependency = "dependency",
    /// Left out because `?parts=` did not name it.
    NotRequested = "not_requested",
    /// Left out because the identity may not see it, or there is none.
    NotEntitled = "not_entitled",
    /// Any of the above but a timeout, for frontends that are told no more.
    Unavailable = "unavailable",
}

impl Reason {
    /// The same, told to a frontend that is to know no more than `timeout` or `unavailable`.
    #[must_use]
    pub const fn coarse(self) -> Self {
        match self {
            Self::Timeout | Self::Deadline => Self::Timeout,
            Self::NotRequested | Self::NotEntitled => self,
            _ => Self::Unavailable,
        }
    }

    /// Whether it says why something was left out on purpose.
    #[must_use]
    pub const fn is_of_omission(self) -> bool {
        matches!(self, Self::NotRequested | Self::NotEntitled)
    }

    /// What a frontend may be told, in this order; `coarse` as for [`coarse`](Self::coarse).
    pub fn told(coarse: bool) -> impl Iterator<Item = Self> {
        // Only who is told no more is told that something is just not available.
        Self::ALL.iter().copied().filter(move |reason| match reason {
            Self::Unavailable => coarse,
            reason => !coarse || reason.coarse() == *reason,
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
