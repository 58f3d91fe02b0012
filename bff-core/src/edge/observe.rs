//! One log line and one count for each request.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::Method;
use http_body::Body as _;
use percent_encoding::{CONTROLS, utf8_percent_encode};
use tower::Service;
use tracing::Instrument;

use super::Door;
use super::answer::Size;
use super::problem::Cause;
use crate::clock;
use crate::context::Context;
use crate::telemetry::part_table;

pub(super) async fn observe<Inner>(door: Arc<Door>, request: Request, mut inner: Inner) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    let Some(context) = request.extensions().get::<Arc<Context>>().cloned() else {
        return inner.call(request).await;
    };
    let method = request.method().clone();
    // A client may send any UTF-8: what a terminal or a reader of lines could take for more than text is written out.
    // The request goes on to be answered; a second handle on its URI is less than a copy of the path.
    let uri = request.uri().clone();
    let path = &*Cow::from(utf8_percent_encode(uri.path(), CONTROLS));
    let span = tracing::info_span!("request", request_id = %context.request_id, trace_id = %context.trace.trace_id());
    let mut abandoned = Abandoned { door: &door, context: &context, method: &method, path, span: &span, armed: true };
    let response = inner.call(request).instrument(span.clone()).await?;
    abandoned.armed = false;

    let entered = span.enter();
    let took = clock::now() - context.started();
    let status = response.status().as_u16();
    let bytes = response.extensions().get().map(|Size(bytes)| *bytes).or_else(|| response.body().size_hint().exact());
    door.metrics.request(&context, status, bytes, took);
    let cause = response.extensions().get::<Cause>();
    let millis = took.as_secs_f64() * 1000.0;
    let parts = part_table(&context);
    let client = context.origin.client.map(tracing::field::display);
    let degraded = context.ledger.is_degraded();
    // One macro for the three, so that the line has the same fields on every day.
    macro_rules! line {
        ($level:ident $(, error = $error:expr)?) => {
            tracing::$level!(
                target: "access",
                %method, path, route = %context.terms.route, status, millis, bytes, degraded, parts, client
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

/// A client that leaves before its answer takes the request with it; that is seen here, or nowhere.
struct Abandoned<'a> {
    door: &'a Door,
    context: &'a Context,
    method: &'a Method,
    path: &'a str,
    span: &'a tracing::Span,
    armed: bool,
}

/// What nginx made of this; no client ever sees it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let _entered = self.span.enter();
        let took = clock::now() - self.context.started();
        self.door.metrics.request(self.context, CLIENT_CLOSED_REQUEST, None, took);
        let (method, path, millis) = (self.method, self.path, took.as_secs_f64() * 1000.0);
        let parts = part_table(self.context);
        let client = self.context.origin.client.map(tracing::field::display);
        tracing::info!(
            target: "access",
            %method, path, route = %self.context.terms.route, status = CLIENT_CLOSED_REQUEST, millis, parts, client,
            "the client left before the answer"
        );
    }
}
