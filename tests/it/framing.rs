//! Where a message ends is beyond doubt, whatever its sender says of its length: no request and no answer becomes two.

use bff_core::Bff;
use bff_core::config::Settings;
use bff_core::passthrough::{JsonSettings, RouteSettings};
use bff_core::upstream::{Client as Upstream, UpstreamSettings};
use mock_services::Service;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scripted::{over, scripted};
use crate::scripted_h2::{Then, scripted_h2};
use crate::world::{Answer, PATIENCE, Served, World, client, h2_client, status_of, within};

/// Nothing that is asked by hand.
#[derive(Clone, Debug)]
struct Unasked(#[allow(dead_code, reason = "the upstream is there for the routes")] Upstream);

impl From<Upstream> for Unasked {
    fn from(client: Upstream) -> Self {
        Self(client)
    }
}

bff_core::upstreams! {
    /// The backend of the routes, by hyper's client and by the other one.
    struct Upstreams {
        plain: Unasked,
        other: Unasked,
    }
}

/// The ways to an answer: a route without anything, one that keeps, one that filters; by one client and the other.
const ROUTES: [&str; 4] = ["/x", "/o", "/k", "/f"];

/// What the backend writes, and what is made of it: its status, its body, and what is said of its length.
const ANSWERS: [(&str, &str, u16, &str); 23] = [
    (
        "k01a",
        "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n",
        200,
        "[1,2]",
    ),
    (
        "k01b",
        "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n",
        200,
        "[1,2]",
    ),
    (
        "after",
        "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n",
        200,
        "[1,2]",
    ),
    (
        "k01c",
        "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5b\r\n{}HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n\"NOT FROM THE BFF\"\r\n0\r\n\r\n",
        200,
        "{}HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n\"NOT FROM THE BFF\"",
    ),
    (
        "kept",
        "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n",
        200,
        "[1,2]",
    ),
    (
        "twice",
        "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n[1,2]",
        200,
        "[1,2]",
    ),
    ("list", "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 5, 5\r\n\r\n[1,2]", 200, "[1,2]"),
    (
        "long",
        "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n[1,2]HTTP/1.1 200 X\r\ncontent-length: 4\r\n\r\nevil",
        200,
        "[1,2]",
    ),
    ("right", "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n[1,2]", 200, "[1,2]"),
    ("k01f", "HTTP/1.1 204 X\r\nContent-Length: 3\r\n\r\nabc", 204, ""),
    ("unchanged", "HTTP/1.1 304 X\r\nETag: \"1\"\r\nContent-Length: 3\r\n\r\n", 304, ""),
    ("identity", "HTTP/1.0 200 X\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n[1,2]", 200, "[1,2]"),
    // Nobody can say where these end, or what they are.
    ("differ", "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 5, 2\r\n\r\n[1,2]", 502, ""),
    (
        "fields",
        "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 5\r\nContent-Length: 2\r\n\r\n[1,2]",
        502,
        "",
    ),
    ("signed", "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: +5\r\n\r\n[1,2]", 502, ""),
    (
        "still",
        "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n",
        502,
        "",
    ),
    (
        "two",
        "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked, chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n",
        502,
        "",
    ),
    (
        "lines",
        "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n",
        502,
        "",
    ),
    (
        "old",
        "HTTP/1.0 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n",
        502,
        "",
    ),
    (
        "again",
        "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: identity, chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n",
        502,
        "",
    ),
    ("none", "HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n", 204, ""),
    ("coded", "HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204, ""),
    (
        "error",
        "HTTP/1.1 500 X\r\nContent-Type: application/json\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n",
        500,
        "[1,2]",
    ),
];

async fn bff() -> Served {
    let backend = scripted("", |_, target| {
        let name = target.trim_matches('/').split('?').next();
        let known = ANSWERS.iter().find(|(own, ..)| Some(*own) == name);
        Some(known.map_or(&b"HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n"[..], |answer| answer.1.as_bytes()).to_vec())
    })
    .await;
    let mut settings = Settings::default();
    for (name, compressed) in [("plain", false), ("other", true)] {
        let mut upstream = UpstreamSettings {
            url: format!("http://{backend}"),
            compressed,
            timeout: PATIENCE,
            attempt_timeout: PATIENCE,
            connect_timeout: PATIENCE,
            ..UpstreamSettings::default()
        };
        upstream.breaker.enabled = false;
        settings.upstreams.insert(name.to_owned(), upstream);
    }
    for path in ROUTES {
        let route = RouteSettings {
            path: format!("{path}/*"),
            upstream: if path == "/o" { "other" } else { "plain" }.to_owned(),
            strip_prefix: Some(path.to_owned()),
            cache: path == "/k",
            json: JsonSettings {
                deny: if path == "/f" { vec!["secret".into()] } else { Vec::new() },
                ..Default::default()
            },
            ..RouteSettings::default()
        };
        settings.routes.insert(path.trim_matches('/').to_owned(), route);
    }
    Served::start(&Bff::<Upstreams>::new("mobile", "1"), settings).await
}

/// One answer, read as strictly as can be: by its own length, or chunk by chunk.
async fn read(stream: &mut TcpStream, is_head: bool) -> (u16, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.unwrap());
    }
    let text = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let status = status_of(text.as_bytes());
    let values = |name: &str| -> Vec<String> {
        text.lines().filter_map(|line| Some(line.strip_prefix(name)?.trim().to_owned())).collect()
    };
    let (lengths, codings) = (values("content-length:"), values("transfer-encoding:"));
    assert!(lengths.len() + codings.len() <= 1, "{text}");
    if status == 204 || status == 304 {
        assert!(codings.is_empty() && (status != 204 || lengths.is_empty()), "{text}");
        return (status, String::new());
    }
    if is_head {
        return (status, String::new());
    }
    let mut body = Vec::new();
    if let Some(length) = lengths.first() {
        body.resize(length.parse().unwrap(), 0);
        within(stream.read_exact(&mut body)).await.unwrap();
    } else {
        assert_eq!(codings, ["chunked"], "{text}");
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(within(stream.read_u8()).await.unwrap());
            }
            let size = usize::from_str_radix(String::from_utf8(line).unwrap().trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            within(stream.read_exact(&mut chunk)).await.unwrap();
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    }
    (status, String::from_utf8(body).unwrap())
}

