//! Endpoints that cannot be served as they say of themselves.

mod survey;

use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Bff, Declared};
use crate::config::Settings;
use crate::fetched::Fetched;
use crate::upstream::{Client, Location, Transport, UpstreamSettings};
use crate::{App, Composer, Error, Json, Kind, Meta, Path, Policy, Problems, Result, compose, path, routes};

#[derive(Clone, Debug)]
struct Trains(Client);

impl From<Client> for Trains {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

impl Trains {
    async fn name(&self) -> Result<String> {
        self.0.get(path!("/name")).shared().await.map(Fetched::into_inner)
    }
}

crate::upstreams! {
    struct Upstreams {
        trains: Trains,
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct Home {
    train: Option<String>,
    meta: Meta,
}

#[derive(Debug, Serialize, ToSchema)]
struct Row {
    seat: u32,
    meta: Meta,
}

#[derive(Debug, Serialize, ToSchema)]
struct Ticket {
    number: u32,
}

/// Another type of the same name.
mod elsewhere {
    #[derive(Debug, serde::Serialize, utoipa::ToSchema)]
    pub(super) struct Ticket {
        pub(super) colour: String,
    }
}

async fn train(page: Composer, up: Upstreams) -> Result<Json<Home>> {
    compose!(page => Home { train: optional(up.trains.name()) })
}

#[utoipa::path(get, path = "/home", responses((status = OK, body = Home), Problems))]
async fn home(page: Composer, up: Upstreams) -> Result<Json<Home>> {
    train(page, up).await
}

#[utoipa::path(post, path = "/home", responses((status = OK, body = Ticket), Problems))]
async fn add_home() -> Result<Json<Ticket>> {
    Ok(Json(Ticket { number: 1 }))
}

async fn build(bff: &Bff<Upstreams>) -> Result<App> {
    let mut settings = Settings::default();
    let own = UpstreamSettings { url: "http://trains.test".to_owned(), ..UpstreamSettings::default() };
    settings.upstreams.insert("trains".to_owned(), own);
    let nowhere = |_: &str, _: &UpstreamSettings, _: &Location| -> Result<Transport> {
        let nobody = tower::service_fn(|_| async { Err(Error::new(Kind::Unreachable)) });
        Ok(tower::util::BoxCloneSyncService::new(nobody))
    };
    bff.build(&settings, nowhere).await
}

/// What is said of a BFF with these endpoints; empty where it starts.
async fn said(pages: impl IntoIterator<Item = (Declared<Upstreams>, Policy)>) -> String {
    let bff = pages.into_iter().fold(Bff::new("rail", "1"), |bff, (declared, policy)| bff.page(declared, policy));
    build(&bff).await.err().map(|error| error.to_string()).unwrap_or_default()
}

async fn said_of(declared: Declared<Upstreams>) -> String {
    said([(declared, Policy::public())]).await
}

#[tokio::test]
async fn what_is_declared_is_what_is_answered() {
    #[utoipa::path(get, path = "/a", responses((status = OK, body = Row), Problems))]
    async fn another_type(page: Composer, up: Upstreams) -> Result<Json<Home>> {
        train(page, up).await
    }
    #[utoipa::path(post, path = "/a", responses((status = OK, body = elsewhere::Ticket)))]
    async fn another_type_of_that_name() -> Result<Json<Ticket>> {
        add_home().await
    }
    #[utoipa::path(post, path = "/a", responses((status = OK, body = Vec<Ticket>)))]
    async fn many() -> Result<Json<Ticket>> {
        add_home().await
    }
    #[utoipa::path(post, path = "/a", responses((status = CREATED, body = Ticket)))]
    async fn another_status() -> Result<Json<Ticket>> {
        add_home().await
    }
    #[utoipa::path(post, path = "/a", responses((status = OK, body = Ticket, content_type = "text/csv")))]
    async fn another_kind() -> Result<Json<Ticket>> {
        add_home().await
    }
    #[utoipa::path(post, path = "/a", responses((status = OK)))]
    async fn no_body() -> Result<Json<Ticket>> {
        add_home().await
    }
    #[utoipa::path(post, path = "/a", responses((status = OK, body = Ticket)))]
    async fn nothing() -> Result<()> {
        add_home().await.map(|_| ())
    }
    #[utoipa::path(post, path = "/a", responses(Problems))]
    async fn undeclared() -> Result<Json<Ticket>> {
        add_home().await
    }
    for (declared, expected) in [
        (
            routes!(another_type),
            "declares `body = Row`, and its function answers Home; declare what it answers: `body = Home`",
        ),
        (routes!(another_type_of_that_name), "declares `body = Ticket`, and its function answers Ticket"),
        (routes!(many), "declares another type, and its function answers Ticket"),
        (routes!(another_status), "declares a 201, and its function answers 200"),
        (routes!(another_kind), "declares text/csv, and its function answers application/json"),
        (routes!(no_body), "declares no body of the 200, and its function answers Ticket"),
        (routes!(nothing), "declares a body of the 200, and its function answers none"),
        (routes!(undeclared), "declares no answer; declare it: `responses((status = OK, body = Ticket), Problems)`"),
    ] {
        let said = said_of(declared).await;
        assert!(said.contains("1 mistake in the endpoints\n") && said.contains(expected), "{expected}\n{said}");
        assert!(said.contains(" /a ("), "which endpoint: {said}");
    }
}

#[tokio::test]
async fn what_is_declared_is_what_is_read() {
    #[derive(Deserialize, ToSchema)]
    struct Wish {
        seats: u32,
    }
    #[utoipa::path(post, path = "/a", request_body = Ticket, responses((status = OK, body = Ticket)))]
    async fn another(Json(wish): Json<Wish>) -> Result<Json<Ticket>> {
        Ok(Json(Ticket { number: wish.seats }))
    }
    #[utoipa::path(post, path = "/a", responses((status = OK, body = Ticket)))]
    async fn by_itself(_up: Upstreams, Json(wish): Json<Wish>) -> Result<Json<Ticket>> {
        Ok(Json(Ticket { number: wish.seats }))
    }
    #[utoipa::path(post, path = "/a", request_body = Ticket, responses((status = OK, body = Ticket)))]
    async fn in_its_own_way(_body: String) -> Result<Json<Ticket>> {
        add_home().await
    }
    let said = said_of(routes!(another)).await;
    let expected = "declares `request_body = Ticket`, and its function reads Wish; take `request_body` out";
    assert!(said.contains(expected), "{said}");
    for declared in [routes!(by_itself), routes!(in_its_own_way)] {
        assert_eq!(said_of(declared).await, "");
    }
}

#[tokio::test]
async fn what_is_declared_in_other_words_is_the_same() {
    #[utoipa::path(post, path = "/a", responses((status = OK, body = Vec<Ticket>)))]
    async fn list() -> Result<Json<Vec<Ticket>>> {
        Ok(Json(Vec::new()))
    }
    #[utoipa::path(post, path = "/b", responses((status = OK, body = inline(Ticket))))]
    async fn inlined() -> Json<Ticket> {
        Json(Ticket { number: 1 })
    }
    #[utoipa::path(post, path = "/c", responses((status = CREATED, body = Ticket)))]
    async fn made() -> Result<(StatusCode, Json<Ticket>)> {
        Ok((StatusCode::CREATED, Json(Ticket { number: 1 })))
    }
    #[utoipa::path(get, path = "/d", responses((status = OK, body = String, content_type = "text/csv")))]
    async fn export() -> Result<Response> {
        Ok(Response::new("a,b".into()))
    }
    #[utoipa::path(delete, path = "/e", responses((status = NO_CONTENT)))]
    async fn forget() -> Result<axum::response::NoContent> {
        Ok(axum::response::NoContent)
    }
    let pages = [routes!(list), routes!(inlined), routes!(made), routes!(export), routes!(forget), routes!(home)];
    assert_eq!(said(pages.map(|page| (page, Policy::public()))).await, "");
}

#[tokio::test]
async fn one_policy_is_for_one_operation() {
    #[utoipa::path(method(get, post), path = "/both", responses((status = OK, body = Ticket)))]
    async fn both() -> Result<Json<Ticket>> {
        add_home().await
    }
    #[utoipa::path(head, path = "/head", responses((status = OK)))]
    async fn head() {}
    // What `routes!` does not compile, by way of what it is made of.
    let together: Declared<Upstreams> = Declared::new(utoipa_axum::routes!(home, add_home), &home, None);
    for (declared, expected) in [
        (together, "GET /home (home) and POST /home (add_home): one policy for several operations"),
        (routes!(both), "GET /both (both) and POST /both (both): one policy for several operations"),
        (routes!(head), "another method of /head (head): no operation that an endpoint can have"),
    ] {
        let said = said_of(declared).await;
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    let each = [(routes!(home), Policy::public()), (routes!(add_home), Policy::user())];
    assert_eq!(said(each).await, "", "one path may have several methods, each with its own");
}

#[tokio::test]
async fn a_path_is_what_its_parameters_say_and_is_there_once() {
    #[utoipa::path(get, path = "/title/{ident}", params(("id" = String, Path)), responses((status = OK, body = Home), Problems))]
    async fn misnamed(page: Composer, up: Upstreams, Path(_id): Path<String>) -> Result<Json<Home>> {
        train(page, up).await
    }
    #[utoipa::path(get, path = "/title/{id}", params(("id" = String, Path)), responses((status = OK, body = Home), Problems))]
    async fn title(page: Composer, up: Upstreams, Path(_id): Path<String>) -> Result<Json<Home>> {
        train(page, up).await
    }
    #[utoipa::path(delete, path = "/title/{name}", params(("name" = String, Path)), responses((status = OK, body = Ticket)))]
    async fn remove_title(Path(_id): Path<String>) -> Result<Json<Ticket>> {
        add_home().await
    }
    #[utoipa::path(get, path = "/home", responses((status = OK, body = Home), Problems))]
    async fn again(page: Composer, up: Upstreams) -> Result<Json<Home>> {
        train(page, up).await
    }
    mod other {
        #[utoipa::path(get, path = "/other", responses((status = OK, body = super::Home), super::Problems))]
        pub(super) async fn home(
            page: super::Composer,
            up: super::Upstreams,
        ) -> super::Result<super::Json<super::Home>> {
            super::train(page, up).await
        }
    }
    #[utoipa::path(post, path = "/problems/{kind}", params(("kind" = String, Path)), responses((status = OK, body = Ticket)))]
    async fn taken(Path(_id): Path<String>) -> Result<Json<Ticket>> {
        add_home().await
    }
    #[utoipa::path(post, path = "/old/:id", responses((status = OK, body = Ticket)))]
    async fn old() -> Result<Json<Ticket>> {
        add_home().await
    }
    #[utoipa::path(post, path = "/seat/{row}", responses((status = OK, body = Ticket)))]
    async fn unused() -> Result<Json<Ticket>> {
        add_home().await
    }
    #[utoipa::path(post, path = "bare", responses((status = OK, body = Ticket)))]
    async fn bare() -> Result<Json<Ticket>> {
        add_home().await
    }
    let table: [(Vec<Declared<Upstreams>>, &[&str]); 8] = [
        (
            vec![routes!(misnamed)],
            &[
                "GET /title/{ident} (getMisnamed): `params` declares \"id\", which the path does not have; call it as the path \
                 does: ident",
            ],
        ),
        (vec![routes!(home), routes!(again)], &["GET /home (getAgain): GET /home is also that of getHome"]),
        (
            vec![routes!(title), routes!(remove_title)],
            &["DELETE /title/{name} (removeTitle): nothing tells its path from /title/{id}"],
        ),
        (
            vec![routes!(home), routes!(other::home)],
            &["GET /other (getHome): its name is also that of GET /home (getHome)"],
        ),
        (vec![routes!(taken)], &["POST /problems/{kind} (postTaken): /problems/{slug} is served by every BFF"]),
        (vec![routes!(old)], &["POST /old/:id (postOld): \":id\" is no placeholder; write {id}"]),
        (
            vec![routes!(unused)],
            &[
                "POST /seat/{row} (postUnused): the path has {row}, which `params` does not declare; declare it: `params((\"row\"",
            ],
        ),
        (vec![routes!(bare)], &["its path does not begin with a slash; write \"/bare\""]),
    ];
    for (pages, expected) in table {
        let said = said(pages.into_iter().map(|page| (page, Policy::public()))).await;
        for expected in expected {
            assert!(said.contains(expected), "{expected}\n{said}");
        }
    }
}

#[tokio::test]
async fn a_page_says_what_is_missing() {
    #[utoipa::path(get, path = "/a", responses((status = OK, body = Ticket)))]
    async fn without(up: Upstreams) -> Result<Json<Ticket>> {
        up.trains.name().await?;
        add_home().await
    }
    #[utoipa::path(post, path = "/a", responses((status = OK, body = Ticket)))]
    async fn composed(page: Composer, up: Upstreams) -> Result<Json<Ticket>> {
        page.optional::<String, _, _, _>("train", up.trains.name()).await?;
        add_home().await
    }
    #[utoipa::path(get, path = "/a", responses((status = OK, body = Home)))]
    async fn made_up() -> Result<Json<Home>> {
        Ok(Json(Home { train: None, meta: Meta { degraded: false, parts: Vec::new() } }))
    }
    for (declared, policy, expected) in [
        (routes!(without), Policy::public(), "its answer has no `meta`"),
        (routes!(composed), Policy::public(), "its answer has no `meta`"),
        (routes!(made_up), Policy::public(), "its answer has `meta`, and nobody knows what to write there"),
        (routes!(home), Policy::public().without_meta(), "its policy says `without_meta`, and its answer has `meta`"),
    ] {
        let said = said([(declared, policy)]).await;
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert_eq!(said([(routes!(without), Policy::public().without_meta())]).await, "");
    assert_eq!(said([(routes!(add_home), Policy::user())]).await, "", "a write answers what was written");
}
