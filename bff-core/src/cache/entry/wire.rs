//! The form of an entry on the way to the other instances of a fleet.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::Entry;
use crate::clock::{self, Instant};
use crate::framing;

impl Entry {
    /// The bytes that [`read`](Self::read) takes, on this instance or on another.
    pub(in crate::cache) fn write(&self) -> Option<Bytes> {
        let (now, wall) = (clock::now(), clock::wall());
        let at = |instant: Instant| millis(wall, now, instant);
        let head = Head {
            status: self.status.as_u16(),
            headers: self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
            private: self.private,
            never_stale: self.never_stale,
            asked: at(self.asked),
            received: at(self.received),
            initial_age: u64::try_from(self.initial_age.as_millis()).ok()?,
            initial_overdue: u64::try_from(self.initial_overdue.as_millis()).ok()?,
            fresh_until: at(self.fresh_until),
            clients_until: self.clients_until.map(at),
            revalidate_until: at(self.revalidate_until),
            error_until: at(self.error_until),
            cut_off_until: at(self.cut_off_until),
            kept_until: at(self.kept_until),
        };
        let head = postcard::to_stdvec(&head).ok()?;
        let mut bytes = BytesMut::with_capacity(head.len() + self.body.len());
        bytes.put_slice(&head);
        bytes.put_slice(&self.body);
        Some(bytes.freeze())
    }

    /// An entry that some instance wrote; `None` where the bytes are none.
    pub(in crate::cache) fn read(bytes: &Bytes) -> Option<Self> {
        let (head, body) = postcard::take_from_bytes::<Head<'_>>(bytes).ok()?;
        let (now, wall) = (clock::now(), clock::wall());
        let at = |time: u64| instant(wall, now, time);
        let mut headers = HeaderMap::with_capacity(head.headers.len());
        for (name, value) in &head.headers {
            headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?);
        }
        // Written by a version that believed what an upstream said of its length.
        if !framing::fits(&headers, body.len()) {
            return None;
        }
        Some(Self {
            status: StatusCode::from_u16(head.status).ok()?,
            headers,
            body: bytes.slice(bytes.len() - body.len()..),
            private: head.private,
            never_stale: head.never_stale,
            asked: at(head.asked)?,
            received: at(head.received)?,
            initial_age: Duration::from_millis(head.initial_age),
            initial_overdue: Duration::from_millis(head.initial_overdue),
            fresh_until: at(head.fresh_until)?,
            clients_until: match head.clients_until {
                Some(until) => Some(at(until)?),
                None => None,
            },
            revalidate_until: at(head.revalidate_until)?,
            error_until: at(head.error_until)?,
            cut_off_until: at(head.cut_off_until)?,
            kept_until: at(head.kept_until)?,
        })
    }
}

/// All of an entry but its body, which follows. Times are milliseconds since 1970, because instances share no clock
/// but that.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    status: u16,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a [u8])>,
    private: bool,
    never_stale: bool,
    asked: u64,
    received: u64,
    initial_age: u64,
    initial_overdue: u64,
    fresh_until: u64,
    clients_until: Option<u64>,
    revalidate_until: u64,
    error_until: u64,
    cut_off_until: u64,
    kept_until: u64,
}

fn millis(wall: SystemTime, now: Instant, instant: Instant) -> u64 {
    let at = match instant.checked_duration_since(now) {
        Some(ahead) => wall + ahead,
        None => wall - now.saturating_duration_since(instant),
    };
    at.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// `None` for a time that no instant of this process can name.
fn instant(wall: SystemTime, now: Instant, millis: u64) -> Option<Instant> {
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(millis))?;
    match at.duration_since(wall) {
        Ok(ahead) => now.checked_add(ahead),
        Err(behind) => now.checked_sub(behind.duration()),
    }
}
