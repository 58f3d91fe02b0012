//! The BFF of the web frontend: one rich answer for each page of a large screen.
//!
//! This file is the table of contents; each endpoint is a struct and a function in `endpoints/`.

pub mod endpoints;

use bff_core::{Bff, Millis, Policy, routes};
use upstreams::{Accounts, Carts, Catalog, Inventory, Orders, Pricing, Promotions, Recommendations, Reviews};

use endpoints::{account, cart, category, home, product_page, search};

bff_core::upstreams! {
    /// The backends behind the web frontend.
    pub struct Upstreams {
        /// What there is.
        catalog: Catalog,
        /// What it costs.
        pricing: Pricing,
        /// Where it is.
        inventory: Inventory,
        /// What people say about it.
        reviews: Reviews,
        /// What else one may like.
        recommendations: Recommendations,
        /// Who the visitor is.
        accounts: Accounts,
        /// What the visitor is about to buy.
        carts: Carts,
        /// What the visitor has bought.
        orders: Orders,
        /// What is on offer.
        promotions: Promotions,
    }
}

/// The web BFF.
#[must_use]
pub fn bff() -> Bff<Upstreams> {
    Bff::new("web", env!("CARGO_PKG_VERSION"))
        .describe("Composite answers for the web frontend, one for each page.")
        .page(routes!(home::home), Policy::public().budget(1000.ms()))
        .page(routes!(product_page::product_page), Policy::public().budget(1000.ms()))
        .page(routes!(category::category), Policy::public().budget(1000.ms()).cached())
        .page(routes!(search::search), Policy::public().budget(1000.ms()).sheddable())
        .page(routes!(cart::cart), Policy::user().budget(1000.ms()).critical())
        .page(routes!(account::account), Policy::user().budget(1200.ms()))
}
