//! Shopping carts.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use http::{Method, StatusCode, header::VARY};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    data::World,
    reply::{Problem, Reply},
};

/// The most pieces of one product in a cart.
const MAX_QUANTITY: u32 = 20;

/// The carts that were changed, and the answers to keys that were used.
#[derive(Default)]
pub(super) struct Carts {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    carts: HashMap<String, Cart>,
    /// By user and `Idempotency-Key`.
    done: HashMap<(String, String), Done>,
}

struct Done {
    request: Bytes,
    answer: Reply,
}

#[derive(Clone, Serialize)]
struct Cart {
    user_id: String,
    lines: Vec<Line>,
    updated_at: Timestamp,
}

#[derive(Clone, Serialize)]
struct Line {
    product_id: String,
    quantity: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewItem {
    product_id: String,
    quantity: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewQuantity {
    quantity: i64,
}

pub(super) fn answer(call: &Call<'_>, world: &World, carts: &Carts) -> Result<Reply, Problem> {
    match (call.segments().as_slice(), call.method()) {
        (["cart"], _) => {
            call.reads_only()?;
            let user = call.user()?;
            Ok(carts.state().cart(user, world).reply())
        }
        (["cart", "items"], &Method::POST) => add(call, world, carts),
        (["cart", "items"], _) => Err(Problem::wrong_method("POST")),
        (["cart", "items", id], &Method::PATCH) => {
            let user = call.user()?;
            let wanted: NewQuantity = call.json()?;
            let quantity = checked(wanted.quantity)?;
            carts.state().cart(user, world).change(id, |lines, at| lines[at].quantity = quantity)
        }
        (["cart", "items", id], &Method::DELETE) => {
            let user = call.user()?;
            carts.state().cart(user, world).change(id, |lines, at| {
                lines.remove(at);
            })
        }
        (["cart", "items", _], _) => Err(Problem::wrong_method("PATCH, DELETE")),
        _ => Err(call.unknown_path()),
    }
}

/// Adds to a cart, once for each `Idempotency-Key`: a repeat gets the first answer again.
fn add(call: &Call<'_>, world: &World, carts: &Carts) -> Result<Reply, Problem> {
    let user = call.user()?;
    let item: NewItem = call.json()?;
    let key = call.header("idempotency-key").map(|key| (user.to_owned(), key.to_owned()));
    let mut state = carts.state();
    if let Some(done) = key.as_ref().and_then(|key| state.done.get(key)) {
        if done.request != *call.body() {
            return Err(Problem::new(StatusCode::CONFLICT, "this Idempotency-Key was used with another body"));
        }
        return Ok(done.answer.clone().with(http::HeaderName::from_static("idempotent-replayed"), "true"));
    }
    let quantity = checked(item.quantity)?;
    if world.product(&item.product_id).is_none() {
        return Err(unprocessable(format!("product_id: there is no product `{}`", item.product_id)));
    }
    let answer = state.cart(user, world).add(item.product_id, quantity)?;
    if let Some(key) = key {
        state.done.insert(key, Done { request: call.body().clone(), answer: answer.clone() });
    }
    Ok(answer)
}

fn checked(quantity: i64) -> Result<u32, Problem> {
    u32::try_from(quantity)
        .ok()
        .filter(|quantity| (1..=MAX_QUANTITY).contains(quantity))
        .ok_or_else(|| unprocessable(format!("quantity must be from 1 to {MAX_QUANTITY}, not {quantity}")))
}

fn unprocessable(detail: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

impl Carts {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn cart(&mut self, user: &str, world: &World) -> &mut Cart {
        self.carts.entry(user.to_owned()).or_insert_with(|| {
            let (lines, updated_at) = world.first_cart(user);
            let lines = lines.into_iter().map(|(product_id, quantity)| Line { product_id, quantity }).collect();
            Cart { user_id: user.to_owned(), lines, updated_at }
        })
    }
}

impl Cart {
    fn reply(&self) -> Reply {
        Reply::cached(self, "private, no-store").with(VARY, "X-User-Id")
    }

    fn add(&mut self, product_id: String, quantity: u32) -> Result<Reply, Problem> {
        match self.lines.iter_mut().find(|line| line.product_id == product_id) {
            Some(line) if line.quantity + quantity > MAX_QUANTITY => {
                return Err(unprocessable(format!(
                    "quantity would be {}; a cart holds at most {MAX_QUANTITY} of one product",
                    line.quantity + quantity
                )));
            }
            Some(line) => line.quantity += quantity,
            None => self.lines.push(Line { product_id, quantity }),
        }
        self.updated_at = Timestamp::now();
        Ok(self.reply())
    }

    /// Changes the line of a product; 404 where the cart has none.
    fn change(&mut self, product_id: &str, change: impl FnOnce(&mut Vec<Line>, usize)) -> Result<Reply, Problem> {
        let at = self
            .lines
            .iter()
            .position(|line| line.product_id == product_id)
            .ok_or_else(|| Problem::not_found(format!("the cart has no product `{product_id}`")))?;
        change(&mut self.lines, at);
        self.updated_at = Timestamp::now();
        Ok(self.reply())
    }
}
