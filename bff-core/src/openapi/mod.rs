//! The API document: OpenAPI 3.1, made from the code without running a server.
//!
//! - `document`: the whole, from the table of contents.
//! - `operation`: what a route's policy and parts add to what its function says of itself.
//! - `passed`: routes of the configuration that have a schema.
//! - `claims`: what a function says of itself, held against its path and its type.
//! - `answers`: headers, problems, and the answer that says "not modified".
//! - `mends`: what the derive leaves out or leaves open.
//! - `examples`: a good day and a degraded one, from the schemas alone.
//! - `render`: the document as text, the same in every process.
//! - `rules`: what the finished document demands of requests.
//! - `target`: a request that an endpoint takes, from its own examples.
//! - `explorer`: the document for people, at `/docs`.
//! - [`compare`]: where a committed document is not what the code makes.
//! - [`breaking`]: what of a change breaks the clients of a released version.

mod answers;
mod book;
mod breaking;
mod claims;
mod compare;
mod document;
mod examples;
mod explorer;
mod mends;
mod operation;
mod passed;
mod plausible;
mod render;
mod rules;
mod shapes;
mod target;
#[cfg(test)]
mod tests;

pub use breaking::breaking;
pub(crate) use claims::check as check_claims;
pub use compare::compare;
pub(crate) use document::{clash, document, schema_names};
pub(crate) use explorer::explorer;
pub use render::render;
pub(crate) use rules::rules;
pub(crate) use target::example_target;
