//! The edge as a client sees it.

mod flowing;
mod rules;
mod whole;
