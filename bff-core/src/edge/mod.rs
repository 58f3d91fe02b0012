//! The inbound side: everything between a connection and an endpoint.
//!
//! - `stack`: the layers in their order, and why.
//! - `problem`: the one place where an [`Error`](crate::error::Error) becomes HTTP.
//! - `answer`: the headers of a composite, computed from its ledger.
//! - `flowing`: answers that stream, until their budget is used up.
//! - `rules`: what the API document demands of a request, enforced.
//! - [`Json`], [`Path`], [`Query`], [`User`]: what an endpoint takes and gives.

mod access;
mod answer;
mod arrive;
mod cache_control;
mod deadline;
mod extract;
mod flowing;
mod json;
mod observe;
mod open;
mod panic;
mod problem;
mod problem_types;
mod receive;
mod rules;
mod secure;
mod settings;
mod shed;
mod stack;
#[cfg(test)]
mod tests;
mod whole;

pub use access::{Access, Credentials};
pub(crate) use answer::with_etag;
pub(crate) use deadline::too_large;
pub use extract::{Path, Query, User};
pub use json::Json;
pub(crate) use problem::cause;
pub use problem::{FieldError, PassedOn, Problem, Problems};
pub use problem_types::{PROBLEM_TYPES, ProblemType};
pub(crate) use receive::Received;
pub use receive::Receives;
pub(crate) use rules::validator;
pub use rules::{List, Place, Rule, Rules, Text};
pub use settings::EdgeSettings;
pub use stack::{Door, Page, door, page};
pub use whole::Whole;
