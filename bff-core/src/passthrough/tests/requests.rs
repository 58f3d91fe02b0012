//! What the upstream is sent.

use std::net::SocketAddr;

use super::super::headers::Headers;
use super::*;
use crate::context::{Context, Peer, TraceContext, Wishes};

const PLAIN: &str = "[routes.it]\npath = '/v1/*'\nupstream = 'files'\n";

#[tokio::test]
async fn a_request_goes_up_as_it_is() {
    let world = World::new(PLAIN, Reply::json(&json!(1))).await;
    let request =
        with("/v1/a%20b?parts=x&partial=maybe&q=%2e", &[("accept", "text/plain"), ("x-own", "1"), ("x-own", "2")]);
    let answer = world.bff.send(request.method(Method::POST), "body".into()).await;
    assert_eq!(answer.status, 200);
    let sent = world.sent();
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/a%20b?parts=x&partial=maybe&q=%2e"));
    assert_eq!(&sent.body[..], b"body");
    assert_eq!(sent.header("accept"), Some("text/plain"));
    assert_eq!(sent.headers.get_all("x-own").iter().count(), 2);
    assert_eq!(sent.header("via"), Some("1.1 bff-coast"));
    assert_eq!(sent.header("x-request-id"), Some(answer.header("x-request-id")));
    assert!(sent.header("traceparent").is_some());
    for method in ["GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "PURGE"] {
        world.bff.send(with("/v1", &[]).method(method), Bytes::new()).await;
        assert_eq!(world.sent().method, method);
    }
}

#[tokio::test]
async fn an_endpoint_goes_first() {
    let world = World::new("[routes.it]\npath = '/*'\nupstream = 'files'\n", Reply::json(&json!(1))).await;
    assert!(world.get("/weather/here").await.json()["meta"].is_object());
    assert_eq!(world.get("/openapi.json").await.json()["openapi"], "3.1.0");
    world.nothing_sent();
    assert_eq!(world.get("/weather").await.json(), 1);
    assert_eq!(world.sent().target, "/weather");
}

