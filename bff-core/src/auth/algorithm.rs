//! The names of signature algorithms.

use jsonwebtoken::{Algorithm, AlgorithmFamily};

/// The algorithm of this name, spelled exactly so; `None` for names nobody knows.
///
/// `Ed25519` (RFC 9864) is what `EdDSA` was always taken for here: its other curve is not spoken.
pub(super) fn named(name: &str) -> Option<Algorithm> {
    if name == "Ed25519" { Some(Algorithm::EdDSA) } else { name.parse().ok() }
}

/// The same without what needs a shared secret.
pub(super) fn asymmetric(name: &str) -> Option<Algorithm> {
    named(name).filter(|known| known.family() != AlgorithmFamily::Hmac)
}
