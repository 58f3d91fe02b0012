//! What keeps calls alive while backends are not, and backends alive while they are called.
//!
//! Each mechanism is a state machine that gets the time as an argument and knows no I/O; the layers that drive them
//! stand in `upstream/` and `edge/`.

mod balance;
mod bodies;
mod breaker;
mod bulkhead;
mod hedge;
mod retry;
mod shadow;
mod shares;
mod shed;
mod variant;

pub use balance::{BalanceSettings, Balancer, EjectSettings, HostState, HostView, Policy, Probe, ProbeSettings, Ride};
pub use bodies::{Bodies, BodiesView, BodySettings, OpenBody, STREAMING};
pub use breaker::{Breaker, BreakerSettings, BreakerState, BreakerView, Pass, Refused};
pub use bulkhead::{Bulkhead, BulkheadSettings, BulkheadView, Full, Limiter, Seat};
pub use hedge::{HedgeSettings, Latency};
pub use retry::{Budget, BudgetSettings, BudgetView, RetrySettings};
pub use shadow::{Report, ShadowSettings, ShadowView};
pub use shares::{Share, Shares};
pub use shed::{Criticality, Load, LoadView, ShedSettings};
pub use variant::{VariantSettings, Variants, check_weights};

/// How an attempt ended, for those who guard its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was answered as it should be, or the upstream is well and said no (4xx).
    Good,
    /// The upstream failed: 5xx, silence, a broken connection, garbage; or the call was slow.
    Bad,
    /// The connection was refused: a failure that cost neither side anything.
    Refused,
    /// It was answered, and we cannot read the answer to this question (a number that is the same for the same question).
    /// Only where different questions fail so is that the upstream's failure.
    Unreadable(u64),
    /// The upstream asked for fewer calls (429).
    Overloaded,
    /// Nothing is known: it was cut by its caller before it was slow, or never sent.
    Nothing,
}
