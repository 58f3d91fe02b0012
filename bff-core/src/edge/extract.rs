//! What an endpoint takes as arguments; what does not fit is a problem that says where.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, RawPathParams, path::ErrorKind};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::compose::Composer;
use crate::context::Context;
use crate::error::{Error, Input, Kind, Result};
use crate::identity::Identity;

/// The arguments in the path. One that does not fit is a 400 that names it.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, State: Send + Sync> FromRequestParts<State> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self> {
        if is_damaged(parts.uri.path()) {
            return Err(Error::invalid(Input::Malformed, "path", UNREADABLE));
        }
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(rejection)) => {
                let kind = rejection.into_kind();
                // What cannot be read at all has no names here, and needs none.
                let names = RawPathParams::from_request_parts(parts, state).await.ok();
                let names: Vec<&str> = names.iter().flat_map(RawPathParams::iter).map(|(name, _)| name).collect();
                Err(misfit(kind, &names))
            }
            Err(rejection) => Err(Error::internal(rejection)),
        }
    }
}

/// Which argument of the path does not fit, and what would. `names` are those that the path has.
fn misfit(kind: ErrorKind, names: &[&str]) -> Error {
    // What is read as one value, or by its place, has no name but that of the placeholder.
    let at = |index: usize| names.get(index).copied().unwrap_or_default().to_owned();
    let (name, detail) = match kind {
        ErrorKind::ParseErrorAtKey { key, expected_type, .. } => (key, wanted(expected_type)),
        ErrorKind::ParseErrorAtIndex { index, expected_type, .. } => (at(index), wanted(expected_type)),
        ErrorKind::ParseError { expected_type, .. } => (at(0), wanted(expected_type)),
        ErrorKind::DeserializeError { key, message, .. } => (key, message),
        ErrorKind::InvalidUtf8InPathParam { key } => (key, "write it as UTF-8".to_owned()),
        ErrorKind::Message(message) if names.len() == 1 => (at(0), message),
        ErrorKind::Message(message) => return Error::invalid(Input::Malformed, "", message),
        // The function asks for more or other arguments than its path has.
        defect => return Error::internal(defect.to_string()),
    };
    Error::invalid(Input::Malformed, format!("{{{name}}}"), detail)
}

/// In words, for whoever does not know the types of Rust.
fn wanted(kind: &str) -> String {
    match kind {
        "bool" => "write true or false".to_owned(),
        "char" => "write one character".to_owned(),
        "f32" | "f64" => "write a number".to_owned(),
        whole if whole.starts_with(['u', 'i']) => "write a whole number in its range".to_owned(),
        other => format!("write a value of type {other}"),
    }
}

/// The arguments in the query. One that does not fit is a 400 that says what would.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Send, State: Send + Sync> FromRequestParts<State> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self> {
        let pairs = parts.uri.query().unwrap_or_default().split('&');
        if let Some(pair) = pairs.into_iter().find(|pair| is_damaged(pair)) {
            let name = pair.split('=').next().filter(|name| !is_damaged(name)).unwrap_or_default();
            return Err(Error::invalid(Input::Malformed, format!("?{name}"), UNREADABLE));
        }
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(rejection)) => {
                let text = rejection.body_text();
                let (name, detail) =
                    explain(text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text));
                Err(Error::invalid(Input::Malformed, format!("?{name}"), detail))
            }
            Err(rejection) => Err(Error::internal(rejection)),
        }
    }
}

const UNREADABLE: &str = "write it as UTF-8, without U+FFFD, which stands for what could not be read";

/// Whether it is no UTF-8, or holds what stands for that.
fn is_damaged(encoded: &str) -> bool {
    // Nothing else can be: a target is ASCII but for what its client did not encode.
    if encoded.bytes().all(|byte| byte.is_ascii() && byte != b'%') {
        return false;
    }
    percent_decode_str(encoded).decode_utf8().map_or(true, |text| text.contains('\u{FFFD}'))
}

/// Which argument it is about, and what would be right: serde says either `name: …` or names the field in backticks.
fn explain(text: &str) -> (&str, String) {
    let quoted = text.split('`').nth(1).unwrap_or_default();
    match text.split_once(": ") {
        _ if text.contains("missing field") => (quoted, "it is missing".to_owned()),
        _ if text.contains("duplicate field") => (quoted, "give it once".to_owned()),
        Some((name, detail)) if detail.contains("invalid digit") || detail.contains("number too") => {
            (name, "write a whole number in its range".to_owned())
        }
        Some((name, detail)) => (name, detail.to_owned()),
        None => ("", text.to_owned()),
    }
}

/// Who is asking. An endpoint that takes it answers for them alone: its answer is private.
///
/// Without credentials it is a 401; take `Option<User>` where anybody may ask.
#[derive(Clone, Debug)]
pub struct User(pub Arc<Identity>);

impl<State: Send + Sync> FromRequestParts<State> for User {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self> {
        match context(parts)?.identity()? {
            Some(identity) => Ok(Self(identity.clone())),
            None => Err(Error::new(Kind::Unauthenticated).with_detail("send a bearer token")),
        }
    }
}

impl<State: Send + Sync> axum::extract::OptionalFromRequestParts<State> for User {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Option<Self>> {
        Ok(context(parts)?.identity()?.cloned().map(Self))
    }
}

impl<State: Send + Sync> FromRequestParts<State> for Composer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self> {
        Ok(Self::new(context(parts)?.clone()))
    }
}

fn context(parts: &Parts) -> Result<&Arc<Context>> {
    parts.extensions.get().ok_or_else(|| Error::internal("an endpoint without a door"))
}
