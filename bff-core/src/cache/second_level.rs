//! A store behind the one in memory.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::telemetry::SecondLevelCounts;

/// A store behind the one in memory, which other instances fill and read as well. It never fails: what goes wrong there
/// is a miss.
pub trait SecondLevel: std::fmt::Debug + Send + Sync {
    /// What is kept for the question; `None` for nothing, and for whatever goes wrong.
    fn get<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Option<Bytes>>;
    /// Keeps this for so long. Does not wait.
    fn set(&self, question: &str, value: Bytes, ttl: Duration);
    /// Drops what is kept. Does not wait.
    fn remove(&self, question: &str);
    /// What has become of what was asked, as of now.
    fn counts(&self) -> SecondLevelCounts;
}
