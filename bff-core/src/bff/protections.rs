//! What guards this BFF and its upstreams, for operators.

use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::resilience::{Bodies, BodiesView, Load, LoadView};
use crate::upstream::{Shared, UpstreamView};

/// Every breaker, limit, budget, ejection and shadow, as it is at this moment.
pub(super) fn json(shared: &Shared, load: &Load, bodies: &Bodies) -> Response {
    axum::Json(Protections { edge: load.view(), bodies: bodies.view(), upstreams: shared.upstreams() }).into_response()
}

#[derive(Serialize)]
struct Protections {
    edge: LoadView,
    bodies: BodiesView,
    upstreams: Vec<UpstreamView>,
}
