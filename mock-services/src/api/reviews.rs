//! Star summaries and review texts.

use serde::Serialize;

use crate::{
    call::Call,
    data::{Review, World},
    reply::{Problem, Reply},
};

const CACHE: &str = "public, max-age=120, stale-while-revalidate=600, stale-if-error=3600";

#[derive(Serialize)]
struct ReviewPage<'a> {
    reviews: Vec<&'a Review>,
    page: usize,
    size: usize,
    total: usize,
}

pub(super) fn answer(call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    match call.segments()[..] {
        ["products", id, "reviews", "summary"] => {
            call.reads_only()?;
            let summary = world
                .review_summary(id)
                .ok_or_else(|| Problem::not_found(format!("there is no review of a product `{id}`")))?;
            Ok(Reply::cached(&summary, CACHE))
        }
        ["products", id, "reviews"] => {
            call.reads_only()?;
            let all = world.reviews(id).ok_or_else(|| Problem::not_found(format!("there is no product `{id}`")))?;
            let page = call.page()?;
            let reviews = page.of(all.iter());
            Ok(Reply::cached(&ReviewPage { reviews, page: page.page, size: page.size, total: all.len() }, CACHE))
        }
        _ => Err(call.unknown_path()),
    }
}
