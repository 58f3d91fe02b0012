//! The page over five backends, and the three ways of protecting it that are compared.

use std::time::Duration;

use bff_core::config::Settings;
use bff_core::resilience::{BreakerSettings, BudgetSettings, BulkheadSettings, RetrySettings, ShedSettings};
use bff_core::upstream::{Client, UpstreamSettings};
use bff_core::{Bff, Composer, EndpointSettings, Fetched, Json, Meta, Path, Policy, Problems, compose, path, routes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long the page may take, and how long its clients wait.
pub(super) const BUDGET: Duration = Duration::from_millis(800);
/// The backends in the order of [`Upstreams`].
pub(super) const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// One of the backends.
#[derive(Clone, Debug)]
pub(super) struct Service(Client);

impl From<Client> for Service {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

impl Service {
    async fn item(&self, id: &str) -> bff_core::Result<Fetched<Item>> {
        self.0.get(path!("/items/{}", id)).shared().await
    }
}

bff_core::upstreams! {
    /// The five backends.
    pub(super) struct Upstreams {
        a: Service,
        b: Service,
        c: Service,
        d: Service,
        e: Service,
    }
}

/// What a backend sends.
#[derive(Debug, Deserialize)]
struct Item {
    text: String,
}

/// What a client gets of it.
#[derive(Debug, Serialize, ToSchema)]
struct ItemView {
    text: String,
}

impl From<Item> for ItemView {
    fn from(item: Item) -> Self {
        Self { text: item.text }
    }
}

/// The page.
#[derive(Debug, Serialize, ToSchema)]
struct Page {
    a: ItemView,
    b: ItemView,
    c: Option<ItemView>,
    d: Option<ItemView>,
    e: ItemView,
    meta: Meta,
}

/// A page
#[utoipa::path(get, path = "/page/{id}", params(("id" = String, Path)), responses((status = OK, body = Page), Problems))]
async fn page(page: Composer, up: Upstreams, Path(id): Path<String>) -> bff_core::Result<Json<Page>> {
    compose!(page => Page {
        a: subject(up.a.item(&id)),
        b: required(up.b.item(&id)),
        c: optional(up.c.item(&id)),
        d: optional(up.d.item(&id)),
        e: fallback(up.e.item(&id), || ItemView { text: String::new() }),
    })
}

/// The BFF.
pub(super) fn bff() -> Bff<Upstreams> {
    Bff::new("bad-day", env!("CARGO_PKG_VERSION")).page(routes!(page), Policy::public().budget(BUDGET))
}

/// How the page is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// What a careful hand-written handler has: a time limit for each call, and nothing else.
    Nothing,
    /// The framework's defaults.
    Ours,
    /// Patience and many retries.
    Naive,
}

impl Protection {
    /// What the tables call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no protection",
            Self::Ours => "ours",
            Self::Naive => "naive",
        }
    }

    /// The settings of a BFF whose backends are at `urls`; `ours` stands in place of the defaults.
    pub(super) fn settings(self, ours: Option<&UpstreamSettings>, urls: impl IntoIterator<Item = String>) -> Settings {
        let mut settings = Settings::default();
        settings.server.listen.set_port(0);
        settings.server.management.set_port(0);
        settings.server.drain_timeout = Duration::from_secs(10);
        if self != Self::Ours {
            settings.edge.shed = ShedSettings { enabled: false, ..ShedSettings::default() };
        }
        if self == Self::Naive {
            let endless = EndpointSettings { budget: Some(Duration::from_secs(30)), ..EndpointSettings::default() };
            settings.endpoints.insert("getPage".to_owned(), endless);
        }
        for (name, url) in NAMES.into_iter().zip(urls) {
            settings.upstreams.insert(name.to_owned(), self.upstream(ours, url));
        }
        settings
    }

    fn upstream(self, ours: Option<&UpstreamSettings>, url: String) -> UpstreamSettings {
        if self == Self::Ours {
            return UpstreamSettings { url, ..ours.cloned().unwrap_or_default() };
        }
        let mut bare = UpstreamSettings {
            breaker: BreakerSettings { enabled: false, ..BreakerSettings::default() },
            bulkhead: BulkheadSettings { enabled: false, ..BulkheadSettings::default() },
            url,
            ..UpstreamSettings::default()
        };
        // There is one host for each backend, of which none would be ejected anyway.
        bare.balance.eject.enabled = false;
        if self == Self::Naive {
            bare.timeout = Duration::from_secs(5);
            bare.attempt_timeout = Duration::from_millis(1500);
            let budget = BudgetSettings { share: 1.0, per_second: 1_000_000, burst_share: 10.0 };
            bare.retry = RetrySettings { tries: 3, budget, ..RetrySettings::default() };
        } else {
            bare.retry = RetrySettings { tries: 0, ..RetrySettings::default() };
            // The call's limit is the only one; an attempt's has to be shorter.
            bare.attempt_timeout = bare.timeout.saturating_sub(Duration::from_millis(1));
        }
        bare
    }
}
