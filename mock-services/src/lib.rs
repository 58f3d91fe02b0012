//! The backends that the three BFFs share, believable and with faults on demand.
//!
//! One process, one port for each service, HTTP/1.1 and h2c on the same port. It is a binary for
//! a developer's machine and a library for tests: [`start`] brings everything up in-process,
//! [`Running`] steers it, and [`scripted`] is a single backend that answers from a closure.
//!
//! Everything here is for development. The identity service gives a signed token to whoever asks.
//!
//! # Layout
//!
//! - `service` and `options` say which services there are and how to start them; `running` starts them.
//! - `backend` is one listening server: its port, request log, barrier and the way one exchange goes.
//! - `faults` says what can go wrong, and reads it from JSON and from the command line.
//! - `data` makes the shop from a seed; `api` has one file for each service's contract.
//! - `identity` holds the keys and signs the tokens.
//! - `admin` is the console for operators with curl.

mod admin;
mod api;
mod backend;
mod call;
mod data;
mod faults;
mod identity;
mod options;
mod reply;
mod running;
pub mod scripted;
mod service;

pub use backend::{Backend, Logged};
pub use faults::{Faults, Latency, Trickle, parse_fault};
pub use identity::{SigningKeys, TokenError, TokenRequest};
pub use options::{Options, Ports};
pub use reply::Reply;
pub use running::{Running, start};
pub use service::{Service, UnknownService};
