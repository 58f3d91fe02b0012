//! Star summaries and review texts.

use bff_core::upstream::Client;
use bff_core::{Fetched, Result, Rows, path};
use jiff::Timestamp;
use serde::Deserialize;

use crate::ids::ProductId;

/// What visitors think of products.
#[derive(Clone, Debug)]
pub struct Reviews(Client);

impl From<Client> for Reviews {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

/// The stars of one product.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Summary {
    /// Which product.
    pub product_id: ProductId,
    /// From 1 to 5, with one decimal.
    pub average: f64,
    /// How many reviews there are.
    pub count: u64,
    /// How many of them have one star, two stars, … five stars.
    pub stars: [u64; 5],
}

/// What one visitor thinks of one product.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Review {
    /// Which review.
    pub id: String,
    /// Of which product.
    pub product_id: ProductId,
    /// First name and initial.
    pub author: String,
    /// From 1 to 5.
    pub stars: u8,
    /// In a few words.
    pub title: String,
    /// In some sentences, as plain text.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
}

/// One page of the reviews of a product.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReviewPage {
    /// The reviews, newest first.
    #[serde(rename = "reviews")]
    pub items: Rows<Review>,
    /// Which page, from 1.
    pub page: u32,
    /// How many items a full page has.
    pub size: u32,
    /// How many items all pages have.
    pub total: u64,
}

impl Reviews {
    /// The summary for one product; `Kind::NotFound` where nobody has said a word yet.
    pub async fn summary(&self, product: &ProductId) -> Result<Fetched<Summary>> {
        self.0.get(path!("/products/{}/reviews/summary", product)).shared().await
    }

    /// One page of the reviews of one product; `Kind::NotFound` for an id that never was.
    pub async fn list(&self, product: &ProductId, page: u32, size: u32) -> Result<Fetched<ReviewPage>> {
        let path = path!("/products/{}/reviews", product).query("page", page).query("size", size);
        self.0.get(path).shared().await
    }
}
