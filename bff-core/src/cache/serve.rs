//! An answer made from one that is kept: whole, or as much of it as the request asks for (RFC 9111 §4.3.2).

use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::Entry;
use super::directives::list;
use super::freshness::date;

/// What describes a body, and has no place in an answer without one (RFC 9110 §15.4.5).
const OF_THE_BODY: [HeaderName; 5] = [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_RANGE];

impl Entry {
    /// The answer to a GET or HEAD with these headers, with its `Age`.
    ///
    /// Honours `If-None-Match`, `If-Modified-Since` and one `Range`; several ranges at once are answered whole, as
    /// RFC 9110 §14.2 allows.
    #[must_use]
    pub fn answer(&self, method: &Method, asked: &HeaderMap) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response.headers_mut().insert(AGE, HeaderValue::from(self.age().as_secs()));
        if self.status == StatusCode::OK {
            if is_known(&self.headers, asked) {
                return not_modified(response).map(|()| Bytes::new());
            }
            if *method == Method::GET
                && let Some(range) = asked.get(RANGE).filter(|_| is_wanted_of_this(&self.headers, asked))
                && let Some(range) = one_range(range.as_bytes(), self.body.len())
            {
                return part(response, range, &self.body);
            }
        }
        if *method == Method::GET {
            *response.body_mut() = self.body.clone();
        }
        response
    }
}

/// The same answer for a client that has its body (RFC 9110 §15.4.5).
#[must_use]
pub fn not_modified<B>(response: Response<B>) -> Response<()> {
    let mut response = response.map(|_| ());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    for name in OF_THE_BODY {
        response.headers_mut().remove(name);
    }
    response
}

/// Whether the client has what `headers` describe (RFC 9110 §13.1.2, §13.1.3): by its tag, or, where it names none, by its
/// date.
#[must_use]
pub fn is_known(headers: &HeaderMap, asked: &HeaderMap) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        let own = headers.get(ETAG).map(|tag| opaque(tag.as_bytes()));
        let mut named = asked.get_all(IF_NONE_MATCH).iter().flat_map(|line| list(line.as_bytes()));
        return named.any(|tag| tag == b"*" || Some(opaque(tag)) == own);
    }
    let Some(since) = asked.get(IF_MODIFIED_SINCE).and_then(date) else { return false };
    changed(headers).is_some_and(|changed| changed <= since)
}

/// When it last changed; its date where it does not say, because it was so then (RFC 9111 §4.3.2).
fn changed(headers: &HeaderMap) -> Option<SystemTime> {
    headers.get(LAST_MODIFIED).or_else(|| headers.get(DATE)).and_then(date)
}

/// A tag without its mark of weakness (RFC 9110 §8.8.3.2).
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// Whether the range is asked of this very representation (RFC 9110 §13.1.5): a weak tag is none of it.
fn is_wanted_of_this(headers: &HeaderMap, asked: &HeaderMap) -> bool {
    let Some(wanted) = asked.get(IF_RANGE) else { return true };
    if wanted.as_bytes().starts_with(b"\"") {
        return headers.get(ETAG) == Some(wanted);
    }
    // A date tells two answers of one second from each other only if it was past when they were made (RFC 9110 §8.8.2.2).
    let is_strong = match (headers.get(LAST_MODIFIED).and_then(date), headers.get(DATE).and_then(date)) {
        (Some(changed), Some(made)) => changed < made,
        _ => false,
    };
    is_strong && headers.get(LAST_MODIFIED) == Some(wanted)
}

/// One range of `bytes` (RFC 9110 §14.1.2) in a body of this length; empty for one that lies outside. `None` for what is no
/// range, or several.
fn one_range(asked: &[u8], length: usize) -> Option<Range<usize>> {
    let range = asked.strip_prefix(b"bytes=")?.trim_ascii();
    let dash = range.iter().position(|byte| *byte == b'-')?;
    let number = |digits: &[u8]| -> Option<usize> {
        let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        // A number that no length has lies beyond each.
        plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok().or(Some(usize::MAX)))?
    };
    let (first, last) = (&range[..dash], &range[dash + 1..]);
    if first.is_empty() {
        return Some(length.saturating_sub(number(last)?)..length);
    }
    let first = number(first)?;
    let last = if last.is_empty() { usize::MAX } else { number(last)? };
    if last < first {
        return None;
    }
    let end = last.saturating_add(1).min(length);
    Some(first.min(end)..end)
}

