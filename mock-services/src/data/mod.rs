//! The shop's data, made from a seed: the same seed gives the same bytes.
//!
//! - `ranges` holds what is particular to each category: kinds, phrases, attributes, price range.
//! - `products`, `offers` (prices and stock), `reviews`, `users`, `orders` and `promotions` each make
//!   one part, with a random source of their own: a change in one part does not move the others.
//! - `world` puts them together.

mod offers;
mod orders;
mod products;
mod promotions;
mod ranges;
mod reviews;
mod users;
mod world;

pub(crate) use offers::{Quote, Stock};
pub(crate) use orders::Order;
pub(crate) use products::{Category, Product};
pub(crate) use promotions::Promotion;
pub(crate) use reviews::{Review, Summary};
pub(crate) use users::Profile;
pub(crate) use world::World;

use jiff::{Timestamp, ToSpan};

/// The random source of one part of the data.
fn source(seed: u64, part: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(part))
}

fn pick<'a, T: ?Sized>(rng: &mut fastrand::Rng, from: &[&'a T]) -> &'a T {
    from[rng.usize(..from.len())]
}

/// A moment in the shop's past. Its present is fixed, so that the data does not depend on the clock.
fn minutes_ago(minutes: i64) -> Timestamp {
    const NOW: Timestamp = Timestamp::constant(1_790_812_800, 0);
    NOW.checked_sub(minutes.minutes()).unwrap_or(NOW)
}
