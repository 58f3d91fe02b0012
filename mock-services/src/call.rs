//! A request as the services read it: path segments, query and the caller's identity.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde::de::DeserializeOwned;

use crate::reply::Problem;

/// The most ids one batch request may name.
const MAX_IDS: usize = 100;

/// One request, read for routing.
pub(crate) struct Call<'a> {
    request: &'a Request<Bytes>,
    query: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// Which part of a list the caller wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) page: usize,
    pub(crate) size: usize,
}

impl<'a> Call<'a> {
    pub(crate) fn new(request: &'a Request<Bytes>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        Self { request, query: url::form_urlencoded::parse(query.as_bytes()).collect() }
    }

    /// The path in pieces; a trailing slash makes no difference.
    pub(crate) fn segments(&self) -> Vec<&'a str> {
        self.request.uri().path().split('/').filter(|s| !s.is_empty()).collect()
    }

    pub(crate) fn method(&self) -> &'a Method {
        self.request.method()
    }

    pub(crate) fn path(&self) -> &'a str {
        self.request.uri().path()
    }

    pub(crate) fn body(&self) -> &'a Bytes {
        self.request.body()
    }

    /// Lets GET and HEAD through; anything else is a 405.
    pub(crate) fn reads_only(&self) -> Result<(), Problem> {
        if matches!(*self.method(), Method::GET | Method::HEAD) {
            return Ok(());
        }
        Err(Problem::wrong_method("GET, HEAD"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        self.request.headers().get(name).and_then(|v| v.to_str().ok()).map(str::trim).filter(|v| !v.is_empty())
    }

    /// The user the BFF speaks for; 401 where it names none.
    pub(crate) fn user(&self) -> Result<&'a str, Problem> {
        self.header("x-user-id")
            .ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "the header X-User-Id is missing"))
    }

    pub(crate) fn query(&self) -> &[(Cow<'a, str>, Cow<'a, str>)] {
        &self.query
    }

    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// A number in the query, within bounds; 400 where it is not.
    pub(crate) fn number(
        &self,
        name: &str,
        default: usize,
        bounds: std::ops::RangeInclusive<usize>,
    ) -> Result<usize, Problem> {
        let Some(text) = self.param(name) else { return Ok(default) };
        text.parse().ok().filter(|n| bounds.contains(n)).ok_or_else(|| {
            Problem::bad_request(format!(
                "{name} must be a whole number from {} to {}, not `{text}`",
                bounds.start(),
                bounds.end()
            ))
        })
    }

    /// `page` (from 1, default 1) and `size` (1 to 100, default 20).
    pub(crate) fn page(&self) -> Result<Page, Problem> {
        Ok(Page { page: self.number("page", 1, 1..=1_000_000)?, size: self.number("size", 20, 1..=100)? })
    }

    /// The ids of a batch, in the caller's order and each once. `None` where there is no `ids`.
    pub(crate) fn ids(&self) -> Result<Option<Vec<&str>>, Problem> {
        let Some(text) = self.param("ids") else { return Ok(None) };
        let mut ids: Vec<&str> = Vec::new();
        for id in text.split(',').map(str::trim).filter(|id| !id.is_empty()) {
            if !ids.contains(&id) {
                ids.push(id);
            }
            if ids.len() > MAX_IDS {
                return Err(Problem::bad_request(format!("ids names more than {MAX_IDS} products")));
            }
        }
        if ids.is_empty() {
            return Err(Problem::bad_request("ids names no product"));
        }
        Ok(Some(ids))
    }

    /// The body as JSON; 400 with the place of the mistake where it is not what is wanted.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let mut reader = serde_json::Deserializer::from_slice(self.body());
        serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let place = error.path().to_string();
            let detail = error.into_inner();
            Problem::bad_request(if place == "." { detail.to_string() } else { format!("{place}: {detail}") })
        })
    }

    /// A path that the service does not have.
    pub(crate) fn unknown_path(&self) -> Problem {
        Problem::not_found(format!("there is nothing at {}", self.path()))
    }
}

impl Page {
    /// The part of `all` that this page shows; nothing past the end.
    pub(crate) fn of<T>(self, all: impl Iterator<Item = T>) -> Vec<T> {
        all.skip((self.page - 1).saturating_mul(self.size)).take(self.size).collect()
    }
}
