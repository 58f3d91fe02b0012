//! What an upstream call hands out: the value, and how old it is.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::error::Reason;
use crate::reading::Lost;

/// A value from an upstream, with what is known of its age. Reads like the value itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched<T> {
    value: T,
    staleness: Option<Staleness>,
    lost: Option<Lost>,
    head: Head,
}

/// What is kept of the head of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    /// Those of the headers that somebody asked for; nothing where none of them is there.
    pub(crate) headers: Option<Arc<HeaderMap>>,
}

impl Head {
    const PLAIN: Self = Self { status: StatusCode::OK, headers: None };

    /// What is said under these names.
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap, names: &[HeaderName]) -> Self {
        let mut kept = HeaderMap::new();
        for name in names {
            for value in headers.get_all(name) {
                // A copy: what arrives is a slice of a connection's buffer, which may be far larger.
                if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                    kept.append(name.clone(), value);
                }
            }
        }
        Self { status, headers: (!kept.is_empty()).then(|| Arc::new(kept)) }
    }
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
        Self { value, staleness: None, lost: None, head: Head::PLAIN }
    }

    /// A value whose refresh failed.
    pub const fn stale(value: T, staleness: Staleness) -> Self {
        Self { value, staleness: Some(staleness), lost: None, head: Head::PLAIN }
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

    /// The same, by an answer with this head.
    pub(crate) fn with_head(self, head: Head) -> Self {
        Self { head, ..self }
    }

    /// The status of the answer: 200, or for a write also 201, 202 and their like. An answer that is kept is a 200.
    pub const fn status(&self) -> StatusCode {
        self.head.status
    }

    /// What the answer says under this name, if it is text. Only names that are kept are known: those that the call names
    /// ([`keep_header`](crate::upstream::Unsent::keep_header)), and the upstream's `keep_headers`. They are kept with the
    /// answer, in memory and in Redis.
    ///
    /// ```
    /// use bff_core::{Result, path, upstream::Client};
    ///
    /// async fn total(library: &Client) -> Result<Option<u64>> {
    ///     let titles = library.get(path!("/titles")).keep_header("x-total-count").shared::<Vec<String>>().await?;
    ///     Ok(titles.header("x-total-count").and_then(|total| total.parse().ok()))
    /// }
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.as_ref()?.get(name)?.to_str().ok()
    }

    /// The value alone.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The same freshness around another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Fetched<U> {
        let Self { value, staleness, lost, head } = self;
        Fetched { value: change(value), staleness, lost, head }
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
