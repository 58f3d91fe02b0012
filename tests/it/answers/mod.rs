//! What backends really send: each case by the number under which it was reported.
//!
//! `texts` K02, `numbers` K04, `nothing` K05, `behind` K06, `codings` K07, `refusals` what a status means, `keys` K15 and K16.

mod behind;
mod codings;
mod keys;
mod nothing;
mod numbers;
mod refusals;
mod texts;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bff_core::config::Settings;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use mock_services::{Reply, Running, Service};
use serde_json::Value;

use crate::scripted::scripted;
use crate::world::{Answer, Served, World, backends, client, settings};

/// The mobile BFF over the mocks, with one backend whose answers to one path are changed. Nothing is kept and no breaker of that
/// backend opens, unless the settings are changed.
pub(super) struct Changed {
    pub(super) world: World,
    reply: Arc<Mutex<Reply>>,
    asked: Arc<AtomicUsize>,
}

impl Changed {
    /// The path of `target` at `service` is answered by what `change` makes of what the mock says to `target`.
    pub(super) async fn new(
        service: Service,
        target: &str,
        change: impl FnOnce(&str) -> Reply,
        more: impl FnOnce(&mut Settings),
    ) -> Self {
        let mocks = backends().await;
        let sound = said(&mocks, service, target).await;
        let reply = Arc::new(Mutex::new(change(&sound)));
        let path = target.split('?').next().unwrap().to_owned();
        let (current, asked) = (reply.clone(), Arc::new(AtomicUsize::new(0)));
        let count = asked.clone();
        let behind = mocks.url(service);
        let at = scripted(&behind, move |_, asked| {
            (asked.split('?').next() == Some(&path)).then(|| {
                count.fetch_add(1, Ordering::Relaxed);
                bytes(&current.lock().unwrap())
            })
        });
        let at = at.await;
        let mut settings = settings(&mocks);
        settings.cache.capacity = bytesize::ByteSize(0);
        let upstream = settings.upstreams.get_mut(service.name()).unwrap();
        upstream.url = format!("http://{at}");
        upstream.breaker.enabled = false;
        upstream.retry.tries = 0;
        more(&mut settings);
        let mobile = Served::start(&bff_mobile::bff(), settings).await;
        Self { world: World { mocks, mobile, client: client() }, reply, asked }
    }

    /// From now on this is answered.
    pub(super) fn now(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.world.get(path).await
    }

    /// How often that was asked for.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// A reply as it is written.
pub(super) fn bytes(reply: &Reply) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} X\r\n", reply.status.as_u16()).into_bytes();
    for (name, value) in &reply.headers {
        text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    if reply.status != StatusCode::NO_CONTENT {
        text.extend(format!("content-length: {}\r\n", reply.body.len()).into_bytes());
    }
    [text, b"\r\n".to_vec(), reply.body.to_vec()].concat()
}

/// What a mock says.
async fn said(mocks: &Running, service: Service, target: &str) -> String {
    Answer::to(client().get(format!("{}{target}", mocks.url(service)))).await.text()
}

/// JSON as a backend sends it, of any bytes.
pub(super) fn json(body: impl Into<Vec<u8>>) -> Reply {
    Reply::new(StatusCode::OK, body.into()).with(CONTENT_TYPE, "application/json")
}

/// The page, which is whole.
#[track_caller]
pub(super) fn whole(answer: &Answer) -> Value {
    assert_eq!(answer.parts(), [] as [Value; 0], "{}", answer.text());
    assert_eq!(answer.json()["meta"]["degraded"], false);
    answer.json()
}
