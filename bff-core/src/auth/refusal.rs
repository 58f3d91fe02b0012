//! The two ways to say no.

use std::time::Duration;

use crate::error::{Error, Kind};

/// Credentials that do not hold; `detail` is for the client, so it names no key, no limit and no host.
pub(super) fn refused(detail: &'static str) -> Error {
    Error::new(Kind::Unauthenticated).with_detail(detail)
}

/// Credentials that cannot be checked now. Never "refused": a client that is told so throws away a token
/// that is good.
pub(super) fn unavailable(cause: Error, again: Duration) -> Error {
    Error::new(Kind::IssuerUnavailable)
        .with_detail("the token cannot be checked at the moment")
        .with_retry_after(again)
        .caused_by(cause)
}
