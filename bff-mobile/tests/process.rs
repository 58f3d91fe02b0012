//! The program as it is run: arguments, output, signals, exit codes.

// A test says what went wrong by panicking, also in the functions that it calls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mock_services::{Options, Running, Service, TokenRequest};
use reqwest::{Client, Response};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Ends a test that would wait for ever. Only an upper bound.
async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it came to no end")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The program, with nothing of this process's environment.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bff-mobile"));
    command.env_clear().current_dir(root()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command that ends by itself.
async fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = within(program().args(arguments).output()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The program, serving.
struct Process {
    child: Child,
    public: SocketAddr,
    output: Lines,
    errors: Lines,
}

/// What one of its streams has said so far.
struct Lines {
    said: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
    reader: JoinHandle<()>,
}

impl Lines {
    fn of(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let said = Arc::new(Mutex::new(Vec::new()));
        let (counted, count) = watch::channel(0);
        let kept = said.clone();
        let reader = tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            // Only line feeds end a line: a carriage return inside one is what is looked for.
            while stream.read_until(b'\n', &mut line).await.unwrap() > 0 {
                kept.lock().unwrap().push(String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned());
                counted.send_modify(|count| *count += 1);
            }
        });
        Self { said, count, reader }
    }

    /// The first line with this in it.
    async fn wait_for(&self, what: &str) -> String {
        let mut count = self.count.clone();
        within(async {
            loop {
                count.borrow_and_update();
                if let Some(line) = self.said.lock().unwrap().iter().find(|line| line.contains(what)) {
                    return line.clone();
                }
                count.changed().await.unwrap_or_else(|_| panic!("{what} was never said: {:?}", self.said));
            }
        })
        .await
    }

    async fn to_the_end(self) -> Vec<String> {
        within(self.reader).await.unwrap();
        std::mem::take(&mut *self.said.lock().unwrap())
    }
}

