//! Pages of a list: `?page=`, from 1.

use bff_core::error::Input;
use bff_core::{Error, Result};

/// How many items a page of a list shows.
pub(super) const SIZE: u32 = 24;
/// The backend's own bound; beyond it nobody scrolls.
const LAST: u32 = 500;

/// The page of those who do not say which.
pub(super) fn first() -> u32 {
    1
}

/// Refuses a page that no list has.
pub(super) fn check(page: u32) -> Result<()> {
    if (1..=LAST).contains(&page) {
        return Ok(());
    }
    Err(Error::invalid(Input::Malformed, "?page", format!("write a number from 1 to {LAST}")))
}
