//! Stock.

use serde::Serialize;

use crate::{
    call::Call,
    data::{Stock, World},
    reply::{Problem, Reply},
};

const CACHE: &str = "public, max-age=5";

#[derive(Serialize)]
struct Batch<'a> {
    stock: Vec<&'a Stock>,
}

pub(super) fn answer(call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    match call.segments()[..] {
        ["stock"] => {
            call.reads_only()?;
            let ids = call.ids()?.ok_or_else(|| Problem::bad_request("ids is missing"))?;
            Ok(Reply::cached(&Batch { stock: ids.iter().filter_map(|id| world.stock(id)).collect() }, CACHE))
        }
        ["stock", id] => {
            call.reads_only()?;
            let found = world.stock(id).ok_or_else(|| Problem::not_found(format!("there is no product `{id}`")))?;
            Ok(Reply::cached(found, CACHE))
        }
        _ => Err(call.unknown_path()),
    }
}
