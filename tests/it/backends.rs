//! What an operator sees of a backend that is broken: the table in `docs/backends.md`, row by row.

use std::net::SocketAddr;
use std::time::Duration;

use bff_core::config::Settings;
use bff_core::upstream::{Client, UpstreamSettings};
use bff_core::{Bff, Composer, Json, Meta, Policy, Problems, Result, compose, path, routes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;
use utoipa::ToSchema;

use crate::scripted::{json, scripted};
use crate::world::{Answer, PATIENCE, Served, client};

/// The only one that this BFF has.
#[derive(Clone, Debug)]
struct Shop(Client);

impl From<Client> for Shop {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

bff_core::upstreams! {
    /// One backend.
    struct Upstreams {
        shop: Shop,
    }
}

#[derive(Debug, Deserialize)]
struct Sold {
    title: String,
}

/// What is sold.
#[derive(Debug, Serialize, ToSchema)]
struct Title {
    text: String,
}

impl From<Sold> for Title {
    fn from(sold: Sold) -> Self {
        Self { text: sold.title }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct Page {
    title: Option<Title>,
    meta: Meta,
}

/// Page
#[utoipa::path(get, path = "/page", responses((status = OK, body = Page), Problems))]
async fn page(page: Composer, up: Upstreams) -> Result<Json<Page>> {
    compose!(page => Page { title: optional(async { up.shop.0.get(path!("/title")).shared::<Sold>().await }) })
}

fn said(status: u16, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The answer that breaks it so; `None` for nobody who listens.
fn broken(how: &str) -> Option<Vec<u8>> {
    const JSON: &str = "content-type: application/json\r\n";
    Some(match how {
        "nobody listens" => return None,
        "silence" => Vec::new(),
        "no HTTP" => b"what?\r\n\r\n".to_vec(),
        "500" => json(500, "{}"),
        "503" => json(503, "{}"),
        "429" => json(429, "{}"),
        "401" => json(401, "{}"),
        "403" => json(403, "{}"),
        "400" => json(400, "{}"),
        "302" => said(302, "location: /login\r\n", ""),
        "HTML" => said(200, "content-type: text/html\r\n", "<p>hello</p>"),
        "no content type" => said(200, "", "{\"title\":\"x\"}"),
        "empty 200" => json(200, ""),
        "no JSON" => json(200, "oops"),
        "torn JSON" => json(200, "{\"title\":"),
        "a field is missing" => json(200, "{\"name\":\"x\"}"),
        "too large" => json(200, &format!("\"{}\"", "x".repeat(3000))),
        "no gzip" => said(200, &format!("{JSON}content-encoding: gzip\r\n"), "{\"title\":\"x\"}"),
        how => panic!("{how} is in the table, and in no script"),
    })
}

/// A page over it, asked once; and what is seen of that.
async fn seen(how: &'static str) -> (Value, Value, String) {
    let backend: SocketAddr = match broken(how) {
        Some(answer) => scripted("", move |_, _| Some(answer.clone())).await,
        None => TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap(),
    };
    let mut settings = Settings::default();
    let mut shop = UpstreamSettings {
        url: format!("http://{backend}"),
        owner: "team-shop".to_owned(),
        timeout: PATIENCE,
        attempt_timeout: PATIENCE,
        connect_timeout: PATIENCE,
        response_limit: bytesize::ByteSize::kib(2),
        ..UpstreamSettings::default()
    };
    shop.retry.tries = 0;
    shop.breaker.enabled = false;
    if how == "silence" {
        (shop.timeout, shop.attempt_timeout) = (Duration::from_millis(300), Duration::from_millis(200));
    }
    settings.upstreams.insert("shop".to_owned(), shop);
    let bff = Bff::<Upstreams>::new("mobile", "1").page(routes!(page), Policy::public().budget(PATIENCE * 2));
    let served = Served::start(&bff, settings).await;
    let page = Answer::to(client().get(format!("http://{}/page", served.address))).await;
    assert_eq!(page.status, 200, "{how}");
    let protections = Answer::to(client().get(format!("http://{}/protections", served.management))).await.json();
    let metrics = served.metrics().await;
    (page.parts()[0].clone(), protections["upstreams"][0].clone(), metrics)
}

/// The rows of the table: how it is broken, what `meta` says, the kind and how the cause begins.
fn rows() -> Vec<[&'static str; 4]> {
    let text = include_str!("../../docs/backends.md");
    let table = text.split("<!-- held by tests/it/backends.rs -->").nth(1).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(2);
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        [cells[0], cells[1], cells[2], cells[3]]
    })
    .collect()
}

#[tokio::test]
async fn whoever_looks_sees_upstream_owner_host_and_cause() {
    let rows = rows();
    assert!(rows.len() >= 15, "{}", rows.len());
    for [how, reason, kind, cause] in rows {
        let (part, upstream, metrics) = seen(how).await;
        assert_eq!(part["reason"], reason, "{how}");
        assert_eq!((&upstream["upstream"], &upstream["owner"]), (&"shop".into(), &"team-shop".into()), "{how}");
        let last = &upstream["last_error"];
        assert_eq!(last["kind"], kind, "{how}: {last}");
        assert!(last["cause"].as_str().unwrap().starts_with(cause), "{how}: {last}");
        assert!(last["host"].as_str().is_some_and(|host| host.starts_with("127.0.0.1:")), "{how}: {last}");
        let counted = format!("bff_upstream_calls_total{{upstream=\"shop\",outcome=\"failed\",reason=\"{reason}\"}} 1");
        assert!(metrics.contains(&counted), "{how}: {metrics}");
        let refused = u8::from(matches!(how, "401" | "403"));
        assert_eq!(upstream["refused_in_a_row"], refused, "{how}");
        assert!(metrics.contains(&format!("bff_upstream_refused_total{{upstream=\"shop\"}} {refused}")), "{how}");
    }
}
