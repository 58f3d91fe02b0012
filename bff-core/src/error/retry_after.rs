//! After how many seconds asking again may help, as it is told to anybody.

use std::time::Duration;

/// Whole seconds, at least one, rounded up: who comes back that late does not come too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RetryAfter(u64);

impl RetryAfter {
    /// The number on the wire.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl From<Duration> for RetryAfter {
    fn from(after: Duration) -> Self {
        let begun = u64::from(after.subsec_nanos() > 0);
        Self(after.as_secs().saturating_add(begun).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_to_come_too_early() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (1999, 2), (5000, 5), (5400, 6)] {
            assert_eq!(RetryAfter::from(Duration::from_millis(millis)).seconds(), seconds, "{millis} ms");
        }
        assert_eq!(RetryAfter::from(Duration::MAX).seconds(), u64::MAX);
    }
}
