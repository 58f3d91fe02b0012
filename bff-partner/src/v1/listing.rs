//! All products, a slice at a time.

use bff_core::error::Input;
use bff_core::{Composer, Error, Json, Kind, Meta, Problems, Query, Result, compose};
use serde::{Deserialize, Serialize};
use upstreams::pricing::Quote;
use upstreams::{ProductId, catalog};
use utoipa::{IntoParams, ToSchema};

use super::price::Price;
use crate::Upstreams;

/// Which slice.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// The `next` of the answer before; without it the first slice.
    #[param(value_type = Option<String>, example = "20")]
    pub after: Option<ProductId>,
    /// At most so many products.
    // The backends take no more in a batch.
    #[serde(default = "usual")]
    #[param(default = 20, minimum = 1, maximum = 100)]
    pub limit: u32,
}

fn usual() -> u32 {
    20
}

/// A slice of all products.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductList {
    /// The products.
    pub products: Slice,
    /// Whether everything is there, and what is not.
    pub meta: Meta,
}

/// Products in the order of the catalog.
#[derive(Debug, Serialize, ToSchema)]
pub struct Slice {
    /// At most `limit`.
    pub items: Vec<ListedProduct>,
    /// What to ask for next with `?after=`; null at the end.
    pub next: Option<ProductId>,
}

/// A product in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedProduct {
    /// Which product.
    pub id: ProductId,
    /// What the warehouse calls it.
    #[schema(example = "DRU-780-00042")]
    pub sku: String,
    /// What it is called.
    #[schema(example = "Gooseneck Kettle 0.9 l")]
    pub name: String,
    /// Who makes it.
    #[schema(example = "Hearthline")]
    pub brand: String,
    /// The slug of its category.
    #[schema(example = "kettles")]
    pub category: String,
    /// What one piece costs; null where it has no price, and in a partial answer.
    pub price: Option<Price>,
}

/// All products, a slice at a time
#[utoipa::path(get, path = "/v1/products", params(Which), responses((status = OK, body = ProductList), Problems))]
pub async fn products(page: Composer, up: Upstreams, Query(which): Query<Which>) -> Result<Json<ProductList>> {
    compose!(page => ProductList {
        products: required(async {
            let after = which.after.as_ref();
            let slice =
                up.catalog.list(after, which.limit, None).await.map_err(|error| refused(error, after))?;
            Ok(priced(&page, &up, slice.into_inner()).await)
        }),
    })
}

/// A cursor that the catalog does not take never came from it.
fn refused(error: Error, after: Option<&ProductId>) -> Error {
    if error.kind() == Kind::Rejected && after.is_some() {
        return Error::invalid(Input::Malformed, "?after", "write the `next` of an earlier answer");
    }
    error
}

/// Joins all products with their prices: one call, however many.
async fn priced(page: &Composer, up: &Upstreams, slice: catalog::Slice) -> Slice {
    let ids: Vec<ProductId> = slice.items.iter().map(|product| product.id.clone()).collect();
    let quotes = async |ids| up.pricing.quotes(ids).await;
    let prices = page.batch("products.items.price", ids, quotes, |quote: &Quote| quote.product_id.clone()).await;
    let listed = |product: catalog::Product| ListedProduct { price: prices.view(&product.id), ..product.into() };
    Slice { items: slice.items.into_iter().map(listed).collect(), next: slice.next }
}

impl From<catalog::Product> for ListedProduct {
    fn from(product: catalog::Product) -> Self {
        Self {
            id: product.id,
            sku: product.sku,
            name: product.name,
            brand: product.brand,
            category: product.category,
            price: None,
        }
    }
}
