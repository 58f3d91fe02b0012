//! Reviews.

use jiff::Timestamp;
use serde::Serialize;

use super::{minutes_ago, pick, products, source, users::Profile};

/// What one shopper thinks of one product.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Review {
    id: String,
    product_id: String,
    author: String,
    stars: u8,
    title: &'static str,
    body: String,
    created_at: Timestamp,
}

/// The stars of one product.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    product_id: String,
    average: f64,
    count: usize,
    /// How many reviews have one star, two stars, … five stars.
    stars: [usize; 5],
}

const CONTEXT: [&str; 8] = [
    "I have used it almost every day for two months.",
    "Bought it as a present and ended up keeping it.",
    "It replaced one that lasted eleven years, so the bar was high.",
    "Delivery took three days and the packaging was all paper.",
    "I compared four models before I decided.",
    "My partner was sceptical and now uses it more than I do.",
    "This is my second one; the first lives at my parents' place.",
    "I waited a few weeks before writing this.",
];

const ENDINGS: [[&str; 3]; 3] = [
    ["I sent it back.", "I would not buy it again.", "For this price I expected more."],
    ["Fine for what it costs.", "It does the job.", "I will keep it, with mixed feelings."],
    ["Happy with it.", "I would buy it again.", "Warmly recommended."],
];

/// The reviews of each product, newest first; about one product in twelve has none.
pub(super) fn reviews(seed: u64, users: &[Profile]) -> Vec<Vec<Review>> {
    let mut rng = source(seed, 5);
    let mut next_id = 1;
    (1..=products::COUNT)
        .map(|number| {
            let unseen = rng.f64() < 0.08;
            let count = match number {
                42 => 14,
                _ if unseen => 0,
                _ => rng.usize(1..=8),
            };
            // How good the product is: its reviews are spread around this.
            let quality = 2.8 + 2.0 * rng.f64();
            let mut age = rng.i64(60..60 * 24 * 40);
            (0..count)
                .map(|_| {
                    age += rng.i64(60..60 * 24 * 45);
                    let stars = (quality + rng.f64() * 2.4 - 1.2).round().clamp(1.0, 5.0) as u8;
                    let id = format!("r{next_id}");
                    next_id += 1;
                    review(id, number, stars, age, users, &mut rng)
                })
                .collect()
        })
        .collect()
}

fn review(id: String, number: usize, stars: u8, age: i64, users: &[Profile], rng: &mut fastrand::Rng) -> Review {
    let range = products::range_of(number);
    let titles: [&str; 4] = match stars {
        1 => ["Disappointed", "Not for me", "Sent it back", "Broke too soon"],
        2 => ["Below expectations", "Could be better", "Has its flaws", "Only just"],
        3 => ["It is all right", "Decent, not great", "Mixed feelings", "Does the job"],
        4 => ["Very good", "Nearly perfect", "A solid choice", "Glad I bought it"],
        _ => ["Excellent", "Exactly what I wanted", "Love it", "Would buy again"],
    };
    let mut sentences = vec![pick(rng, &CONTEXT)];
    match stars {
        1 => sentences.push(pick(rng, range.complaints)),
        2 | 3 => sentences.extend([pick(rng, range.complaints), pick(rng, range.praise)]),
        4 => sentences.extend([pick(rng, range.praise), pick(rng, range.complaints)]),
        _ => sentences.push(pick(rng, range.praise)),
    }
    sentences.push(pick(rng, &ENDINGS[usize::from(stars.saturating_sub(2)).min(2)]));
    let author = &users[rng.usize(..users.len())].name;
    Review {
        id,
        product_id: number.to_string(),
        author: short_name(author),
        stars,
        title: pick(rng, &titles),
        body: sentences.join(" "),
        created_at: minutes_ago(age),
    }
}

/// `Ada L.` for Ada Lindqvist.
fn short_name(name: &str) -> String {
    match name.split_once(' ') {
        Some((first, last)) => {
            let initial: String = last.chars().filter(|c| c.is_uppercase()).take(1).collect();
            format!("{first} {initial}.")
        }
        None => name.to_owned(),
    }
}

impl Summary {
    /// The summary of these reviews, or nothing where there are none.
    pub(super) fn of(product_id: &str, reviews: &[Review]) -> Option<Self> {
        if reviews.is_empty() {
            return None;
        }
        let mut stars = [0; 5];
        let mut sum = 0_usize;
        for review in reviews {
            stars[usize::from(review.stars) - 1] += 1;
            sum += usize::from(review.stars);
        }
        let average = (sum as f64 / reviews.len() as f64 * 10.0).round() / 10.0;
        Some(Self { product_id: product_id.to_owned(), average, count: reviews.len(), stars })
    }
}
