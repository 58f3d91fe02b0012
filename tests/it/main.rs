//! The whole, from outside: one binary, a file or a folder per feature.
//!
//! `contract` asks the mock services everything that the typed clients of `upstreams` can ask.
//! `source` reads the source tree and holds the sentences of `ARCHITECTURE.md` that a compiler cannot hold.

// A test says what went wrong by panicking, also in the functions that it calls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod contract;
mod source;
