//! Products that might please, joined with what they cost.

use bff_core::Composer;
use serde::Serialize;
use upstreams::pricing::Quote;
use upstreams::{ProductId, recommendations};
use utoipa::ToSchema;

use super::tile::Price;
use crate::Upstreams;

/// Products that might please.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Suggestions {
    /// The best first.
    pub items: Vec<Suggestion>,
}

/// A product that might please.
#[derive(Debug, Serialize, ToSchema)]
pub struct Suggestion {
    /// Which product.
    pub id: ProductId,
    /// What it is called.
    #[schema(example = "Pour-over Dripper")]
    pub name: String,
    /// The URL of its main picture; null for a product without one.
    #[schema(example = "https://images.example/products/43/1.jpg")]
    pub image: Option<String>,
    /// What it costs.
    pub price: Option<Price>,
}

impl Suggestions {
    /// Joins all of them with their prices: one call, however many. `path` is where the price stands in the answer.
    pub(super) async fn priced(
        page: &Composer,
        up: &Upstreams,
        path: &'static str,
        items: Vec<recommendations::Item>,
    ) -> Self {
        let ids = items.iter().map(|item| item.product_id.clone());
        let quotes = async |ids| up.pricing.quotes(ids).await;
        let prices = page.batch(path, ids, quotes, |quote: &Quote| quote.product_id.clone()).await;
        let priced = |item: recommendations::Item| Suggestion { price: prices.view(&item.product_id), ..item.into() };
        Self { items: items.into_iter().map(priced).collect() }
    }
}

impl From<recommendations::Item> for Suggestion {
    fn from(item: recommendations::Item) -> Self {
        // The backend has an empty text where there is no picture.
        let image = Some(item.image).filter(|image| !image.is_empty());
        Self { id: item.product_id, name: item.name, image, price: None }
    }
}
