//! The shapes on the wire, the status codes and the caching headers.

use mock_services::Service;
use serde_json::Value;

use crate::client::{Answer, ask, get, get_as, h2, services};

fn keys_of(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn product_42_is_a_kettle_with_everything() {
    let running = services().await;
    let product = get(&running, Service::Catalog, "/products/42").await.json();
    assert_eq!(product["category"], "kettles");
    assert_eq!(
        keys_of(&product),
        ["attributes", "brand", "category", "created_at", "description", "id", "images", "name", "sku"]
    );
    assert_eq!(keys_of(&product["images"][0]), ["alt", "height", "url", "width"]);
    assert_eq!(keys_of(&product["attributes"][0]), ["name", "value"]);

    let quote = get(&running, Service::Pricing, "/quotes/42").await.json();
    assert_eq!(keys_of(&quote), ["amount_minor", "currency", "list_amount_minor", "product_id"]);
    let stock = get(&running, Service::Inventory, "/stock/42").await.json();
    assert_eq!(keys_of(&stock), ["product_id", "total", "warehouses"]);
    assert!(stock["total"].as_u64().unwrap() > 0);
    let summary = get(&running, Service::Reviews, "/products/42/reviews/summary").await.json();
    assert_eq!(keys_of(&summary), ["average", "count", "product_id", "stars"]);
    assert_eq!(summary["stars"].as_array().unwrap().len(), 5);
    let reviews = get(&running, Service::Reviews, "/products/42/reviews?size=3").await.json();
    assert_eq!(reviews["reviews"].as_array().unwrap().len(), 3);
    assert_eq!(reviews["total"], summary["count"]);
    assert_eq!(keys_of(&reviews["reviews"][0]), ["author", "body", "created_at", "id", "product_id", "stars", "title"]);
    let like = get(&running, Service::Recommendations, "/like?category=kettles&exclude=42").await.json();
    let items = like["items"].as_array().unwrap();
    assert_eq!(items.len(), 8);
    assert_eq!(keys_of(&items[0]), ["image", "name", "product_id", "score"]);
    assert!(items.iter().all(|item| item["product_id"] != "42"));
}

#[tokio::test]
async fn batches_keep_the_order_and_leave_out_what_is_unknown() {
    let running = services().await;
    for (service, path, list, id) in [
        (Service::Catalog, "/products", "products", "id"),
        (Service::Pricing, "/quotes", "quotes", "product_id"),
        (Service::Inventory, "/stock", "stock", "product_id"),
    ] {
        let batch = get(&running, service, &format!("{path}?ids=7,nope,3,7,99999")).await.json();
        let ids: Vec<_> = batch[list].as_array().unwrap().iter().map(|one| one[id].clone()).collect();
        assert_eq!(ids, ["7", "3"], "{path}");
        let many: Vec<String> = (1..=101).map(|id| id.to_string()).collect();
        let answer = get(&running, service, &format!("{path}?ids={}", many.join(","))).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(get(&running, service, &format!("{path}?ids=,")).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn the_cursor_walks_over_every_product_once() {
    let running = services().await;
    let (mut seen, mut after) = (0, "0".to_owned());
    loop {
        let slice = get(&running, Service::Catalog, &format!("/products?after={after}&limit=100")).await.json();
        seen += slice["products"].as_array().unwrap().len();
        match slice["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, 1200);
    let kettles = get(&running, Service::Catalog, "/products?category=kettles&after=42&limit=1").await.json();
    assert_eq!(kettles["products"][0]["id"], "54");
    assert_eq!(kettles["next"], "54");
}

#[tokio::test]
async fn categories_and_search_page() {
    let running = services().await;
    let categories = get(&running, Service::Catalog, "/categories").await.json();
    assert_eq!(categories["categories"].as_array().unwrap().len(), 12);
    let page = get(&running, Service::Catalog, "/categories/kettles/products?page=2&size=30").await.json();
    assert_eq!(page["products"].as_array().unwrap().len(), 30);
    assert_eq!(page["total"], 100);
    assert_eq!(page["category"]["product_count"], 100);

    let found = get(&running, Service::Catalog, "/search?q=GOOSENECK%20kettle&size=100").await.json();
    let names: Vec<_> = found["products"].as_array().unwrap().iter().map(|p| p["name"].to_string()).collect();
    assert!(!names.is_empty());
    assert!(names.iter().all(|name| name.contains("Gooseneck Kettle")), "{names:?}");
    let nothing = get(&running, Service::Catalog, "/search?q=xylophone").await.json();
    assert_eq!(nothing["total"], 0);
}

#[tokio::test]
async fn the_users_services_answer_ada() {
    let running = services().await;
    let profile = get_as(&running, "ada", Service::Accounts, "/profile").await.json();
    assert_eq!(keys_of(&profile), ["email", "id", "locale", "member_since", "name", "tier"]);
    let for_me = get_as(&running, "ada", Service::Recommendations, "/for-me?limit=5").await.json();
    assert_eq!(for_me["items"].as_array().unwrap().len(), 5);
    let home = get(&running, Service::Promotions, "/promotions?placement=home").await.json();
    assert_eq!(keys_of(&home["promotions"][0]), ["id", "image", "link", "subtitle", "title"]);
}

#[tokio::test]
async fn mistakes_are_problems_with_the_right_status() {
    let running = services().await;
    let check = async |method: &str, service: Service, path: &str, status: u16| {
        let answer = ask(method, &format!("{}{path}", running.url(service)), &[], "").await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path}");
        let problem = answer.json();
        assert_eq!(keys_of(&problem), ["detail", "status", "title", "type"]);
        assert_eq!(problem["status"], status);
    };
    check("GET", Service::Catalog, "/products/1201", 404).await;
    check("GET", Service::Catalog, "/products/007", 404).await;
    check("GET", Service::Catalog, "/nothing/here", 404).await;
    check("DELETE", Service::Catalog, "/products/42", 405).await;
    check("GET", Service::Catalog, "/products?limit=101", 400).await;
    check("GET", Service::Catalog, "/products?after=x", 400).await;
    check("GET", Service::Catalog, "/search", 400).await;
    check("GET", Service::Catalog, "/categories/boats/products", 404).await;
    check("GET", Service::Pricing, "/quotes", 400).await;
    check("GET", Service::Reviews, "/products/42/reviews?page=0", 400).await;
    check("GET", Service::Recommendations, "/like", 400).await;
    check("GET", Service::Recommendations, "/for-me", 401).await;
    check("GET", Service::Accounts, "/profile", 401).await;
    check("GET", Service::Carts, "/cart", 401).await;
    check("GET", Service::Orders, "/orders", 401).await;
    check("GET", Service::Orders, "/orders/1001", 401).await;
}

#[tokio::test]
async fn every_kind_has_its_cache_control_and_vary() {
    let running = services().await;
    let check = async |service: Service, path: &str, cache: &str, vary: &str| {
        let answer: Answer = get_as(&running, "ada", service, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("cache-control"), cache, "{path}");
        assert_eq!(answer.header("vary"), vary, "{path}");
        assert!(answer.header("etag").starts_with('"'), "{path}");
    };
    let products = "public, max-age=300, stale-while-revalidate=60, stale-if-error=3600";
    check(Service::Catalog, "/products/42", products, "").await;
    check(Service::Catalog, "/search?q=kettle", "public, max-age=60", "").await;
    check(Service::Pricing, "/quotes/42", "public, max-age=30, stale-if-error=300", "").await;
    check(Service::Inventory, "/stock/42", "public, max-age=5", "").await;
    let reviews = "public, max-age=120, stale-while-revalidate=600, stale-if-error=3600";
    check(Service::Reviews, "/products/42/reviews", reviews, "").await;
    check(Service::Recommendations, "/like?category=kettles", "public, max-age=60", "").await;
    check(Service::Recommendations, "/for-me", "private, max-age=30", "X-User-Id").await;
    check(Service::Accounts, "/profile", "private, max-age=60", "X-User-Id").await;
    check(Service::Carts, "/cart", "private, no-store", "X-User-Id").await;
    check(Service::Orders, "/orders", "private, max-age=10", "X-User-Id").await;
    check(Service::Promotions, "/promotions?placement=home", "public, max-age=60", "").await;
    check(Service::Identity, "/.well-known/jwks.json", "public, max-age=600", "").await;
}

#[tokio::test]
async fn a_known_etag_gets_a_304_and_head_gets_no_body() {
    let running = services().await;
    let url = format!("{}/products/42", running.url(Service::Catalog));
    let whole = ask("GET", &url, &[], "").await.unwrap();
    let again = ask("GET", &url, &[("if-none-match", whole.header("etag"))], "").await.unwrap();
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(again.header("etag"), whole.header("etag"));
    assert_eq!(again.header("cache-control"), whole.header("cache-control"));
    let head = ask("HEAD", &url, &[], "").await.unwrap();
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), whole.body.len().to_string());
}

#[tokio::test]
async fn http_2_without_tls_is_answered_on_the_same_port() {
    let running = services().await;
    let url = format!("{}/products/42", running.url(Service::Catalog));
    let response = h2().get(&url).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let answer = Answer::of(response).await.unwrap();
    assert_eq!(answer.body, ask("GET", &url, &[], "").await.unwrap().body);
    assert_eq!(running.requests(Service::Catalog)[0].version, "HTTP/2.0");
}
