//! The outbound side: typed clients on top of one stack of layers.
//!
//! - [`Client`]: what a typed client of one backend is made of; one line per method.
//! - [`path!`](crate::path!): a path whose arguments cannot leave their segment.
//! - `stack`: the layers between a client and the network, in their order, and why.
//! - [`Call`] and [`Verdict`]: all that a layer may know of a request and of an answer.
//! - [`Transport`]: the network itself, or what a test puts in its place.

mod call;
mod client;
mod collect;
mod flight;
mod forward;
mod observe;
mod path;
mod propagate;
mod settings;
mod stack;
mod store;
#[cfg(test)]
mod tests;
mod timeout;
mod transport;
mod wait;

pub use call::{Call, Verdict};
pub use client::{Client, Clients, Ready, Unsent};
pub use forward::IDEMPOTENCY_KEY;
pub use path::Path;
pub use settings::UpstreamSettings;
pub use stack::{Shared, Transport};
pub use transport::network;
