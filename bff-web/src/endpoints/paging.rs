//! Pages of a list: `?page=`, from 1.

/// How many items a page of a list shows.
pub(super) const SIZE: u32 = 24;

/// The page of those who do not say which.
pub(super) fn first() -> u32 {
    1
}
