//! One file for each screen.

pub mod cart;
pub mod home;
pub mod orders;
pub mod product_page;
pub mod search;
mod tile;
