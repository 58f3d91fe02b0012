#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
//! The framework of a Backend-for-Frontend: one composite endpoint, many backends, one deadline, partial answers.

pub mod auth;
mod bff;
pub mod body;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod compose;
pub mod config;
pub mod context;
pub mod edge;
pub mod error;
pub mod fetched;
mod framing;
mod hop_by_hop;
pub mod identity;
pub mod lateness;
mod layer;
pub mod openapi;
pub mod passthrough;
pub mod reading;
pub mod resilience;
mod routes;
pub mod serve;
pub mod settings;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod upstream;

#[doc(hidden)]
pub use routes::{Content, EndpointFunction, Form, LastArgument, TakesAnything, TakesJson};
#[doc(hidden)]
pub use {axum, utoipa_axum};

pub use bff::{About, App, Bff, Endpoint};
pub use clock::Millis;
pub use compose::{Composer, Meta};
pub use edge::{Json, Path, Problems, Query, User};
pub use error::{Error, Kind, Result};
pub use fetched::Fetched;
pub use reading::Rows;
pub use routes::{Answer, Declared, EndpointSettings, Policy, SurveyedPart};
