//! The BFF of the mobile app: small answers for small screens.
//!
//! This file is the table of contents; each endpoint is a struct and a function in `endpoints/`.

pub mod endpoints;

use bff_core::{Bff, Millis, Policy, routes};
use upstreams::{Accounts, Carts, Catalog, Inventory, Orders, Pricing, Promotions, Recommendations, Reviews};

use endpoints::{cart, home, orders, product_page, search};

bff_core::upstreams! {
    /// The backends behind the mobile app.
    pub struct Upstreams {
        /// What there is.
        catalog: Catalog,
        /// What it costs.
        pricing: Pricing,
        /// Whether it is there.
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

/// The mobile BFF.
#[must_use]
pub fn bff() -> Bff<Upstreams> {
    Bff::new("mobile", env!("CARGO_PKG_VERSION"))
        .describe("Composite answers for the mobile app, one for each screen.")
        .page(routes!(home::home), Policy::public().budget(800.ms()))
        .page(routes!(product_page::product_page), Policy::public().budget(800.ms()))
        .page(routes!(search::search), Policy::public().budget(1000.ms()).sheddable())
        .page(routes!(cart::cart), Policy::user().budget(1000.ms()).critical())
        .page(routes!(cart::add_cart_item), Policy::user().budget(1500.ms()).critical())
        .page(routes!(orders::orders), Policy::user().budget(1000.ms()))
}
