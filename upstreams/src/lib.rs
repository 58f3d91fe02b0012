//! Typed clients of the backends: what they send, and how to ask.
//!
//! One file for each backend: its client on top, the types it sends below. A BFF names the ones it needs:
//!
//! ```
//! use upstreams::{Catalog, Reviews};
//!
//! bff_core::upstreams! {
//!     /// The backends behind this frontend.
//!     pub struct Upstreams {
//!         catalog: Catalog,
//!         reviews: Reviews,
//!     }
//! }
//! ```
//!
//! Every method is one call. What belongs to everybody is `shared()`; what belongs to whoever asks is
//! `per_identity()`, and without an identity it ends as `Kind::Anonymous` before anything is sent.
//!
//! - Pages count from 1 and hold 1 to 100 items. A page past the end is empty.
//! - Batches take up to 100 ids and leave out what the backend does not know; for no ids at all nothing is sent.
//! - A number or a text that the backend does not take (page 0, a blank search) ends as `Kind::Rejected`: check what
//!   a visitor typed before it gets here.
//! - A list whose elements are shown one by one is `Rows`: one that cannot be read costs itself, not the list. Prices,
//!   carts and orders are summed, and are whole or not there.
//! - Money is a whole number of the currency's minor unit (cents).
//!
//! What a backend sends is read and never written: a view is another type, made `From` the one here.

pub mod accounts;
pub mod carts;
pub mod catalog;
mod ids;
pub mod inventory;
pub mod orders;
pub mod pricing;
pub mod promotions;
pub mod recommendations;
pub mod reviews;

pub use accounts::Accounts;
pub use carts::Carts;
pub use catalog::Catalog;
pub use ids::{OrderId, ProductId, UnfitId};
pub use inventory::Inventory;
pub use orders::Orders;
pub use pricing::Pricing;
pub use promotions::Promotions;
pub use recommendations::Recommendations;
pub use reviews::Reviews;
