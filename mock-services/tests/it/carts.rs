//! The cart, and adding once for each key.

use mock_services::{Running, Service};

use crate::client::{Answer, ask, get_as, services};

async fn change(running: &Running, method: &str, path: &str, key: &str, body: &str) -> Answer {
    let mut headers = vec![("x-user-id", "ada")];
    if !key.is_empty() {
        headers.push(("idempotency-key", key));
    }
    ask(method, &format!("{}{path}", running.url(Service::Carts)), &headers, body).await.unwrap()
}

/// `product:quantity` for each line.
fn lines(answer: &Answer) -> Vec<String> {
    let cart = answer.json();
    let lines = cart["lines"].as_array().unwrap().iter();
    lines.map(|line| format!("{}:{}", line["product_id"].as_str().unwrap(), line["quantity"])).collect()
}

#[tokio::test]
async fn ada_starts_with_three_lines_and_strangers_with_none() {
    let running = services().await;
    let cart = get_as(&running, "ada", Service::Carts, "/cart").await;
    assert_eq!(lines(&cart), ["42:1", "17:2", "301:1"]);
    assert_eq!(cart.json()["user_id"], "ada");
    assert!(lines(&get_as(&running, "nobody", Service::Carts, "/cart").await).is_empty());
}

#[tokio::test]
async fn lines_are_added_changed_and_removed() {
    let running = services().await;
    let add = change(&running, "POST", "/cart/items", "", r#"{"product_id":"42","quantity":2}"#).await;
    assert_eq!(lines(&add), ["42:3", "17:2", "301:1"]);
    let new = change(&running, "POST", "/cart/items", "", r#"{"product_id":"5","quantity":1}"#).await;
    assert_eq!(lines(&new), ["42:3", "17:2", "301:1", "5:1"]);
    let set = change(&running, "PATCH", "/cart/items/17", "", r#"{"quantity":9}"#).await;
    assert_eq!(lines(&set), ["42:3", "17:9", "301:1", "5:1"]);
    let gone = change(&running, "DELETE", "/cart/items/42", "", "").await;
    assert_eq!((gone.status, lines(&gone)), (200, vec!["17:9".into(), "301:1".into(), "5:1".into()]));
    assert_eq!(change(&running, "DELETE", "/cart/items/42", "", "").await.status, 404);
    assert_eq!(change(&running, "PATCH", "/cart/items/42", "", r#"{"quantity":1}"#).await.status, 404);
    assert_eq!(change(&running, "GET", "/cart/items", "", "").await.status, 405);
}

#[tokio::test]
async fn what_cannot_be_in_a_cart_is_refused() {
    let running = services().await;
    let check = async |body: &str, status: u16, part: &str| {
        let answer = change(&running, "POST", "/cart/items", "", body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert!(answer.body.contains(part), "{body}: {}", answer.body);
    };
    check(r#"{"product_id":"42","quantity":0}"#, 422, "quantity").await;
    check(r#"{"product_id":"42","quantity":-1}"#, 422, "quantity").await;
    check(r#"{"product_id":"42","quantity":21}"#, 422, "quantity").await;
    check(r#"{"product_id":"42","quantity":20}"#, 422, "would be 21").await;
    check(r#"{"product_id":"9999","quantity":1}"#, 422, "product_id").await;
    check(r#"{"product_id":"42","quantity":"two"}"#, 400, "quantity").await;
    check(r#"{"product_id":"42"}"#, 400, "quantity").await;
    check("{", 400, "detail").await;
}

#[tokio::test]
async fn one_key_changes_once() {
    let running = services().await;
    let body = r#"{"product_id":"42","quantity":1}"#;
    let first = change(&running, "POST", "/cart/items", "k1", body).await;
    let again = change(&running, "POST", "/cart/items", "k1", body).await;
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(first.body, again.body);
    assert_eq!(lines(&again)[0], "42:2");
    let other = change(&running, "POST", "/cart/items", "k1", r#"{"product_id":"42","quantity":5}"#).await;
    assert_eq!(other.status, 409);
    let url = format!("{}/cart/items", running.url(Service::Carts));
    let stranger = [("x-user-id", "u2"), ("idempotency-key", "k1")];
    assert_eq!(ask("POST", &url, &stranger, body).await.unwrap().status, 200);
    let cart = get_as(&running, "ada", Service::Carts, "/cart").await;
    assert_eq!(lines(&cart)[0], "42:2");
}
