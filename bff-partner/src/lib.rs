//! The BFF of partner programs: whole answers or none, and a version in every path.
//!
//! This file is the table of contents. A version is a folder; what a released one answers stays as it is.

pub mod v1;

use bff_core::{Bff, Millis, Policy, routes};
use upstreams::{Catalog, Inventory, Orders, Pricing};

use v1::{availability, listing, order, product};

bff_core::upstreams! {
    /// The backends behind partner programs.
    pub struct Upstreams {
        /// What there is.
        catalog: Catalog,
        /// What it costs.
        pricing: Pricing,
        /// Where it is.
        inventory: Inventory,
        /// What the partner's customers have bought.
        orders: Orders,
    }
}

/// The partner BFF.
#[must_use]
pub fn bff() -> Bff<Upstreams> {
    let partner = |scope| Policy::user().role("partner").scope(scope).budget(2000.ms());
    Bff::new("partner", env!("CARGO_PKG_VERSION"))
        .describe(
            "Products and orders for partner programs. An answer is whole, or it is a problem; a program that can do \
             with less asks for it with `?partial=true`.",
        )
        .strict()
        .page(routes!(listing::products), partner("products:read"))
        .page(routes!(product::product), partner("products:read"))
        .page(routes!(availability::availability), partner("products:read"))
        .page(routes!(order::order), partner("orders:read"))
}
