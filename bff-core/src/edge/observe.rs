//! One log line and one count for each request.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http_body::Body as _;
use percent_encoding::{CONTROLS, utf8_percent_encode};
use tower::{Service, ServiceExt};
use tracing::Instrument;

use super::Door;
use super::problem::Cause;
use crate::clock;
use crate::context::Context;
use crate::telemetry::part_table;

pub(super) async fn observe<Inner>(door: Arc<Door>, request: Request, inner: Inner) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    let Some(context) = request.extensions().get::<Arc<Context>>().filter(|context| !context.survey).cloned() else {
        return inner.oneshot(request).await;
    };
    let method = request.method().clone();
    // A client may send any UTF-8: what a terminal or a reader of lines could take for more than text is written out.
    let path = utf8_percent_encode(request.uri().path(), CONTROLS).to_string();
    let span = tracing::info_span!("request", request_id = %context.request_id, trace_id = %context.trace.trace_id());
    let response = inner.oneshot(request).instrument(span.clone()).await?;

    let entered = span.enter();
    let took = clock::now() - context.started();
    let status = response.status().as_u16();
    let bytes = response.body().size_hint().exact();
    door.metrics.request(&context, status, bytes, took);
    let cause = response.extensions().get::<Cause>();
    let millis = took.as_secs_f64() * 1000.0;
    let parts = part_table(&context);
    let degraded = context.ledger.read(|parts, _| parts.iter().any(|part| part.outcome.is_degraded()));
    // One macro for the three, so that the line has the same fields on every day.
    macro_rules! line {
        ($level:ident $(, error = $error:expr)?) => {
            tracing::$level!(
                target: "access",
                %method, path, route = %context.terms.route, status, millis, bytes, degraded, parts
                $(, error = %$error)?
            )
        };
    }
    match cause {
        Some(cause) if status >= 500 => line!(error, error = cause.0),
        Some(cause) => line!(info, error = cause.0),
        None => line!(info),
    }
    drop(entered);
    Ok(response)
}
