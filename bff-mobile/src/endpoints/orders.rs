//! The list of orders.

use bff_core::{Composer, Json, Meta, Problems, Query, Result, compose};
use serde::{Deserialize, Serialize};
use upstreams::{OrderId, ProductId, catalog};
use utoipa::{IntoParams, ToSchema};

use crate::Upstreams;

/// How many orders fit a screen.
const SIZE: u32 = 10;

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Which page, from 1.
    #[serde(default = "first")]
    #[param(default = 1, minimum = 1, maximum = 500)]
    pub page: u32,
}

fn first() -> u32 {
    1
}

/// Everything the list of orders shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderList {
    /// Newest first.
    pub orders: Vec<Order>,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// One order.
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
    /// For all items, in minor units of the currency.
    #[schema(example = 12800)]
    pub total_minor: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: String,
    /// What was ordered.
    pub items: Vec<OrderedItem>,
}

/// One product of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderedItem {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces.
    #[schema(example = 1)]
    pub quantity: u32,
    /// Its picture; null also for a product that is not sold any more.
    #[schema(example = "https://images.example/42/1.jpg")]
    pub thumbnail: Option<String>,
}

/// Orders
#[utoipa::path(get, path = "/orders", params(Which), responses((status = OK, body = OrderList), Problems))]
pub async fn orders(page: Composer, up: Upstreams, Query(which): Query<Which>) -> Result<Json<OrderList>> {
    compose!(page => OrderList {
        orders: required(async {
            let orders = up.orders.list(which.page, SIZE).await?.into_inner().items;
            let ids = orders.iter().flat_map(|order| &order.lines).map(|line| line.product_id.clone());
            let products = async |ids| up.catalog.products(ids).await;
            let products = page.batch("orders.items.thumbnail", ids, products, |one: &catalog::Product| one.id.clone()).await;
            let picture = |id: &ProductId| Some(products.get(id)?.images.first()?.url.clone());
            let orders = orders.into_iter().map(|order| Order {
                id: order.id,
                status: order.status,
                placed_at: order.placed_at,
                total_minor: order.total_minor,
                currency: order.currency,
                items: order
                    .lines
                    .into_iter()
                    .map(|line| OrderedItem {
                        thumbnail: picture(&line.product_id),
                        product_id: line.product_id,
                        quantity: line.quantity,
                    })
                    .collect(),
            });
            Ok(orders.collect::<Vec<_>>())
        }),
    })
}
