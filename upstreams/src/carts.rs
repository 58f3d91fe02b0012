//! Carts: the one backend that is written to.
//!
//! Every write answers with the cart as it is then. `Kind::Timeout` and `Kind::Deadline` of a write leave open whether
//! it has happened.

use bff_core::upstream::Client;
use bff_core::{Fetched, Result, path};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::ProductId;

/// The cart of whoever asks.
#[derive(Clone, Debug)]
pub struct Carts(Client);

impl From<Client> for Carts {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

/// What one user is about to buy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Cart {
    /// Whose it is.
    pub user_id: String,
    /// Each product once, in the order in which they were added.
    pub lines: Vec<Line>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// One product in a cart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Line {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces, from 1 to 20.
    pub quantity: u32,
}

#[derive(Serialize)]
struct AddBody<'a> {
    product_id: &'a ProductId,
    quantity: u32,
}

#[derive(Serialize)]
struct ChangeBody {
    quantity: u32,
}

impl Carts {
    /// The cart; an empty one for somebody who never had any.
    pub async fn cart(&self) -> Result<Fetched<Cart>> {
        self.0.get(path!("/cart")).per_identity().await
    }

    /// Puts so many pieces of a product into the cart, on top of those that are there.
    ///
    /// `Kind::Unprocessable` for a product that never was, for no pieces, and for more than 20 in the end. The client's
    /// `Idempotency-Key` is passed on: the same key adds once; with another body it is `Kind::Conflict`.
    pub async fn add(&self, product: &ProductId, quantity: u32) -> Result<Fetched<Cart>> {
        self.0.post(path!("/cart/items")).json(&AddBody { product_id: product, quantity }).per_identity().await
    }

    /// Makes it so many pieces, from 1 to 20; `Kind::NotFound` for a product that is not in the cart.
    pub async fn change(&self, product: &ProductId, quantity: u32) -> Result<Fetched<Cart>> {
        self.0.patch(path!("/cart/items/{}", product)).json(&ChangeBody { quantity }).per_identity().await
    }

    /// Takes a product out of the cart; `Kind::NotFound` for one that is not in it.
    pub async fn remove(&self, product: &ProductId) -> Result<Fetched<Cart>> {
        self.0.delete(path!("/cart/items/{}", product)).per_identity().await
    }
}
