//! What several screens of the mobile app show of a product.

use serde::Serialize;
use upstreams::{ProductId, catalog, pricing, recommendations};
use utoipa::ToSchema;

/// A product in a list, as small as it can be.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tile {
    /// Which product.
    pub id: ProductId,
    /// What it is called.
    #[schema(example = "Gooseneck Kettle 0.9 l")]
    pub name: String,
    /// The main picture; null for a product without one.
    #[schema(example = "https://images.example/42/1.jpg")]
    pub image: Option<String>,
}

/// A price.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Price {
    /// In minor units of the currency (cents).
    #[schema(example = 4900)]
    pub amount_minor: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: String,
    /// What it cost before a reduction; null where it is not reduced.
    #[schema(example = 5900)]
    pub was_minor: Option<i64>,
}

impl From<catalog::Product> for Tile {
    fn from(product: catalog::Product) -> Self {
        Self { id: product.id, name: product.name, image: product.images.into_iter().next().map(|image| image.url) }
    }
}

impl From<recommendations::Item> for Tile {
    fn from(item: recommendations::Item) -> Self {
        Self { id: item.product_id, name: item.name, image: Some(item.image).filter(|image| !image.is_empty()) }
    }
}

impl From<pricing::Quote> for Price {
    fn from(quote: pricing::Quote) -> Self {
        Self { amount_minor: quote.amount_minor, currency: quote.currency, was_minor: quote.list_amount_minor }
    }
}
