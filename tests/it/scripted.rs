//! A backend that answers by a script, byte by byte, and passes on what the script has nothing to say to.

use std::net::SocketAddr;
use std::sync::Arc;

use bff_core::Bff;
use bff_core::config::Settings;
use bff_core::passthrough::RouteSettings;
use bff_core::upstream::{Client as Upstream, UpstreamSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{PATIENCE, Served, client};

/// What is answered to a method and a target: all bytes of the answer, or `None` for what the backend behind it says.
type Script = dyn Fn(&str, &str) -> Option<Vec<u8>> + Send + Sync;

/// Listens until the test ends; `behind` is the backend that answers what the script does not.
pub(crate) async fn scripted(
    behind: &str,
    script: impl Fn(&str, &str) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (behind, script): (Arc<str>, Arc<Script>) = (behind.into(), Arc::new(script));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, behind.clone(), script.clone()));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, behind: Arc<str>, script: Arc<Script>) {
    while let Some(head) = head(&mut stream).await {
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let answer = match script(method, target) {
            Some(answer) => answer,
            None => passed_on(&behind, target).await,
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// A head without a body; `None` at the end of the connection.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

async fn passed_on(behind: &str, target: &str) -> Vec<u8> {
    let answer = client().get(format!("{behind}{target}")).send().await.unwrap();
    let status = answer.status().as_u16();
    json(status, &answer.text().await.unwrap())
}

/// An answer with this JSON.
pub(crate) fn json(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Nothing that is asked by hand.
#[derive(Clone, Debug)]
struct Unasked(#[allow(dead_code, reason = "the upstream is there for the route")] Upstream);

impl From<Upstream> for Unasked {
    fn from(client: Upstream) -> Self {
        Self(client)
    }
}

bff_core::upstreams! {
    /// The backend of the route.
    struct Upstreams {
        x: Unasked,
    }
}

/// A BFF with nothing but a route from `/x/*` to this backend, with more patience than any test.
pub(crate) async fn over(
    backend: SocketAddr,
    change: impl FnOnce(&mut RouteSettings, &mut UpstreamSettings),
) -> Served {
    let mut settings = Settings::default();
    let mut upstream = UpstreamSettings {
        url: format!("http://{backend}"),
        timeout: PATIENCE,
        attempt_timeout: PATIENCE,
        connect_timeout: PATIENCE,
        ..UpstreamSettings::default()
    };
    let mut route = RouteSettings {
        path: "/x/*".to_owned(),
        upstream: "x".to_owned(),
        strip_prefix: Some("/x".to_owned()),
        ..RouteSettings::default()
    };
    change(&mut route, &mut upstream);
    settings.upstreams.insert("x".to_owned(), upstream);
    settings.routes.insert("x".to_owned(), route);
    Served::start(&Bff::<Upstreams>::new("mobile", "1"), settings).await
}
