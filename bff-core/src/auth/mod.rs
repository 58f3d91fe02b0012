//! Who is asking: from credentials to an [`Identity`](crate::identity::Identity).
//!
//! One way so far: JSON web tokens (RFC 7519) by `Authorization: Bearer`, checked against the issuer's key
//! set; RFC 8725 is the list of what to look at.
//!
//! A token goes through these files, and the first one that objects ends it:
//!
//! - `authenticator`: the order of everything, and the one public entry
//! - `bearer`: exactly one header, exactly one token
//! - `remembered`: was it verified a moment ago?
//! - `jwt`: its form and its header, with `strict_json`: one meaning only
//! - `claims`: for us, now, and of whom; `claim`: where each stands
//! - `jwks`: the issuer's keys: held, renewed, shared; `key_set`: what one document says
//!
//! Two answers other than yes, both in `refusal`: the token is bad (401), or it cannot be checked (503).

mod algorithm;
mod authenticator;
mod bearer;
mod claim;
mod claims;
mod fetch_keys;
mod jwks;
mod jwt;
mod key_set;
mod refusal;
mod remembered;
mod settings;
mod strict_json;
#[cfg(test)]
mod tests;

pub use authenticator::Authenticator;
pub use fetch_keys::FetchKeys;
pub use settings::{AuthSettings, IssuerSettings};
