//! A BFF that is one route: `/x/*` to the upstream `x`, patient.

use std::net::SocketAddr;

use bff_core::Bff;
use bff_core::config::Settings;
use bff_core::passthrough::RouteSettings;
use bff_core::upstream::{Client as Upstream, UpstreamSettings};

use crate::world::{PATIENCE, Served};

/// Nothing that is asked by hand.
#[derive(Clone, Debug)]
pub(crate) struct Unasked(#[allow(dead_code, reason = "the upstream is there for the route")] Upstream);

impl From<Upstream> for Unasked {
    fn from(client: Upstream) -> Self {
        Self(client)
    }
}

bff_core::upstreams! {
    /// The backend of the route.
    pub(crate) struct Upstreams {
        x: Unasked,
    }
}

/// The route `x` to this backend, then changed by the test.
pub(crate) async fn one_route(backend: SocketAddr, change: impl FnOnce(&mut Settings)) -> Served {
    let mut settings = Settings::default();
    let upstream = UpstreamSettings {
        url: format!("http://{backend}"),
        timeout: PATIENCE,
        attempt_timeout: PATIENCE,
        connect_timeout: PATIENCE,
        ..UpstreamSettings::default()
    };
    settings.upstreams.insert("x".to_owned(), upstream);
    let route = RouteSettings {
        path: "/x/*".to_owned(),
        upstream: "x".to_owned(),
        strip_prefix: Some("/x".to_owned()),
        ..RouteSettings::default()
    };
    settings.routes.insert("x".to_owned(), route);
    change(&mut settings);
    Served::start(&Bff::<Upstreams>::new("mobile", "1"), settings).await
}
