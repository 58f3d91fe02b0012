//! The engine without a network: whole pages with upstreams that are functions, and the pieces that every call passes.

// A bench that cannot be set up has nothing to measure.
#![allow(clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bff_core::cache::{Freshness, Keeper, Key};
use bff_core::identity::{Claims, Identity};
use bff_core::testing::{Builder, Fault, Reply, TestBff};
use bff_core::upstream::Client;
use bff_core::{Bff, Composer, Fetched, Json, Meta, Path, Policy, Problems, compose, path, routes};
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::runtime::Runtime;
use utoipa::ToSchema;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

bff_core::upstreams! {
    /// Three backends that say the same.
    struct Upstreams {
        first: Client,
        second: Client,
        third: Client,
    }
}

/// What every backend says.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
struct Part {
    id: String,
    name: String,
    numbers: Vec<u32>,
}

impl Part {
    fn none() -> Self {
        Self { id: String::new(), name: String::new(), numbers: Vec::new() }
    }
}

async fn part(client: &Client, id: &str) -> bff_core::Result<Fetched<Part>> {
    client.get(path!("/parts/{}", id)).shared().await
}

#[derive(Debug, Serialize, ToSchema)]
struct Page {
    first: Part,
    second: Option<Part>,
    third: Part,
    meta: Meta,
}

/// Page
#[utoipa::path(get, path = "/page/{id}", params(("id" = String, Path)), responses((status = OK, body = Page), Problems))]
async fn page(page: Composer, up: Upstreams, Path(id): Path<String>) -> bff_core::Result<Json<Page>> {
    compose!(page => Page {
        first: required(part(&up.first, &id)),
        second: optional(part(&up.second, &id)),
        third: fallback(part(&up.third, &id), Part::none),
    })
}

/// How the upstreams are guarded.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Guards {
    /// Not at all.
    None,
    /// As without any configuration: retry with its budget, breaker, bulkhead.
    Default,
    /// With three hosts to balance over, and hedging.
    All,
}

async fn bff(cache_control: &str) -> TestBff {
    guarded(cache_control, Guards::Default).await
}

async fn guarded(cache_control: &str, guards: Guards) -> TestBff {
    let bff = Bff::<Upstreams>::new("engine", "1").page(routes!(page), Policy::public());
    let part = json!({ "id": "42", "name": "forty-two", "numbers": [1, 2, 3, 5, 8, 13, 21, 34] });
    let reply = Reply::json(&part).header("cache-control", cache_control);
    let mut builder = Builder::new(bff).expect("a key for tokens");
    for name in ["first", "second", "third"] {
        builder = builder.answers(name, reply.clone());
    }
    let builder = if guards == Guards::None { builder } else { builder.protected() };
    let builder = builder.settings(|settings| {
        for (name, own) in &mut settings.upstreams {
            own.bulkhead.enabled = guards != Guards::None;
            if guards == Guards::All {
                own.url.clear();
                own.urls = [1, 2, 3].map(|host| format!("http://{name}{host}.test")).to_vec();
                own.hedge.enabled = true;
            }
        }
    });
    builder.build().await.expect("a BFF")
}

fn pages(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("page");
    for guards in [Guards::None, Guards::Default, Guards::All] {
        let bff = runtime.block_on(guarded("no-store", guards));
        let name = format!("three live parts, guards: {guards:?}");
        group.bench_function(name, |bench| bench.to_async(&runtime).iter(|| bff.get("/page/1")));
    }
    let cached = runtime.block_on(bff("public, max-age=3600"));
    group.bench_function("three cached parts", |bench| bench.to_async(&runtime).iter(|| cached.get("/page/1")));
    let degraded = runtime.block_on(bff("no-store"));
    degraded.faults.upstream("second", Fault::Refuse);
    degraded.faults.upstream("third", Fault::Status(500));
    group.bench_function("one live part, two degraded", |bench| {
        bench.to_async(&runtime).iter(|| degraded.get("/page/1"));
    });
    let signed = runtime.block_on(bff("no-store"));
    let user = Claims { subject: "ada".to_owned(), ..Claims::default() };
    let token = signed.bearer(&user);
    group.bench_function("three live parts, a token that is known", |bench| {
        bench.to_async(&runtime).iter(|| {
            let request = http::Request::builder().uri("/page/1").header(header::AUTHORIZATION, &token);
            signed.send(request, bytes::Bytes::new())
        });
    });
    group.finish();
}

fn keys(criterion: &mut Criterion) {
    let upstream: Arc<str> = "first".into();
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("de-CH, de;q=0.9, en;q=0.8"));
    let forwarded: [HeaderName; 1] = [header::ACCEPT_LANGUAGE];
    let claims = Claims { subject: "ada".to_owned(), roles: vec!["user".to_owned()], ..Claims::default() };
    let identity = Identity::new(claims).expect("an identity");
    let mut group = criterion.benchmark_group("key");
    group.bench_function("shared", |bench| {
        bench.iter(|| Key::shared(&upstream, black_box("/parts/42"), &[], &headers));
    });
    group.bench_function("shared, one forwarded header", |bench| {
        bench.iter(|| Key::shared(&upstream, black_box("/parts/42"), &forwarded, &headers));
    });
    group.bench_function("per identity", |bench| {
        bench.iter(|| Key::per_identity(&identity, &upstream, black_box("/parts/42"), &[], &headers));
    });
    group.finish();
}

fn freshness(criterion: &mut Criterion) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let with = |lines: &[(HeaderName, &'static str)]| {
        let lines = lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        lines.collect::<HeaderMap>()
    };
    let cases = [
        ("no-store", with(&[(header::CACHE_CONTROL, "no-store")])),
        (
            "max-age, windows, age and date",
            with(&[
                (header::CACHE_CONTROL, "public, max-age=60, stale-while-revalidate=30, stale-if-error=600"),
                (header::AGE, "7"),
                (header::DATE, "Sun, 06 Nov 1994 08:49:30 GMT"),
            ]),
        ),
    ];
    let keeper = Keeper { shared: true, ..Keeper::default() };
    let mut group = criterion.benchmark_group("freshness");
    for (name, headers) in &cases {
        group.bench_function(*name, |bench| {
            bench.iter(|| Freshness::read(StatusCode::OK, black_box(headers), &keeper, now, Duration::ZERO));
        });
    }
    group.finish();
}

criterion_group!(benches, pages, keys, freshness);
criterion_main!(benches);
