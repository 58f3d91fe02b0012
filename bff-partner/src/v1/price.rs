//! A price.

use serde::Serialize;
use upstreams::pricing;
use utoipa::ToSchema;

/// What one piece of a product costs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Price {
    /// In minor units of the currency (cents).
    #[schema(example = 4900)]
    pub amount_minor: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: String,
}

impl From<pricing::Quote> for Price {
    fn from(quote: pricing::Quote) -> Self {
        Self { amount_minor: quote.amount_minor, currency: quote.currency }
    }
}