#[tokio::test]
async fn what_is_not_for_the_upstream_stays_here() {
    let world = World::new(PLAIN, Reply::json(&json!(1))).await;
    let names = [
        ("connection", "close, x-once"),
        ("x-once", "1"),
        ("keep-alive", "1"),
        ("te", "trailers"),
        ("proxy-authorization", "x"),
        ("upgrade", "websocket"),
        ("expect", "100-continue"),
        ("authorization", "Bearer nonsense"),
        ("cookie", "a=b"),
        ("x-user-id", "root"),
        ("x_user_roles", "admin"),
        ("x-user-anything", "1"),
        ("x-client-id", "1"),
        ("x-forwarded-port", "1"),
        ("x_forwarded_for", "1.1.1.1"),
        ("x-real-ip", "1.1.1.1"),
    ];
    // A bad token is nobody's business where nobody is checked.
    assert_eq!(world.with("/v1/a", &names).await.status, 200);
    let sent = world.sent();
    for (name, _) in names {
        assert_eq!(sent.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn where_a_request_comes_from() {
    let client = [
        ("x-forwarded-for", "9.9.9.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shown.test"),
        ("forwarded", "for=9.9.9.9;proto=https"),
        ("via", "1.0 edge"),
        ("host", "here.test:81"),
    ];
    let ask = async |proxies: &[&str], peer: Option<&str>| {
        let world = World::changed(PLAIN, Reply::json(&json!(1)), |settings| {
            settings.edge.trusted_proxies = proxies.iter().map(ToString::to_string).collect();
        })
        .await;
        let request = with("/v1", &client);
        let request = match peer {
            Some(peer) => request.extension(Peer(peer.parse::<SocketAddr>().unwrap())),
            None => request,
        };
        world.bff.send(request, Bytes::new()).await;
        let sent = world.sent();
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via"]
            .map(|name| sent.header(name).unwrap_or_default().to_owned())
    };
    let via = "1.0 edge, 1.1 bff-coast";
    let own = "proto=http;host=\"here.test:81\"";
    assert_eq!(
        ask(&[], Some("192.0.2.1:5")).await,
        ["192.0.2.1", "http", "here.test:81", &format!("for=192.0.2.1;{own}"), via]
    );
    assert_eq!(
        ask(&["192.0.2.0/24"], Some("[::ffff:192.0.2.1]:5")).await,
        ["9.9.9.9, 192.0.2.1", "https", "shown.test", &format!("for=9.9.9.9;proto=https, for=192.0.2.1;{own}"), via]
    );
    assert_eq!(ask(&[], Some("255.100.10.9:5")).await[0], "255.100.10.9");
    assert_eq!(ask(&[], Some("[2001:db8::1]:5")).await[0], "2001:db8::1");
    assert_eq!(ask(&[], Some("[2001:db8::1]:5")).await[3], format!("for=\"[2001:db8::1]\";{own}"));
    assert_eq!(ask(&[], None).await, ["", "http", "here.test:81", &format!("for=unknown;{own}"), via]);
}

#[test]
fn the_host_is_the_upstreams_or_the_clients() {
    let context = Context::new(None, TraceContext::begin(), Arc::default(), Wishes::default(), HeaderMap::new());
    let up = |toml: &str, head: &Parts, upgrade: bool| {
        let settings = route(&format!("path = '/'\nupstream = 'u'\n{toml}"));
        Headers::new("coast", &settings, &UpstreamSettings::default(), false).up(
            &mut head.clone(),
            &context,
            None,
            upgrade,
        )
    };
    let http1 = head(Method::GET, "/", &[("host", "here.test:81")]);
    let http2 = head(Method::GET, "http://there.test/", &[]);
    assert_eq!(up("", &http1, false).get(header::HOST), None);
    assert_eq!(up("preserve_host = true", &http1, false)[header::HOST], "here.test:81");
    assert_eq!(up("preserve_host = true", &http2, false)[header::HOST], "there.test");
    assert_eq!(up("", &http2, false)["x-forwarded-host"], "there.test");
    let asks =
        head(Method::GET, "/", &[("connection", "Upgrade, x"), ("upgrade", "WebSocket"), ("sec-websocket-key", "k")]);
    let headers = up("websocket = true", &asks, true);
    assert_eq!(
        (&headers["connection"], &headers["upgrade"]),
        (&"upgrade".parse().unwrap(), &"websocket".parse().unwrap())
    );
    assert_eq!(headers["sec-websocket-key"], "k");
}

#[tokio::test]
async fn paths_get_another_beginning() {
    for (rules, path, target) in [
        ("strip_prefix = '/v1'", "/v1/a/b?q=1", "/a/b?q=1"),
        ("strip_prefix = '/v1'", "/v1", "/"),
        ("strip_prefix = '/v1'", "/v1?q", "/?q"),
        ("strip_prefix = '/v1'", "/v1/", "/"),
        ("strip_prefix = '/v1'", "/%761/a%2Fb", "/a%2Fb"),
        ("strip_prefix = '/v1'\nadd_prefix = '/api/v2'", "/v1/a", "/api/v2/a"),
        ("strip_prefix = '/v1'\nadd_prefix = '/api'", "/v1", "/api"),
        ("add_prefix = '/api'", "/v1/", "/api/v1/"),
    ] {
        let world = World::new(&format!("{PLAIN}{rules}"), Reply::json(&json!(1))).await;
        world.get(path).await;
        assert_eq!(world.sent().target, target, "{rules} {path}");
    }
}

#[tokio::test]
async fn who_may_come_by() {
    let user = format!("{PLAIN}auth = 'user'\nroles = ['sailor']\n");
    let world = World::new(&user, Reply::json(&json!(1))).await;
    assert_problem(&world.get("/v1").await, 401, "unauthenticated");
    assert_problem(&world.with("/v1", &[("authorization", "Bearer x")]).await, 401, "unauthenticated");
    let ashore = Claims { roles: vec![], ..ada() };
    assert_problem(&world.bff.get_as(&ashore, "/v1").await, 403, "forbidden");
    world.nothing_sent();
    assert_eq!(world.bff.get_as(&ada(), "/v1").await.status, 200);
    let sent = world.sent();
    assert_eq!((sent.header("x-user-id"), sent.header("x-user-roles")), (Some("ada"), Some("sailor")));
    assert_eq!(sent.header("authorization"), None);

    let world = World::new(&format!("{PLAIN}auth = 'upstream'\n"), Reply::json(&json!(1))).await;
    assert_eq!(world.with("/v1", &[("authorization", "Basic x")]).await.status, 200);
    let sent = world.sent();
    assert_eq!((sent.header("authorization"), sent.header("x-user-id")), (Some("Basic x"), None));
}

#[tokio::test]
async fn cookies_and_changes() {
    let rules =
        "cookies = true\nrequest_headers = { set = { x-key = 'k', accept = 'a/b' }, remove = ['user-agent'] }\n";
    let world = World::new(&format!("{PLAIN}{rules}"), Reply::json(&json!(1))).await;
    let headers = [("cookie", "a=1"), ("cookie", "b=2"), ("accept", "x/y"), ("user-agent", "me")];
    world.with("/v1", &headers).await;
    let sent = world.sent();
    assert_eq!(sent.headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    assert_eq!(
        (sent.header("x-key"), sent.header("accept"), sent.header("user-agent")),
        (Some("k"), Some("a/b"), None)
    );
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let world = World::new(&format!("{PLAIN}body_limit = 8\n"), Reply::json(&json!(1))).await;
    let post = |request: http::request::Builder| request.method(Method::POST);
    let announced = with("/v1", &[("content-length", "9")]);
    assert_problem(&world.bff.send(post(announced), "123456789".into()).await, 413, "too-large");
    world.nothing_sent();
    assert_problem(&world.bff.send(post(with("/v1", &[])), "123456789".into()).await, 413, "too-large");
    world.nothing_sent();
    assert_eq!(world.bff.send(post(with("/v1", &[])), "12345678".into()).await.status, 200);
    assert_eq!(&world.sent().body[..], b"12345678");
}

#[tokio::test]
async fn what_is_not_passed_on() {
    let routes = format!("{PLAIN}methods = ['GET', 'PUT']\n");
    let world = World::new(&routes, Reply::json(&json!(1))).await;
    let answer = world.bff.send(with("/v1/a", &[]).method("DELETE"), Bytes::new()).await;
    assert_problem(&answer, 405, "method-not-allowed");
    assert_eq!(answer.header("allow"), "GET, PUT");
    for path in ["/v1/../admin", "/v1/%2e%2E/admin", "/v1/a%2f..%2fb", "/v1/..;/admin", "/v1/./a"] {
        assert_problem(&world.get(path).await, 400, "malformed");
    }
    assert_problem(&world.get("/v2").await, 404, "no-such-endpoint");
    world.nothing_sent();
}
