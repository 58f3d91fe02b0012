//! What the backends say on a good day: asked once, then said again without them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bff_core::testing::{Builder, Reply};
use bff_core::upstream::Clients;
use bytes::Bytes;
use http::Request;
use mock_services::{Options, Running, Service};

/// Answers by question.
#[derive(Clone)]
pub(super) struct Recording {
    answers: Arc<Mutex<HashMap<String, Reply>>>,
    mocks: Arc<Mutex<Option<Arc<Running>>>>,
}

impl Recording {
    /// Nothing yet; the mocks are running.
    pub(super) async fn of_the_mocks() -> Self {
        let mocks = mock_services::start(Options::default()).await.unwrap();
        Self { answers: Arc::default(), mocks: Arc::new(Mutex::new(Some(Arc::new(mocks)))) }
    }

    /// Asks the mocks, and keeps what they say.
    pub(super) fn record<U: Clients>(&self, builder: Builder<U>, upstream: &str) -> Builder<U> {
        let service: Service = upstream.parse().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let own = self.clone();
        builder.upstream(upstream, move |request| {
            let (own, client) = (own.clone(), client.clone());
            async move {
                let question = question(service, &request);
                let mocks = own.mocks.lock().unwrap().clone().expect("the mocks are gone");
                let url = format!("{}{}", mocks.url(service), request.uri());
                let (head, body) = request.into_parts();
                let asked = client.request(head.method, url).headers(head.headers).body(body);
                let answer = asked.send().await.unwrap();
                let mut reply = Reply::status(answer.status());
                reply.headers = answer.headers().clone();
                // The day of the recording must not age what is said again later.
                reply.headers.remove(http::header::DATE);
                reply.body = answer.bytes().await.unwrap();
                own.answers.lock().unwrap().insert(question, reply.clone());
                reply
            }
        })
    }

    /// Says again what the mocks said. A question that was never asked is a failure of the drill.
    pub(super) fn replay<U: Clients>(&self, builder: Builder<U>, upstream: &str) -> Builder<U> {
        let service: Service = upstream.parse().unwrap();
        let answers = self.answers.clone();
        builder.upstream(upstream, move |request| {
            let question = question(service, &request);
            let answer = answers.lock().unwrap().get(&question).cloned();
            std::future::ready(answer.unwrap_or_else(|| panic!("nobody asked on the good day: {question}")))
        })
    }

    pub(super) async fn stop(&self) {
        let mocks = self.mocks.lock().unwrap().take();
        if let Some(mocks) = mocks.and_then(Arc::into_inner) {
            mocks.shutdown().await;
        }
    }
}

fn question(service: Service, request: &Request<Bytes>) -> String {
    let user = request.headers().get("x-user-id").and_then(|value| value.to_str().ok()).unwrap_or("nobody");
    format!("{service} {} {} as {user}", request.method(), request.uri())
}
