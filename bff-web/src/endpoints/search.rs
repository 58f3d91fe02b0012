//! The search page.

use bff_core::error::Input;
use bff_core::{Composer, Error, Json, Meta, Problems, Query, Result, compose};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::offer::{Offer, Paths, offers};
use super::paging;
use crate::Upstreams;

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SearchFor {
    /// Words, all of which must occur.
    #[param(example = "kettle", min_length = 1, max_length = 200)]
    pub q: String,
    /// Which page, from 1.
    #[serde(default = "paging::first")]
    #[param(default = 1, minimum = 1, maximum = 500)]
    pub page: u32,
}

/// Everything the search page shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchPage {
    /// What was found.
    pub results: Results,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// One page of what was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Results {
    /// What was looked for, as it was understood.
    #[schema(example = "kettle")]
    pub query: String,
    /// The best first; empty past the last page.
    pub items: Vec<Offer>,
    /// Which page, from 1.
    #[schema(example = 1)]
    pub page: u32,
    /// How many results a full page has.
    #[schema(example = 24)]
    pub size: u32,
    /// How many results all pages have.
    #[schema(example = 103)]
    pub total: u64,
}

/// Search page
#[utoipa::path(get, path = "/search", params(SearchFor), responses((status = OK, body = SearchPage), Problems))]
pub async fn search(page: Composer, up: Upstreams, Query(wish): Query<SearchFor>) -> Result<Json<SearchPage>> {
    let words = wish.q.trim();
    if words.is_empty() {
        return Err(Error::invalid(Input::Malformed, "?q", "write a word"));
    }
    compose!(page => SearchPage {
        results: required(async {
            let found = up.catalog.search(words, wish.page, paging::SIZE).await?.into_inner();
            let paths = Paths { price: "results.items.price", stock: "results.items.stock" };
            Ok(Results {
                items: offers(&page, &up, paths, found.items.into()).await,
                query: found.query,
                page: found.page,
                size: found.size,
                total: found.total,
            })
        }),
    })
}
