//! The whole, from outside: one binary, a file or a folder per feature.
//!
//! `contract` asks the mock services everything that the typed clients of `upstreams` can ask.
//! `page` and the other files named after a feature ask a BFF that listens, by the harness in `world`.
//! `source` reads the source tree and holds the sentences of `ARCHITECTURE.md` that a compiler cannot hold.

// A test says what went wrong by panicking, also in the functions that it calls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod backends;
mod bffs;
mod cache;
mod cancel;
mod contract;
mod documents;
mod drain;
mod drill;
mod early;
mod edge;
mod fleet;
mod flood;
mod flowing;
mod framing;
mod greedy;
mod http_cache;
mod identity;
mod one_record;
mod one_route;
mod page;
mod protections;
mod readme;
mod scripted;
mod scripted_h2;
mod source;
mod tiny;
mod tokens;
mod typescript;
mod unsent;
mod world;
mod writes;
