//! The page that all of them make: what the backends send, and what the client gets.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the first backend sends.
pub(crate) const PRODUCT: &str = r#"{"id":"42","name":"Gooseneck Kettle 0.9 l","brand":"Hearthline","category":"kettles","description":"A slow, thin stream for coffee by hand. The base holds the temperature for half an hour, and the handle stays cool. Boils 0.9 l in under four minutes.","attributes":[{"name":"volume","value":"0.9 l"},{"name":"power","value":"1200 W"},{"name":"material","value":"stainless steel"},{"name":"colour","value":"black"}],"images":[{"url":"https://images.example/42/1.jpg","alt":"the kettle from the side","width":1200,"height":1200},{"url":"https://images.example/42/2.jpg","alt":"the kettle on its base","width":1200,"height":900}],"created_at":"2026-02-11T08:30:00Z"}"#;
/// What the second backend sends.
pub(crate) const PRICE: &str =
    r#"{"product_id":"42","amount_minor":4900,"currency":"EUR","valid_until":"2026-12-31T23:59:59Z"}"#;
/// What the third backend sends.
pub(crate) const REVIEWS: &str = r#"{"product_id":"42","average":4.3,"count":27,"latest":[{"author":"Grace","stars":5,"title":"Just right","text":"Pours exactly where I want it, and keeps warm."},{"author":"Linus","stars":4,"title":"Good","text":"The lid could sit tighter, otherwise very good."},{"author":"Edsger","stars":4,"title":"Considered","text":"Does one thing, and does it well."}]}"#;

/// A product, as its backend sends it.
#[derive(Debug, Deserialize)]
pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) brand: String,
    pub(crate) description: String,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) images: Vec<Image>,
}

/// One property of a product.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct Attribute {
    name: String,
    value: String,
}

/// A picture of a product.
#[derive(Debug, Deserialize)]
pub(crate) struct Image {
    url: String,
}

/// What a product costs, as its backend sends it.
#[derive(Debug, Deserialize)]
pub(crate) struct Quote {
    amount_minor: i64,
    currency: String,
}

/// What people say, as its backend sends it.
#[derive(Debug, Deserialize)]
pub(crate) struct Reviews {
    average: f64,
    count: u64,
    latest: Vec<Review>,
}

/// What one of them says.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct Review {
    author: String,
    stars: u8,
    title: String,
    text: String,
}

/// A product on the page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductView {
    id: String,
    name: String,
    brand: String,
    description: String,
    attributes: Vec<Attribute>,
    image: Option<String>,
}

/// A price on the page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PriceView {
    amount_minor: i64,
    currency: String,
}

/// Reviews on the page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReviewsView {
    average: f64,
    count: u64,
    latest: Vec<Review>,
}

impl From<Product> for ProductView {
    fn from(product: Product) -> Self {
        let Product { id, name, brand, description, attributes, images } = product;
        let image = images.into_iter().next().map(|image| image.url);
        Self { id, name, brand, description, attributes, image }
    }
}

impl From<Quote> for PriceView {
    fn from(quote: Quote) -> Self {
        Self { amount_minor: quote.amount_minor, currency: quote.currency }
    }
}

impl From<Reviews> for ReviewsView {
    fn from(reviews: Reviews) -> Self {
        Self { average: reviews.average, count: reviews.count, latest: reviews.latest }
    }
}
