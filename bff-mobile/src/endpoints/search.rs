//! The search screen.

use bff_core::error::Input;
use bff_core::{Composer, Error, Json, Meta, Problems, Query, Result, compose};
use serde::{Deserialize, Serialize};
use upstreams::ProductId;
use upstreams::pricing::Quote;
use utoipa::{IntoParams, ToSchema};

use super::tile::{Price, Tile};
use crate::Upstreams;

/// How many results fit a screen.
const SIZE: u32 = 20;

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SearchFor {
    /// Words, all of which must occur.
    #[param(example = "kettle", min_length = 1, max_length = 200)]
    pub q: String,
    /// Which page, from 1.
    // The backend's own bound; beyond it nobody scrolls.
    #[serde(default = "first")]
    #[param(default = 1, minimum = 1, maximum = 500)]
    pub page: u32,
}

fn first() -> u32 {
    1
}

/// Everything the search screen of the mobile app shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct Search {
    /// What was found.
    pub results: Results,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// One page of what was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Results {
    /// The best first.
    pub items: Vec<Found>,
    /// Which page, from 1.
    #[schema(example = 1)]
    pub page: u32,
    /// How many there are on all pages.
    #[schema(example = 103)]
    pub total: u64,
}

/// Something that was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Found {
    /// The product.
    pub product: Tile,
    /// What it costs.
    pub price: Option<Price>,
}

/// Search
#[utoipa::path(get, path = "/search", params(SearchFor), responses((status = OK, body = Search), Problems))]
pub async fn search(page: Composer, up: Upstreams, Query(wish): Query<SearchFor>) -> Result<Json<Search>> {
    let words = wish.q.trim();
    if words.is_empty() {
        return Err(Error::invalid(Input::Malformed, "?q", "write a word"));
    }
    compose!(page => Search {
        results: required(async {
            let found = up.catalog.search(words, wish.page, SIZE).await?.into_inner();
            let ids: Vec<ProductId> = found.items.iter().map(|product| product.id.clone()).collect();
            let quotes = async |ids| up.pricing.quotes(ids).await;
            let prices = page.batch("results.items.price", ids, quotes, |quote: &Quote| quote.product_id.clone()).await;
            let items = found.items.into_iter();
            let items = items.map(|product| Found { price: prices.view(&product.id), product: product.into() }).collect();
            Ok(Results { items, page: found.page, total: found.total })
        }),
    })
}
