//! A small client, and services that are quick to start.

use std::sync::OnceLock;

use mock_services::{Options, Running, Service, SigningKeys, start};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

thread_local! {
    /// Each test has a thread and a runtime of its own; a connection must not outlive them, so none is kept.
    static CLIENT: Client = Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap();
}

/// The keys of all tests: making them takes longer than most tests.
pub(crate) fn keys() -> SigningKeys {
    static KEYS: OnceLock<SigningKeys> = OnceLock::new();
    KEYS.get_or_init(|| SigningKeys::generate().unwrap()).clone()
}

/// Services on free ports.
pub(crate) async fn services() -> Running {
    start(Options { keys: Some(keys()), ..Options::default() }).await.unwrap()
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, body: response.text().await? })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A request with headers and a JSON body, either of which may be empty.
pub(crate) async fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> reqwest::Result<Answer> {
    let mut request = CLIENT.with(Client::clone).request(Method::from_bytes(method.as_bytes()).unwrap(), url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !body.is_empty() {
        request = request.header("content-type", "application/json").body(body.to_owned());
    }
    Answer::of(request.send().await?).await
}

/// A GET of a path of a service.
pub(crate) async fn get(running: &Running, service: Service, path: &str) -> Answer {
    ask("GET", &format!("{}{path}", running.url(service)), &[], "").await.unwrap()
}

/// A GET in the name of a user.
pub(crate) async fn get_as(running: &Running, user: &str, service: Service, path: &str) -> Answer {
    ask("GET", &format!("{}{path}", running.url(service)), &[("x-user-id", user)], "").await.unwrap()
}

/// A connection on which a GET was sent; the answer is still to be read.
pub(crate) async fn raw_get(running: &Running, service: Service, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(running.backend(service).address()).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: mock\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads until the end of the head and returns it.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A client that speaks HTTP/2 from the first byte.
pub(crate) fn h2() -> Client {
    Client::builder().http2_prior_knowledge().no_proxy().build().unwrap()
}
