//! Products, categories and search.

use serde::Serialize;

use crate::{
    call::Call,
    data::{Category, Product, World},
    reply::{Problem, Reply},
};

const PRODUCTS: &str = "public, max-age=300, stale-while-revalidate=60, stale-if-error=3600";
const LISTS: &str = "public, max-age=60";

#[derive(Serialize)]
struct Batch<'a> {
    products: Vec<&'a Product>,
}

#[derive(Serialize)]
struct Slice<'a> {
    products: Vec<&'a Product>,
    next: Option<&'a str>,
}

#[derive(Serialize)]
struct Categories<'a> {
    categories: &'a [Category],
}

#[derive(Serialize)]
struct CategoryPage<'a> {
    category: &'a Category,
    products: Vec<&'a Product>,
    page: usize,
    size: usize,
    total: usize,
}

#[derive(Serialize)]
struct Found<'a> {
    query: &'a str,
    products: Vec<&'a Product>,
    page: usize,
    size: usize,
    total: usize,
}

pub(super) fn answer(call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    match call.segments()[..] {
        ["products"] => {
            call.reads_only()?;
            match call.ids()? {
                Some(ids) => Ok(batch(&ids, world)),
                None => list(call, world),
            }
        }
        ["products", id] => {
            call.reads_only()?;
            let product = world.product(id).ok_or_else(|| Problem::not_found(format!("there is no product `{id}`")))?;
            Ok(Reply::cached(product, PRODUCTS))
        }
        ["categories"] => {
            call.reads_only()?;
            Ok(Reply::cached(&Categories { categories: &world.categories }, LISTS))
        }
        ["categories", slug, "products"] => {
            call.reads_only()?;
            category(slug, call, world)
        }
        ["search"] => {
            call.reads_only()?;
            search(call, world)
        }
        _ => Err(call.unknown_path()),
    }
}

fn batch(ids: &[&str], world: &World) -> Reply {
    Reply::cached(&Batch { products: ids.iter().filter_map(|id| world.product(id)).collect() }, PRODUCTS)
}

/// All products in the order of their ids, a slice at a time.
fn list(call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    let after = call.number("after", 0, 0..=usize::MAX)?;
    let limit = call.number("limit", 20, 1..=100)?;
    let slug = call.param("category");
    if let Some(slug) = slug
        && world.category(slug).is_none()
    {
        return Err(Problem::bad_request(format!("there is no category `{slug}`")));
    }
    let mut rest = world.products.iter().skip(after).filter(|product| slug.is_none_or(|slug| product.category == slug));
    let products: Vec<_> = rest.by_ref().take(limit).collect();
    let next = rest.next().and(products.last()).map(|last| last.id.as_str());
    Ok(Reply::cached(&Slice { products, next }, PRODUCTS))
}

fn category(slug: &str, call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    let category = world.category(slug).ok_or_else(|| Problem::not_found(format!("there is no category `{slug}`")))?;
    let page = call.page()?;
    let all: Vec<_> = world.products.iter().filter(|product| product.category == slug).collect();
    let total = all.len();
    let products = page.of(all.into_iter());
    Ok(Reply::cached(&CategoryPage { category, products, page: page.page, size: page.size, total }, LISTS))
}

/// Products that have all words of the query; those that have them in their name come first.
fn search(call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    let query = call.param("q").map(str::trim).unwrap_or_default();
    if query.is_empty() {
        return Err(Problem::bad_request("q is missing or empty"));
    }
    let page = call.page()?;
    let lower = query.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let has_all = |text: &str| words.iter().all(|word| text.contains(word));
    let (named, others): (Vec<&Product>, Vec<&Product>) = world
        .products
        .iter()
        .filter(|product| has_all(&product.search_text))
        .partition(|product| has_all(&product.search_name));
    let total = named.len() + others.len();
    let products = page.of(named.into_iter().chain(others));
    Ok(Reply::cached(&Found { query, products, page: page.page, size: page.size, total }, LISTS))
}
