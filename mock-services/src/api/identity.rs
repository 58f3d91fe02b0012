//! The identity provider, for development: it signs a token for whoever asks.

use std::collections::BTreeMap;

use http::{HeaderName, Method, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

use super::Shop;
use crate::{
    call::Call,
    identity::{TokenError, TokenRequest},
    reply::{Problem, Reply},
};

const WARNING: HeaderName = HeaderName::from_static("x-for-development-only");

/// The longest life of a token that is asked for over HTTP, in seconds.
const MAX_TTL_SECONDS: i64 = 3_600;

#[derive(Serialize)]
struct Granted {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
}

pub(super) fn answer(call: &Call<'_>, shop: &Shop) -> Result<Reply, Problem> {
    let reply = match (call.segments().as_slice(), call.method()) {
        ([".well-known", "jwks.json"], _) => {
            call.reads_only()?;
            Reply::cached(&shop.issuer.jwks(), "public, max-age=600")
        }
        (["token"], &Method::POST) => {
            let (access_token, expires_in) = mint(posted(call)?, shop)?;
            Reply::cached(&Granted { access_token, token_type: "Bearer", expires_in }, "no-store")
        }
        (["token"], &Method::GET | &Method::HEAD) => {
            let mut fields = Fields::new();
            for (name, value) in call.query() {
                fields.entry(name.to_string()).or_default().push(value.to_string());
            }
            let (token, _) = mint(fields, shop)?;
            Reply::new(StatusCode::OK, token)
                .with(header::CONTENT_TYPE, "text/plain; charset=utf-8")
                .with(header::CACHE_CONTROL, "no-store")
        }
        (["token"], _) => return Err(Problem::wrong_method("GET, HEAD, POST")),
        _ => return Err(call.unknown_path()),
    };
    Ok(reply.with(WARNING, "true"))
}

/// What was asked for, by field name; a field can come more than once.
type Fields = BTreeMap<String, Vec<String>>;

/// The fields of a form or of a JSON object.
fn posted(call: &Call<'_>) -> Result<Fields, Problem> {
    let mut fields = Fields::new();
    if !call.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        for (name, value) in url::form_urlencoded::parse(call.body()) {
            fields.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        return Ok(fields);
    }
    for (name, value) in call.json::<BTreeMap<String, Value>>()? {
        let values = match value {
            Value::Null => continue,
            Value::Array(values) => values,
            one => vec![one],
        };
        let texts = values.into_iter().map(|value| match value {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(Problem::bad_request(format!("{name} must be text, a number or a list of texts"))),
        });
        fields.insert(name.clone(), texts.collect::<Result<_, _>>()?);
    }
    Ok(fields)
}

fn mint(fields: Fields, shop: &Shop) -> Result<(String, i64), Problem> {
    let wanted = wanted(fields)?;
    let token = shop.issuer.mint(&wanted, |user| shop.knows_user(user)).map_err(|error| match error {
        TokenError::UnknownSubject(_) => Problem::not_found(error.to_string()),
        TokenError::UnknownAlgorithm(_) => Problem::bad_request(error.to_string()),
        TokenError::Signing(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    })?;
    Ok((token, wanted.ttl_seconds))
}

fn wanted(fields: Fields) -> Result<TokenRequest, Problem> {
    let mut wanted = TokenRequest::default();
    for (name, values) in fields {
        let one = || values.first().cloned().unwrap_or_default();
        match name.as_str() {
            "user" | "subject" | "sub" => wanted.subject = one(),
            "audience" | "aud" => wanted.audience = words(&values),
            "alg" => wanted.alg = one(),
            "roles" | "role" => wanted.roles = Some(words(&values)),
            "scopes" | "scope" => wanted.scopes = Some(words(&values)),
            "tenant" => wanted.tenant = Some(one()),
            "client" | "client_id" => wanted.client = Some(one()),
            "ttl_seconds" | "ttl" => {
                wanted.ttl_seconds = one()
                    .parse()
                    .ok()
                    .filter(|ttl| (1..=MAX_TTL_SECONDS).contains(ttl))
                    .ok_or_else(|| Problem::bad_request(format!("{name} must be from 1 to {MAX_TTL_SECONDS}")))?;
            }
            "grant_type" => {}
            _ => {
                return Err(Problem::bad_request(format!(
                    "unknown field `{name}`; there are user, audience, alg, roles, scopes, ttl_seconds, tenant, client"
                )));
            }
        }
    }
    if wanted.subject.is_empty() {
        return Err(Problem::bad_request("user is missing"));
    }
    Ok(wanted)
}

/// Lists come repeated, or separated by commas or spaces.
fn words(values: &[String]) -> Vec<String> {
    values.iter().flat_map(|v| v.split([',', ' '])).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}
