//! The one place that asks what time it is.
//!
//! Everything that measures or compares time (deadlines, freshness, `exp`, windows) asks here, so that a
//! test that pauses tokio's clock moves all of them together.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use tokio::time::Instant;

/// The monotonic time of this moment; follows tokio's clock when a test pauses it.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "the one place")]
pub fn now() -> Instant {
    Instant::now()
}

/// The time of day, moved along with [`now`] when a test pauses or advances tokio's clock.
///
/// In production the two monotonic readings are the same clock and their difference is nothing.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "the one place")]
pub fn wall() -> SystemTime {
    let advanced = Instant::now().into_std();
    let real = std::time::Instant::now();
    match advanced.checked_duration_since(real) {
        Some(ahead) => SystemTime::now() + ahead,
        None => SystemTime::now() - real.duration_since(advanced),
    }
}

/// Seconds since 1970-01-01T00:00:00Z, as JWT (RFC 7519 §2) counts them; 0 for a clock before that.
#[must_use]
pub fn unix_seconds() -> u64 {
    wall().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Lets an endpoint's budget be written as `800.ms()`.
pub trait Millis {
    /// This many milliseconds.
    fn ms(self) -> Duration;
}

impl Millis for u64 {
    fn ms(self) -> Duration {
        Duration::from_millis(self)
    }
}
