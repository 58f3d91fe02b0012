//! A BFF of two endpoints and a half: what the frontends' own do not have.
//!
//! `/mine` asks in the name of whoever asks. `/ours` is the mistake that everything in `identity` is about: it declares
//! to be everybody's what differs from user to user. `/staff` is for a role and a scope.

use bff_core::config::Settings;
use bff_core::upstream::{Client, UpstreamSettings};
use bff_core::{Bff, Composer, Fetched, Json, Meta, Policy, Problems, Result, compose, path, routes};
use mock_services::scripted::{self, Scripted};
use mock_services::{Reply, Running, Service};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::world::{PATIENCE, Served};

/// Says whose profile it shows.
#[derive(Clone, Debug)]
pub(crate) struct People(Client);

impl From<Client> for People {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

/// Counts who has come by.
#[derive(Clone, Debug)]
pub(crate) struct Laps(Client);

impl From<Client> for Laps {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Person {
    name: String,
}

bff_core::upstreams! {
    /// The backends of the tiny BFF.
    pub(crate) struct Upstreams {
        people: People,
        laps: Laps,
    }
}

/// A page with somebody's name on it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page {
    /// Whose.
    name: Name,
    /// Nothing of interest.
    lap: Name,
    /// As ever.
    meta: Meta,
}

/// A name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Name {
    /// The name itself.
    text: String,
}

impl From<Person> for Name {
    fn from(person: Person) -> Self {
        Self { text: person.name }
    }
}

impl People {
    async fn mine(&self) -> Result<Fetched<Person>> {
        self.0.get(path!("/profile")).per_identity().await
    }

    /// Wrong: the answer is one user's.
    async fn ours(&self) -> Result<Fetched<Person>> {
        self.0.get(path!("/profile")).shared().await
    }
}

impl Laps {
    async fn lap(&self) -> Result<Fetched<Person>> {
        self.0.get(path!("/lap")).shared().await
    }
}

/// Mine
#[utoipa::path(get, path = "/mine", responses((status = OK, body = Page), Problems))]
async fn mine(page: Composer, up: Upstreams) -> Result<Json<Page>> {
    compose!(page => Page { name: required(up.people.mine()), lap: required(up.laps.lap()) })
}

/// Ours
#[utoipa::path(get, path = "/ours", responses((status = OK, body = Page), Problems))]
async fn ours(page: Composer, up: Upstreams) -> Result<Json<Page>> {
    compose!(page => Page { name: required(up.people.ours()), lap: required(up.laps.lap()) })
}

/// Staff
#[utoipa::path(get, path = "/staff", responses((status = OK, body = Page), Problems))]
async fn staff(page: Composer, up: Upstreams) -> Result<Json<Page>> {
    compose!(page => Page { name: required(up.people.mine()), lap: required(up.laps.lap()) })
}

/// The tiny BFF, and its backends.
#[derive(Debug)]
pub(crate) struct Tiny {
    pub(crate) bff: Served,
    pub(crate) people: Scripted,
    pub(crate) laps: Scripted,
}

impl Tiny {
    /// `people` answers from this closure.
    pub(crate) async fn start(
        mocks: &Running,
        answer: impl Fn(&http::Request<bytes::Bytes>) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let people = scripted::start(answer).await.unwrap();
        let laps = scripted::start(|_| Reply::json(r#"{"name":"lap"}"#)).await.unwrap();
        let mut settings = Settings::default();
        settings.auth = crate::world::settings(mocks).auth;
        for (name, url, forward) in [("people", people.url(), vec![]), ("laps", laps.url(), vec!["x-lap".to_owned()])] {
            let upstream = UpstreamSettings {
                url,
                forward,
                timeout: PATIENCE,
                attempt_timeout: PATIENCE,
                connect_timeout: PATIENCE,
                ..UpstreamSettings::default()
            };
            settings.upstreams.insert(name.to_owned(), upstream);
        }
        assert!(mocks.url(Service::Identity).starts_with("http://127.0.0.1:"));
        let bff: Bff<Upstreams> = Bff::new("mobile", "1")
            .page(routes!(mine), Policy::user().budget(PATIENCE))
            .page(routes!(ours), Policy::user().budget(PATIENCE))
            .page(routes!(staff), Policy::user().role("staff").scope("desk:read").budget(PATIENCE));
        Self { bff: Served::start(&bff, settings).await, people, laps }
    }
}
