//! Order history.

use bff_core::upstream::Client;
use bff_core::{Fetched, Result, path};
use jiff::Timestamp;
use serde::Deserialize;

use crate::ids::{OrderId, ProductId};

/// What was bought.
#[derive(Clone, Debug)]
pub struct Orders(Client);

impl From<Client> for Orders {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Order {
    /// Which order.
    pub id: OrderId,
    /// Who placed it.
    pub user_id: String,
    /// Through which customer organisation; `None` for most.
    pub tenant: Option<String>,
    /// `placed`, `packed`, `shipped`, `delivered`, `returned` or `cancelled`.
    pub status: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// ISO 4217, as in `EUR`; of all amounts in it.
    pub currency: String,
    /// For all lines together, in minor units of the currency.
    pub total_minor: i64,
    /// Each product once.
    pub lines: Vec<Line>,
}

/// One product of an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Line {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces.
    pub quantity: u32,
    /// For the whole line, in minor units of the order's currency.
    pub amount_minor: i64,
}

/// One page of somebody's orders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderPage {
    /// The orders, newest first.
    #[serde(rename = "orders")]
    pub items: Vec<Order>,
    /// Which page, from 1.
    pub page: u32,
    /// How many items a full page has.
    pub size: u32,
    /// How many items all pages have.
    pub total: u64,
}

impl Orders {
    /// One page of the orders of whoever asks.
    pub async fn list(&self, page: u32, size: u32) -> Result<Fetched<OrderPage>> {
        self.0.get(path!("/orders").query("page", page).query("size", size)).per_identity().await
    }

    /// One order of whoever asks, or of their tenant where they are a partner; `Kind::NotFound` for all others.
    pub async fn order(&self, order: &OrderId) -> Result<Fetched<Order>> {
        self.0.get(path!("/orders/{}", order)).per_identity().await
    }
}
