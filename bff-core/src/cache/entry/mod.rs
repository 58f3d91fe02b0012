//! An answer that is kept.

mod wire;

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::Freshness;
use crate::clock::{self, Instant};

/// No entry lives longer than this, and no write is remembered longer.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// What an entry costs beside its key, headers and body: the map's slot, counters, the entry itself.
const OVERHEAD: usize = 512;
/// What a header costs beside its name and value.
const PER_HEADER: usize = 112;

/// An answer that is kept.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its status.
    pub status: StatusCode,
    /// Its headers: those that its keeper needs again.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// It says that it belongs to one user.
    pub private: bool,
    /// Nobody may be served it after its time, not even who asks for that.
    pub never_stale: bool,
    /// When the call that brought it was sent.
    pub(super) asked: Instant,
    received: Instant,
    /// How old it was when it arrived.
    initial_age: Duration,
    /// For how long its time had been past when it arrived.
    initial_overdue: Duration,
    fresh_until: Instant,
    clients_until: Option<Instant>,
    revalidate_until: Instant,
    error_until: Instant,
    cut_off_until: Instant,
    /// Until then it is of use, if only to be confirmed.
    pub(super) kept_until: Instant,
}

impl Entry {
    /// The answer to a call that was sent at `asked`. Whether it may be kept is what `freshness` says.
    ///
    /// `body` is held as it is: see [`compact`] for one that is a slice of something larger.
    ///
    /// Of its headers those are kept that `keeps` says. `cut` is the share of its time, at random, by which it ends
    /// earlier than it has to.
    #[must_use]
    pub fn new(
        status: StatusCode,
        headers: &HeaderMap,
        body: Bytes,
        freshness: &Freshness,
        asked: Instant,
        cut: f64,
        keeps: impl Fn(&HeaderName) -> bool,
    ) -> Self {
        let remaining = freshness.remaining.unwrap_or_default().min(LONGEST);
        let received = clock::now();
        let fresh_until = received + remaining.mul_f64(1.0 - cut);
        let last = received + LONGEST;
        // What was past its time when it came has less of them left.
        let until = |window: Duration| {
            (fresh_until + window.min(LONGEST)).checked_sub(freshness.overdue).map_or(received, |until| until.min(last))
        };
        let revalidate_until = until(freshness.while_revalidate);
        let error_until = until(freshness.if_error);
        let cut_off_until = until(freshness.if_disconnected);
        let can_be_confirmed = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
        let kept_until = if can_be_confirmed { last } else { revalidate_until.max(error_until).max(cut_off_until) };
        Self {
            status,
            headers: copied(headers, keeps),
            body,
            private: freshness.private,
            never_stale: freshness.never_stale,
            asked,
            received,
            initial_age: freshness.age,
            initial_overdue: freshness.overdue,
            fresh_until,
            clients_until: freshness.for_clients.map(|left| (received + left.min(LONGEST)).min(fresh_until)),
            revalidate_until,
            error_until,
            cut_off_until,
            kept_until,
        }
    }

    /// The same, of no use once its time is past: for what nobody can confirm.
    #[must_use]
    pub fn only_while_fresh(self) -> Self {
        Self { kept_until: self.fresh_until, ..self }
    }

