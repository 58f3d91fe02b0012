//! The page of a category.

use bff_core::{Composer, Json, Meta, Path, Problems, Query, Result, compose};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::banners::Banners;
use super::offer::{Offer, Paths, offers};
use super::paging;
use crate::Upstreams;

/// Which part of the category.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Which page, from 1.
    #[serde(default = "paging::first")]
    #[param(default = 1, minimum = 1, maximum = 500)]
    pub page: u32,
}

/// Everything the page of a category shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct CategoryPage {
    /// The category and its products.
    pub category: Category,
    /// Banners.
    pub promotions: Banners,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// A category and one page of its products.
#[derive(Debug, Serialize, ToSchema)]
pub struct Category {
    /// Its name in URLs.
    #[schema(example = "kettles")]
    pub slug: String,
    /// Its name for people.
    #[schema(example = "Kettles")]
    pub name: String,
    /// Its products; empty past the last page.
    pub items: Vec<Offer>,
    /// Which page, from 1.
    #[schema(example = 1)]
    pub page: u32,
    /// How many products a full page has.
    #[schema(example = 24)]
    pub size: u32,
    /// How many products all pages have.
    #[schema(example = 103)]
    pub total: u64,
}

/// Category page
#[utoipa::path(
    get,
    path = "/category/{slug}",
    params(("slug" = String, Path, description = "The category's name in URLs.", example = "kettles"), Which),
    responses((status = OK, body = CategoryPage), Problems)
)]
pub async fn category(
    page: Composer,
    up: Upstreams,
    Path(slug): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<CategoryPage>> {
    compose!(page => CategoryPage {
        category: subject(async {
            let found = up.catalog.category(&slug, which.page, paging::SIZE).await?.into_inner();
            let paths = Paths { price: "category.items.price", stock: "category.items.stock" };
            Ok(Category {
                items: offers(&page, &up, paths, found.items.into()).await,
                slug: found.category.slug,
                name: found.category.name,
                page: found.page,
                size: found.size,
                total: found.total,
            })
        }),
        promotions: fallback(up.promotions.at("category"), Banners::default),
    })
}
