//! K07: content codings, asked for and not.

use std::io::Write;

use http::header::CONTENT_ENCODING;
use mock_services::{Reply, Service, scripted};

use super::{Changed, json, whole};
use crate::world::{World, backends, settings};

const SUMMARY: &str = "/products/42/reviews/summary";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

fn coded(coding: &str, text: &str) -> Reply {
    let body = match coding {
        "gzip" | "x-gzip" | "GZIP" => gzip(text.as_bytes()),
        "deflate" => {
            let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            writer.write_all(text.as_bytes()).unwrap();
            writer.finish().unwrap()
        }
        "br" => {
            let mut body = Vec::new();
            brotli::CompressorWriter::new(&mut body, 4096, 5, 22).write_all(text.as_bytes()).unwrap();
            body
        }
        "zstd" => zstd::encode_all(text.as_bytes(), 3).unwrap(),
        _ => text.as_bytes().to_vec(),
    };
    json(body).with(CONTENT_ENCODING, coding)
}

#[tokio::test]
async fn k07a_what_comes_compressed_is_read() {
    for coding in ["gzip", "x-gzip", "GZIP", "deflate", "br", "zstd", "identity"] {
        for compressed in [false, true] {
            let changed = Changed::new(
                Service::Reviews,
                SUMMARY,
                |sound| coded(coding, sound),
                |settings| {
                    settings.upstreams.get_mut("reviews").unwrap().compressed = compressed;
                },
            );
            assert!(!whole(&changed.await.get("/product-page/42").await)["reviews"].is_null(), "{coding}");
        }
    }
}

#[tokio::test]
async fn k07_what_cannot_be_decoded_is_an_invalid_response() {
    let small = |settings: &mut bff_core::config::Settings| {
        settings.upstreams.get_mut("reviews").unwrap().response_limit = bytesize::ByteSize::kib(64);
    };
    let long = |sound: &str| coded("gzip", &format!("{sound}{}", " ".repeat(65_536)));
    let changed = Changed::new(Service::Reviews, SUMMARY, long, small).await;
    assert_eq!(changed.get("/product-page/42").await.parts()[0]["reason"], "invalid_response");
    for reply in [coded("compress", "{}"), json("{}").with(CONTENT_ENCODING, "gzip"), coded("gzip, br", "{}")] {
        changed.now(reply);
        assert_eq!(changed.get("/product-page/42").await.parts()[0]["reason"], "invalid_response");
    }
}

/// A call says which codings it reads: none of them, where none is asked for.
#[tokio::test]
async fn k07_a_call_says_what_it_reads() {
    for (compressed, said) in [(false, "identity"), (true, "gzip, br, zstd, deflate")] {
        let mocks = backends().await;
        let backend = scripted::start(|_| Reply::new(http::StatusCode::NOT_FOUND, "")).await.unwrap();
        let mut settings = settings(&mocks);
        let upstream = settings.upstreams.get_mut("reviews").unwrap();
        (upstream.url, upstream.compressed) = (backend.url(), compressed);
        let mobile = crate::world::Served::start(&bff_mobile::bff(), settings).await;
        let world = World { mocks, mobile, client: crate::world::client() };
        whole(&world.get("/product-page/42").await);
        let asked = backend.requests();
        assert_eq!(asked[0].headers["accept-encoding"], said);
    }
}

#[tokio::test]
async fn k07_a_filtered_route_reads_what_comes_compressed() {
    let reply = coded("gzip", r#"{"id":1,"secret":2}"#);
    let backend = scripted::start(move |_| reply.clone()).await.unwrap();
    let url = backend.url();
    let world = World::with(|settings| {
        let upstream = bff_core::upstream::UpstreamSettings { url, ..settings.upstreams["catalog"].clone() };
        settings.upstreams.insert("f".to_owned(), upstream);
        let route = "[routes.f]\npath = '/f/*'\nupstream = 'f'\njson = { deny = ['secret'] }";
        settings.routes.extend(bff_core::config::Settings::from_toml(route).unwrap().routes);
    });
    let answer = world.await.get("/f/d").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"id":1}"#));
    assert_eq!(answer.header("content-encoding"), "");
    assert_eq!(answer.header("content-length"), "8");
}

/// A route that does not filter passes on what its client asked for.
#[tokio::test]
async fn a_route_leaves_codings_to_its_client() {
    let reply = coded("gzip", r#"{"id":1}"#);
    let body = reply.body.clone();
    let backend = scripted::start(move |_| reply.clone()).await.unwrap();
    for compressed in [false, true] {
        let url = backend.url();
        let world = World::with(|settings| {
            let upstream =
                bff_core::upstream::UpstreamSettings { url, compressed, ..settings.upstreams["catalog"].clone() };
            settings.upstreams.insert("f".to_owned(), upstream);
            let route = "[routes.f]\npath = '/f/*'\nupstream = 'f'";
            settings.routes.extend(bff_core::config::Settings::from_toml(route).unwrap().routes);
        });
        let answer = world.await.get("/f/d").await;
        assert_eq!((answer.status, answer.header("content-encoding").as_str()), (200, "gzip"));
        assert_eq!(answer.body, body);
    }
}
