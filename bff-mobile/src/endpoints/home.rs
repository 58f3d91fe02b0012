//! The home screen.

use bff_core::{Composer, Json, Meta, Problems, Result, compose};
use serde::Serialize;
use upstreams::{accounts, carts, promotions, recommendations};
use utoipa::ToSchema;

use super::tile::Tile;
use crate::Upstreams;

/// Everything the home screen of the mobile app shows. A visitor who is not logged in gets the part for everybody.
#[derive(Debug, Serialize, ToSchema)]
pub struct Home {
    /// Whom to greet.
    pub profile: Option<Greeting>,
    /// Banners.
    pub promotions: Banners,
    /// "For you".
    pub recommendations: ForYou,
    /// The badge on the cart.
    pub cart: Option<CartBadge>,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// Whom to greet.
#[derive(Debug, Serialize, ToSchema)]
pub struct Greeting {
    /// First and last name.
    #[schema(example = "Ada Byron")]
    pub name: String,
    /// `basic`, `silver` or `gold`.
    #[schema(example = "gold")]
    pub tier: String,
}

/// Banners.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Banners {
    /// In their order.
    pub items: Vec<Banner>,
}

/// A banner.
#[derive(Debug, Serialize, ToSchema)]
pub struct Banner {
    /// The headline.
    #[schema(example = "Autumn kitchen week")]
    pub title: String,
    /// The URL of its picture.
    #[schema(example = "https://images.example/promotions/1.jpg")]
    pub image: String,
    /// The path that it leads to.
    #[schema(example = "/category/kettles")]
    pub link: String,
}

/// "For you".
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ForYou {
    /// The best first.
    pub items: Vec<Tile>,
}

/// The badge on the cart.
#[derive(Debug, Serialize, ToSchema)]
pub struct CartBadge {
    /// How many pieces are in it.
    #[schema(example = 4)]
    pub pieces: u32,
}

/// Home screen
#[utoipa::path(get, path = "/home", responses((status = OK, body = Home), Problems))]
pub async fn home(page: Composer, up: Upstreams) -> Result<Json<Home>> {
    compose!(page => Home {
        profile: optional(up.accounts.profile()),
        promotions: fallback(up.promotions.at("home"), Banners::default),
        recommendations: fallback(up.recommendations.for_me(6), ForYou::default),
        cart: optional(up.carts.cart()),
    })
}

impl From<accounts::Profile> for Greeting {
    fn from(profile: accounts::Profile) -> Self {
        Self { name: profile.name, tier: profile.tier }
    }
}

impl From<Vec<promotions::Promotion>> for Banners {
    fn from(promotions: Vec<promotions::Promotion>) -> Self {
        let items = promotions.into_iter();
        Self { items: items.map(|one| Banner { title: one.title, image: one.image, link: one.link }).collect() }
    }
}

impl From<Vec<recommendations::Item>> for ForYou {
    fn from(items: Vec<recommendations::Item>) -> Self {
        Self { items: items.into_iter().map(Tile::from).collect() }
    }
}

impl From<carts::Cart> for CartBadge {
    fn from(cart: carts::Cart) -> Self {
        Self { pieces: cart.lines.iter().map(|line| line.quantity).sum() }
    }
}
