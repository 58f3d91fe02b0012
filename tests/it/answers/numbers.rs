//! K04: whole numbers, however they are written.

use mock_services::Service;
use serde_json::json as value;

use super::{Changed, json, whole};
use crate::world::{Answer, World};

/// The price on the product page, over a backend that writes it so.
async fn price(amount: &str) -> Answer {
    let change = |sound: &str| {
        let (before, rest) = sound.split_once("\"amount_minor\":").unwrap();
        let (_, behind) = rest.split_once(',').unwrap();
        json(format!("{before}\"amount_minor\":{amount},{behind}"))
    };
    Changed::new(Service::Pricing, "/quotes/42", change, |_| {}).await.get("/product-page/42").await
}

#[tokio::test]
async fn k04a_k04c_a_whole_number_is_an_integer_however_it_is_written() {
    for (written, read) in [
        ("11395", 11395_i64),
        ("11395.0", 11395),
        ("1.1395e4", 11395),
        ("113950E-1", 11395),
        ("-0", 0),
        ("-0.0", 0),
        ("9007199254740993.0", 9_007_199_254_740_993),
    ] {
        assert_eq!(whole(&price(written).await)["price"]["amount_minor"], read, "{written}");
    }
}

#[tokio::test]
async fn k04_what_is_not_exactly_an_integer_is_refused() {
    for written in ["11395.5", "9223372036854775808", "1e19", "1e-1", "\"11395\""] {
        let problem = price(written).await.assert_problem(502, "upstream-failed");
        assert_eq!(
            (&problem["part"], &problem["reason"]),
            (&value!("price"), &value!("invalid_response")),
            "{written}"
        );
    }
}

#[tokio::test]
async fn k04d_a_count_of_an_optional_part() {
    let target = "/products/42/reviews/summary";
    let count = |sound: &str| {
        let (before, rest) = sound.split_once("\"count\":").unwrap();
        let (_, behind) = rest.split_once(',').unwrap();
        json(format!("{before}\"count\":14.0,{behind}"))
    };
    let changed = Changed::new(Service::Reviews, target, count, |_| {}).await;
    assert_eq!(whole(&changed.get("/product-page/42").await)["reviews"]["count"], 14);
}

#[tokio::test]
async fn k04e_what_our_own_document_calls_valid() {
    let world = World::start().await;
    let add = async |quantity: &str| {
        let request = world.request(reqwest::Method::POST, "/cart/items").bearer_auth(world.token("ada"));
        let body = format!("{{\"product_id\":\"42\",\"quantity\":{quantity}}}");
        Answer::to(request.header("content-type", "application/json").body(body)).await
    };
    let before = add("1").await.json()["pieces"].as_u64().unwrap();
    for (at, quantity) in ["1.0", "10e-1", "0.1e1"].into_iter().enumerate() {
        let answer = add(quantity).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["pieces"], before + 1 + at as u64);
    }
    for (quantity, pointer) in
        [("1.5", "/quantity"), ("-1.0", "/quantity"), ("1e30", "/quantity"), ("\"1\"", "/quantity")]
    {
        let problem = add(quantity).await.assert_problem(422, "unprocessable");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{quantity}");
    }
    add("1.0}x").await.assert_problem(400, "malformed");
}

/// What is kept reads as what was told: the second page comes from the store.
#[tokio::test]
async fn what_is_kept_of_a_whole_number_is_read_again() {
    let point = |sound: &str| {
        json(sound.replacen(",\"currency\"", ".0,\"currency\"", 1)).with(http::header::CACHE_CONTROL, "max-age=60")
    };
    let changed = Changed::new(Service::Pricing, "/quotes/42", point, |settings| {
        settings.cache.capacity = bytesize::ByteSize::mib(8);
    });
    let changed = changed.await;
    let first = whole(&changed.get("/product-page/42").await);
    assert_eq!(whole(&changed.get("/product-page/42").await), first);
    assert_eq!(changed.asked(), 1);
}
