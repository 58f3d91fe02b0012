//! Composition: the parts of one page, asked for in parallel, each with its own policy, under one deadline.
//!
//! [`compose!`](crate::compose!) is the way an endpoint reads like the JSON that it makes; the methods of
//! [`Composer`] are the same words for pages that need control flow. [`Meta`] is what the answer says about
//! itself. [`Composer::batch`] and [`Composer::each`] join a list with a second service.

mod composer;
mod join;
mod macros;
mod meta;
#[cfg(test)]
mod tests;

pub use composer::{Composer, IntoPart, Plain, ViaFetched};
pub use join::Joined;
pub use meta::{Meta, PartOutcome, PartStatus};

#[doc(hidden)]
pub use futures::try_join;
