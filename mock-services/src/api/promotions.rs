//! Banners.

use serde::Serialize;

use crate::{
    call::Call,
    data::{Promotion, World},
    reply::{Problem, Reply},
};

#[derive(Serialize)]
struct Promotions<'a> {
    promotions: Vec<&'a Promotion>,
}

/// Without a placement all banners are shown; an unknown placement has none.
pub(super) fn answer(call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    match call.segments()[..] {
        ["promotions"] => {
            call.reads_only()?;
            let placement = call.param("placement");
            let promotions = world
                .promotions()
                .iter()
                .filter(|promotion| placement.is_none_or(|placement| promotion.placement == placement))
                .collect();
            Ok(Reply::cached(&Promotions { promotions }, "public, max-age=60"))
        }
        _ => Err(call.unknown_path()),
    }
}
