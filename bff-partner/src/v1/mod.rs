//! Version 1: one file for each endpoint.

pub mod availability;
pub mod listing;
pub mod order;
mod price;
pub mod product;
