//! Similar products, and products for whoever asks.

use bff_core::upstream::Client;
use bff_core::{Fetched, Result, Rows, path};
use serde::Deserialize;

use crate::ids::ProductId;

/// What else might please.
#[derive(Clone, Debug)]
pub struct Recommendations(Client);

impl From<Client> for Recommendations {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

/// One product that might please, with enough of it for a tile.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Item {
    /// Which product.
    pub product_id: ProductId,
    /// What it is called.
    pub name: String,
    /// The URL of its main picture.
    pub image: String,
    /// How well it fits, from 0 to 1.
    pub score: f64,
}

#[derive(Deserialize)]
struct Items {
    items: Rows<Item>,
}

impl Recommendations {
    /// `limit` products (1 to 50) of the category with this slug, the best first, without one of them if need be;
    /// `Kind::NotFound` for a slug that never was.
    pub async fn like(&self, category: &str, exclude: Option<&ProductId>, limit: u32) -> Result<Fetched<Vec<Item>>> {
        let mut path = path!("/like").query("category", category).query("limit", limit);
        if let Some(exclude) = exclude {
            path = path.query("exclude", exclude);
        }
        Ok(self.0.get(path).shared::<Items>().await?.map(|found| found.items.into()))
    }

    /// `limit` products (1 to 50) for whoever asks, the best first.
    pub async fn for_me(&self, limit: u32) -> Result<Fetched<Vec<Item>>> {
        let found = self.0.get(path!("/for-me").query("limit", limit)).per_identity::<Items>().await?;
        Ok(found.map(|found| found.items.into()))
    }
}