    /// Since the upstream made it, or confirmed it.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.initial_age + clock::now().saturating_duration_since(self.received)
    }

    /// What is left of its time; nothing once it is past.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.fresh_until.saturating_duration_since(clock::now())
    }

    /// What is left of the time that clients may keep it; `None` where nothing is said to them.
    #[must_use]
    pub fn remaining_for_clients(&self) -> Option<Duration> {
        self.clients_until.map(|until| until.saturating_duration_since(clock::now()))
    }

    /// The same, which nobody is asked to confirm again: its upstream has said something of another by its validators.
    #[must_use]
    pub fn without_validators(&self) -> Self {
        let mut entry = self.clone();
        entry.headers.remove(ETAG);
        entry.headers.remove(LAST_MODIFIED);
        entry.kept_until = entry.revalidate_until.max(entry.error_until).max(entry.cut_off_until);
        entry
    }

    /// For how long its time has been past; nothing while it is not.
    #[must_use]
    pub fn overdue(&self) -> Duration {
        self.initial_overdue + clock::now().saturating_duration_since(self.fresh_until)
    }

    /// Whether it may be served while it is refreshed (RFC 5861 §3).
    #[must_use]
    pub fn usable_while_revalidating(&self) -> bool {
        clock::now() < self.revalidate_until
    }

    /// Whether it may stand in for a refresh that failed (RFC 5861 §4).
    #[must_use]
    pub fn usable_on_error(&self) -> bool {
        clock::now() < self.error_until
    }

    /// Whether it may stand in while its upstream cannot be reached (RFC 9111 §4.2.4).
    #[must_use]
    pub fn usable_when_disconnected(&self) -> bool {
        self.usable_on_error() || clock::now() < self.cut_off_until
    }

    /// Asks for it to be confirmed rather than sent again (RFC 9111 §4.3.1). Whether there is anything to ask by.
    pub fn ask_for_confirmation(&self, headers: &mut HeaderMap) -> bool {
        let tag = self.headers.get(ETAG);
        let changed = self.headers.get(LAST_MODIFIED);
        for (name, value) in [(IF_NONE_MATCH, tag), (IF_MODIFIED_SINCE, changed)] {
            match value {
                Some(value) => headers.insert(name, value.clone()),
                None => headers.remove(name),
            };
        }
        tag.is_some() || changed.is_some()
    }

    /// Whether a 304 with these headers speaks of this entry (RFC 9111 §4.3.4).
    #[must_use]
    pub fn is_confirmed_by(&self, headers: &HeaderMap) -> bool {
        let opaque = |tag: &HeaderValue| tag.as_bytes().strip_prefix(b"W/").unwrap_or(tag.as_bytes()).to_vec();
        match (headers.get(ETAG), self.headers.get(ETAG)) {
            (Some(theirs), Some(own)) => opaque(theirs) == opaque(own),
            (Some(_), None) => false,
            (None, _) => match (headers.get(LAST_MODIFIED), self.headers.get(LAST_MODIFIED)) {
                (Some(theirs), Some(own)) => theirs == own,
                // Nothing that contradicts: it answers the question that was asked.
                _ => true,
            },
        }
    }

    /// Its headers after a 304 (RFC 9111 §3.2): what the 304 says replaces what was said before, but for what belongs
    /// to the body that is kept.
    #[must_use]
    pub fn updated_headers(&self, confirmation: &HeaderMap) -> HeaderMap {
        let stays = |name: &HeaderName| {
            [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_TYPE, CONTENT_RANGE].contains(name)
                && self.headers.contains_key(name)
        };
        let mut headers = self.headers.clone();
        // How old it is and when it was made is said by whoever confirms it, or it is of now.
        headers.remove(AGE);
        headers.remove(DATE);
        for name in confirmation.keys().filter(|name| !stays(name)) {
            headers.remove(name);
            for value in confirmation.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        headers
    }

    /// Whether both come from one call.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.asked == other.asked && self.received == other.received
    }

    /// What it weighs, in bytes, without its key.
    #[must_use]
    pub fn weight(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + PER_HEADER);
        OVERHEAD + self.body.len() + headers.sum::<usize>()
    }
}

/// A copy of its own of a body: what arrives is a slice of a connection's buffer, which may be far larger.
#[must_use]
pub fn compact(body: &Bytes) -> Bytes {
    Bytes::copy_from_slice(body)
}

/// The same headers in memory of their own: those of an answer are slices of a connection's buffer.
fn copied(headers: &HeaderMap, keeps: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let kept = || headers.iter().filter(|(name, _)| keeps(name));
    let mut values = BytesMut::with_capacity(kept().map(|(_, value)| value.len()).sum());
    let mut copies = HeaderMap::with_capacity(kept().count());
    for (name, value) in kept() {
        values.put_slice(value.as_bytes());
        let Ok(mut copy) = HeaderValue::from_maybe_shared(values.split().freeze()) else { continue };
        copy.set_sensitive(value.is_sensitive());
        copies.append(name.clone(), copy);
    }
    copies
}

