//! The home page.

use bff_core::{Composer, Json, Meta, Problems, Result, compose};
use serde::Serialize;
use upstreams::{accounts, carts};
use utoipa::ToSchema;

use super::banners::Banners;
use super::suggestions::Suggestions;
use crate::Upstreams;

/// Everything the home page shows. A visitor who is not logged in gets the part for everybody.
#[derive(Debug, Serialize, ToSchema)]
pub struct Home {
    /// Whom to greet.
    pub profile: Option<Greeting>,
    /// Banners.
    pub promotions: Banners,
    /// "For you".
    pub recommendations: Suggestions,
    /// The cart, in the corner.
    pub cart: Option<CartSummary>,
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
    /// BCP 47.
    #[schema(example = "en-GB")]
    pub locale: String,
}

/// The cart, in the corner.
#[derive(Debug, Serialize, ToSchema)]
pub struct CartSummary {
    /// How many different products are in it.
    #[schema(example = 3)]
    pub products: usize,
    /// How many pieces are in it.
    #[schema(example = 4)]
    pub pieces: u64,
}

/// Home page
#[utoipa::path(get, path = "/home", responses((status = OK, body = Home), Problems))]
pub async fn home(page: Composer, up: Upstreams) -> Result<Json<Home>> {
    compose!(page => Home {
        profile: optional(up.accounts.profile()),
        promotions: fallback(up.promotions.at("home"), Banners::default),
        recommendations: fallback(
            async {
                let items = up.recommendations.for_me(12).await?.into_inner();
                Ok(Suggestions::priced(&page, &up, "recommendations.items.price", items).await)
            },
            Suggestions::default,
        ),
        cart: optional(up.carts.cart()),
    })
}

impl From<accounts::Profile> for Greeting {
    fn from(profile: accounts::Profile) -> Self {
        Self { name: profile.name, tier: profile.tier, locale: profile.locale }
    }
}

impl From<carts::Cart> for CartSummary {
    fn from(cart: carts::Cart) -> Self {
        let pieces = cart.lines.iter().map(|line| u64::from(line.quantity)).sum();
        Self { products: cart.lines.len(), pieces }
    }
}
