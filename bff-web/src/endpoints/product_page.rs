//! The product page.

use bff_core::{Composer, Json, Meta, Path, Problems, Result, compose};
use serde::Serialize;
use upstreams::{ProductId, catalog, inventory, reviews};
use utoipa::ToSchema;

use super::suggestions::Suggestions;
use super::tile::{Image, Price};
use crate::Upstreams;

/// How many reviews stand below the product before a visitor asks for more.
const REVIEWS: u32 = 10;
/// How many products "You may also like" shows.
const RELATED: u32 = 8;

/// Everything the product page shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductPage {
    /// The product itself.
    pub product: Product,
    /// What it costs.
    pub price: Price,
    /// Where it is.
    pub stock: Option<Stock>,
    /// What people say about it; null also where nobody has said a word yet.
    pub reviews: Option<Reviews>,
    /// "You may also like".
    pub related: Suggestions,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// A product on its own page.
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

/// Where a product is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stock {
    /// In all warehouses together; 0 for what is sold out.
    #[schema(example = 12)]
    pub total: u32,
    /// Every warehouse, those without a piece too.
    pub warehouses: Vec<Warehouse>,
}

/// How many pieces one warehouse has.
#[derive(Debug, Serialize, ToSchema)]
pub struct Warehouse {
    /// Where it is.
    #[schema(example = "Rotterdam")]
    pub city: String,
    /// How many pieces.
    #[schema(example = 7)]
    pub quantity: u32,
}

/// What people say about a product.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reviews {
    /// From 1 to 5, with one decimal.
    #[schema(example = 4.3)]
    pub average: f64,
    /// How many reviews there are.
    #[schema(example = 27)]
    pub count: u64,
    /// How many of them have one star, two stars, … five stars.
    #[schema(example = json!([0, 1, 3, 9, 14]))]
    pub stars: [u64; 5],
    /// The newest ten, newest first.
    pub items: Vec<Review>,
}

/// What one visitor says about a product.
#[derive(Debug, Serialize, ToSchema)]
pub struct Review {
    /// Which review.
    #[schema(example = "42-1")]
    pub id: String,
    /// First name and initial.
    #[schema(example = "Grace H.")]
    pub author: String,
    /// From 1 to 5.
    #[schema(minimum = 1, maximum = 5, example = 5)]
    pub stars: u8,
    /// In a few words.
    #[schema(example = "Pours like a dream")]
    pub title: String,
    /// In some sentences, as plain text.
    #[schema(example = "I use it every morning.")]
    pub body: String,
    /// When it was written.
    #[schema(value_type = String, format = DateTime, example = "2026-09-14T08:12:31Z")]
    pub created_at: jiff::Timestamp,
}

/// Product page
#[utoipa::path(get, path = "/product-page/{id}", params(("id" = ProductId, Path)), responses((status = OK, body = ProductPage), Problems))]
pub async fn product_page(page: Composer, up: Upstreams, Path(id): Path<ProductId>) -> Result<Json<ProductPage>> {
    compose!(page => ProductPage {
        product: subject(up.catalog.product(&id)),
        price: required(up.pricing.quote(&id)),
        stock: optional(up.inventory.stock(&id)),
        reviews: optional(async {
            // Not `try_join!`: where both fail, the summary says why, whoever was first.
            let (summary, list) =
                futures::join!(up.reviews.summary(&id), up.reviews.list(&id, 1, REVIEWS));
            Ok(Reviews::from((summary?.into_inner(), list?.into_inner())))
        }),
        related: fallback(
            async {
                let category = up.catalog.product(&id).await?.into_inner().category;
                let items = up.recommendations.like(&category, Some(&id), RELATED).await?.into_inner();
                Ok(Suggestions::priced(&page, &up, "related.items.price", items).await)
            },
            Suggestions::default,
        ),
    })
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
        }
    }
}

impl From<inventory::Stock> for Stock {
    fn from(stock: inventory::Stock) -> Self {
        let warehouses = stock.warehouses.into_iter();
        let warehouses = warehouses.map(|one| Warehouse { city: one.city, quantity: one.quantity });
        Self { total: stock.total, warehouses: warehouses.collect() }
    }
}

impl From<(reviews::Summary, reviews::ReviewPage)> for Reviews {
    fn from((summary, list): (reviews::Summary, reviews::ReviewPage)) -> Self {
        Self {
            average: summary.average,
            count: summary.count,
            stars: summary.stars,
            items: list.items.into_iter().map(Review::from).collect(),
        }
    }
}

impl From<reviews::Review> for Review {
    fn from(review: reviews::Review) -> Self {
        Self {
            id: review.id,
            author: review.author,
            stars: review.stars,
            title: review.title,
            body: review.body,
            created_at: review.created_at,
        }
    }
}
