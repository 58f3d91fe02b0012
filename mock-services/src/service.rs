//! Which services there are, their names and the order of their ports.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One of the mock services. Its port is the base port plus its place in this list, from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Products, categories and search.
    Catalog,
    /// Prices.
    Pricing,
    /// Stock by warehouse.
    Inventory,
    /// Star summaries and review texts.
    Reviews,
    /// Similar products, and products for one user.
    Recommendations,
    /// User profiles.
    Accounts,
    /// Shopping carts, the one service that is written to.
    Carts,
    /// Order history.
    Orders,
    /// Banners of the shop's pages.
    Promotions,
    /// The identity provider: public keys, and tokens for whoever asks.
    Identity,
}

impl Service {
    /// Every service, in the order of their ports.
    pub const ALL: [Self; 10] = [
        Self::Catalog,
        Self::Pricing,
        Self::Inventory,
        Self::Reviews,
        Self::Recommendations,
        Self::Accounts,
        Self::Carts,
        Self::Orders,
        Self::Promotions,
        Self::Identity,
    ];

    /// The name used in admin paths, flags and messages: `catalog`, `pricing`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Pricing => "pricing",
            Self::Inventory => "inventory",
            Self::Reviews => "reviews",
            Self::Recommendations => "recommendations",
            Self::Accounts => "accounts",
            Self::Carts => "carts",
            Self::Orders => "orders",
            Self::Promotions => "promotions",
            Self::Identity => "identity",
        }
    }

    /// How far the service's port is from the base port: 1 for the catalog, 10 for identity.
    pub fn port_offset(self) -> u16 {
        self as u16 + 1
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Service {
    type Err = UnknownService;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| UnknownService(name.to_owned()))
    }
}

/// A name that no service has; the message lists the names that exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownService(String);

impl fmt::Display for UnknownService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Service::ALL.iter().map(|s| s.name()).collect();
        write!(f, "no service is called `{}`; there are {}", self.0, names.join(", "))
    }
}

impl std::error::Error for UnknownService {}
