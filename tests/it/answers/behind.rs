//! K06: bytes behind the document.

use http::header::CACHE_CONTROL;
use mock_services::Service;

use super::{Changed, json, whole};

#[tokio::test]
async fn k06a_k06b_nothing_may_stand_behind_the_document() {
    for behind in [r#"{"error":"database gone"}"#, "<br />\n<b>Warning</b>: x", "null", "]", "\0", "{}"] {
        for space in ["", "\n"] {
            let change = |sound: &str| json(format!("{sound}{space}{behind}")).with(CACHE_CONTROL, "max-age=60");
            let changed = Changed::new(Service::Pricing, "/quotes/42", change, |settings| {
                settings.cache.capacity = bytesize::ByteSize::mib(8);
            });
            let changed = changed.await;
            for asked in 1..=3 {
                let problem = changed.get("/product-page/42").await.assert_problem(502, "upstream-failed");
                assert_eq!((&problem["part"], &problem["reason"]), (&"price".into(), &"invalid_response".into()));
                assert_eq!(changed.asked(), asked, "nothing of it is kept");
            }
        }
    }
}

#[tokio::test]
async fn white_space_is_nothing() {
    let changed = Changed::new(Service::Pricing, "/quotes/42", |sound| json(format!(" {sound}\r\n\t ")), |_| {}).await;
    whole(&changed.get("/product-page/42").await);
}
