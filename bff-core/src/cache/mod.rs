//! The cache of upstream answers: for whom, for how long, where, and one flight for each question.
//!
//! - [`Key`]: cannot be built without saying who may share the answer.
//! - [`Freshness`]: what an answer says about its own storage (RFC 9111, RFC 5861), a pure function of headers.
//! - [`Store`]: answers in memory, bounded in bytes.
//! - [`Flights`]: calls under way, shared by their waiters.

mod flight;
mod freshness;
mod key;
mod store;

pub use flight::{Flight, Flights};
pub use freshness::{Freshness, Overrides};
pub use key::Key;
pub use store::{CacheSettings, Entry, Lookup, Store};