#[cfg(test)]
mod tests {
    use super::super::Keeper;
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn entry(lines: &[(&'static str, &'static str)], body: &'static str) -> Entry {
        let headers = headers(lines);
        let keeper = Keeper { shared: true, ..Keeper::default() };
        let freshness = Freshness::read(StatusCode::OK, &headers, &keeper, clock::wall(), Duration::ZERO);
        Entry::new(StatusCode::OK, &headers, Bytes::from_static(body.as_bytes()), &freshness, clock::now(), 0.0, |_| {
            true
        })
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_instance_writes_another_reads() {
        let lines = [("cache-control", "max-age=60, stale-if-error=30"), ("etag", "\"a\""), ("x-binary", "\u{7f}é")];
        let own = entry(&lines[..2], "body");
        let bytes = own.write().unwrap();
        tokio::time::advance(Duration::from_secs(20)).await;
        let read = Entry::read(&bytes).unwrap();
        assert_eq!((read.status, &read.headers, &read.body), (own.status, &own.headers, &own.body));
        // What the two clocks do not share is less than a millisecond or two.
        assert!(
            read.remaining().abs_diff(Duration::from_secs(40)) < Duration::from_millis(5),
            "{:?}",
            read.remaining()
        );
        assert!(read.age().abs_diff(Duration::from_secs(20)) < Duration::from_millis(5));
        for broken in [&b""[..], b"x", &bytes[..10], &[0xff; 64]] {
            assert!(Entry::read(&Bytes::copy_from_slice(broken)).is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn k01_what_an_older_version_wrote_with_a_wrong_length_is_a_miss() {
        for (length, is_read) in [("4", true), ("4, 4", true), ("2", false), ("99", false), ("x", false)] {
            let own = entry(&[("cache-control", "max-age=60"), ("content-length", length)], "body");
            assert_eq!(Entry::read(&own.write().unwrap()).is_some(), is_read, "{length}");
        }
        let own = entry(&[("cache-control", "max-age=60"), ("transfer-encoding", "chunked")], "body");
        assert!(Entry::read(&own.write().unwrap()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9111_3_2_a_confirmation_replaces_what_it_says_but_for_what_describes_the_body() {
        let own = entry(
            &[("cache-control", "max-age=1"), ("etag", "\"a\""), ("content-type", "text/plain"), ("x-kept", "1")],
            "body",
        );
        let said = headers(&[("cache-control", "max-age=9"), ("content-type", "text/html"), ("x-new", "2")]);
        let updated = own.updated_headers(&said);
        let expected = headers(&[
            ("cache-control", "max-age=9"),
            ("etag", "\"a\""),
            ("content-type", "text/plain"),
            ("x-kept", "1"),
            ("x-new", "2"),
        ]);
        assert_eq!(updated, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9111_4_3_4_which_confirmation_is_meant() {
        let tagged = entry(&[("etag", "\"a\""), ("cache-control", "max-age=1")], "");
        assert!(tagged.is_confirmed_by(&headers(&[("etag", "\"a\"")])));
        assert!(tagged.is_confirmed_by(&headers(&[("etag", "W/\"a\"")])));
        assert!(tagged.is_confirmed_by(&headers(&[])));
        assert!(!tagged.is_confirmed_by(&headers(&[("etag", "\"b\"")])));
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_be_confirmed_is_kept_past_its_time() {
        let own = entry(&[("etag", "\"a\""), ("cache-control", "no-cache")], "");
        assert_eq!(own.remaining(), Duration::ZERO);
        assert!(own.kept_until > clock::now() + Duration::from_secs(3600));
        assert!(entry(&[("cache-control", "no-cache")], "").kept_until <= clock::now());
    }
}
