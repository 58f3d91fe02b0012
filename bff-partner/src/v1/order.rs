//! One order of the partner's customers.

use bff_core::{Composer, Json, Meta, Path, Problems, Result, compose};
use serde::Serialize;
use upstreams::{OrderId, ProductId, catalog, orders};
use utoipa::ToSchema;

use crate::Upstreams;

/// One order, with what was bought.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderDetails {
    /// The order itself.
    pub order: Order,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Order {
    /// Which order.
    pub id: OrderId,
    /// `placed`, `packed`, `shipped`, `delivered`, `returned` or `cancelled`.
    #[schema(example = "shipped")]
    pub status: String,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime, example = "2026-09-14T08:12:31Z")]
    pub placed_at: jiff::Timestamp,
    /// ISO 4217; of all amounts in it.
    #[schema(example = "EUR")]
    pub currency: String,
    /// For all lines together, in minor units of the currency.
    #[schema(example = 12800)]
    pub total_minor: i64,
    /// Each product once.
    pub lines: Vec<Line>,
}

/// One product of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Line {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces.
    #[schema(example = 1)]
    pub quantity: u32,
    /// For the whole line, in minor units of the order's currency.
    #[schema(example = 4900)]
    pub amount_minor: i64,
    /// What was bought; null for a product that is not sold any more, and in a partial answer.
    pub product: Option<OrderedProduct>,
}

/// What was bought.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderedProduct {
    /// What the warehouse calls it.
    #[schema(example = "DRU-780-00042")]
    pub sku: String,
    /// What it is called.
    #[schema(example = "Gooseneck Kettle 0.9 l")]
    pub name: String,
}

/// One order
#[utoipa::path(get, path = "/v1/orders/{id}", params(("id" = OrderId, Path)), responses((status = OK, body = OrderDetails), Problems))]
pub async fn order(page: Composer, up: Upstreams, Path(id): Path<OrderId>) -> Result<Json<OrderDetails>> {
    compose!(page => OrderDetails {
        order: subject(async {
            let order = up.orders.order(&id).await?.into_inner();
            Ok(joined(&page, &up, order).await)
        }),
    })
}

/// Joins all lines with their products: one call, however many.
async fn joined(page: &Composer, up: &Upstreams, order: orders::Order) -> Order {
    let ids: Vec<ProductId> = order.lines.iter().map(|line| line.product_id.clone()).collect();
    let products = async |ids| up.catalog.products(ids).await;
    let products = page.batch("order.lines.product", ids, products, |one: &catalog::Product| one.id.clone()).await;
    let line = |line: orders::Line| Line { product: products.view(&line.product_id), ..line.into() };
    Order {
        id: order.id,
        status: order.status,
        placed_at: order.placed_at,
        currency: order.currency,
        total_minor: order.total_minor,
        lines: order.lines.into_iter().map(line).collect(),
    }
}

impl From<orders::Line> for Line {
    fn from(line: orders::Line) -> Self {
        Self { product_id: line.product_id, quantity: line.quantity, amount_minor: line.amount_minor, product: None }
    }
}

impl From<catalog::Product> for OrderedProduct {
    fn from(product: catalog::Product) -> Self {
        Self { sku: product.sku, name: product.name }
    }
}
