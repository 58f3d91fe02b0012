//! The page of a visitor's account.

use bff_core::{Composer, Json, Meta, Problems, Result, compose};
use serde::Serialize;
use upstreams::{OrderId, ProductId, accounts, catalog, orders};
use utoipa::ToSchema;

use super::suggestions::Suggestions;
use super::tile::Tile;
use crate::Upstreams;

/// How many orders the page shows before a visitor asks for more.
const ORDERS: u32 = 5;
/// How many products "For you" shows.
const SUGGESTIONS: u32 = 8;

/// Everything the page of a visitor's account shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    /// Who they are.
    pub profile: Profile,
    /// What they bought last.
    pub orders: Option<LastOrders>,
    /// "For you".
    pub recommendations: Suggestions,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// Who a visitor is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Profile {
    /// First and last name.
    #[schema(example = "Ada Byron")]
    pub name: String,
    /// Where to write to.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// BCP 47.
    #[schema(example = "en-GB")]
    pub locale: String,
    /// `basic`, `silver` or `gold`.
    #[schema(example = "gold")]
    pub tier: String,
    /// Since when they have an account.
    #[schema(value_type = String, format = DateTime, example = "2024-02-29T10:00:00Z")]
    pub member_since: jiff::Timestamp,
}

/// What a visitor bought last.
#[derive(Debug, Serialize, ToSchema)]
pub struct LastOrders {
    /// At most five, newest first.
    pub items: Vec<Order>,
    /// How many orders there are altogether.
    #[schema(example = 16)]
    pub total: u64,
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
    /// For all lines, in minor units of the currency.
    #[schema(example = 12800)]
    pub total_minor: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: String,
    /// What was ordered.
    pub lines: Vec<OrderLine>,
}

/// One product of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderLine {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces.
    #[schema(example = 1)]
    pub quantity: u32,
    /// For the whole line, in minor units of the order's currency.
    #[schema(example = 4900)]
    pub amount_minor: i64,
    /// What to show of it; null also for a product that is not sold any more.
    pub product: Option<Tile>,
}

/// Account page
#[utoipa::path(get, path = "/account", responses((status = OK, body = Account), Problems))]
pub async fn account(page: Composer, up: Upstreams) -> Result<Json<Account>> {
    compose!(page => Account {
        profile: subject(up.accounts.profile()),
        orders: optional(async {
            let last = up.orders.list(1, ORDERS).await?.into_inner();
            Ok(LastOrders { items: joined(&page, &up, last.items).await, total: last.total })
        }),
        recommendations: fallback(
            async {
                let items = up.recommendations.for_me(SUGGESTIONS).await?.into_inner();
                Ok(Suggestions::priced(&page, &up, "recommendations.items.price", items).await)
            },
            Suggestions::default,
        ),
    })
}

/// Joins the lines of all orders with their products: one call, however many.
async fn joined(page: &Composer, up: &Upstreams, orders: Vec<orders::Order>) -> Vec<Order> {
    let ids: Vec<ProductId> =
        orders.iter().flat_map(|order| &order.lines).map(|line| line.product_id.clone()).collect();
    let products = async |ids| up.catalog.products(ids).await;
    let products =
        page.batch("orders.items.lines.product", ids, products, |one: &catalog::Product| one.id.clone()).await;
    let line = |line: orders::Line| OrderLine { product: products.view(&line.product_id), ..line.into() };
    let order = |order: orders::Order| Order {
        id: order.id,
        status: order.status,
        placed_at: order.placed_at,
        total_minor: order.total_minor,
        currency: order.currency,
        lines: order.lines.into_iter().map(line).collect(),
    };
    orders.into_iter().map(order).collect()
}

impl From<accounts::Profile> for Profile {
    fn from(profile: accounts::Profile) -> Self {
        Self {
            name: profile.name,
            email: profile.email,
            locale: profile.locale,
            tier: profile.tier,
            member_since: profile.member_since,
        }
    }
}

impl From<orders::Line> for OrderLine {
    fn from(line: orders::Line) -> Self {
        Self { product_id: line.product_id, quantity: line.quantity, amount_minor: line.amount_minor, product: None }
    }
}
