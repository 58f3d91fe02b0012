//! The mock services as a caller sees them: over TCP, one file for each feature.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod barrier;
mod carts;
mod client;
mod console;
mod contract;
mod determinism;
mod faults;
mod hung_up;
mod orders;
mod scripted;
mod start;
mod tokens;
