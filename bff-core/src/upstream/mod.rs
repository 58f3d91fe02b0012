//! The outbound side: typed clients on top of one stack of layers.
//!
//! - [`Client`]: what a typed client of one backend is made of; one line per method.
//! - [`path!`](crate::path!): a path whose arguments cannot leave their segment.
//! - `stack`: the layers between a client and the network, in their order, and why.
//! - [`Passing`]: how a route's request is passed on as it is, and its answer as it comes.
//! - [`Call`] and [`Verdict`]: all that a layer may know of a request and of an answer.
//! - [`Network`]: the way to each host of an upstream ([`Tcp`]), or what a test puts in its place.

mod balance;
mod breaker;
mod bulkhead;
mod cached;
mod call;
mod change;
mod client;
mod collect;
mod fill;
mod flight;
mod forward;
mod headers;
mod hedge;
mod hosts;
mod observe;
mod pass;
mod path;
mod propagate;
mod reader;
mod retry;
mod send;
mod settings;
mod shadow;
mod stack;
mod store;
mod streams;
mod target;
#[cfg(test)]
mod tests;
mod timeout;
mod told;
mod transport;
mod trouble;
mod tunnel;
mod unsent;
mod variant;
mod view;
mod wait;
mod watch;
mod watched;
mod write;

pub use call::{Call, Verdict};
pub use client::{Client, Clients};
pub use forward::IDEMPOTENCY_KEY;
pub use headers::HeaderText;
pub use hosts::{Location, Network};
pub use pass::Passing;
pub use path::Path;
pub use settings::UpstreamSettings;
pub use stack::{Shared, Transport};
pub use target::{LabelledHost, TargetView};
pub use transport::Tcp;
pub use trouble::LastError;
pub use unsent::{Ready, Unsent};
pub use view::UpstreamView;
