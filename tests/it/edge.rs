//! What the edge says to clients that are wrong, slow, silent or from elsewhere.

use std::time::Duration;

use mock_services::Service;
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::world::{Answer, World, h2_client, read_until, status_of, within};

const PAGE: &str = "/product-page/42";

#[tokio::test]
async fn every_mistake_is_a_problem() {
    let world = World::start().await;
    let token = world.token("ada");
    let post = |kind: &str, body: &str| {
        let request = world.request(Method::POST, "/cart/items").bearer_auth(&token);
        request.header("content-type", kind).body(body.to_owned())
    };
    let json = "application/json";
    let get = |path: &str| world.request(Method::GET, path);
    let item = |quantity: &str| format!(r#"{{"product_id":"7","quantity":{quantity}}}"#);
    let table = [
        (get("/"), 404, "no-such-endpoint", ""),
        (get("/nowhere"), 404, "no-such-endpoint", ""),
        (get("/product-page"), 404, "no-such-endpoint", ""),
        (get("/product-page/"), 404, "no-such-endpoint", ""),
        (get("/product-page/42/"), 404, "no-such-endpoint", ""),
        (get("/Product-Page/42"), 404, "no-such-endpoint", ""),
        (get("/metrics"), 404, "no-such-endpoint", ""),
        (get("/problems/nothing"), 404, "no-such-endpoint", ""),
        (world.request(Method::DELETE, PAGE), 405, "method-not-allowed", ""),
        (world.request(Method::from_bytes(b"BREW").unwrap(), PAGE), 405, "method-not-allowed", ""),
        (get("/cart/items").bearer_auth(&token), 405, "method-not-allowed", ""),
        (post(json, &"x".repeat(65 * 1024)), 413, "too-large", ""),
        (post("text/plain", &item("1")), 415, "unsupported-media-type", ""),
        (post("", &item("1")), 415, "unsupported-media-type", ""),
        (post(json, ""), 400, "malformed", ""),
        (post(json, "{"), 400, "malformed", ""),
        (post(json, "\u{feff}{}"), 400, "malformed", ""),
        (post(json, &format!("{}{}", item("1"), item("1"))), 400, "malformed", ""),
        (post(json, &"[".repeat(10_000)), 422, "unprocessable", ""),
        (post(json, "[]"), 422, "unprocessable", ""),
        (post(json, "{}"), 422, "unprocessable", ""),
        (post(json, &item("0")), 422, "unprocessable", "/quantity"),
        (post(json, &item("21")), 422, "unprocessable", "/quantity"),
        (post(json, &item("-1")), 422, "unprocessable", "/quantity"),
        (post(json, &item("1.5")), 422, "unprocessable", "/quantity"),
        (post(json, &item("\"1\"")), 422, "unprocessable", "/quantity"),
        (post(json, r#"{"product_id":"../1","quantity":1}"#), 422, "unprocessable", "/product_id"),
        (get("/search"), 400, "malformed", ""),
        (get("/search?q="), 400, "malformed", "?q"),
        (get("/search?q=a&page=0"), 400, "malformed", "?page"),
        (get("/search?q=a&page=x"), 400, "malformed", "?page"),
        (get("/product-page/a%20b"), 400, "malformed", "{id}"),
        (get("/product-page/42?parts=nothing"), 400, "malformed", "?parts"),
        (get("/product-page/42?parts=price"), 400, "malformed", "?parts"),
        (get(PAGE).header("request-timeout", "soon"), 400, "malformed", "request-timeout"),
        (get(&format!("/search?q={}", "a".repeat(9 * 1024))), 414, "target-too-long", ""),
        (get("/cart"), 401, "unauthenticated", ""),
    ];
    for (request, status, slug, pointer) in table {
        let shown = format!("{request:?}");
        let answer = Answer::to(request).await;
        let problem = answer.assert_problem(status, slug);
        if !pointer.is_empty() {
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{shown}: {problem}");
            assert!(!problem["errors"][0]["detail"].as_str().unwrap().is_empty(), "{shown}: {problem}");
        }
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{shown}");
        // The type is an address, and something stands there.
        let explained = world.get(problem["type"].as_str().unwrap()).await;
        assert_eq!(explained.status, 200, "{problem}");
        assert!(explained.text().contains(problem["title"].as_str().unwrap()), "{problem}");
    }
    assert_eq!(world.all_seen().len(), 0, "a backend was asked: {:?}", world.all_seen());
    for (method, path, expected) in
        [(Method::DELETE, PAGE, "GET,HEAD"), (Method::GET, "/cart/items", "POST"), (Method::PUT, "/search", "GET,HEAD")]
    {
        let answer = Answer::to(world.request(method, path).bearer_auth(&token)).await;
        assert_eq!(answer.header("allow").replace(' ', ""), expected, "{path}");
    }
}

#[tokio::test]
async fn what_hyper_refuses_by_itself() {
    let world = World::start().await;
    let head = |lines: &str| format!("GET {PAGE} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{lines}\r\n");
    let table = [
        (head(&format!("x-large: {}\r\n", "a".repeat(40 * 1024))), 431),
        (head(&"x-many: a\r\n".repeat(200)), 431),
        (head("content-length: 1\r\ncontent-length: 2\r\n"), 400),
        (head("content-length: x\r\n"), 400),
        (head("no colon\r\n"), 400),
        (head(" folded: line\r\n"), 400),
        ("GET / HTTP/3.7\r\nhost: shop\r\n\r\n".to_owned(), 400),
        ("get it\r\n\r\n".to_owned(), 400),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\r\n\r\n".to_owned(), 400),
    ];
    for (request, status) in table {
        assert_eq!(world.mobile.raw_status(&request).await, status, "{}", &request[..request.len().min(120)]);
    }
    assert_eq!(world.all_seen().len(), 0, "a backend was asked: {:?}", world.all_seen());
    assert_eq!(world.mobile.raw_status(head("x-large: a\r\n")).await, 200);
}

#[tokio::test]
async fn a_request_has_an_id() {
    let world = World::start().await;
    let ask = |id: &[u8]| {
        let id = reqwest::header::HeaderValue::from_bytes(id).unwrap();
        Answer::to(world.request(Method::GET, PAGE).header("x-request-id", id))
    };
    for id in ["a", "0af7651916cd43dd8448eb211c80319c", "A-b_c.d:9", &"x".repeat(128)] {
        assert_eq!(ask(id.as_bytes()).await.header("x-request-id"), id);
    }
    let mut made = Vec::new();
    for id in [
        b"a b".as_slice(),
        b"",
        b"a,b",
        b"<script>",
        b"a;b",
        b"\xff",
        b"\x1b[31m",
        "ä".as_bytes(),
        &[b'x'; 129],
        b"a/b",
        b"a=b",
    ] {
        // Control characters cannot even be sent by this client.
        let Ok(id) = reqwest::header::HeaderValue::from_bytes(id) else { continue };
        made.push(ask(id.as_bytes()).await.header("x-request-id"));
    }
    made.push(world.get(PAGE).await.header("x-request-id"));
    made.push(world.get("/nowhere").await.header("x-request-id"));
    assert!(made.len() > 9, "{made:?}");
    assert!(
        made.iter().all(|id| id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')),
        "{made:?}"
    );
    made.sort_unstable();
    made.dedup();
    assert!(made.len() > 9, "the same twice: {made:?}");
}

#[tokio::test]
async fn all_calls_of_a_request_are_one_trace() {
    let world = World::start().await;
    let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (number, sent) in [Some(given), Some("00-nonsense-b7ad6b7169203331-01"), None].into_iter().enumerate() {
        world.forget_requests();
        let mut request = world.request(Method::GET, &format!("/product-page/{}", 42 + number));
        if let Some(sent) = sent {
            request = request.header("traceparent", sent);
        }
        assert_eq!(Answer::to(request).await.status, 200);
        let seen = world.all_seen();
        assert_eq!(seen.len(), 5, "{seen:?}");
        let field = |at: usize| {
            let parents = seen.iter().map(|(_, one)| one.header("traceparent").unwrap());
            let mut values: Vec<&str> = parents.map(|parent| parent.split('-').nth(at).unwrap()).collect();
            values.sort_unstable();
            values.dedup();
            values
        };
        assert_eq!(field(1).len(), 1, "one trace: {seen:?}");
        assert_eq!(field(2).len(), 5, "each call is a span of its own: {seen:?}");
        if sent == Some(given) {
            assert_eq!(field(1), ["0af7651916cd43dd8448eb211c80319c"]);
            assert_eq!(field(3), ["01"], "sampled, as the client says");
            assert!(!field(2).contains(&"b7ad6b7169203331"), "our own span stands between");
        }
    }
}

/// Each backend is told how long somebody waits for it: less than we wait.
#[tokio::test]
async fn backends_are_told_how_much_time_they_have() {
    let mocks = crate::world::backends().await;
    let mut settings = crate::world::settings(&mocks);
    let limits: Vec<(Service, f64)> = [Service::Catalog, Service::Pricing, Service::Inventory, Service::Reviews]
        .map(|service| (service, 20.0 + service as u8 as f64))
        .to_vec();
    for (service, seconds) in &limits {
        let upstream = settings.upstreams.get_mut(service.name()).unwrap();
        upstream.timeout = Duration::from_secs_f64(*seconds);
        upstream.attempt_timeout = upstream.timeout - Duration::from_secs(1);
    }
    let mobile = crate::world::Served::start(&bff_mobile::bff(), settings).await;
    let world = World { mocks, mobile, client: crate::world::client() };
    assert_eq!(world.get(PAGE).await.status, 200);
    for (service, limit) in limits {
        let told = world.mocks.requests(service)[0].header("request-timeout").unwrap().to_owned();
        let told: f64 = told.parse().unwrap();
        assert!(told < limit - 1.0, "{service} was told {told} of {limit}");
        assert!(told > limit / 2.0, "{service} was told {told} of {limit}");
    }
}

/// Whoever works for longer than somebody waits works for nobody: reads, and writes too.
#[tokio::test]
async fn backends_are_told_no_more_than_the_client_waits() {
    let world = World::start().await;
    let write = world.request(Method::POST, "/cart/items").header("content-type", "application/json");
    for request in [
        world.request(Method::GET, PAGE),
        world.request(Method::GET, "/cart"),
        world.request(Method::GET, "/orders"),
        write.body(r#"{"product_id":"7","quantity":1}"#),
    ] {
        let request = request.bearer_auth(world.token("ada")).header("request-timeout", "20");
        assert_eq!(Answer::to(request).await.status, 200);
    }
    let told = world.all_seen();
    assert!(told.iter().any(|(service, one)| *service == Service::Carts && one.method == "POST"));
    for (service, one) in told {
        let seconds: f64 = one.header("request-timeout").unwrap().parse().unwrap();
        assert!(seconds > 0.0 && seconds < 20.0, "{service} {} was told {seconds}", one.method);
    }
}

/// Who waits longer than a call was told does not share its end, but starts the next one.
#[tokio::test]
async fn who_waits_longer_than_was_told_asks_anew() {
    let world = World::start().await;
    world.mocks.hold(Service::Catalog);
    let hasty = tokio::spawn(Answer::to(world.request(Method::GET, PAGE).header("request-timeout", "20")));
    within(world.mocks.wait_held(Service::Catalog, 1)).await;
    let patient = tokio::spawn(Answer::to(world.request(Method::GET, PAGE)));
    within(world.mocks.wait_held(Service::Catalog, 2)).await;
    assert_eq!(world.mocks.release(Service::Catalog), 2);
    for answer in [hasty, patient] {
        assert_eq!(within(answer).await.unwrap().status, 200);
    }
    let requests = world.mocks.requests(Service::Catalog);
    let told = requests.iter().map(|one| one.header("request-timeout").unwrap().parse().unwrap());
    let told: Vec<f64> = told.collect();
    assert!(told[0] < 20.0 && told[1] > 20.0, "{told:?}");
}

#[tokio::test]
async fn pages_of_other_origins() {
    let world = World::with(|settings| {
        settings.edge.cors_origins = vec!["https://shop.example".to_owned(), "http://localhost:3000".to_owned()];
    })
    .await;
    for origin in ["https://shop.example", "http://localhost:3000"] {
        for path in [PAGE, "/nowhere", "/orders"] {
            let answer = Answer::to(world.request(Method::GET, path).header("origin", origin)).await;
            assert_eq!(answer.header("access-control-allow-origin"), origin, "{path}");
            assert!(answer.header("vary").to_ascii_lowercase().contains("origin"), "{path}: {}", answer.header("vary"));
            let exposed = answer.header("access-control-expose-headers");
            for name in ["bff-degraded", "etag", "retry-after", "server-timing", "x-request-id"] {
                assert!(exposed.contains(name), "{path}: {exposed}");
            }
        }
        // A preflight carries no credentials, also where they are needed.
        let preflight = world
            .request(Method::OPTIONS, "/cart/items")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,idempotency-key");
        let answer = Answer::to(preflight).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin").as_str()), (200, origin));
        assert!(answer.header("access-control-allow-methods").contains("POST"));
        for name in ["authorization", "content-type", "idempotency-key"] {
            assert!(answer.header("access-control-allow-headers").contains(name));
        }
    }
    for origin in [
        "https://evil.example",
        "https://shop.example.evil.example",
        "https://shop.example:444",
        "http://shop.example",
        "null",
        "https://SHOP.example",
    ] {
        let answer = Answer::to(world.request(Method::GET, PAGE).header("origin", origin)).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin").as_str()), (200, ""), "{origin}");
        assert!(answer.header("vary").to_ascii_lowercase().contains("origin"), "{origin}");
    }
    // Without a list there are no other origins.
    let closed = World::start().await;
    let answer = Answer::to(closed.request(Method::GET, PAGE).header("origin", "https://shop.example")).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn every_answer_is_safe_to_read() {
    let world = World::with(|settings| settings.edge.hsts = true).await;
    for path in [PAGE, "/nowhere", "/orders", "/openapi.json", "/problems/timeout"] {
        let answer = world.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("content-security-policy"), "frame-ancestors 'none'", "{path}");
        assert!(answer.header("strict-transport-security").starts_with("max-age="), "{path}");
        for name in ["server", "x-powered-by", "via"] {
            assert_eq!(answer.header(name), "", "{path}");
        }
    }
    assert_eq!(World::start().await.get(PAGE).await.header("strict-transport-security"), "");
}

/// Whoever does not get on is not waited for.
#[tokio::test]
async fn slow_clients() {
    let world = World::with(|settings| {
        settings.server.header_timeout = Duration::from_secs(1);
        settings.endpoints.get_mut("addCartItem").unwrap().budget = Some(Duration::from_secs(1));
    })
    .await;
    // Half a head, half a line, half a preface of HTTP/2, and nothing at all.
    for sent in ["GET /product-page/42 HTTP/1.1\r\nhost: shop\r\nx-slow: ", "GET /pro", "PRI * HTTP/2.0\r\n", "PRI", ""]
    {
        let mut stream = world.mobile.raw(sent).await;
        let said = read_until(&mut stream, b"\0").await;
        assert!([0, 408].contains(&status_of(&said)), "{sent:?}: {}", String::from_utf8_lossy(&said));
    }
    // One that was answered and asks nothing more.
    let mut stream = world.mobile.raw(format!("GET {PAGE} HTTP/1.1\r\nhost: shop\r\n\r\n")).await;
    assert_eq!(status_of(&read_until(&mut stream, b"\0").await), 200, "and closed at last");

    // The head is here; the body is not.
    let token = world.token("ada");
    let head = format!(
        "POST /cart/items HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: 100\r\n\r\n{{\"product_id\":"
    );
    let mut stream = world.mobile.raw(head).await;
    let mut said = read_until(&mut stream, b"\0").await;
    assert_eq!(status_of(&said), 408, "{}", String::from_utf8_lossy(&said));
    let body = said.split_off(said.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4);
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&problem["type"], &problem["status"]), (&json!("/problems/request-too-slow"), &json!(408)));
    assert_eq!(world.all_seen().len(), 5, "only the page that was asked for: {:?}", world.all_seen());

    // A body that ends early is the client's mistake, and nobody waits for the rest.
    let mut stream = world.mobile.raw("POST /cart/items HTTP/1.1\r\nhost: shop\r\ncontent-length: 9\r\n\r\n{").await;
    stream.shutdown().await.unwrap();
    let status = status_of(&read_until(&mut stream, b"\r\n").await);
    assert!([0, 400, 401].contains(&status), "{status}");
    // Others are served as ever.
    assert_eq!(world.get("/livez").await.status, 200);
}

#[tokio::test]
async fn http_2_without_asking_first() {
    let world = World::start().await;
    let client = h2_client();
    let answer = Answer::to(client.get(world.url(PAGE))).await;
    assert_eq!(answer.parts(), [json!(null); 0]);
    assert_eq!(answer.header("connection"), "");
    Answer::to(client.get(world.url("/nowhere"))).await.assert_problem(404, "no-such-endpoint");
}
