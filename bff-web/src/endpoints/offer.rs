//! Products in a list, joined with what they cost and how many there are.

use bff_core::Composer;
use serde::Serialize;
use upstreams::inventory::Stock;
use upstreams::pricing::Quote;
use upstreams::{ProductId, catalog};
use utoipa::ToSchema;

use super::tile::{Pieces, Price, Tile};
use crate::Upstreams;

/// A product that can be bought.
#[derive(Debug, Serialize, ToSchema)]
pub struct Offer {
    /// The product.
    pub product: Tile,
    /// What it costs.
    pub price: Option<Price>,
    /// How much of it there is.
    pub stock: Option<Pieces>,
}

/// Where the joined fields stand in the answer.
pub(super) struct Paths {
    pub(super) price: &'static str,
    pub(super) stock: &'static str,
}

/// Joins all products with their prices and their stock: two calls at once, however many products.
pub(super) async fn offers(
    page: &Composer,
    up: &Upstreams,
    paths: Paths,
    products: Vec<catalog::Product>,
) -> Vec<Offer> {
    let ids: Vec<ProductId> = products.iter().map(|product| product.id.clone()).collect();
    let quotes = async |ids| up.pricing.quotes(ids).await;
    let stocks = async |ids| up.inventory.stocks(ids).await;
    let (prices, stocks) = futures::join!(
        page.batch(paths.price, ids.clone(), quotes, |quote: &Quote| quote.product_id.clone()),
        page.batch(paths.stock, ids, stocks, |stock: &Stock| stock.product_id.clone()),
    );
    let offer = |product: catalog::Product| Offer {
        price: prices.view(&product.id),
        stock: stocks.view(&product.id),
        product: product.into(),
    };
    products.into_iter().map(offer).collect()
}
