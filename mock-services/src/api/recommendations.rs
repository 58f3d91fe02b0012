//! Similar products, and products for one user.

use serde::Serialize;

use crate::{
    call::Call,
    data::{Product, World},
    reply::{Problem, Reply},
};

const LIKE: &str = "public, max-age=60";
const FOR_ME: &str = "private, max-age=30";

#[derive(Serialize)]
struct Items<'a> {
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    product_id: &'a str,
    name: &'a str,
    image: &'a str,
    /// 0 to 1; the best comes first.
    score: f64,
}

pub(super) fn answer(call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    match call.segments()[..] {
        ["like"] => {
            call.reads_only()?;
            like(call, world)
        }
        ["for-me"] => {
            call.reads_only()?;
            for_me(call, world)
        }
        _ => Err(call.unknown_path()),
    }
}

fn like(call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    let slug = call.param("category").ok_or_else(|| Problem::bad_request("category is missing"))?;
    let category = world.category(slug).ok_or_else(|| Problem::not_found(format!("there is no category `{slug}`")))?;
    let exclude = call.param("exclude");
    let limit = call.number("limit", 8, 1..=50)?;
    let mut rng = world.source_of(category.slug);
    let scored = world
        .products
        .iter()
        .filter(|product| product.category == category.slug)
        .map(|product| (product, rng.f64()))
        .filter(|(product, _)| exclude != Some(product.id.as_str()))
        .collect();
    Ok(Reply::cached(&best(scored, limit), LIKE))
}

fn for_me(call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    let user = call.user()?;
    let limit = call.number("limit", 8, 1..=50)?;
    let mut rng = world.source_of(user);
    let scored = world.products.iter().map(|product| (product, rng.f64())).collect();
    Ok(Reply::cached(&best(scored, limit), FOR_ME).with(http::header::VARY, "X-User-Id"))
}

fn best(mut scored: Vec<(&Product, f64)>, limit: usize) -> Items<'_> {
    scored.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    scored.truncate(limit);
    let items = scored
        .into_iter()
        .map(|(product, score)| Item {
            product_id: &product.id,
            name: &product.name,
            image: product.images.first().map_or("", |image| &image.url),
            score: (score * 1000.0).round() / 1000.0,
        })
        .collect();
    Items { items }
}
