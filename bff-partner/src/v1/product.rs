//! One product.

use bff_core::{Composer, Json, Meta, Path, Problems, Result, compose};
use serde::Serialize;
use upstreams::{ProductId, catalog};
use utoipa::ToSchema;

use super::price::Price;
use crate::Upstreams;

/// One product and what it costs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductDetails {
    /// The product itself.
    pub product: Product,
    /// What one piece costs.
    pub price: Price,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// A product.
#[derive(Debug, Serialize, ToSchema)]
pub struct Product {
    /// Which product.
    pub id: ProductId,
    /// What the warehouse calls it.
    #[schema(example = "DRU-780-00042")]
    pub sku: String,
    /// What it is called.
    #[schema(example = "Gooseneck Kettle 0.9 l")]
    pub name: String,
    /// Who makes it.
    #[schema(example = "Hearthline")]
    pub brand: String,
    /// The slug of its category.
    #[schema(example = "kettles")]
    pub category: String,
    /// Some sentences, as plain text.
    #[schema(example = "A kettle that pours where you look.")]
    pub description: String,
    /// What can be said of it in one word each.
    pub attributes: Vec<Attribute>,
    /// All pictures, the main one first.
    pub images: Vec<Image>,
    /// Since when it is sold.
    #[schema(value_type = String, format = DateTime, example = "2025-05-06T07:08:09Z")]
    pub created_at: jiff::Timestamp,
}

/// One property of a product.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attribute {
    /// Of what.
    #[schema(example = "Volume")]
    pub name: String,
    /// With its unit.
    #[schema(example = "0.9 l")]
    pub value: String,
}

/// A picture of a product.
#[derive(Debug, Serialize, ToSchema)]
pub struct Image {
    /// Where it is.
    #[schema(example = "https://images.example/products/42/1.jpg")]
    pub url: String,
    /// What it shows.
    #[schema(example = "Gooseneck Kettle 0.9 l, front")]
    pub alt: String,
    /// In pixels.
    #[schema(example = 1600)]
    pub width: u32,
    /// In pixels.
    #[schema(example = 1200)]
    pub height: u32,
}

/// One product
#[utoipa::path(get, path = "/v1/products/{id}", params(("id" = ProductId, Path)), responses((status = OK, body = ProductDetails), Problems))]
pub async fn product(page: Composer, up: Upstreams, Path(id): Path<ProductId>) -> Result<Json<ProductDetails>> {
    compose!(page => ProductDetails { product: subject(up.catalog.product(&id)), price: required(up.pricing.quote(&id))})
}

impl From<catalog::Product> for Product {
    fn from(product: catalog::Product) -> Self {
        let attributes = product.attributes.into_iter();
        Self {
            id: product.id,
            sku: product.sku,
            name: product.name,
            brand: product.brand,
            category: product.category,
            description: product.description,
            attributes: attributes.map(|one| Attribute { name: one.name, value: one.value }).collect(),
            images: product.images.into_iter().map(Image::from).collect(),
            created_at: product.created_at,
        }
    }
}

impl From<catalog::Image> for Image {
    fn from(image: catalog::Image) -> Self {
        Self { url: image.url, alt: image.alt, width: image.width, height: image.height }
    }
}
