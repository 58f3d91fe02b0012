//! What stands in the API document is what is held to.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Request, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::testing::{Answer, Builder, TestBff};
use crate::upstream::{Client, Clients};
use crate::{Bff, Json, Path, Policy, Problems, Query, Result, routes};

/// A BFF with nothing behind it.
#[derive(Clone)]
struct Nothing;

impl Clients for Nothing {
    const NAMES: &'static [&'static str] = &[];

    fn build(_: &mut dyn FnMut(&'static str) -> Option<Client>) -> Option<Self> {
        Some(Self)
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code)]
struct NewTicket {
    #[schema(minimum = 1, maximum = 8)]
    seats: u8,
    #[schema(min_length = 2, max_length = 5, pattern = "^[a-zü]+$")]
    name: String,
    #[schema(max_items = 2)]
    #[serde(default)]
    extras: Vec<Extra>,
    address: Option<Address>,
    #[schema(exclusive_minimum = 0.0, multiple_of = 0.5)]
    discount: Option<f64>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Extra {
    Window,
    Table,
}

#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code)]
struct Address {
    #[schema(pattern = "^[0-9]{5}$")]
    zip: String,
    #[schema(format = Email)]
    mail: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Ticket {
    number: String,
}

/// How often a function of these tests was reached.
static REACHED: AtomicUsize = AtomicUsize::new(0);

fn ticket(number: impl ToString) -> Result<Json<Ticket>> {
    REACHED.fetch_add(1, Ordering::SeqCst);
    Ok(Json(Ticket { number: number.to_string() }))
}

#[utoipa::path(post, path = "/tickets", request_body = NewTicket, responses((status = OK, body = Ticket), Problems))]
async fn add_ticket(Json(wish): Json<NewTicket>) -> Result<Json<Ticket>> {
    ticket(wish.seats)
}

/// Reads its body in a way of its own.
#[utoipa::path(put, path = "/tickets", request_body = NewTicket, responses((status = OK, body = Ticket), Problems))]
async fn put_ticket(body: String) -> Result<Json<Ticket>> {
    ticket(body.len())
}

#[derive(Debug, Deserialize, ToSchema)]
struct Note {
    text: String,
}

#[utoipa::path(post, path = "/notes", request_body = Note, responses((status = OK, body = Ticket), Problems))]
async fn add_note(Json(note): Json<Note>) -> Result<Json<Ticket>> {
    ticket(note.text)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Which {
    #[param(minimum = 1, maximum = 500)]
    page: Option<u32>,
    #[param(min_length = 2)]
    q: Option<String>,
    #[param(maximum = 0.5)]
    share: Option<f64>,
    #[param(inline)]
    extra: Option<Extra>,
    #[param(value_type = Option<Vec<u8>>, explode = false, max_items = 2)]
    rows: Option<String>,
}

#[utoipa::path(get, path = "/seats/{row}", params(("row" = String, Path, pattern = "^[A-F]$"), Which), responses((status = OK, body = Ticket), Problems))]
async fn seats(Path(row): Path<String>, Query(which): Query<Which>) -> Result<Json<Ticket>> {
    ticket(format!("{row}{which:?}"))
}

#[utoipa::path(get, path = "/title/{id}", params(("id" = i32, Path)), responses((status = OK, body = Ticket), Problems))]
async fn title(Path(id): Path<i32>) -> Result<Json<Ticket>> {
    ticket(id)
}

#[utoipa::path(get, path = "/from/{from}/to/{to}", params(("from" = String, Path), ("to" = i64, Path)), responses((status = OK, body = Ticket), Problems))]
async fn way(Path((from, to)): Path<(String, i64)>) -> Result<Json<Ticket>> {
    ticket(format!("{from}{to}"))
}

#[utoipa::path(get, path = "/host/{host}", params(("host" = String, Path)), responses((status = OK, body = Ticket), Problems))]
async fn host(Path(host): Path<std::net::IpAddr>) -> Result<Json<Ticket>> {
    ticket(host)
}

#[utoipa::path(get, path = "/pair/{one}", params(("one" = String, Path)), responses((status = OK, body = Ticket), Problems))]
async fn pair(Path((one, other)): Path<(String, String)>) -> Result<Json<Ticket>> {
    ticket(one + &other)
}

async fn bff() -> TestBff {
    let plain = || Policy::public().without_meta();
    let bff = Bff::<Nothing>::new("rail", "1")
        .page(routes!(add_ticket), plain())
        .page(routes!(put_ticket), plain())
        .page(routes!(add_note), plain())
        .page(routes!(seats), plain())
        .page(routes!(title), plain())
        .page(routes!(way), plain())
        .page(routes!(host), plain())
        .page(routes!(pair), plain());
    Builder::new(bff).unwrap().build().await.unwrap()
}

async fn send(bff: &TestBff, method: Method, path: &str, body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    bff.send(request, body.to_owned().into()).await
}

/// Where, and what would be right.
fn errors(answer: &Answer) -> Vec<(String, String)> {
    let problem = answer.json();
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let text = |error: &Value, key: &str| error[key].as_str().unwrap().to_owned();
    errors.iter().map(|error| (text(error, "pointer"), text(error, "detail"))).collect()
}

#[tokio::test]
async fn a_body_is_what_its_schema_says() {
    let bff = bff().await;
    let before = REACHED.load(Ordering::SeqCst);
    let good = json!({ "seats": 8, "name": "züge", "extras": ["window", "table"], "address": { "zip": "20095" }, "discount": 1.5 });
    for (path, value, expected) in [
        ("/seats", json!(0), "give at least 1"),
        ("/seats", json!(9), "give at most 8"),
        ("/seats", json!("9"), "give a value of type integer"),
        ("/seats", Value::Null, "give a value of type integer"),
        ("/name", json!("a"), "write at least 2 characters"),
        ("/name", json!("abcdef"), "write at most 5 characters"),
        ("/name", json!("ABC"), "write what ^[a-zü]+$ matches"),
        ("/extras", json!(["table", "table", "table"]), "give at most 2 items"),
        ("/extras/1", json!("bed"), "give one of \"window\", \"table\""),
        ("/address/zip", json!("2009"), "write what ^[0-9]{5}$ matches"),
        ("/address/mail", json!("nobody"), "write it as email"),
        ("/address", json!(7), "it has none of the forms that the API document gives"),
        ("/discount", json!(0.0), "give more than 0"),
        ("/discount", json!(0.7), "give a multiple of 0.5"),
    ] {
        let mut body = good.clone();
        match body.pointer_mut(path) {
            Some(place) => *place = value,
            None => body["address"]["mail"] = value,
        }
        for method in [Method::POST, Method::PUT] {
            let answer = send(&bff, method, "/tickets", &body.to_string()).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body} {}", answer.json());
            let [(pointer, detail)] = &errors(&answer)[..] else { panic!("{body} {}", answer.json()) };
            assert!(pointer == path && detail.starts_with(expected), "{body}: {pointer} {detail}");
        }
    }
    assert_eq!(REACHED.load(Ordering::SeqCst), before, "nobody is asked for what does not fit");

    let answer = send(&bff, Method::POST, "/tickets", r#"{"seats":0,"extras":["bed"],"address":{}}"#).await;
    let places: Vec<String> = errors(&answer).into_iter().map(|(pointer, _)| pointer).collect();
    for place in ["/seats", "/name", "/extras/0", "/address/zip"] {
        assert!(places.iter().any(|known| known == place), "all at once: {places:?}");
    }
    for method in [Method::POST, Method::PUT] {
        assert_eq!(send(&bff, method, "/tickets", &good.to_string()).await.status, StatusCode::OK);
    }
    let least = send(&bff, Method::POST, "/tickets", r#"{"seats":1,"name":"ab","address":null}"#).await;
    assert_eq!(least.status, StatusCode::OK, "{}", least.json());
    let many = json!({ "seats": 1, "name": "ab", "extras": vec!["bed"; 5000] });
    assert_eq!(
        errors(&send(&bff, Method::POST, "/tickets", &many.to_string()).await).len(),
        32,
        "an answer has a bound"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_as_before() {
    let bff = bff().await;
    for (body, status) in
        [("", 400), ("{", 400), ("[]", 422), ("{}", 422), ("{\"seats\":1,\"seats\":2,\"name\":\"ab\"}", 422)]
    {
        let answer = send(&bff, Method::POST, "/tickets", body).await;
        assert_eq!(answer.status.as_u16(), status, "{body:?} {}", answer.json());
    }
    let request = Request::builder().method(Method::POST).uri("/tickets").header(header::CONTENT_TYPE, "text/plain");
    assert_eq!(bff.send(request, "{}".into()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(send(&bff, Method::POST, "/tickets", &large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_parameter_is_what_its_schema_says() {
    let bff = bff().await;
    let good = "/seats/A?page=500&q=ab&share=0.5&extra=table&rows=1,2";
    let whole = "write a whole number in its range";
    for (target, pointer, detail) in [
        ("/seats/G", "{row}", "write what ^[A-F]$ matches"),
        ("/seats/A?page=0", "?page", "give at least 1"),
        ("/seats/A?page=501", "?page", "give at most 500"),
        ("/seats/A?page=x", "?page", whole),
        ("/seats/A?page=1.0", "?page", whole),
        ("/seats/A?page=", "?page", whole),
        ("/seats/A?q=a", "?q", "write at least 2 characters"),
        ("/seats/A?q=%C3%BC", "?q", "write at least 2 characters"),
        ("/seats/A?share=0.6", "?share", "give at most 0.5"),
        ("/seats/A?share=x", "?share", "write a number"),
        ("/seats/A?extra=bed", "?extra", "give one of"),
        ("/seats/A?rows=1,2,3", "?rows", "give at most 2 items"),
        ("/seats/A?rows=1,x", "?rows", whole),
        ("/title/abc", "{id}", whole),
        ("/title/99999999999", "{id}", whole),
        ("/from/a/to/b", "{to}", whole),
        ("/host/nowhere", "{host}", "invalid IP address syntax"),
    ] {
        let answer = send(&bff, Method::GET, target, "").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{target} {}", answer.json());
        let [(place, right)] = &errors(&answer)[..] else { panic!("{target} {}", answer.json()) };
        assert!(place == pointer && right.starts_with(detail), "{target}: {place} {right}");
    }
    let both = errors(&send(&bff, Method::GET, "/seats/G?page=0", "").await);
    assert_eq!(both.len(), 2, "{both:?}");
    for target in [good, "/title/-7", "/from/a/to/7", "/host/192.0.2.1", "/seats/A"] {
        let answer = send(&bff, Method::GET, target, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{target} {}", answer.json());
    }
    let defect = send(&bff, Method::GET, "/pair/a", "").await;
    assert_eq!(defect.status, StatusCode::INTERNAL_SERVER_ERROR, "an argument too many is no mistake of a client");
}

#[tokio::test]
async fn what_demands_nothing_is_held_to_nothing() {
    let bff = bff().await;
    let endpoint = |name: &str| bff.app.endpoints.iter().find(|endpoint| endpoint.name == name).unwrap().is_checked;
    for (name, expected) in
        [("addTicket", true), ("getSeats", true), ("addNote", false), ("getTitle", false), ("getWay", false)]
    {
        assert_eq!(endpoint(name), expected, "{name}");
    }
}

#[tokio::test]
async fn a_pattern_that_nobody_can_match_in_linear_time_is_refused() {
    #[derive(Debug, Deserialize, ToSchema)]
    struct Strange {
        #[allow(dead_code)]
        #[schema(pattern = "^(?=a)")]
        text: String,
    }
    #[utoipa::path(post, path = "/strange", request_body = Strange, responses((status = OK, body = Ticket), Problems))]
    async fn strange(Json(strange): Json<Strange>) -> Result<Json<Ticket>> {
        ticket(strange.text)
    }
    let bff = Bff::<Nothing>::new("rail", "1").page(routes!(strange), Policy::public());
    let said = Builder::new(bff).unwrap().build().await.unwrap_err().to_string();
    assert!(said.contains("POST /strange (postStrange): nobody can hold its body to its schema"), "{said}");
}
