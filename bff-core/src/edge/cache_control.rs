//! How long a client may keep a composite: a pure function of its ledger.

use std::time::Duration;

use http::HeaderValue;

use crate::context::{Context, Freshness};

/// What the parts of an answer come to, for caches on the way to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cacheability {
    /// It belongs to one identity.
    pub(super) private: bool,
    /// The least that any call leaves.
    pub(super) freshness: Freshness,
}

impl Cacheability {
    /// One `no-store`, or nothing that says anything: not kept. One identity: private. Else the least remaining time.
    pub(super) fn of(context: &Context) -> Self {
        let mut all = context.ledger.read(|_, calls| {
            let mut all = Self {
                private: context.identity_was_read(),
                freshness: if calls.is_empty() { Freshness::NoStore } else { Freshness::For(Duration::MAX) },
            };
            for call in calls {
                all.private |= call.private;
                all.freshness = least(all.freshness, call.freshness);
            }
            all
        });
        if context.ledger.is_degraded() {
            all.freshness = Freshness::NoStore;
        }
        all
    }

    /// As a header. `private_max_age` is the endpoint's own word on private answers.
    pub(super) fn header(self, private_max_age: Option<Duration>) -> HeaderValue {
        let text = match (self.freshness, self.private, private_max_age) {
            (Freshness::NoStore, ..) => return HeaderValue::from_static("no-store"),
            (Freshness::For(left), true, Some(limit)) => {
                format!("private, max-age={}", limit.min(left).as_secs())
            }
            (_, true, _) => return HeaderValue::from_static("private, no-cache"),
            (Freshness::Revalidate, false, _) => return HeaderValue::from_static("no-cache"),
            (Freshness::For(left), false, _) => format!("public, max-age={}", left.as_secs()),
        };
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("no-store"))
    }
}

fn least(a: Freshness, b: Freshness) -> Freshness {
    match (a, b) {
        (Freshness::NoStore, _) | (_, Freshness::NoStore) => Freshness::NoStore,
        (Freshness::Revalidate, _) | (_, Freshness::Revalidate) => Freshness::Revalidate,
        (Freshness::For(a), Freshness::For(b)) => Freshness::For(a.min(b)),
    }
}
