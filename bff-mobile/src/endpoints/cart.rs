//! The cart screen.

use bff_core::{Composer, Error, Json, Meta, Problems, Result, compose};
use serde::{Deserialize, Serialize};
use upstreams::pricing::Quote;
use upstreams::{ProductId, carts, catalog};
use utoipa::ToSchema;

use super::tile::{Price, Tile};
use crate::Upstreams;

/// Everything the cart screen of the mobile app shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cart {
    /// What is in it, in the order in which it was added.
    pub lines: Vec<Line>,
    /// What the lines cost together; null where a price cannot be had.
    pub subtotal: Option<Subtotal>,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// One product in the cart.
#[derive(Debug, Serialize, ToSchema)]
pub struct Line {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces.
    #[schema(example = 2)]
    pub quantity: u32,
    /// What to show of it.
    pub product: Option<Tile>,
    /// What one piece costs.
    pub price: Option<Price>,
}

/// What a cart costs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Subtotal {
    /// In minor units of the currency (cents).
    #[schema(example = 9800)]
    pub amount_minor: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: String,
}

/// Cart
#[utoipa::path(get, path = "/cart", responses((status = OK, body = Cart), Problems))]
pub async fn cart(page: Composer, up: Upstreams) -> Result<Json<Cart>> {
    // Lines and subtotal ask for the same things; each is asked for once.
    compose!(page => Cart {
        lines: required(async {
            let cart = up.carts.cart().await?.into_inner();
            let ids: Vec<ProductId> = cart.lines.iter().map(|line| line.product_id.clone()).collect();
            let products = async |ids| up.catalog.products(ids).await;
            let quotes = async |ids| up.pricing.quotes(ids).await;
            let (products, prices) = futures::join!(
                page.batch("lines.product", ids.clone(), products, |one: &catalog::Product| one.id.clone()),
                page.batch("lines.price", ids, quotes, |quote: &Quote| quote.product_id.clone()),
            );
            let lines = cart.lines.into_iter().map(|line| Line {
                product: products.view(&line.product_id),
                price: prices.view(&line.product_id),
                product_id: line.product_id,
                quantity: line.quantity,
            });
            Ok(lines.collect::<Vec<_>>())
        }),
        subtotal: optional(async {
            let cart = up.carts.cart().await?;
            let quotes = up.pricing.quotes(cart.lines.iter().map(|line| line.product_id.clone())).await?;
            Subtotal::of(&cart.lines, &quotes).ok_or_else(|| Error::new(bff_core::Kind::NotFound))
        }),
    })
}

impl Subtotal {
    /// `None` where a price is missing, or the prices are in several currencies.
    fn of(lines: &[carts::Line], quotes: &[Quote]) -> Option<Self> {
        let mut total = Self { amount_minor: 0, currency: quotes.first()?.currency.clone() };
        for line in lines {
            let quote = quotes.iter().find(|quote| quote.product_id == line.product_id)?;
            if quote.currency != total.currency {
                return None;
            }
            total.amount_minor =
                total.amount_minor.checked_add(quote.amount_minor.checked_mul(line.quantity.into())?)?;
        }
        Some(total)
    }
}

/// What to put into the cart.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewItem {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces, on top of those that are there.
    #[schema(minimum = 1, maximum = 20, example = 1)]
    pub quantity: u32,
}

/// What is in the cart after a change. The screen asks for the rest when it shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CartContent {
    /// In the order in which it was added.
    pub lines: Vec<ContentLine>,
    /// How many pieces together.
    #[schema(example = 4)]
    pub pieces: u32,
}

/// One product in the cart, by its id.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContentLine {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces.
    #[schema(example = 2)]
    pub quantity: u32,
}

/// Add to cart
///
/// Send an `Idempotency-Key` to be able to repeat it safely.
#[utoipa::path(post, path = "/cart/items", request_body = NewItem, responses((status = OK, body = CartContent), Problems))]
pub async fn add_cart_item(up: Upstreams, Json(item): Json<NewItem>) -> Result<Json<CartContent>> {
    let cart = up.carts.add(&item.product_id, item.quantity).await?;
    Ok(Json(cart.into_inner().into()))
}

impl From<carts::Cart> for CartContent {
    fn from(cart: carts::Cart) -> Self {
        let pieces = cart.lines.iter().map(|line| line.quantity).sum();
        let lines = cart.lines.into_iter();
        let lines = lines.map(|line| ContentLine { product_id: line.product_id, quantity: line.quantity }).collect();
        Self { lines, pieces }
    }
}
