//! JSON in and out, with mistakes that say where they are.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Instant;
use crate::context::{Context, Scope};
use crate::error::{Error, Input, Result};
use crate::reading;

/// A JSON body: of a request (as an argument) or of an answer.
///
/// A request body that is not JSON is a 415, one that cannot be read a 400, one with a value that does not fit a
/// 422 that points at it, one that is too large a 413, one that does not arrive in time a 408.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        if Scope::is_survey() {
            return ().into_response();
        }
        // A page of one or two KiB is written without growing.
        let mut body = Vec::with_capacity(2048);
        match serde_json::to_writer(&mut body, &self.0) {
            Ok(()) => ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
            Err(error) => Error::internal(error).into_response(),
        }
    }
}

impl<T: DeserializeOwned, State: Sync> FromRequest<State> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &State) -> Result<Self> {
        if !is_json(request.headers()) {
            return Err(Error::invalid(Input::MediaType, "", "send application/json"));
        }
        let deadline = request.extensions().get::<Arc<Context>>().map(|context| context.deadline());
        read(&collect(request.into_body(), deadline).await?).map(Self)
    }
}

/// Whether what was sent says that it is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

/// The whole body of a request, if it arrives in time.
pub(super) async fn collect(body: Body, deadline: Option<Instant>) -> Result<Bytes> {
    let collect = body.collect();
    let collected = match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, collect)
            .await
            .map_err(|_| Error::invalid(Input::TooSlow, "", "the body did not arrive in time"))?,
        None => collect.await,
    };
    let body = collected.map_err(|error| {
        if is_too_large(&error) {
            Error::invalid(Input::TooLarge, "", "send a smaller body")
        } else {
            Error::invalid(Input::Malformed, "", "the body ended early").caused_by(error)
        }
    })?;
    Ok(body.to_bytes())
}

fn is_too_large(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    reading::request(body).map_err(|mistake| {
        let input = if mistake.error.is_data() { Input::Unprocessable } else { Input::Malformed };
        Error::invalid(input, mistake.pointer, mistake.error.to_string())
    })
}
