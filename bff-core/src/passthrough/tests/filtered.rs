//! Answers of which only some fields are passed on.

use http::StatusCode;

use super::*;

const RULES: &str = "[routes.it]\npath = '/v1/*'\nupstream = 'files'\njson = { deny = ['secret'] }\n";

fn thing() -> Reply {
    Reply::json(&json!({ "id": 1, "secret": 2 }))
        .header("etag", "\"theirs\"")
        .header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        .header("accept-ranges", "bytes")
        .header("content-digest", "sha-256=:x:")
        .header("cache-control", "max-age=5")
}

#[tokio::test]
async fn fields_are_left_out_and_what_was_said_of_the_whole_too() {
    let world = World::new(RULES, thing()).await;
    let asked = [
        ("accept-encoding", "gzip"),
        ("range", "bytes=0-1"),
        ("if-range", "\"x\""),
        ("if-none-match", "\"theirs\""),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ];
    let answer = world.with("/v1", &asked).await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &br#"{"id":1}"#[..]));
    assert_eq!((answer.header("content-length"), answer.header("cache-control")), ("8", "max-age=5"));
    for name in ["last-modified", "accept-ranges", "content-digest"] {
        assert_eq!(answer.header(name), "", "{name}");
    }
    let sent = world.sent();
    assert_eq!(sent.header("accept-encoding"), Some("identity"));
    for (name, _) in &asked[1..] {
        assert_eq!(sent.header(name), None, "{name}");
    }

    let tag = answer.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let again = world.with("/v1", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status.as_u16(), again.body.len(), again.header("etag")), (304, 0, tag.as_str()));
    assert_eq!(again.headers.get("content-length"), None);

    world.sent.lock().unwrap().clear();
    let head = world.bff.send(with("/v1", &[]).method("HEAD"), Bytes::new()).await;
    assert_eq!((head.status.as_u16(), head.body.len(), head.header("content-length")), (200, 0, "8"));
    assert_eq!(head.header("etag"), tag);
    assert_eq!(world.sent().method, "GET");
}

#[tokio::test]
async fn what_cannot_be_filtered_is_not_passed_on() {
    let status = |status: u16| StatusCode::from_u16(status).unwrap();
    let text = |code: u16| Reply { body: "secret".into(), ..Reply::status(status(code)) };
    let html = |code: u16| text(code).header("content-type", "text/html");
    let broken = |code: u16| text(code).header("content-type", "application/json");
    let large = Reply::json(&json!("x".repeat(2 << 20)));
    for (reply, code, slug) in [
        (html(200), 502, "upstream-failed"),
        (text(200), 502, "upstream-failed"),
        (broken(200), 502, "upstream-failed"),
        (thing().header("content-encoding", "gzip"), 502, "upstream-failed"),
        (Reply { status: status(206), ..thing() }, 502, "upstream-failed"),
        (large, 502, "upstream-failed"),
        (html(404), 404, "not-found"),
        (html(410), 404, "not-found"),
        (html(401).header("www-authenticate", "Basic"), 401, "unauthenticated"),
        (broken(503).header("retry-after", "7"), 503, "unavailable"),
    ] {
        let world = World::new(RULES, reply).await;
        let answer = world.get("/v1").await;
        assert_problem(&answer, code, slug);
        assert!(!answer.body.windows(6).any(|window| window == b"secret"), "{answer:?}");
        match code {
            401 => assert_eq!(answer.header("www-authenticate"), "Basic"),
            503 => assert_eq!(answer.header("retry-after"), "7"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn errors_and_answers_without_a_body_pass() {
    let error = Reply { status: StatusCode::CONFLICT, ..Reply::json(&json!({ "error": "x", "secret": 1 })) };
    let world = World::new(RULES, error).await;
    let answer = world.get("/v1").await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (409, &br#"{"error":"x"}"#[..]));
    assert_eq!(answer.header("etag"), "");
    let moved = Reply { body: "<a>secret</a>".into(), ..Reply::status(StatusCode::FOUND) };
    let world = World::new(RULES, moved.header("content-type", "text/html").header("location", "/x")).await;
    let answer = world.get("/v1").await;
    assert_eq!((answer.status.as_u16(), answer.header("location"), answer.body.len()), (302, "/x", 0));
    let world = World::new(RULES, Reply::status(StatusCode::NO_CONTENT)).await;
    assert_eq!(world.get("/v1").await.status, 204);
}
