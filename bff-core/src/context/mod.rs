//! What belongs to one request, and how a call deep inside knows for which part it is made.
//!
//! - [`Context`]: the request itself: id, deadline, identity, ledger, memory.
//! - [`Scope`]: the piece of it that a part's future runs in; entered by the composer, read once by each call.
//! - [`Ledger`]: what every part and every call came to. The answer's headers are computed from it alone.
//! - [`TraceContext`]: the W3C trace this request belongs to.
//! - [`Peer`], [`Origin`]: from where it came.

mod ledger;
mod memory;
mod origin;
mod peer;
mod request;
mod scope;
mod trace;

pub use ledger::{CallOutcome, CallRecord, Freshness, Ledger, Outcome, PartId, PartRecord};
pub use memory::Memory;
pub use origin::{Holder, Origin, TrustedProxies};
pub use peer::Peer;
pub use request::{Context, Terms, Wishes};
pub use scope::{Need, Scope};
pub use trace::{TRACEPARENT, TRACESTATE, TraceContext};
