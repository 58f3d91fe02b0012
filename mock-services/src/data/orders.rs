//! Orders.

use jiff::Timestamp;
use serde::Serialize;

use super::{minutes_ago, offers::Quote, source, users::Profile};

/// How many orders there are; their ids start at 1001.
const COUNT: usize = 3_200;
const FIRST_ID: usize = 1_001;

/// One order.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) tenant: Option<&'static str>,
    status: &'static str,
    placed_at: Timestamp,
    currency: &'static str,
    total_minor: u64,
    lines: Vec<Line>,
}

/// One line of an order.
#[derive(Debug, Clone, Serialize)]
struct Line {
    product_id: String,
    quantity: u32,
    /// For the whole line.
    amount_minor: u64,
}

/// All orders, oldest first.
pub(super) fn orders(seed: u64, users: &[Profile], quotes: &[Quote]) -> Vec<Order> {
    let mut rng = source(seed, 6);
    (0..COUNT)
        .map(|at| {
            let id = FIRST_ID + at;
            // Every 200th order is Ada's, the others are anyone's; the first is not hers.
            let user = if at % 200 == 153 { &users[0] } else { &users[rng.usize(1..users.len())] };
            let mut lines: Vec<Line> = Vec::new();
            for _ in 0..rng.usize(1..=4) {
                let number = rng.usize(1..=quotes.len());
                let product_id = number.to_string();
                if lines.iter().any(|line| line.product_id == product_id) {
                    continue;
                }
                let quantity = [1, 1, 1, 2, 3][rng.usize(..5)];
                let amount_minor = quotes[number - 1].amount_minor * u64::from(quantity);
                lines.push(Line { product_id, quantity, amount_minor });
            }
            let age = (COUNT - at) as i64;
            Order {
                id: id.to_string(),
                user_id: user.id.clone(),
                tenant: match id {
                    _ if id % 10 == 1 => Some("acme"),
                    _ if id % 25 == 7 => Some("globex"),
                    _ => None,
                },
                status: status(age, &mut rng),
                placed_at: minutes_ago(age * 240 - rng.i64(0..240)),
                currency: "EUR",
                total_minor: lines.iter().map(|line| line.amount_minor).sum(),
                lines,
            }
        })
        .collect()
}

fn status(age: i64, rng: &mut fastrand::Rng) -> &'static str {
    match age {
        ..=6 => "placed",
        7..=12 => "packed",
        13..=30 => "shipped",
        _ => ["delivered", "delivered", "delivered", "delivered", "delivered", "delivered", "returned", "cancelled"]
            [rng.usize(..8)],
    }
}
