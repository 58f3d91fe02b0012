//! K02: texts that are no Unicode, and a mark in front of the document.

use mock_services::Service;
use serde_json::Value;

use super::{Changed, json, whole};
use crate::scripted;

const PRODUCT: &str = "/products/42";
const PAGE: &str = "/product-page/42";

/// The product page over a catalog that names its product so; the name as it is shown.
async fn shown(name: &[u8]) -> Value {
    let change = |sound: &str| {
        let (before, rest) = sound.split_once("\"name\":\"").unwrap();
        let (_, behind) = rest.split_once('"').unwrap();
        json([before.as_bytes(), b"\"name\":\"", name, b"\"", behind.as_bytes()].concat())
    };
    let changed = Changed::new(Service::Catalog, PRODUCT, change, |_| {}).await;
    whole(&changed.get(PAGE).await)["product"]["name"].clone()
}

#[tokio::test]
async fn k02a_a_name_that_ends_in_half_an_emoji() {
    assert_eq!(shown(br"Kettle \ud83d").await, "Kettle \u{FFFD}");
    assert_eq!(shown(br"\ude00Kettle").await, "\u{FFFD}Kettle");
    // A whole one is as it ever was.
    assert_eq!(shown(br"Kettle \ud83d\ude00").await, "Kettle \u{1F600}");
}

#[tokio::test]
async fn k02c_a_byte_that_is_latin_1() {
    assert_eq!(shown(b"Caf\xE9").await, "Caf\u{FFFD}");
    assert_eq!(shown("Café".as_bytes()).await, "Café");
}

/// Nobody shows the sku on this page.
#[tokio::test]
async fn k02_a_field_that_nobody_shows_costs_nothing() {
    for damage in [&b"\\udc00"[..], b"\xFF"] {
        let change = |sound: &str| {
            let (before, behind) = sound.split_once("\"sku\":\"").unwrap();
            let unknown = [b"{\"unknown\":\"", damage, b"\",", &before.as_bytes()[1..]].concat();
            json([&unknown, &b"\"sku\":\""[..], damage, behind.as_bytes()].concat())
        };
        let changed = Changed::new(Service::Catalog, PRODUCT, change, |_| {}).await;
        whole(&changed.get(PAGE).await);
    }
}

#[tokio::test]
async fn k02d_a_byte_order_mark_before_the_document() {
    let changed = Changed::new(Service::Catalog, PRODUCT, |sound| json(format!("\u{FEFF}{sound}")), |_| {}).await;
    whole(&changed.get(PAGE).await);
}

#[tokio::test]
async fn k02f_one_of_twenty_elements() {
    let found = "/search?q=kettle&page=1&size=20";
    let half = |sound: &str| json(sound.replacen("\"name\":\"", "\"name\":\"x\\ud83d", 1));
    let changed = Changed::new(Service::Catalog, found, half, |_| {}).await;
    let page = whole(&changed.get("/search?q=kettle").await);
    assert_eq!(page["results"]["items"].as_array().unwrap().len(), 20);
    assert!(page["results"]["items"][0]["product"]["name"].as_str().unwrap().starts_with("x\u{FFFD}"), "{page}");

    // One that cannot be read at all costs itself; said in `meta`, and nothing of it is kept.
    for (bad, count) in [(1, 1), (3, 3)] {
        let change = |sound: &str| {
            json(sound.replacen("\"sku\":", "\"other\":", bad)).with(http::header::CACHE_CONTROL, "max-age=60")
        };
        let changed = Changed::new(Service::Catalog, found, change, |settings| {
            settings.cache.capacity = bytesize::ByteSize::mib(8);
        });
        let changed = changed.await;
        for asked in 1..=2 {
            let answer = changed.get("/search?q=kettle").await;
            let part = serde_json::json!({
                "part": "results", "outcome": "missing", "reason": "invalid_response", "count": count, "of": 20
            });
            assert_eq!(answer.parts(), [part]);
            let page = answer.json();
            assert_eq!(page["meta"]["degraded"], true);
            let items = page["results"]["items"].as_array().unwrap();
            assert_eq!(items.len(), 20 - bad);
            assert!(items.iter().all(|item| !item["price"].is_null()), "{page}");
            assert_eq!(answer.header("cache-control"), "no-store");
            let told = format!("results;outcome=missing;reason=invalid_response;count={count};of=20");
            assert_eq!(answer.header("bff-degraded"), told);
            assert_eq!(changed.asked(), asked);
        }
    }
}

