//! What the log says, and what it never says.

use mock_services::{Service, TokenRequest};
use serde_json::Value;

use crate::program::{Process, backends, client};

/// Secrets of every kind, good ones and bad ones, while everything is logged that can be.
#[tokio::test]
async fn no_secret_is_ever_said() {
    let mocks = backends().await;
    let good = mocks.mint_token(&TokenRequest::new("ada")).unwrap();
    let expired = mocks.mint_token(&TokenRequest { ttl_seconds: -3600, ..TokenRequest::new("ada") }).unwrap();
    let tampered = format!("{}canarytampered", &good[..good.len() - 14]);
    for (filter, format) in [("debug", "json"), ("trace,h2=debug,hyper=debug", "text")] {
        let process = Process::start(&mocks, &["--log-filter", filter, "--log-format", format]).await;
        let client = client();
        let ask = |path: &str| {
            client
                .get(process.url(path))
                .header("cookie", "session=canary-cookie")
                .header("proxy-authorization", "Basic canary-proxy")
                .header("x-api-key", "canary-key")
        };
        for token in [good.as_str(), &expired, &tampered, "canary-opaque", "canary.three.parts"] {
            for path in ["/home", "/orders", "/cart", "/product-page/42", "/search?q=kettle&access_token=canary-query"]
            {
                ask(path).bearer_auth(token).send().await.unwrap();
            }
        }
        ask("/orders").header("authorization", "Basic canary-basic").send().await.unwrap();
        for body in [
            r#"{"product_id":"7","quantity":1,"note":"canary-note"}"#,
            r#"{"product_id":"7","quantity":"canary-quantity"}"#,
            r#"{"product_id":"canary product","quantity":1}"#,
            "canary-body",
        ] {
            let post =
                client.post(process.url("/cart/items")).bearer_auth(&good).header("content-type", "application/json");
            post.header("idempotency-key", "canary-idempotency").body(body).send().await.unwrap();
        }
        // Backends that fail, and say why.
        for service in [Service::Orders, Service::Carts] {
            mocks.set_faults(service, mock_services::Faults { garbage: true, ..Default::default() }).unwrap();
        }
        for path in ["/orders", "/cart"] {
            ask(path).bearer_auth(&good).send().await.unwrap();
        }
        for service in [Service::Orders, Service::Carts] {
            mocks.clear_faults(service).unwrap();
        }
        process.signal("TERM").await;
        let (status, output, errors) = process.ended().await;
        assert_eq!(status.code(), Some(0), "{errors:?}");
        assert!(output.len() > 40, "too little was said to tell anything: {}", output.len());
        assert!(output.iter().any(|line| line.contains("DEBUG")), "{filter}: not everything was logged");
        let secrets = [
            "canary",
            good.rsplit('.').next().unwrap(),
            expired.rsplit('.').next().unwrap(),
            good.split('.').nth(1).unwrap(),
        ];
        for line in output.iter().chain(&errors) {
            for secret in secrets {
                assert!(!line.contains(secret), "{filter}: {secret} in {line}");
            }
        }
    }
}

#[tokio::test]
async fn one_request_is_one_line() {
    let mocks = backends().await;
    let token = mocks.mint_token(&TokenRequest::new("ada")).unwrap();
    for format in ["json", "text"] {
        let process = Process::start(&mocks, &["--log-format", format]).await;
        let mut asked = 0;
        let mut send = async |path: &[u8], headers: &[u8], body: &[u8]| {
            let method = if body.is_empty() { "GET" } else { "POST" };
            let end = format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let request =
                [method.as_bytes(), b" ", path, b" HTTP/1.1\r\nhost: shop\r\n", headers, end.as_bytes(), body];
            let answer = process.raw(&request.concat()).await;
            // What hyper refuses by itself has neither an id nor a log line.
            asked += usize::from(answer.to_ascii_lowercase().contains("\r\nx-request-id: "));
        };
        for path in [
            b"/a%0d%0aINFO%20forged".as_slice(),
            b"/a%1b%5b31mforged",
            b"/a%0aforged?q=%0d%0aforged",
            b"/product-page/%0d%0aforged",
            b"/product-page/42?parts=%0d%0aforged,%1b[31m",
            b"/search?q=%0d%0aforged%1b[31m",
            b"/search?q=a&page=%0aforged",
            b"/a\x1b[31mforged",
            b"/a\rforged",
            b"/\xe2\x80\xa8forged",
            b"/\xc2\x85forged",
            b"/\xc2\x9b31mforged",
            b"/problems/%0aforged",
        ] {
            send(path, b"", b"").await;
        }
        for header in [
            b"x-request-id: \x1b[31mforged\r\n".as_slice(),
            b"x-request-id: a\rforged\r\n",
            b"user-agent: \x1b[2Jforged\r\n",
            b"traceparent: \x1b[31mforged\r\n",
            b"request-timeout: \x1b[31mforged\r\n",
            b"x-request-id: a\xc2\x85forged\r\n",
            b"authorization: Bearer \x1b[31mforged\r\n",
            b"if-none-match: \x1b[31mforged\r\n",
        ] {
            send(b"/product-page/42", header, b"").await;
        }
        let post = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
        for body in [
            r#"{"product_id":"a\r\nforged\u001b[31m","quantity":1}"#,
            r#"{"product_id":"7","quantity":"\r\nforged\u001b[31m"}"#,
            r#"{"\r\nforged\u001b[31m":1}"#,
            "{\"product_id\"\n:\u{1b}[31mforged}",
        ] {
            send(b"/cart/items", post.as_bytes(), body.as_bytes()).await;
        }
        assert!(asked > 12, "{asked} were let in");
        process.signal("TERM").await;
        let (status, output, errors) = process.ended().await;
        assert_eq!((status.code(), errors.len()), (Some(0), 0), "{errors:?}");
        let lines: Vec<_> = output.iter().filter(|line| line.contains("millis")).collect();
        assert_eq!(lines.len(), asked, "{output:#?}");
        // What is there besides: listening, draining, stopped.
        assert_eq!(output.len(), asked + 3, "{output:#?}");
        for line in &output {
            let text = line.strip_suffix('\n').unwrap();
            assert!(!text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{85}')), "{text:?}");
            if format == "json" {
                let line: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
                assert!(line["level"].is_string(), "{line}");
            }
        }
    }
}
