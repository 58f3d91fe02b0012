//! The page, made with the framework; configured with nothing but addresses.

use std::time::Duration;

use bff_core::auth::IssuerSettings;
use bff_core::config::Settings;
use bff_core::passthrough::RouteSettings;
use bff_core::resilience::{BreakerSettings, BulkheadSettings, RetrySettings};
use bff_core::serve::{Listeners, serve, shutdown_signal};
use bff_core::upstream::{Client, Tcp, UpstreamSettings};
use bff_core::{Bff, Composer, Fetched, Json, Meta, Path, Policy, Problems, compose, path, routes, telemetry};
use serde::Serialize;
use utoipa::ToSchema;

use crate::page::{PriceView, Product, ProductView, Quote, Reviews, ReviewsView};
use crate::tokens::{AUDIENCE, ISSUER};
use crate::{Result, Server};

macro_rules! client {
    ($(#[$about:meta])* $name:ident.$method:ident($path:literal) -> $answer:ty) => {
        $(#[$about])*
        #[derive(Clone, Debug)]
        struct $name(Client);

        impl From<Client> for $name {
            fn from(client: Client) -> Self {
                Self(client)
            }
        }

        impl $name {
            async fn $method(&self, id: &str) -> bff_core::Result<Fetched<$answer>> {
                self.0.get(path!($path, id)).shared().await
            }
        }
    };
}

client!(
    /// What there is.
    Catalog.product("/products/{}") -> Product
);
client!(
    /// What it costs.
    Pricing.quote("/prices/{}") -> Quote
);
client!(
    /// What people say.
    Opinions.about("/reviews/{}") -> Reviews
);

/// What the framework is told.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// Keeps the whole page, not only its parts.
    #[arg(long)]
    whole: bool,
    /// Passes two paths on to the backend: `/passed/`, and `/kept/` whose answers are kept.
    #[arg(long)]
    routes: bool,
    /// Without retries, breaker, bulkhead and a limit at the door.
    #[arg(long)]
    unprotected: bool,
    /// The page can do without its reviews.
    #[arg(long)]
    optional: bool,
}

/// How long the page may take.
pub(crate) const BUDGET: Duration = Duration::from_secs(1);

/// The upstream of the routes.
const FILES: &str = "files";

bff_core::upstreams! {
    /// The three backends.
    struct Upstreams {
        catalog: Catalog,
        pricing: Pricing,
        opinions: Opinions,
    }
}

/// The page.
#[derive(Debug, Serialize, ToSchema)]
struct ProductPage {
    product: ProductView,
    price: PriceView,
    reviews: ReviewsView,
    meta: Meta,
}

/// Product page
#[utoipa::path(get, path = "/product-page/{id}", params(("id" = String, Path)), responses((status = OK, body = ProductPage), Problems))]
async fn product_page(page: Composer, up: Upstreams, Path(id): Path<String>) -> bff_core::Result<Json<ProductPage>> {
    compose!(page => ProductPage {
        product: required(up.catalog.product(&id)),
        price: required(up.pricing.quote(&id)),
        reviews: required(up.opinions.about(&id)),
    })
}

/// The page that can do without its reviews.
#[derive(Debug, Serialize, ToSchema)]
struct PageWithoutReviews {
    product: ProductView,
    price: PriceView,
    reviews: Option<ReviewsView>,
    meta: Meta,
}

/// Product page
#[utoipa::path(get, path = "/product-page/{id}", params(("id" = String, Path)), responses((status = OK, body = PageWithoutReviews), Problems))]
async fn page_without_reviews(
    page: Composer,
    up: Upstreams,
    Path(id): Path<String>,
) -> bff_core::Result<Json<PageWithoutReviews>> {
    compose!(page => PageWithoutReviews {
        product: required(up.catalog.product(&id)),
        price: required(up.pricing.quote(&id)),
        reviews: optional(up.opinions.about(&id)),
    })
}

fn unprotected(upstream: UpstreamSettings) -> UpstreamSettings {
    UpstreamSettings {
        retry: RetrySettings { tries: 0, ..RetrySettings::default() },
        breaker: BreakerSettings { enabled: false, ..BreakerSettings::default() },
        bulkhead: BulkheadSettings { enabled: false, ..BulkheadSettings::default() },
        ..upstream
    }
}

/// Listens until it is told to stop.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let server = &options.server;
    let mut settings = Settings::default();
    settings.server.listen = server.listen;
    settings.server.management.set_port(0);
    let upstream = UpstreamSettings { url: format!("http://{}", server.backend), ..UpstreamSettings::default() };
    let upstream = if options.unprotected { unprotected(upstream) } else { upstream };
    if options.unprotected {
        settings.edge.shed.enabled = false;
    }
    for name in ["catalog", "pricing", "opinions"] {
        settings.upstreams.insert(name.to_owned(), upstream.clone());
    }
    if options.routes {
        settings.upstreams.insert(FILES.to_owned(), upstream);
        for (name, cache) in [("passed", false), ("kept", true)] {
            let (path, upstream) = (format!("/{name}/*"), FILES.to_owned());
            settings
                .routes
                .insert(name.to_owned(), RouteSettings { path, upstream, cache, ..RouteSettings::default() });
        }
    }
    if server.auth {
        let issuer = IssuerSettings {
            issuer: ISSUER.to_owned(),
            jwks_url: format!("http://{}/keys", server.backend),
            audiences: vec![AUDIENCE.to_owned()],
            ..IssuerSettings::default()
        };
        settings.auth.issuers.insert("main".to_owned(), issuer);
    }
    telemetry::log_to_stdout(&settings.log);
    let policy = if server.auth { Policy::user() } else { Policy::public() };
    let policy = if options.whole { policy.cached() } else { policy };
    let bff = Bff::<Upstreams>::new("bench", env!("CARGO_PKG_VERSION"));
    let policy = policy.budget(BUDGET);
    let bff = if options.optional {
        bff.page(routes!(page_without_reviews), policy)
    } else {
        bff.page(routes!(product_page), policy)
    };
    if let Some(mistake) = bff.check(&settings).first() {
        return Err(mistake.to_string().into());
    }
    let app = bff.build(&settings, Tcp).await.map_err(|error| error.to_string())?;
    let listeners = Listeners::bind(&settings.server).await?;
    serve(app, listeners, &settings.server, shutdown_signal()).await?;
    Ok(())
}
