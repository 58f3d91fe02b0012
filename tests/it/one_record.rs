//! What is wrong with one record says nothing of the backend that sends it.

use mock_services::Service;
use serde_json::Value;

use crate::scripted::{json, scripted};
use crate::world::{Served, World, backends, settings};

/// The mobile BFF with its shipped breaker and nothing kept, over a backend of which one answer is replaced.
async fn over(service: Service, target: &'static str, answer: Vec<u8>) -> World {
    let mocks = backends().await;
    let behind = mocks.url(service);
    let at = scripted(&behind, move |_, asked| (asked.split('?').next() == Some(target)).then(|| answer.clone())).await;
    let mut settings = settings(&mocks);
    settings.cache.capacity = bytesize::ByteSize(0);
    settings.upstreams.get_mut(service.name()).unwrap().url = format!("http://{at}");
    let mobile = Served::start(&bff_mobile::bff(), settings).await;
    World { mocks, mobile, client: crate::world::client() }
}

#[tokio::test]
async fn k03a_a_product_that_cannot_be_read() {
    for body in [r#"{"id":"42","name":7}"#, r#"{"id":"42"}"#, r#"{"id":"42","na"#] {
        let world = over(Service::Catalog, "/products/42", json(200, body)).await;
        for _ in 0..5 {
            assert_eq!(world.get("/product-page/42").await.status, 502, "{body}");
        }
        for id in 43..46 {
            assert_eq!(world.get(&format!("/product-page/{id}")).await.status, 200, "{body}, {id}");
        }
    }
}

#[tokio::test]
async fn k03b_an_answer_without_a_body() {
    let nothing = b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
    let world = over(Service::Reviews, "/products/42/reviews/summary", nothing).await;
    for _ in 0..5 {
        world.get("/product-page/42").await;
    }
    let page = world.get("/product-page/43").await.json();
    assert_ne!(page["reviews"], Value::Null, "{page}");
}

/// The page of a proxy in front of the backend is no record: nothing of the backend is there.
#[tokio::test]
async fn no_json_at_all_is_the_backends_failure() {
    for body in
        [json(200, "<html>"), b"HTTP/1.1 200 X\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>".to_vec()]
    {
        let world = over(Service::Catalog, "/products/42", body).await;
        for _ in 0..5 {
            assert_eq!(world.get("/product-page/42").await.status, 502);
        }
        world.get("/product-page/43").await.assert_problem(503, "unavailable");
    }
}
