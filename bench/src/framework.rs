//! The page, made with the framework; configured with nothing but addresses.

use bff_core::auth::IssuerSettings;
use bff_core::config::Settings;
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

/// Listens until it is told to stop.
pub(crate) async fn run(server: &Server) -> Result<()> {
    let mut settings = Settings::default();
    settings.server.listen = server.listen;
    settings.server.management.set_port(0);
    for name in ["catalog", "pricing", "opinions"] {
        let own = UpstreamSettings { url: format!("http://{}", server.backend), ..UpstreamSettings::default() };
        settings.upstreams.insert(name.to_owned(), own);
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
    let bff = Bff::<Upstreams>::new("bench", env!("CARGO_PKG_VERSION")).page(routes!(product_page), policy);
    if let Some(mistake) = bff.check(&settings).first() {
        return Err(mistake.to_string().into());
    }
    let app = bff.build(&settings, Tcp).await.map_err(|error| error.to_string())?;
    let listeners = Listeners::bind(&settings.server).await?;
    serve(app, listeners, &settings.server, shutdown_signal()).await?;
    Ok(())
}