/// 206, or 416 for a range outside (RFC 9110 §15.3.7, §15.5.17).
fn part(mut response: Response<Bytes>, range: Range<usize>, body: &Bytes) -> Response<Bytes> {
    let headers = response.headers_mut();
    let said = if range.is_empty() {
        headers.remove(CONTENT_TYPE);
        format!("bytes */{}", body.len())
    } else {
        format!("bytes {}-{}/{}", range.start, range.end - 1, body.len())
    };
    if let Ok(said) = HeaderValue::from_str(&said) {
        headers.insert(CONTENT_RANGE, said);
    }
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.len()));
    *response.status_mut() =
        if range.is_empty() { StatusCode::RANGE_NOT_SATISFIABLE } else { StatusCode::PARTIAL_CONTENT };
    *response.body_mut() = body.slice(range);
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Freshness, Keeper};
    use super::*;
    use crate::clock;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn entry() -> Entry {
        let headers = headers(&[
            ("cache-control", "max-age=60"),
            ("etag", "\"b\""),
            ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("content-type", "text/plain"),
        ]);
        let mut headers = headers;
        headers.insert(DATE, HeaderValue::from_str(&httpdate::fmt_http_date(clock::wall())).unwrap());
        let keeper = Keeper { shared: true, ..Keeper::default() };
        let freshness = Freshness::read(StatusCode::OK, &headers, &keeper, clock::wall(), Duration::ZERO);
        let body = Bytes::from_static(b"0123456789");
        Entry::new(StatusCode::OK, &headers, body, &freshness, clock::now(), 0.0, |_| true)
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9110_13_what_the_client_has_is_not_sent_again() {
        for (line, status) in [
            (("if-none-match", "\"b\""), 304),
            (("if-none-match", "\"a\", W/\"b\",\"c\""), 304),
            (("if-none-match", "*"), 304),
            (("if-none-match", "\"a\""), 200),
            (("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"), 304),
            (("if-modified-since", "Sunday, 06-Nov-94 08:49:38 GMT"), 304),
            (("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT"), 200),
            (("if-modified-since", "yesterday"), 200),
        ] {
            let answer = entry().answer(&Method::GET, &headers(&[line]));
            assert_eq!(answer.status().as_u16(), status, "{line:?}");
            assert_eq!(answer.headers().contains_key("content-type"), status == 200, "{line:?}");
            assert!(answer.headers().contains_key("etag") && answer.headers().contains_key("age"), "{line:?}");
        }
        // RFC 9110 §13.2.2: where there is a tag, the date does not count.
        let both = [("if-none-match", "\"a\""), ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")];
        assert_eq!(entry().answer(&Method::GET, &headers(&both)).status(), StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9110_14_one_range_of_what_is_kept() {
        for (range, status, body) in [
            ("bytes=0-1", 206, "01"),
            ("bytes=8-", 206, "89"),
            ("bytes=8-99999999999999999999", 206, "89"),
            ("bytes=-3", 206, "789"),
            ("bytes=-30", 206, "0123456789"),
            ("bytes=10-", 416, ""),
            ("bytes=-0", 416, ""),
            ("bytes=3-2", 200, "0123456789"),
            ("bytes=0-1, 4-5", 200, "0123456789"),
            ("lines=0-1", 200, "0123456789"),
            ("bytes=a-", 200, "0123456789"),
        ] {
            let answer = entry().answer(&Method::GET, &headers(&[("range", range)]));
            assert_eq!((answer.status().as_u16(), &answer.body()[..]), (status, body.as_bytes()), "{range}");
        }
        let answer = entry().answer(&Method::GET, &headers(&[("range", "bytes=2-4")]));
        assert_eq!(answer.headers()["content-range"], "bytes 2-4/10");
        let outside = entry().answer(&Method::GET, &headers(&[("range", "bytes=12-")]));
        assert_eq!(outside.headers()["content-range"], "bytes */10");
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9110_13_1_5_a_range_of_something_else_is_the_whole() {
        for (of, status) in [
            ("\"b\"", 206),
            ("\"a\"", 200),
            ("W/\"b\"", 200),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 206),
            ("Sun, 06 Nov 1994 08:49:38 GMT", 200),
        ] {
            let answer = entry().answer(&Method::GET, &headers(&[("range", "bytes=0-1"), ("if-range", of)]));
            assert_eq!(answer.status().as_u16(), status, "{of}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9111_5_1_its_age_grows_and_a_head_has_no_body() {
        let entry = entry();
        tokio::time::advance(Duration::from_secs(33)).await;
        let answer = entry.answer(&Method::HEAD, &HeaderMap::new());
        assert_eq!((answer.headers()["age"].to_str().unwrap(), answer.body().len()), ("33", 0));
    }
}