impl Process {
    /// On free ports, with these backends and more patience than any test, and these arguments on top.
    async fn start(mocks: &Running, arguments: &[&str]) -> Self {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0", "--management", "127.0.0.1:0", "--workers", "2"]);
        let mut set = |key: &str, value: &str| {
            command.args(["--set", &format!("{key}={value}")]);
        };
        for service in Service::ALL.into_iter().filter(|service| *service != Service::Identity) {
            set(&format!("upstreams.{service}.url"), &mocks.url(service));
            set(&format!("upstreams.{service}.timeout"), "60s");
            set(&format!("upstreams.{service}.attempt_timeout"), "50s");
        }
        set("auth.issuers.main.jwks_url", &format!("{}/.well-known/jwks.json", mocks.url(Service::Identity)));
        for name in ["getHome", "getProductPage", "search", "getCart", "addCartItem", "getOrders"] {
            set(&format!("endpoints.{name}.budget"), "100s");
        }
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = Lines::of(child.stdout.take().unwrap());
        let errors = Lines::of(child.stderr.take().unwrap());
        let line = output.wait_for("listening").await;
        let public = line.split("\"public\":\"").nth(1).or_else(|| line.split("public=").nth(1)).unwrap();
        let public = public.split(['"', ' ', '\n']).next().unwrap().parse().unwrap();
        Self { child, public, output, errors }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().await.unwrap().success());
    }

    /// Everything it said, and how it ended.
    async fn ended(mut self) -> (ExitStatus, Vec<String>, Vec<String>) {
        let status = within(self.child.wait()).await.unwrap();
        (status, self.output.to_the_end().await, self.errors.to_the_end().await)
    }

    /// Sends this as it is and reads the answer to its end.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.public).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is as good an end as any.
        let _ = within(stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

async fn backends() -> Running {
    mock_services::start(Options::default()).await.unwrap()
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_signal_to_stop_loses_no_request() {
    let mocks = backends().await;
    for name in ["TERM", "INT"] {
        mocks.clear_requests(Service::Catalog);
        let process = Process::start(&mocks, &[]).await;
        mocks.hold(Service::Catalog);
        let held = tokio::spawn(client().get(process.url("/product-page/42")).send());
        within(mocks.wait_held(Service::Catalog, 1)).await;
        process.signal(name).await;
        process.output.wait_for("draining").await;
        within(async {
            while TcpStream::connect(process.public).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        mocks.release(Service::Catalog);
        let answer: Response = within(held).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        let page: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(page["meta"]["degraded"], false, "{name}: {page}");
        let (status, output, errors) = process.ended().await;
        assert_eq!((status.code(), errors.len()), (Some(0), 0), "{name}: {errors:?}");
        assert!(output.last().unwrap().contains("stopped"), "{name}: {output:?}");
        assert!(output.iter().any(|line| line.contains("\"status\":200")), "{name}: its log line is missing: {output:?}");
    }
}

#[tokio::test]
async fn what_does_not_end_is_cut_and_said() {
    let mocks = backends().await;
    let process = Process::start(&mocks, &["--set", "server.drain_timeout=200ms"]).await;
    mocks.hold(Service::Catalog);
    let held = tokio::spawn(client().get(process.url("/product-page/42")).send());
    within(mocks.wait_held(Service::Catalog, 1)).await;
    process.signal("TERM").await;
    let (status, _, errors) = process.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(errors.concat().contains("drain_timeout"), "{errors:?}");
    assert!(within(held).await.unwrap().is_err());
}

#[tokio::test]
async fn a_port_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let free = "127.0.0.1:0".to_owned();
    for (flag, listen, management) in [("--listen", address.to_string(), free.clone()), ("--management", free, address.to_string())] {
        let (code, output, errors) = run(&["--listen", &listen, "--management", &management]).await;
        assert_eq!(code, 1, "{errors}");
        assert!(errors.contains(&format!("port {}", address.port())) && errors.contains(flag), "{errors}");
        assert!(!output.contains("listening"), "{output}");
    }
}

/// `config/mobile.toml`.
fn shipped() -> String {
    std::fs::read_to_string(root().join("config/mobile.toml")).unwrap()
}

/// A folder of its own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("bff-mobile-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let file = self.0.join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn all_mistakes_of_a_configuration_at_once() {
    let folder = Folder::new("mistakes");
    let wrong = shipped()
        .replace("[upstreams.catalog]\n", "[upstreams.catalog]\ntimout = \"1s\"\n")
        .replace("server_timing = true", "server_timing = \"perhaps\"\ncors_origin = []")
        .replace("url = \"http://127.0.0.1:9002\"", "url = \"ftp://127.0.0.1:9002\"")
        + "\n[upstreams.reviewers]\nurl = \"http://127.0.0.1:1\"\n\n[endpoints.getHomes]\nbudget = \"1s\"\n\n[sever]\n";
    let file = folder.file("wrong.toml", &wrong);
    for (command, expected) in [("serve", 2), ("check", 1), ("config", 2)] {
        let (code, output, errors) = run(&[command, "--config", &file]).await;
        assert_eq!((code, output.as_str()), (expected, ""), "{command}: {errors}");
        for mistake in [
            "7 mistakes",
            "upstreams.catalog.timout",
            "did you mean `timeout`?",
            "edge.server_timing",
            "edge.cors_origin",
            "did you mean `cors_origins`?",
            "upstreams.pricing.url",
            "upstreams.reviewers",
            "endpoints.getHomes",
            "sever",
            "did you mean `server`?",
            "wrong.toml",
        ] {
            assert!(errors.contains(mistake), "{command}, {mistake}: {errors}");
        }
    }
    let file = folder.file("broken.toml", "[server\n");
    let (code, _, errors) = run(&["--config", &file]).await;
    assert_eq!(code, 2, "{errors}");
    let (code, _, errors) = run(&["--config", "/no/such/file.toml"]).await;
    assert_eq!((code, errors.contains("/no/such/file.toml")), (2, true), "{errors}");
}

#[tokio::test]
async fn commands_that_only_tell() {
    let (code, document, errors) = run(&["openapi"]).await;
    assert_eq!((code, errors.as_str()), (0, ""));
    let parsed: Value = serde_json::from_str(&document).unwrap();
    assert!(parsed["paths"]["/product-page/{id}"]["get"].is_object(), "{document}");
    let folder = Folder::new("openapi");
    let same = folder.file("same.json", &document);
    assert_eq!(run(&["openapi", "--check", &same]).await, (0, "ok\n".to_owned(), String::new()));
    let other = folder.file("other.json", &document.replace("/product-page/{id}", "/product/{id}"));
    let (code, _, errors) = run(&["openapi", "--check", &other]).await;
    assert_eq!((code, errors.contains("product-page")), (1, true), "{errors}");

    let (code, table, errors) = run(&["routes"]).await;
    assert_eq!((code, errors.as_str()), (0, ""));
    for word in ["/product-page/{id}", "getProductPage", "subject product", "required price", "optional reviews", "fallback related"] {
        assert!(table.contains(word), "{word}: {table}");
    }
    assert_eq!(table.lines().count(), 7, "{table}");

    let (code, effective, errors) = run(&["config", "--set", "cache.capacity=1 MiB"]).await;
    assert_eq!((code, errors.as_str()), (0, ""));
    for line in ["# from --set", "config/mobile.toml", "[upstreams.catalog]", "url = \"http://127.0.0.1:9001\""] {
        assert!(effective.contains(line), "{line}: {effective}");
    }
    // What stands in a file of its own is a secret.
    let secret = folder.file("audience", "canary-of-a-file");
    let masked = folder.file("masked.toml", &shipped().replace("audiences = [\"bff-mobile\"]", &format!("audiences = {{ file = {secret:?} }}")));
    let (code, effective, errors) = run(&["config", "--config", &masked]).await;
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(effective.contains("audiences = ") && effective.contains("********"), "{effective}");
    assert!(!effective.contains("canary"), "{effective}");
    let (code, _, errors) = run(&["config", "--set", "auth.issuers.main.client_secret=canary-secret"]).await;
    assert_eq!((code, errors.contains("client_secret"), errors.contains("canary")), (2, true, false), "{errors}");
    assert_eq!(run(&["check"]).await, (0, "ok\n".to_owned(), String::new()));
    let (code, help, _) = run(&["--help"]).await;
    assert_eq!((code, help.contains("openapi")), (0, true));
    assert_eq!(run(&["brew"]).await.0, 2);
}

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
            for path in ["/home", "/orders", "/cart", "/product-page/42", "/search?q=kettle&access_token=canary-query"] {
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
            let post = client.post(process.url("/cart/items")).bearer_auth(&good).header("content-type", "application/json");
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
        let secrets = ["canary", good.rsplit('.').next().unwrap(), expired.rsplit('.').next().unwrap(), good.split('.').nth(1).unwrap()];
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
            let request = [method.as_bytes(), b" ", path, b" HTTP/1.1\r\nhost: shop\r\n", headers, end.as_bytes(), body];
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
