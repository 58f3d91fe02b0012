//! The cart page.

use bff_core::{Composer, Error, Json, Kind, Meta, Problems, Result, compose};
use serde::Serialize;
use upstreams::inventory::Stock;
use upstreams::pricing::Quote;
use upstreams::{ProductId, carts, catalog};
use utoipa::ToSchema;

use super::tile::{Pieces, Price, Tile};
use crate::Upstreams;

/// Everything the cart page shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cart {
    /// What is in it, in the order in which it was added.
    pub lines: Vec<Line>,
    /// What it costs together; null also for an empty cart, and where a product in it has no price.
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
    /// What to show of it; null also for a product that is not sold any more.
    pub product: Option<Tile>,
    /// What one piece costs.
    pub price: Option<Price>,
    /// How much of it there is.
    pub stock: Option<Pieces>,
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
    /// How many pieces that is.
    #[schema(example = 4)]
    pub pieces: u64,
}

/// Cart page
#[utoipa::path(get, path = "/cart", responses((status = OK, body = Cart), Problems))]
pub async fn cart(page: Composer, up: Upstreams) -> Result<Json<Cart>> {
    // Lines and subtotal ask for the same things; each is asked for once.
    compose!(page => Cart {
        lines: required(async {
            let cart = up.carts.cart().await?.into_inner();
            Ok(lines(&page, &up, cart.lines).await)
        }),
        subtotal: optional(async {
            let cart = up.carts.cart().await?;
            let quotes = up.pricing.quotes(ids(&cart.lines)).await?;
            Subtotal::of(&cart.lines, &quotes).ok_or_else(|| Error::new(Kind::NotFound))
        }),
    })
}

/// Joins all lines with their products, prices and stock: three calls at once, however many lines.
async fn lines(page: &Composer, up: &Upstreams, lines: Vec<carts::Line>) -> Vec<Line> {
    let products = async |ids| up.catalog.products(ids).await;
    let quotes = async |ids| up.pricing.quotes(ids).await;
    let stocks = async |ids| up.inventory.stocks(ids).await;
    let (products, prices, stocks) = futures::join!(
        page.batch("lines.product", ids(&lines), products, |one: &catalog::Product| one.id.clone()),
        page.batch("lines.price", ids(&lines), quotes, |quote: &Quote| quote.product_id.clone()),
        page.batch("lines.stock", ids(&lines), stocks, |stock: &Stock| stock.product_id.clone()),
    );
    let line = |line: carts::Line| Line {
        product: products.view(&line.product_id),
        price: prices.view(&line.product_id),
        stock: stocks.view(&line.product_id),
        product_id: line.product_id,
        quantity: line.quantity,
    };
    lines.into_iter().map(line).collect()
}

fn ids(lines: &[carts::Line]) -> Vec<ProductId> {
    lines.iter().map(|line| line.product_id.clone()).collect()
}

impl Subtotal {
    /// `None` where a price is missing, or the prices are in several currencies.
    fn of(lines: &[carts::Line], quotes: &[Quote]) -> Option<Self> {
        let mut total = Self { amount_minor: 0, currency: quotes.first()?.currency.clone(), pieces: 0 };
        for line in lines {
            let quote = quotes.iter().find(|quote| quote.product_id == line.product_id)?;
            if quote.currency != total.currency {
                return None;
            }
            let amount = quote.amount_minor.checked_mul(line.quantity.into())?;
            total.amount_minor = total.amount_minor.checked_add(amount)?;
            total.pieces += u64::from(line.quantity);
        }
        Some(total)
    }
}
