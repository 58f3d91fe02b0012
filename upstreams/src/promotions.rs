//! Banners.

use bff_core::upstream::Client;
use bff_core::{Fetched, Result, Rows, path};
use serde::Deserialize;

/// What is being advertised.
#[derive(Clone, Debug)]
pub struct Promotions(Client);

impl From<Client> for Promotions {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

/// One banner.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Promotion {
    /// Which banner.
    pub id: String,
    /// The headline.
    pub title: String,
    /// The line below it.
    pub subtitle: String,
    /// The URL of its picture.
    pub image: String,
    /// The path that it leads to.
    pub link: String,
}

#[derive(Deserialize)]
struct Banners {
    promotions: Rows<Promotion>,
}

impl Promotions {
    /// The banners of one place (`home`, `category`, `cart`, `product`), in their order; an unknown place has none.
    pub async fn at(&self, placement: &str) -> Result<Fetched<Vec<Promotion>>> {
        let path = path!("/promotions").query("placement", placement);
        Ok(self.0.get(path).shared::<Banners>().await?.map(|found| found.promotions.into()))
    }
}
