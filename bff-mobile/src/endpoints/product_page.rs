//! The product screen.

use bff_core::{Composer, Json, Meta, Path, Problems, Result, compose};
use serde::Serialize;
use upstreams::{ProductId, catalog, inventory, recommendations, reviews};
use utoipa::ToSchema;

use super::tile::{Price, Tile};
use crate::Upstreams;

/// Everything the product screen of the mobile app shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductPage {
    /// The product itself.
    pub product: Product,
    /// What it costs.
    pub price: Price,
    /// Whether it can be had.
    pub stock: Option<Availability>,
    /// Stars and number of reviews.
    pub reviews: Option<Stars>,
    /// "You may also like".
    pub related: Related,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// A product on its own screen.
#[derive(Debug, Serialize, ToSchema)]
pub struct Product {
    /// Which product.
    pub id: ProductId,
    /// What it is called.
    #[schema(example = "Gooseneck Kettle 0.9 l")]
    pub name: String,
    /// Who makes it.
    #[schema(example = "Hearthline")]
    pub brand: String,
    /// Some sentences, as plain text.
    pub description: String,
    /// The one picture that a small screen has room for; null for a product without any.
    #[schema(example = "https://images.example/42/1.jpg")]
    pub image: Option<String>,
}

/// Whether a product can be had.
#[derive(Debug, Serialize, ToSchema)]
pub struct Availability {
    /// At least one piece is in some warehouse.
    #[schema(example = true)]
    pub in_stock: bool,
}

/// What people think, in two numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stars {
    /// From 1 to 5, with one decimal.
    #[schema(example = 4.3)]
    pub average: f64,
    /// How many reviews there are.
    #[schema(example = 27)]
    pub count: u64,
}

/// "You may also like".
#[derive(Debug, Serialize, ToSchema)]
pub struct Related {
    /// At most three, the best first.
    pub items: Vec<Tile>,
}

/// Product page
#[utoipa::path(get, path = "/product-page/{id}", params(("id" = ProductId, Path)), responses((status = OK, body = ProductPage), Problems))]
pub async fn product_page(page: Composer, up: Upstreams, Path(id): Path<ProductId>) -> Result<Json<ProductPage>> {
    compose!(page => ProductPage {
        product: subject(up.catalog.product(&id)),
        price: required(up.pricing.quote(&id)),
        stock: optional(up.inventory.stock(&id)),
        reviews: optional(up.reviews.summary(&id)),
        related: fallback(
            async { up.recommendations.like(&up.catalog.product(&id).await?.category, Some(&id), 3).await },
            Related::none,
        ),
    })
}

impl Related {
    fn none() -> Self {
        Self { items: Vec::new() }
    }
}

impl From<catalog::Product> for Product {
    fn from(product: catalog::Product) -> Self {
        Self {
            id: product.id,
            name: product.name,
            brand: product.brand,
            description: product.description,
            image: product.images.into_iter().next().map(|image| image.url),
        }
    }
}

impl From<inventory::Stock> for Availability {
    fn from(stock: inventory::Stock) -> Self {
        Self { in_stock: stock.total > 0 }
    }
}

impl From<reviews::Summary> for Stars {
    fn from(summary: reviews::Summary) -> Self {
        Self { average: summary.average, count: summary.count }
    }
}

impl From<Vec<recommendations::Item>> for Related {
    fn from(items: Vec<recommendations::Item>) -> Self {
        Self { items: items.into_iter().map(Tile::from).collect() }
    }
}
