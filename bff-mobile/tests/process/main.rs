//! The program as it is run: arguments, output, signals, exit codes.

// A test says what went wrong by panicking, also in the functions that it calls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commands;
mod log;
#[cfg(target_os = "linux")]
mod passing;
mod program;
#[cfg(target_os = "linux")]
mod secure;
mod signals;
