//! What an upstream call hands out: the value, and how old it is.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::error::Reason;
use crate::reading::Lost;

/// A value from an upstream, with what is known of its age. Reads like the value itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched<T> {
    value: T,
    staleness: Option<Staleness>,
    lost: Option<Lost>,
}

/// Why a value is older than it should be: its refresh was tried and failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staleness {
    /// Since the upstream made the value.
    pub age: Duration,
    /// What the refresh died of.
    pub reason: Reason,
}

impl<T> Fetched<T> {
    /// A value that is as new as it should be.
    pub const fn fresh(value: T) -> Self {
        Self { value, staleness: None, lost: None }
    }

    /// A value whose refresh failed.
    pub const fn stale(value: T, staleness: Staleness) -> Self {
        Self { value, staleness: Some(staleness), lost: None }
    }

    /// The same, whose lists have lost elements that could not be read.
    #[must_use]
    pub fn without(self, lost: Lost) -> Self {
        Self { lost: Some(lost), ..self }
    }

    /// `None` for a value that is as new as it should be.
    pub const fn staleness(&self) -> Option<Staleness> {
        self.staleness
    }

    /// What its lists have lost; `None` for a value that is whole.
    pub const fn lost(&self) -> Option<Lost> {
        self.lost
    }

    /// The value alone.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The same freshness around another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Fetched<U> {
        Fetched { value: change(self.value), staleness: self.staleness, lost: self.lost }
    }
}

impl<T> Deref for Fetched<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Fetched<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
