//! Stock by warehouse.

use std::borrow::Borrow;

use bff_core::upstream::Client;
use bff_core::{Fetched, Result, Rows, path};
use serde::Deserialize;

use crate::ids::{self, ProductId};

/// The warehouses' books.
#[derive(Clone, Debug)]
pub struct Inventory(Client);

impl From<Client> for Inventory {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

/// How many pieces of one product there are, and where.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Stock {
    /// Which product.
    pub product_id: ProductId,
    /// In all warehouses together.
    pub total: u32,
    /// Every warehouse, those without a piece too.
    pub warehouses: Vec<Warehouse>,
}

/// How many pieces one warehouse has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Warehouse {
    /// What the logistics call it.
    pub warehouse: String,
    /// Where it is.
    pub city: String,
    /// How many pieces.
    pub quantity: u32,
}

#[derive(Deserialize)]
struct Stocks {
    stock: Rows<Stock>,
}

impl Inventory {
    /// The stock of one product; `Kind::NotFound` for an id that never was. What is sold out has a total of 0.
    pub async fn stock(&self, product: &ProductId) -> Result<Fetched<Stock>> {
        self.0.get(path!("/stock/{}", product)).shared().await
    }

    /// The stock of these products, up to 100; those that are unknown are left out.
    pub async fn stocks(&self, products: impl IntoIterator<Item: Borrow<ProductId>>) -> Result<Fetched<Vec<Stock>>> {
        let Some(ids) = ids::set(products) else { return Ok(Fetched::fresh(Vec::new())) };
        let batch = self.0.get(path!("/stock").query("ids", ids)).shared::<Stocks>().await?;
        Ok(batch.map(|batch| batch.stock.into()))
    }
}
