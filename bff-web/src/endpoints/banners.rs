//! Banners, on top of several pages.

use serde::Serialize;
use upstreams::promotions;
use utoipa::ToSchema;

/// Banners.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Banners {
    /// In their order.
    pub items: Vec<Banner>,
}

/// A banner.
#[derive(Debug, Serialize, ToSchema)]
pub struct Banner {
    /// Which banner, for measuring what is clicked.
    #[schema(example = "slow-mornings")]
    pub id: String,
    /// The headline.
    #[schema(example = "Slow mornings")]
    pub title: String,
    /// The line below it.
    #[schema(example = "Kettles and coffee makers up to 30 % off")]
    pub subtitle: String,
    /// The URL of its picture.
    #[schema(example = "https://images.example/promotions/slow-mornings.jpg")]
    pub image: String,
    /// The path that it leads to.
    #[schema(example = "/categories/kettles")]
    pub link: String,
}

impl From<Vec<promotions::Promotion>> for Banners {
    fn from(promotions: Vec<promotions::Promotion>) -> Self {
        Self { items: promotions.into_iter().map(Banner::from).collect() }
    }
}

impl From<promotions::Promotion> for Banner {
    fn from(one: promotions::Promotion) -> Self {
        Self { id: one.id, title: one.title, subtitle: one.subtitle, image: one.image, link: one.link }
    }
}
