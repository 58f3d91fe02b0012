//! Prices.

use std::borrow::Borrow;

use bff_core::upstream::Client;
use bff_core::{Fetched, Result, path};
use serde::Deserialize;

use crate::ids::{self, ProductId};

/// The price list.
#[derive(Clone, Debug)]
pub struct Pricing(Client);

impl From<Client> for Pricing {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

/// What one product costs now.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Quote {
    /// Which product.
    pub product_id: ProductId,
    /// In minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217, as in `EUR`.
    pub currency: String,
    /// What it cost before a reduction, in minor units; `None` where the price is not reduced.
    pub list_amount_minor: Option<i64>,
}

#[derive(Deserialize)]
struct Quotes {
    quotes: Vec<Quote>,
}

impl Pricing {
    /// The price of one product; `Kind::NotFound` for an id that never was.
    pub async fn quote(&self, product: &ProductId) -> Result<Fetched<Quote>> {
        self.0.get(path!("/quotes/{}", product)).shared().await
    }

    /// The prices of these products, up to 100; those that are unknown are left out.
    pub async fn quotes(&self, products: impl IntoIterator<Item: Borrow<ProductId>>) -> Result<Fetched<Vec<Quote>>> {
        let Some(ids) = ids::set(products) else { return Ok(Fetched::fresh(Vec::new())) };
        let batch = self.0.get(path!("/quotes").query("ids", ids)).shared::<Quotes>().await?;
        Ok(batch.map(|batch| batch.quotes))
    }
}
