//! One seed, one shop.

use mock_services::{Options, Service, start};

use crate::client::{get, get_as, keys, services};

const PATHS: [(Service, &str); 8] = [
    (Service::Catalog, "/products?limit=100"),
    (Service::Pricing, "/quotes?ids=1,2,3,42,600"),
    (Service::Inventory, "/stock?ids=1,2,3,42,600"),
    (Service::Reviews, "/products/42/reviews"),
    (Service::Recommendations, "/for-me"),
    (Service::Accounts, "/profile"),
    (Service::Carts, "/cart"),
    (Service::Orders, "/orders"),
];

#[tokio::test]
async fn two_starts_with_one_seed_answer_the_same_and_another_seed_does_not() {
    let (one, two) = (services().await, services().await);
    let other = start(Options { seed: 7, keys: Some(keys()), ..Options::default() }).await.unwrap();
    for (service, path) in PATHS {
        let first = get_as(&one, "ada", service, path).await.body;
        assert_eq!(first, get_as(&two, "ada", service, path).await.body, "{path}");
        if !matches!(service, Service::Accounts | Service::Carts) {
            assert_ne!(first, get_as(&other, "ada", service, path).await.body, "{path}");
        }
    }
}

#[tokio::test]
async fn the_shop_is_as_large_and_as_mixed_as_promised() {
    let running = services().await;
    let (mut reviews, mut unreviewed, mut sold_out) = (0, 0, 0);
    let summaries = (1..=1200).map(|id| format!("/products/{id}/reviews?size=1"));
    for path in summaries {
        match get(&running, Service::Reviews, &path).await.json()["total"].as_u64().unwrap() {
            0 => unreviewed += 1,
            n => reviews += n,
        }
    }
    for start in (1..=1200).step_by(100) {
        let ids: Vec<String> = (start..start + 100).map(|id| id.to_string()).collect();
        let stock = get(&running, Service::Inventory, &format!("/stock?ids={}", ids.join(","))).await.json();
        sold_out += stock["stock"].as_array().unwrap().iter().filter(|stock| stock["total"] == 0).count();
    }
    assert!(reviews >= 4000, "{reviews}");
    assert!((60..=140).contains(&unreviewed), "{unreviewed}");
    assert!((40..=140).contains(&sold_out), "{sold_out}");
}
