//! User profiles.

use bff_core::upstream::Client;
use bff_core::{Fetched, Result, path};
use jiff::Timestamp;
use serde::Deserialize;

/// The user accounts.
#[derive(Clone, Debug)]
pub struct Accounts(Client);

impl From<Client> for Accounts {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

/// What is known of a user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Profile {
    /// The subject of their tokens.
    pub id: String,
    /// First and last name.
    pub name: String,
    /// Where to write to.
    pub email: String,
    /// BCP 47, as in `en-GB`.
    pub locale: String,
    /// Since when they have an account.
    pub member_since: Timestamp,
    /// `basic`, `silver` or `gold`.
    pub tier: String,
}

impl Accounts {
    /// The profile of whoever asks; `Kind::NotFound` for somebody without an account.
    pub async fn profile(&self) -> Result<Fetched<Profile>> {
        self.0.get(path!("/profile")).per_identity().await
    }
}
