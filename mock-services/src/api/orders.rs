//! Order history.

use http::header::VARY;
use serde::Serialize;

use crate::{
    call::Call,
    data::{Order, World},
    reply::{Problem, Reply},
};

const CACHE: &str = "private, max-age=10";

#[derive(Serialize)]
struct OrderPage<'a> {
    orders: Vec<&'a Order>,
    page: usize,
    size: usize,
    total: usize,
}

pub(super) fn answer(call: &Call<'_>, world: &World) -> Result<Reply, Problem> {
    match call.segments()[..] {
        ["orders"] => {
            call.reads_only()?;
            let user = call.user()?;
            let page = call.page()?;
            let mine: Vec<_> = world.orders.iter().rev().filter(|order| order.user_id == user).collect();
            let total = mine.len();
            let orders = page.of(mine.into_iter());
            let list = OrderPage { orders, page: page.page, size: page.size, total };
            Ok(Reply::cached(&list, CACHE).with(VARY, "X-User-Id"))
        }
        ["orders", id] => {
            call.reads_only()?;
            let user = call.user()?;
            // Somebody else's order is as unknown as one that does not exist.
            let order = world
                .orders
                .iter()
                .find(|order| order.id == id && (order.user_id == user || is_partners(order, call)))
                .ok_or_else(|| Problem::not_found(format!("there is no order `{id}`")))?;
            Ok(Reply::cached(order, CACHE).with(VARY, "X-User-Id, X-User-Roles, X-User-Tenant"))
        }
        _ => Err(call.unknown_path()),
    }
}

/// Whether the caller is a partner and the order belongs to its tenant.
fn is_partners(order: &Order, call: &Call<'_>) -> bool {
    let partner =
        call.header("x-user-roles").is_some_and(|roles| roles.split(',').any(|role| role.trim() == "partner"));
    partner && order.tenant.is_some() && order.tenant == call.header("x-user-tenant")
}
