//! Prices and stock.

use serde::Serialize;

use super::{products, source};

/// The price of a product, in the minor unit of its currency.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Quote {
    product_id: String,
    pub(crate) amount_minor: u64,
    currency: &'static str,
    /// What it cost before a reduction.
    list_amount_minor: Option<u64>,
}

/// How many pieces of a product there are, and where.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Stock {
    product_id: String,
    total: u32,
    warehouses: Vec<Warehouse>,
}

#[derive(Debug, Clone, Serialize)]
struct Warehouse {
    warehouse: &'static str,
    city: &'static str,
    quantity: u32,
}

const WAREHOUSES: [(&str, &str); 4] =
    [("ham-1", "Hamburg"), ("rtm-1", "Rotterdam"), ("lyo-1", "Lyon"), ("poz-1", "Poznań")];

pub(super) fn quotes(seed: u64) -> Vec<Quote> {
    let mut rng = source(seed, 2);
    (1..=products::COUNT)
        .map(|number| {
            let (low, high) = products::range_of(number).price;
            // Squared, so that cheap products are more common than dear ones.
            let height = rng.f64().powi(2);
            let euros = low + ((high - low) as f64 * height) as u64;
            let cents = [90, 95, 99, 0][rng.usize(..4)];
            let amount_minor = euros * 100 + cents;
            let reduced = rng.f64() < 0.25;
            let list_amount_minor = reduced.then(|| (amount_minor * rng.u64(110..150) / 100 / 100) * 100 + 95);
            Quote {
                product_id: number.to_string(),
                amount_minor,
                currency: "EUR",
                list_amount_minor: list_amount_minor.filter(|list| *list > amount_minor),
            }
        })
        .collect()
}

pub(super) fn stock(seed: u64) -> Vec<Stock> {
    let mut rng = source(seed, 3);
    (1..=products::COUNT)
        .map(|number| {
            let sold_out = rng.f64() < 0.07 && number != 42;
            let warehouses: Vec<Warehouse> = WAREHOUSES
                .iter()
                .map(|&(warehouse, city)| {
                    let some = rng.u32(1..120);
                    let empty = sold_out || rng.f64() < 0.3;
                    Warehouse { warehouse, city, quantity: if empty { 0 } else { some } }
                })
                .collect();
            let mut stock = Stock {
                product_id: number.to_string(),
                total: warehouses.iter().map(|w| w.quantity).sum(),
                warehouses,
            };
            if stock.total == 0 && !sold_out {
                stock.warehouses[0].quantity = 5;
                stock.total = 5;
            }
            stock
        })
        .collect()
}
