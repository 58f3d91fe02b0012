//! The cache of upstream answers: for whom, for how long, where, and one flight for each question.
//!
//! - [`Key`]: cannot be built without saying who may share the answer.
//! - [`Freshness`]: what an answer says about its own storage (RFC 9111, RFC 5861, RFC 9213), a pure function of headers.
//! - [`Wishes`]: what a client asks of caches.
//! - [`Entry`]: an answer that is kept, and how it is confirmed by a 304.
//! - [`Store`]: answers in memory, bounded in bytes; behind it, for a fleet, a [`SecondLevel`]: [`Redis`].
//! - [`Flights`]: calls under way, shared by their waiters.

mod changes;
mod directives;
mod entry;
mod flight;
mod freshness;
mod key;
mod redis;
mod second_level;
mod serve;
mod settings;
mod slot;
mod status;
mod store;

pub use directives::Wishes;
pub use entry::{Entry, compact};
pub use flight::{Flight, Flights};
pub use freshness::{Freshness, Keeper, Overrides};
pub use key::Key;
pub use redis::{Redis, RedisSettings, UnfitUrl};
pub use second_level::SecondLevel;
pub use serve::{is_known, not_modified};
pub use settings::CacheSettings;
pub use status::{CacheStatus, Why};
pub use store::{Lookup, Selected, Store};
