//! Prices.

use serde::Serialize;

use crate::{
    call::Call,
    data::{Quote, World},
    reply::{Problem, Reply},
};

const CACHE: &str = "public, max-age=30, stale-if-error=300";

#[derive(Serialize)]
struct Batch<'a> {
    quotes: Vec<&'a Quote>,
}

pub(super) fn answer(call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    match call.segments()[..] {
        ["quotes"] => {
            call.reads_only()?;
            let ids = call.ids()?.ok_or_else(|| Problem::bad_request("ids is missing"))?;
            Ok(Reply::cached(&Batch { quotes: ids.iter().filter_map(|id| world.quote(id)).collect() }, CACHE))
        }
        ["quotes", id] => {
            call.reads_only()?;
            let found = world.quote(id).ok_or_else(|| Problem::not_found(format!("there is no product `{id}`")))?;
            Ok(Reply::cached(found, CACHE))
        }
        _ => Err(call.unknown_path()),
    }
}