/// Prices are summed in carts: a list of them is whole or not there. A whole number is none that is bad.
#[tokio::test]
async fn k02f_prices_are_whole_or_not_there() {
    let world = crate::world::World::start().await;
    let ids = world.get("/search?q=kettle").await.json();
    let ids = ids["results"]["items"].as_array().unwrap();
    let mut ids: Vec<&str> = ids.iter().map(|item| item["product"]["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let target = format!("/quotes?ids={}", ids.join("%2C"));
    let point = |sound: &str| json(sound.replacen(",\"currency\"", ".0,\"currency\"", 1));
    let changed = Changed::new(Service::Pricing, &target, point, |_| {}).await;
    let page = whole(&changed.get("/search?q=kettle").await);
    assert!(page["results"]["items"].as_array().unwrap().iter().all(|item| !item["price"].is_null()), "{page}");
    changed
        .now(json(r#"{"quotes":[{"product_id":"42","amount_minor":1.5,"currency":"EUR","list_amount_minor":null}]}"#));
    let parts = changed.get("/search?q=kettle").await.parts();
    assert_eq!(parts[0]["count"], 20, "{parts:?}");
}

/// A route that filters, over a backend that answers this.
async fn filtered(body: &[u8]) -> (u16, String) {
    let reply = super::bytes(&json(body));
    let at = scripted::scripted("", move |_, _| Some(reply.clone())).await;
    let world = crate::world::World::with(|settings| {
        let upstream = bff_core::upstream::UpstreamSettings {
            url: format!("http://{at}"),
            ..settings.upstreams["catalog"].clone()
        };
        settings.upstreams.insert("f".to_owned(), upstream);
        let route = "path = '/f/*'\nupstream = 'f'\nstrip_prefix = '/f'\njson = { deny = ['secret'] }";
        let all = bff_core::config::Settings::from_toml(&format!("[routes.f]\n{route}")).unwrap();
        settings.routes.extend(all.routes);
    });
    let answer = world.await.get("/f/d").await;
    (answer.status, answer.text())
}

#[tokio::test]
async fn k02g_a_filtered_route_with_bad_text_outside_of_what_is_filtered() {
    for (body, shown) in [
        (&br#"{"id":1,"n\ud83d":"x","secret":1}"#[..], "{\"id\":1,\"n\u{FFFD}\":\"x\"}"),
        (b"{\"id\":1,\"name\":\"Caf\xE9\",\"secret\":1}", "{\"id\":1,\"name\":\"Caf\u{FFFD}\"}"),
        (b"\xEF\xBB\xBF{\"id\":1.0,\"secret\":1}", "{\"id\":1.0}"),
        (br#"{"id":1,"name":"\ud83d","secret":1}"#, r#"{"id":1,"name":"\ud83d"}"#),
    ] {
        assert_eq!(filtered(body).await, (200, shown.to_owned()), "{}", body.escape_ascii());
    }
    // What would make one name of two, and what is no JSON, is never passed on.
    for body in [&br#"{"n\ud83d":1,"n\ud83e":2}"#[..], b"{\"id\":1\xE9}", br#"{"id":1,"n\ud83d":2}{"secret":1}"#] {
        assert_eq!(filtered(body).await.0, 502, "{}", body.escape_ascii());
    }
}

#[tokio::test]
async fn texts_of_our_own_clients_are_not_guessed_at() {
    let world = crate::world::World::start().await;
    let post = async |body: &[u8]| {
        let request = world.request(reqwest::Method::POST, "/cart/items").bearer_auth(world.token("ada"));
        crate::world::Answer::to(request.header("content-type", "application/json").body(body.to_vec())).await
    };
    for body in
        [&b"{\"product_id\":\"4\xE9\",\"quantity\":1}"[..], b"\xEF\xBB\xBF{\"product_id\":\"42\",\"quantity\":1}"]
    {
        post(body).await.assert_problem(400, "malformed");
    }
    for target in ["/search?q=%FF", "/search?q=a%EF%BF%BD"] {
        let problem = world.get(target).await.assert_problem(400, "malformed");
        assert_eq!(problem["errors"][0]["pointer"], "?q", "{target}");
    }
}
