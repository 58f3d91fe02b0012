//! Routes, piece by piece and through the whole.

mod answers;
mod document;
mod filtered;
mod json;
mod matching;
mod mistakes;
mod requests;
mod wire;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::*;
use crate::config::Settings;
use crate::identity::Claims;
use crate::testing::{Answer, Builder, Reply, TestBff};
use crate::upstream::{Client, UpstreamSettings};
use crate::{Bff, Composer, Json, Meta, Policy, Problems, compose, path, routes};

#[derive(Clone, Debug)]
struct Station(Client);

impl From<Client> for Station {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

crate::upstreams! {
    struct Upstreams {
        station: Station,
    }
}

/// What the weather screen shows.
#[derive(Debug, Serialize, ToSchema)]
struct Weather {
    now: Option<String>,
    meta: Meta,
}

#[utoipa::path(get, path = "/weather/{id}", params(("id" = String, Path)), responses((status = OK, body = Weather), Problems))]
async fn weather(page: Composer, up: Upstreams) -> Result<Json<Weather>> {
    compose!(page => Weather { now: optional(async { Ok(up.station.0.get(path!("/now")).shared::<String>().await?.into_inner()) }) })
}

fn bff() -> Bff<Upstreams> {
    Bff::new("coast", "1.0.0").page(routes!(weather), Policy::public())
}

/// Settings of one route, as TOML writes them.
fn route(toml: &str) -> RouteSettings {
    settings(&format!("[routes.it]\n{toml}")).routes.remove("it").unwrap()
}

fn settings(toml: &str) -> Settings {
    Settings::from_toml(toml).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

/// What an upstream was sent.
#[derive(Clone, Debug)]
struct Sent {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Sent {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A BFF with these routes; each of their upstreams answers `reply`, and what they were sent is kept.
struct World {
    bff: TestBff,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl World {
    async fn new(routes: &str, reply: Reply) -> Self {
        Self::changed(routes, reply, |_| {}).await
    }

    async fn changed(routes: &str, reply: Reply, change: impl FnOnce(&mut Settings)) -> Self {
        let routes = settings(routes).routes;
        let names: Vec<String> = routes.values().map(|route| route.upstream.clone()).collect();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let mut builder = Builder::new(bff()).unwrap().settings(|settings| {
            for name in &names {
                let mut own = UpstreamSettings { url: format!("http://{name}.test"), ..UpstreamSettings::default() };
                own.retry.tries = 0;
                own.breaker.enabled = false;
                own.dns_refresh = std::time::Duration::ZERO;
                settings.upstreams.insert(name.clone(), own);
            }
            settings.routes = routes;
            change(settings);
        });
        for name in &names {
            let (sent, reply) = (sent.clone(), reply.clone());
            builder = builder.upstream(name, move |request: Request<Bytes>| {
                let (head, body) = request.into_parts();
                let Parts { method, uri, headers, .. } = head;
                sent.lock().unwrap().push(Sent { method, target: uri.to_string(), headers, body });
                std::future::ready(reply.clone())
            });
        }
        Self { bff: builder.build().await.unwrap(), sent }
    }

    async fn get(&self, target: &str) -> Answer {
        self.bff.get(target).await
    }

    async fn with(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.bff.send(with(target, headers), Bytes::new()).await
    }

    /// The one request that was sent since the last look.
    #[track_caller]
    fn sent(&self) -> Sent {
        let mut sent = std::mem::take(&mut *self.sent.lock().unwrap());
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    #[track_caller]
    fn nothing_sent(&self) {
        assert_eq!(self.sent.lock().unwrap().len(), 0);
    }
}

use http::request::Parts;

fn with(target: &str, headers: &[(&str, &str)]) -> http::request::Builder {
    let request = Request::builder().uri(target);
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

fn head(method: Method, target: &str, headers: &[(&str, &str)]) -> Parts {
    with(target, headers).method(method).body(()).unwrap().into_parts().0
}

fn ada() -> Claims {
    Claims { subject: "ada".into(), roles: vec!["sailor".into()], ..Claims::default() }
}

#[track_caller]
fn assert_problem(answer: &Answer, status: u16, slug: &str) {
    let shown = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{shown}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{shown}");
    assert_eq!(answer.json()["type"], format!("/problems/{slug}"), "{shown}");
}
