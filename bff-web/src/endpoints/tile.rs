//! What several pages show of a product.

use serde::Serialize;
use upstreams::{ProductId, catalog, inventory, pricing};
use utoipa::ToSchema;

/// A product in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tile {
    /// Which product.
    pub id: ProductId,
    /// What it is called.
    #[schema(example = "Gooseneck Kettle 0.9 l")]
    pub name: String,
    /// Who makes it.
    #[schema(example = "Hearthline")]
    pub brand: String,
    /// The slug of its category.
    #[schema(example = "kettles")]
    pub category: String,
    /// The main picture; null for a product without one.
    pub image: Option<Image>,
}

/// A picture of a product, with all that a page needs to leave room for it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Image {
    /// Where it is.
    #[schema(example = "https://images.example/products/42/1.jpg")]
    pub url: String,
    /// What it shows, for those who cannot see it.
    #[schema(example = "Gooseneck Kettle 0.9 l, front")]
    pub alt: String,
    /// In pixels.
    #[schema(example = 1600)]
    pub width: u32,
    /// In pixels.
    #[schema(example = 1200)]
    pub height: u32,
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
    /// What it cost before a reduction, in minor units; null where it is not reduced.
    #[schema(example = 5900)]
    pub list_amount_minor: Option<i64>,
}

/// How much of a product there is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Pieces {
    /// In all warehouses together; 0 for what is sold out.
    #[schema(example = 12)]
    pub total: u32,
}

impl From<catalog::Product> for Tile {
    fn from(product: catalog::Product) -> Self {
        Self {
            id: product.id,
            name: product.name,
            brand: product.brand,
            category: product.category,
            image: product.images.into_iter().next().map(Image::from),
        }
    }
}

impl From<catalog::Image> for Image {
    fn from(image: catalog::Image) -> Self {
        Self { url: image.url, alt: image.alt, width: image.width, height: image.height }
    }
}

impl From<pricing::Quote> for Price {
    fn from(quote: pricing::Quote) -> Self {
        Self { amount_minor: quote.amount_minor, currency: quote.currency, list_amount_minor: quote.list_amount_minor }
    }
}

impl From<inventory::Stock> for Pieces {
    fn from(stock: inventory::Stock) -> Self {
        Self { total: stock.total }
    }
}
