//! All data of the shop together.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    Category, Order, Product, Profile, Promotion, Quote, Review, Stock, Summary, minutes_ago, offers, orders, products,
    promotions, reviews, source, users,
};

/// All data of the shop. It never changes; carts keep their changes to themselves.
pub(crate) struct World {
    seed: u64,
    pub(crate) products: Vec<Product>,
    pub(crate) categories: Vec<Category>,
    quotes: Vec<Quote>,
    stock: Vec<Stock>,
    reviews: Vec<Vec<Review>>,
    users: Vec<Profile>,
    user_places: HashMap<String, usize>,
    /// Oldest first.
    pub(crate) orders: Vec<Order>,
}

/// A cart as it is before anyone changes it: product and quantity.
pub(crate) type FirstCart = (Vec<(String, u32)>, Timestamp);

impl World {
    /// The shop of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        let users = users::users(seed);
        let quotes = offers::quotes(seed);
        Self {
            seed,
            products: products::products(seed),
            categories: products::categories(),
            stock: offers::stock(seed),
            reviews: reviews::reviews(seed, &users),
            user_places: users.iter().enumerate().map(|(at, user)| (user.id.clone(), at)).collect(),
            orders: orders::orders(seed, &users, &quotes),
            users,
            quotes,
        }
    }

    /// The place of a product in the lists; ids are numbers without leading zeros.
    fn place(&self, id: &str) -> Option<usize> {
        let number: usize = id.parse().ok()?;
        let known = (1..=self.products.len()).contains(&number) && number.to_string() == id;
        known.then(|| number - 1)
    }

    pub(crate) fn product(&self, id: &str) -> Option<&Product> {
        self.place(id).map(|at| &self.products[at])
    }

    pub(crate) fn category(&self, slug: &str) -> Option<&Category> {
        self.categories.iter().find(|category| category.slug == slug)
    }

    pub(crate) fn quote(&self, id: &str) -> Option<&Quote> {
        self.place(id).map(|at| &self.quotes[at])
    }

    pub(crate) fn stock(&self, id: &str) -> Option<&Stock> {
        self.place(id).map(|at| &self.stock[at])
    }

    /// The reviews of a product, newest first; none where there is no such product.
    pub(crate) fn reviews(&self, id: &str) -> Option<&[Review]> {
        self.place(id).map(|at| self.reviews[at].as_slice())
    }

    /// The stars of a product; none where it has no review.
    pub(crate) fn review_summary(&self, id: &str) -> Option<Summary> {
        Summary::of(id, self.reviews(id)?)
    }

    pub(crate) fn user(&self, id: &str) -> Option<&Profile> {
        self.user_places.get(id).map(|at| &self.users[*at])
    }

    pub(crate) fn promotions(&self) -> &'static [Promotion] {
        &promotions::PROMOTIONS
    }

    /// A random source that belongs to this seed and `name`: the same for the same two.
    pub(crate) fn source_of(&self, name: &str) -> fastrand::Rng {
        // FNV-1a.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        source(self.seed, hash)
    }

    /// The cart that a user starts with: Ada has three lines, some others a few, most none.
    pub(crate) fn first_cart(&self, user: &str) -> FirstCart {
        if user == "ada" {
            let lines = [("42", 1), ("17", 2), ("301", 1)].map(|(id, quantity)| (id.to_owned(), quantity));
            return (lines.to_vec(), minutes_ago(95));
        }
        let Some(at) = self.user_places.get(user) else { return (Vec::new(), minutes_ago(0)) };
        let mut rng = self.source_of(user);
        let mut lines: Vec<(String, u32)> = Vec::new();
        if at % 3 == 0 {
            for _ in 0..rng.usize(1..=4) {
                let id = rng.usize(1..=self.products.len()).to_string();
                if lines.iter().all(|(other, _)| *other != id) {
                    lines.push((id, rng.u32(1..=3)));
                }
            }
        }
        (lines, minutes_ago(rng.i64(10..60 * 24 * 20)))
    }
}
