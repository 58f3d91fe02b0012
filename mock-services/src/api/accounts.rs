//! User profiles.

use http::header::VARY;

use crate::{
    call::Call,
    data::World,
    reply::{Problem, Reply},
};

pub(super) fn answer(call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    match call.segments()[..] {
        ["profile"] => {
            call.reads_only()?;
            let id = call.user()?;
            let user = world.user(id).ok_or_else(|| Problem::not_found(format!("there is no user `{id}`")))?;
            Ok(Reply::cached(user, "private, max-age=60").with(VARY, "X-User-Id"))
        }
        _ => Err(call.unknown_path()),
    }
}
