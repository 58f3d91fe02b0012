//! Keys and tokens, for development only.

mod issuer;
mod keys;

pub(crate) use issuer::Issuer;
pub use issuer::{TokenError, TokenRequest};
pub use keys::SigningKeys;
