//! A tiny BFF about railway stations, its document, and what becomes of it.

mod breaks;
mod differences;
mod page;
mod schemas;
mod target;

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::render;
use crate::config::Settings;
use crate::upstream::{Client, Clients};
use crate::{App, Bff, Composer, Json, Meta, Path, Policy, Problems, Query, Result, compose, routes};

/// A BFF with nothing behind it.
#[derive(Clone)]
struct Nothing;

impl Clients for Nothing {
    const NAMES: &'static [&'static str] = &[];

    fn build(_: &mut dyn FnMut(&'static str) -> Option<Client>) -> Option<Self> {
        Some(Self)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
struct StationId(String);

#[derive(Debug, Serialize, ToSchema)]
struct StationPage {
    station: Station,
    /// Now, above the platforms.
    weather: Option<Weather>,
    nearby: Nearby,
    meta: Meta,
}

#[derive(Debug, Serialize, ToSchema)]
struct Station {
    #[schema(example = "zh-7")]
    id: String,
    #[schema(example = "Central")]
    name: String,
    platforms: u8,
    opened: Option<String>,
    surroundings: std::collections::HashMap<String, Vec<Line>>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Line {
    /// Short names are written on the trains.
    #[schema(min_length = 2, max_length = 3)]
    short_name: String,
    #[schema(no_recursion)]
    branches: Vec<Line>,
    #[schema(no_recursion)]
    follows: Option<Box<Line>>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Weather {
    sky: Sky,
    #[schema(minimum = -60, maximum = -5)]
    celsius: i32,
    wind: Option<f64>,
    warning: Option<Sky>,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Sky {
    Clear,
    Clouded,
}

#[derive(Debug, Serialize, ToSchema)]
struct Nearby {
    stations: Vec<Station>,
    next: Option<String>,
}

/// Everything about one station
///
/// As the board in the hall shows it.
#[utoipa::path(get, path = "/v1/stations/{id}", params(("id" = StationId, Path)), responses((status = OK, body = StationPage), Problems))]
async fn station_page(page: Composer, Path(_id): Path<StationId>) -> Result<Json<StationPage>> {
    let nobody = async || -> Result<Station> { Err(crate::Error::new(crate::Kind::NotFound)) };
    compose!(page => StationPage {
        station: subject(nobody()),
        weather: optional(async {
            Ok(Weather { sky: Sky::Clear, celsius: -9, wind: None, warning: Some(Sky::Clouded) })
        }),
        nearby: fallback(async { Ok(nothing_near()) }, nothing_near),
    })
}

fn nothing_near() -> Nearby {
    Nearby { stations: Vec::new(), next: None }
}

#[derive(Debug, Serialize, ToSchema)]
struct Timetable {
    lines: Lines,
    meta: Meta,
}

#[derive(Debug, Serialize, ToSchema)]
struct Lines {
    items: Vec<Line>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct When {
    #[param(example = "2026-01-31 09:30")]
    from: String,
    limit: Option<u32>,
}

/// What leaves next
#[utoipa::path(get, path = "/timetable", params(When), responses((status = OK, body = Timetable), Problems))]
async fn timetable(page: Composer, Query(_when): Query<When>) -> Result<Json<Timetable>> {
    compose!(page => Timetable {
        lines: fallback(async { Ok(Lines { items: Vec::new() }) }, || Lines { items: Vec::new() }),
    })
}

#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code)]
struct NewTicket {
    from: StationId,
    seats: u8,
    window: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Ticket {
    number: String,
    gate: Option<String>,
}

/// Buys a ticket
#[utoipa::path(post, path = "/tickets", request_body = NewTicket, responses((status = CREATED, body = Ticket), Problems))]
async fn add_ticket(Json(_wish): Json<NewTicket>) -> Result<(StatusCode, Json<Ticket>)> {
    Ok((StatusCode::CREATED, Json(Ticket { number: "7".to_owned(), gate: None })))
}

fn railway() -> Bff<Nothing> {
    let budget = Duration::from_millis(800);
    Bff::new("railway", "1.2.0")
        .describe("Stations and trains.")
        .page(routes!(station_page), Policy::public().budget(budget))
        .page(routes!(timetable), Policy::user())
        .page(routes!(add_ticket), Policy::user().role("clerk").scope("tickets:write").scope("stations:read"))
}

async fn built(bff: &Bff<Nothing>) -> App {
    bff.build(&Settings::default(), no_network).await.unwrap()
}

/// The document of a BFF, as text and as plain JSON.
async fn text(bff: &Bff<Nothing>) -> (String, Value) {
    let text = render(&built(bff).await.document);
    let plain = serde_json::from_str(&text).unwrap();
    (text, plain)
}

fn no_network(
    _: &str,
    _: &crate::upstream::UpstreamSettings,
    _: &crate::upstream::Location,
) -> crate::Result<crate::upstream::Transport> {
    Err(crate::Error::internal("no network"))
}
