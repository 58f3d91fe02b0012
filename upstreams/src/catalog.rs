//! Products, categories and search.

use std::borrow::Borrow;

use bff_core::upstream::Client;
use bff_core::{Fetched, Result, Rows, path};
use jiff::Timestamp;
use serde::Deserialize;

use crate::ids::{self, ProductId};

/// The catalog.
#[derive(Clone, Debug)]
pub struct Catalog(Client);

impl From<Client> for Catalog {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

/// One product.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Product {
    /// Which one.
    pub id: ProductId,
    /// What the warehouse calls it.
    pub sku: String,
    /// What it is called.
    pub name: String,
    /// Who makes it.
    pub brand: String,
    /// The slug of its category.
    pub category: String,
    /// Some sentences, as plain text.
    pub description: String,
    /// What can be said of it in one word each.
    pub attributes: Vec<Attribute>,
    /// Pictures, the main one first.
    pub images: Vec<Image>,
    /// Since when it is sold.
    pub created_at: Timestamp,
}

/// One property of a product.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Attribute {
    /// Of what.
    pub name: String,
    /// With its unit.
    pub value: String,
}

/// A picture of a product.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Image {
    /// Where it is.
    pub url: String,
    /// What it shows.
    pub alt: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// A group of products.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Category {
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// How many products it has.
    pub product_count: u64,
}

/// Products in the order of their ids, from one id on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Slice {
    /// The products.
    #[serde(rename = "products")]
    pub items: Rows<Product>,
    /// What to ask for next with `after`; `None` at the end.
    pub next: Option<ProductId>,
}

/// One page of a category.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct CategoryPage {
    /// The category itself.
    pub category: Category,
    /// Its products.
    #[serde(rename = "products")]
    pub items: Rows<Product>,
    /// Which page, from 1.
    pub page: u32,
    /// How many items a full page has.
    pub size: u32,
    /// How many items all pages have.
    pub total: u64,
}

/// One page of what a search found.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SearchPage {
    /// What was searched for, as the catalog understood it.
    pub query: String,
    /// What was found, the best first.
    #[serde(rename = "products")]
    pub items: Rows<Product>,
    /// Which page, from 1.
    pub page: u32,
    /// How many items a full page has.
    pub size: u32,
    /// How many items all pages have.
    pub total: u64,
}

#[derive(Deserialize)]
struct Products {
    products: Rows<Product>,
}

#[derive(Deserialize)]
struct Categories {
    categories: Rows<Category>,
}

impl Catalog {
    /// One product; `Kind::NotFound` for an id that never was.
    pub async fn product(&self, product: &ProductId) -> Result<Fetched<Product>> {
        self.0.get(path!("/products/{}", product)).shared().await
    }

    /// These products, up to 100; those that are unknown are left out.
    pub async fn products(
        &self,
        products: impl IntoIterator<Item: Borrow<ProductId>>,
    ) -> Result<Fetched<Vec<Product>>> {
        let Some(ids) = ids::set(products) else { return Ok(Fetched::fresh(Vec::new())) };
        let batch = self.0.get(path!("/products").query("ids", ids)).shared::<Products>().await?;
        Ok(batch.map(|batch| batch.products.into()))
    }

    /// `limit` products (1 to 100) in the order of their ids, after this one, of all categories or of one;
    /// `Kind::Rejected` for a category that never was.
    pub async fn list(&self, after: Option<&ProductId>, limit: u32, category: Option<&str>) -> Result<Fetched<Slice>> {
        let mut path = path!("/products").query("limit", limit);
        if let Some(after) = after {
            path = path.query("after", after);
        }
        if let Some(category) = category {
            path = path.query("category", category);
        }
        self.0.get(path).shared().await
    }

    /// All categories.
    pub async fn categories(&self) -> Result<Fetched<Vec<Category>>> {
        let all = self.0.get(path!("/categories")).shared::<Categories>().await?;
        Ok(all.map(|all| all.categories.into()))
    }

    /// One page of the category with this slug; `Kind::NotFound` for a slug that never was.
    pub async fn category(&self, slug: &str, page: u32, size: u32) -> Result<Fetched<CategoryPage>> {
        let path = path!("/categories/{}/products", slug).query("page", page).query("size", size);
        self.0.get(path).shared().await
    }

    /// One page of the products that have all of these words; `Kind::Rejected` where there is no word.
    pub async fn search(&self, words: &str, page: u32, size: u32) -> Result<Fetched<SearchPage>> {
        let path = path!("/search").query("q", words).query("page", page).query("size", size);
        self.0.get(path).shared().await
    }
}
