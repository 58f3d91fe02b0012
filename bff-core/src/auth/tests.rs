//! Forged tokens, rotated keys and issuers that are down, in paused time and without a network.

mod forge;
mod keys;
mod remembering;
mod rules;
mod tokens;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::{AuthSettings, Authenticator, IssuerSettings};
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::identity::Identity;

/// An issuer as `FetchKeys` sees it: what it answers now, and how often it was asked.
#[derive(Clone)]
struct Issuer(Arc<IssuerState>);

struct IssuerState {
    /// `None` while it is down.
    answer: Mutex<Option<Bytes>>,
    delay: Mutex<Duration>,
    calls: AtomicUsize,
}

impl Issuer {
    fn with(keys: &[Value]) -> Self {
        let issuer = Self::down();
        issuer.publish(keys);
        issuer
    }

    fn down() -> Self {
        Self(Arc::new(IssuerState { answer: Mutex::default(), delay: Mutex::default(), calls: AtomicUsize::new(0) }))
    }

    fn publish(&self, keys: &[Value]) {
        self.answer(json!({ "keys": keys }).to_string());
    }

    fn answer(&self, document: impl Into<Bytes>) {
        *self.0.answer.lock().unwrap() = Some(document.into());
    }

    fn stop(&self) {
        *self.0.answer.lock().unwrap() = None;
    }

    /// From now on it takes so long to answer.
    fn slow(&self, delay: Duration) {
        *self.0.delay.lock().unwrap() = delay;
    }

    fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    fn authenticator(&self, settings: &AuthSettings) -> Authenticator {
        let state = Arc::clone(&self.0);
        let fetch = move |url: &str| {
            assert_eq!(url, "https://id.example/jwks");
            state.calls.fetch_add(1, Ordering::SeqCst);
            let state = Arc::clone(&state);
            async move {
                let delay = *state.delay.lock().unwrap();
                // On the paused clock of the tests below: a fetch that takes this long.
                let _ = tokio::time::timeout(delay, std::future::pending::<()>()).await;
                state.answer.lock().unwrap().clone().ok_or_else(|| Error::new(Kind::Unreachable))
            }
        };
        Authenticator::new(settings, Arc::new(fetch)).unwrap()
    }
}

/// One issuer; everything is accepted that can be, nothing is remembered.
fn settings(change: impl FnOnce(&mut IssuerSettings)) -> AuthSettings {
    let mut issuer = IssuerSettings {
        issuer: forge::ISSUER.to_owned(),
        jwks_url: "https://id.example/jwks".to_owned(),
        audiences: vec!["bff".to_owned(), "bff-next".to_owned()],
        algorithms: ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
            .map(str::to_owned)
            .to_vec(),
        ..IssuerSettings::default()
    };
    change(&mut issuer);
    AuthSettings { issuers: [("main".to_owned(), issuer)].into(), remember: Duration::ZERO }
}

fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    headers
}

async fn present(authenticator: &Authenticator, token: &str) -> Result<Arc<Identity>> {
    authenticator.authenticate(&bearer(token)).await.map(|identity| identity.expect("a token was sent"))
}

/// What came of a token: the subject, or the kind and what the client may read.
async fn verdict(authenticator: &Authenticator, token: &str) -> Result<String, (Kind, String)> {
    match present(authenticator, token).await {
        Ok(identity) => Ok(identity.subject().to_owned()),
        Err(error) => Err((error.kind(), error.detail().unwrap_or_default().to_owned())),
    }
}

fn no(detail: &str) -> Result<String, (Kind, String)> {
    Err((Kind::Unauthenticated, detail.to_owned()))
}

fn cannot_tell() -> Result<String, (Kind, String)> {
    Err((Kind::IssuerUnavailable, "the token cannot be checked at the moment".to_owned()))
}

fn ada() -> Result<String, (Kind, String)> {
    Ok("ada".to_owned())
}

/// Lets tasks that nobody waits for come to their end.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