/// Whether it is the answer, the whole answer, or a problem of ours where there is none.
fn is_right(method: &str, route: &str, status: u16, body: &str, said: &(u16, String)) -> bool {
    // What is filtered is JSON, or a problem.
    let is_shown = route != "/f" || (body == "[1,2]" && status < 400) || status == 204 || status == 304;
    let expected = if is_shown || status == 500 { status } else { 502 };
    match method {
        // What is wrong with a body is not seen where there is none.
        "HEAD" => said.1.is_empty() && (said.0 == expected || status == 502 || route == "/f"),
        _ if expected == 502 || !is_shown => said.0 == expected,
        _ => *said == (expected, body.to_owned()),
    }
}

/// Each answer by each route, on one connection after the other, twice (the second of a kept one comes from the store), with a
/// question behind each whose answer must be its own.
#[tokio::test]
async fn k01_one_answer_for_each_request() {
    let bff = bff().await;
    for (name, _, status, body) in ANSWERS {
        for route in ROUTES {
            let mut stream = bff.raw("").await;
            for method in ["GET", "HEAD", "GET"] {
                let request = format!(
                    "{method} {route}/{name} HTTP/1.1\r\nhost: shop\r\n\r\nGET /nowhere HTTP/1.1\r\nhost: shop\r\n\r\n"
                );
                within(stream.write_all(request.as_bytes())).await.unwrap();
                let said = read(&mut stream, method == "HEAD").await;
                assert!(is_right(method, route, status, body, &said), "{method} {route}/{name}: {said:?}");
                assert_eq!(read(&mut stream, false).await.0, 404, "{method} {route}/{name}");
            }
        }
    }
}

#[tokio::test]
async fn k01_the_same_by_http_2() {
    let bff = bff().await;
    let client = h2_client();
    for (name, _, status, body) in ANSWERS {
        for route in ROUTES {
            for _ in 0..2 {
                let answer = Answer::to(client.get(format!("http://{}{route}/{name}", bff.address))).await;
                let said = (answer.status, answer.text());
                assert!(is_right("GET", route, status, body, &said), "{route}/{name}: {said:?}");
                let length = answer.header("content-length");
                let is_true = length.is_empty() || status == 304 || length == answer.body.len().to_string();
                assert!(is_true, "{route}/{name}: {length}");
            }
        }
    }
}

/// What a typed client reads ends where it ends, and the page's length is that of the page.
#[tokio::test]
async fn k01_typed_calls() {
    let whole = World::start().await;
    let behind = whole.mocks.url(Service::Catalog);
    let product = Answer::to(client().get(format!("{behind}/products/42"))).await.text();
    let size = product.len();
    let chunked = format!("{size:x}\r\n{product}\r\n0\r\n\r\n");
    let page = whole.get("/product-page/42").await;
    for (head, body, status) in [
        ("content-length: 1\r\ntransfer-encoding: chunked".to_owned(), chunked.clone(), 200),
        ("content-length: 99999\r\ntransfer-encoding: chunked".to_owned(), chunked.clone(), 200),
        (format!("content-length: {size}, {size}"), product.clone(), 200),
        (format!("content-length: {size}"), format!("{product}HTTP/1.1 200 OK\r\n\r\n"), 200),
        (format!("content-length: {size}, 1"), product.clone(), 502),
        ("transfer-encoding: gzip, chunked".to_owned(), chunked.clone(), 502),
        ("transfer-encoding: chunked, chunked".to_owned(), chunked.clone(), 502),
    ] {
        let answer = format!("HTTP/1.1 200 X\r\ncontent-type: application/json\r\n{head}\r\n\r\n{body}");
        let catalog =
            scripted(&behind, move |_, target| (target == "/products/42").then(|| answer.clone().into())).await;
        let world = World::with(|settings| {
            let own = settings.upstreams.get_mut("catalog").unwrap();
            (own.url, own.retry.tries) = (format!("http://{catalog}"), 0);
        })
        .await;
        for client in [client(), h2_client()] {
            let answer = Answer::to(client.get(world.url("/product-page/42"))).await;
            assert_eq!(answer.status, status, "{head}: {}", answer.text());
            let length = answer.header("content-length");
            assert!(length.is_empty() || length == answer.body.len().to_string(), "{head}: {length}");
            if status == 200 {
                assert_eq!(answer.json()["product"], page.json()["product"], "{head}");
            }
        }
    }
}

