//! Whether one product can be had, and where.

use bff_core::{Composer, Json, Meta, Path, Problems, Result, compose};
use serde::Serialize;
use upstreams::{ProductId, inventory};
use utoipa::ToSchema;

use crate::Upstreams;

/// Whether one product can be had.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductAvailability {
    /// How many pieces there are, and where.
    pub availability: Availability,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// How many pieces of a product there are, and where.
#[derive(Debug, Serialize, ToSchema)]
pub struct Availability {
    /// Which product.
    pub product_id: ProductId,
    /// In all warehouses together; 0 for what is sold out.
    #[schema(example = 12)]
    pub total: u32,
    /// Every warehouse, those without a piece too.
    pub warehouses: Vec<Warehouse>,
}

/// How many pieces one warehouse has.
#[derive(Debug, Serialize, ToSchema)]
pub struct Warehouse {
    /// What the logistics call it.
    #[schema(example = "rtm-1")]
    pub warehouse: String,
    /// Where it is.
    #[schema(example = "Rotterdam")]
    pub city: String,
    /// How many pieces.
    #[schema(example = 7)]
    pub quantity: u32,
}

/// Availability of one product
#[utoipa::path(get, path = "/v1/products/{id}/availability", params(("id" = ProductId, Path)), responses((status = OK, body = ProductAvailability), Problems))]
pub async fn availability(
    page: Composer,
    up: Upstreams,
    Path(id): Path<ProductId>,
) -> Result<Json<ProductAvailability>> {
    compose!(page => ProductAvailability { availability: subject(up.inventory.stock(&id)) })
}

impl From<inventory::Stock> for Availability {
    fn from(stock: inventory::Stock) -> Self {
        Self {
            product_id: stock.product_id,
            total: stock.total,
            warehouses: stock.warehouses.into_iter().map(Warehouse::from).collect(),
        }
    }
}

impl From<inventory::Warehouse> for Warehouse {
    fn from(one: inventory::Warehouse) -> Self {
        Self { warehouse: one.warehouse, city: one.city, quantity: one.quantity }
    }
}
