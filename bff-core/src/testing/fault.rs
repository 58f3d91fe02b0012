//! What goes wrong, and for whom.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::Value;
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};

use super::Reply;
use crate::body::Body;
use crate::error::{Error, Evidence, Kind};
use crate::upstream::{Call, Transport};

/// What goes wrong with the calls of a part, or with an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Never answers.
    Hang,
    /// No connection.
    Refuse,
    /// Answers with this status.
    Status(u16),
    /// A 200 that is no JSON.
    Garbage,
    /// Answers this much later.
    Slow(Duration),
}

/// Where a fault strikes, and how many calls it met.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    // bound: the parts and upstreams that a test names
    by_part: HashMap<String, Fault>,
    // bound: the parts and upstreams that a test names
    by_upstream: HashMap<String, Fault>,
    met: usize,
    // bound: MOST_SEEN
    seen: BTreeSet<(Option<String>, String)>,
}

/// More different callers than this are not told apart.
const MOST_SEEN: usize = 1000;

impl Faults {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every call made for this part.
    pub fn part(&self, part: &str, fault: Fault) {
        self.state().by_part.insert(part.to_owned(), fault);
    }

    /// Every call to this upstream.
    pub fn upstream(&self, upstream: &str, fault: Fault) {
        self.state().by_upstream.insert(upstream.to_owned(), fault);
    }

    /// Everything is well again; the count begins anew.
    pub fn clear(&self) {
        *self.state() = State::default();
    }

    /// How many calls met a fault. A drill whose fault met none has shown nothing.
    #[must_use]
    pub fn met(&self) -> usize {
        self.state().met
    }

    /// Who called whom since the last [`clear`](Self::clear): the part for which a call was made, and its upstream.
    #[must_use]
    pub fn seen(&self) -> BTreeSet<(Option<String>, String)> {
        self.state().seen.clone()
    }

    fn strike(&self, upstream: &str, request: &Request<Body>) -> Option<Fault> {
        let mut state = self.state();
        let part = request.extensions().get::<Call>().and_then(|call| call.part.as_deref());
        let fault = part.and_then(|part| state.by_part.get(part)).or_else(|| state.by_upstream.get(upstream)).copied();
        state.met += usize::from(fault.is_some());
        if state.seen.len() < MOST_SEEN {
            state.seen.insert((part.map(str::to_owned), upstream.to_owned()));
        }
        fault
    }

    /// `transport` with these faults in front of it.
    pub(super) fn wrap(&self, upstream: &str, transport: Transport) -> Transport {
        let faults = self.clone();
        let upstream: Arc<str> = upstream.into();
        BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
            let fault = faults.strike(&upstream, &request);
            let transport = transport.clone();
            async move {
                match fault {
                    None => transport.oneshot(request).await,
                    Some(Fault::Hang) => std::future::pending().await,
                    Some(Fault::Refuse) => {
                        let error = Error::new(Kind::Unreachable).with_evidence(Evidence::Refused);
                        Err(error.never_sent().transient())
                    }
                    Some(Fault::Status(status)) => {
                        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                        Ok(Reply::status(status).into_response())
                    }
                    Some(Fault::Garbage) => {
                        Ok(Reply { body: Bytes::from_static(b"<html>"), ..Reply::json(&Value::Null) }.into_response())
                    }
                    Some(Fault::Slow(delay)) => {
                        tokio::time::sleep(delay).await;
                        transport.oneshot(request).await
                    }
                }
            }
        }))
    }
}