/// HTTP/2 has lengths of its own, and what differs from them is no answer.
#[tokio::test]
async fn k01_an_upstream_by_http_2() {
    for (digit, is_true) in [(b'2', true), (b'1', false), (b'9', false)] {
        let backend = scripted_h2(move |_| Then::Saying(digit)).await;
        for route in ["x", "k"] {
            let bff = over(backend, |own, upstream| {
                upstream.http2 = true;
                own.cache = route == "k";
            })
            .await;
            for client in [client(), h2_client()] {
                let answer = Answer::try_to(client.get(format!("http://{}/x/a", bff.address))).await;
                let said =
                    answer.as_ref().map(|answer| (answer.status, answer.text(), answer.header("content-length")));
                match said {
                    Ok(said) if is_true => assert_eq!(said, (200, "ok".into(), "2".into()), "{route}"),
                    Ok((status, ..)) => assert_eq!(status, 502, "{route} {digit}"),
                    // Broken off, and seen to be.
                    Err(error) => assert!(!is_true, "{route} {digit}: {error}"),
                }
            }
        }
    }
}

/// An answer that ends before it should is no whole answer, by any route.
#[tokio::test]
async fn an_answer_that_is_too_short_is_seen_to_be() {
    for coding in ["content-length: 9", "transfer-encoding: chunked"] {
        let answer = match coding {
            "content-length: 9" => "[1,2]".to_owned(),
            _ => "5\r\n[1,2]\r\n".to_owned(),
        };
        let answer = format!(
            "HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncache-control: max-age=60\r\nconnection: close\r\n{coding}\r\n\r\n{answer}"
        );
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let backend = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 1024];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let mut settings = Settings::default();
        for (name, compressed) in [("plain", false), ("other", true)] {
            let url = format!("http://{backend}");
            let upstream = UpstreamSettings { url, compressed, ..UpstreamSettings::default() };
            settings.upstreams.insert(name.to_owned(), upstream);
        }
        for (name, cache) in [("x", false), ("k", true)] {
            let path = format!("/{name}/*");
            let route = RouteSettings { path, upstream: "plain".to_owned(), cache, ..RouteSettings::default() };
            settings.routes.insert(name.to_owned(), route);
        }
        let bff = Served::start(&Bff::<Upstreams>::new("mobile", "1"), settings).await;
        for client in [client(), h2_client()] {
            for path in ["/x/a", "/k/a", "/k/a"] {
                let answer = Answer::try_to(client.get(format!("http://{}{path}", bff.address))).await;
                let is_whole = answer.as_ref().is_ok_and(|answer| answer.status == 200);
                assert!(!is_whole, "{coding} {path}: {answer:?}");
            }
        }
    }
}

/// What a client says of where its request ends, and of whom it asks.
#[tokio::test]
async fn a_request_in_doubt_is_refused() {
    let bff = bff().await;
    let post = |lines: &str, body: &str| format!("POST /x/right HTTP/1.1\r\nhost: shop\r\n{lines}\r\n\r\n{body}");
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: shop\r\n\r\n");
    for (request, status) in [
        (post("transfer-encoding: chunked", "0\r\n\r\n"), 200),
        (post("transfer-encoding: Chunked", "0\r\n\r\n"), 200),
        (post("transfer-encoding: gzip, chunked", "0\r\n\r\n"), 501),
        (post("transfer-encoding: chunked, chunked", "0\r\n\r\n"), 400),
        (post("transfer-encoding: chunked\r\ntransfer-encoding: chunked", "0\r\n\r\n"), 400),
        (post("transfer-encoding: chunked\r\ntransfer-encoding: gzip", "0\r\n\r\n"), 400),
        (post("transfer-encoding: gzip", ""), 400),
        (post("content-length: 0\r\ncontent-length: 1", ""), 400),
        (post("content-length: 0, 1", ""), 400),
        (post("content-length: +0", ""), 400),
        (get("http://shop/x/right"), 200),
        (get("https://shop/x/right"), 200),
        (get("http://me@shop/x/right"), 400),
        (get("http://me:secret@shop/x/right"), 400),
        (get("ftp://shop/x/right"), 400),
    ] {
        assert_eq!(bff.raw_status(&request).await, status, "{request}");
    }
}
