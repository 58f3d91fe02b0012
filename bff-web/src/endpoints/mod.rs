//! One file for each page, and one for each thing that several pages show.

pub mod account;
mod banners;
pub mod cart;
pub mod category;
pub mod home;
mod offer;
mod paging;
pub mod product_page;
pub mod search;
mod suggestions;
mod tile;
