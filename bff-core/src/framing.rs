//! How long a message is: said from the body that is really there, whatever its sender says (RFC 9112 §6, RFC 9110 §8.6).
//!
//! Two that disagree on where a message ends can be made to take one for two (request smuggling, response splitting). So
//! a length that comes from outside is only ever compared with, never passed on by itself.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};

use crate::error::{Error, Input, Kind};

/// Makes what an answer says of its length true. `length` is that of its body, where it is known; `asked` the method that it
/// answers.
///
/// # Errors
/// A body in a coding that nobody here undoes: passed on without its name it would be another body (RFC 9112 §6.1).
pub(crate) fn answer(
    asked: &Method,
    status: StatusCode,
    headers: &mut HeaderMap,
    length: Option<u64>,
) -> Result<(), Error> {
    let has_none = status.is_informational() || status == StatusCode::NO_CONTENT;
    // The answer to a HEAD, and a 304, speak of a body that is not there.
    let speaks_of_another = *asked == Method::HEAD || status == StatusCode::NOT_MODIFIED;
    let is_coded = headers.contains_key(TRANSFER_ENCODING);
    if is_coded && !has_none && !speaks_of_another && !is_undone(headers) {
        return Err(Error::new(Kind::InvalidResponse).caused_by("its body is in a transfer coding other than chunked"));
    }
    headers.remove(TRANSFER_ENCODING);
    if !headers.contains_key(CONTENT_LENGTH) {
        return Ok(());
    }
    let length = if is_coded || has_none {
        None
    } else if speaks_of_another {
        told(headers)
    } else {
        length
    };
    match length {
        Some(length) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {
            headers.remove(CONTENT_LENGTH);
        }
    }
    Ok(())
}

/// What may be said of an answer without a body in this version of HTTP. A 304 may tell the length of what has not changed; over
/// HTTP/2 some clients would miss that body.
pub(crate) fn without_body(version: Version, status: StatusCode, headers: &mut HeaderMap) {
    if version >= Version::HTTP_2 && status == StatusCode::NOT_MODIFIED {
        headers.remove(CONTENT_LENGTH);
    }
}

/// Whether the body of an answer is what it was before it was coded: `chunked` once, or `identity` of old.
fn is_undone(headers: &HeaderMap) -> bool {
    let mut coded = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = coded.next().map_or(&b""[..], |coding| coding.as_bytes().trim_ascii());
    coded.next().is_none() && (is_chunked(coding) || coding.eq_ignore_ascii_case(b"identity"))
}

/// Whether an answer that was kept says of its length what is true.
pub(crate) fn fits(headers: &HeaderMap, length: usize) -> bool {
    !headers.contains_key(TRANSFER_ENCODING)
        && (!headers.contains_key(CONTENT_LENGTH) || told(headers) == u64::try_from(length).ok())
}

/// The length that is told, if all that tell it agree (RFC 9112 §6.3: `2, 2` and two fields with `2` may be read as one).
fn told(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all(CONTENT_LENGTH).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut lengths = values.map(|digits| {
        let digits = digits.trim_ascii();
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        is_number.then(|| std::str::from_utf8(digits).ok()?.parse::<u64>().ok()).flatten()
    });
    let first = lengths.next()??;
    lengths.all(|length| length == Some(first)).then_some(first)
}

/// Whether the end of a request's body is beyond doubt.
///
/// # Errors
/// 501 for a coding other than `chunked`, which whoever passes it on would have to undo (RFC 9112 §6.1); 400 for `chunked`
/// twice, for two fields, and for a length beside a coding.
pub(crate) fn request(version: Version, headers: &HeaderMap) -> Result<(), Error> {
    let mut coded = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = coded.next() else { return Ok(()) };
    let wrong = |detail| Err(Error::invalid(Input::Malformed, "transfer-encoding", detail));
    if version != Version::HTTP_11 {
        return wrong("there is no transfer coding in this version of HTTP");
    }
    let codings: Vec<&[u8]> = coding.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    if coded.next().is_some() || codings.len() > 1 && codings.iter().all(|one| is_chunked(one)) {
        return wrong("send one field that says chunked once");
    }
    if !codings.iter().all(|one| is_chunked(one)) {
        return Err(Error::invalid(
            Input::TransferCoding,
            "transfer-encoding",
            "send the body chunked and not else coded",
        ));
    }
    if headers.contains_key(CONTENT_LENGTH) {
        return wrong("send a length or a coding, not both");
    }
    Ok(())
}

fn is_chunked(coding: &[u8]) -> bool {
    coding.eq_ignore_ascii_case(b"chunked")
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn an_answer_says_what_its_body_is() {
        let check = |asked: Method, status: u16, given: &[(&'static str, &'static str)], length, left: Option<&str>| {
            let mut own = headers(given);
            answer(&asked, StatusCode::from_u16(status).unwrap(), &mut own, length).unwrap();
            let said: Vec<_> = own.get_all(CONTENT_LENGTH).iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(said.first().copied(), left, "{asked} {status} {given:?} {length:?}");
            assert!(said.len() < 2 && !own.contains_key(TRANSFER_ENCODING));
        };
        let length = |value: &'static str| ("content-length", value);
        let chunked = ("transfer-encoding", "chunked");
        let get = || Method::GET;
        check(get(), 200, &[length("5")], Some(5), Some("5"));
        check(get(), 200, &[length("5")], None, None);
        check(get(), 200, &[length("1"), chunked], None, None);
        check(get(), 200, &[length("99"), chunked], Some(5), None);
        check(get(), 200, &[length("2, 2")], Some(2), Some("2"));
        check(get(), 200, &[], Some(5), None);
        check(get(), 204, &[length("3")], Some(0), None);
        check(get(), 204, &[length("0")], Some(0), None);
        check(get(), 304, &[length("3")], Some(0), Some("3"));
        check(get(), 304, &[length("3, 4")], Some(0), None);
        check(Method::HEAD, 200, &[length("3")], Some(0), Some("3"));
        check(Method::HEAD, 200, &[length("3"), chunked], Some(0), None);
        check(Method::HEAD, 200, &[length("three")], Some(0), None);
    }

    #[test]
    fn a_body_that_is_still_coded_is_no_answer() {
        for codings in [&["gzip, chunked"][..], &["gzip"], &["chunked, chunked"], &["chunked", "chunked"], &[""]] {
            let lines = || codings.iter().map(|coding| ("transfer-encoding", *coding));
            let told = |asked: Method, status: StatusCode| {
                let mut own = HeaderMap::new();
                for (name, value) in lines() {
                    own.append(HeaderName::from_static(name), HeaderValue::from_static(value));
                }
                answer(&asked, status, &mut own, None).err().map(|error| error.kind())
            };
            assert_eq!(told(Method::GET, StatusCode::OK), Some(Kind::InvalidResponse), "{codings:?}");
            assert_eq!(told(Method::HEAD, StatusCode::OK), None, "{codings:?}");
            assert_eq!(told(Method::GET, StatusCode::NOT_MODIFIED), None, "{codings:?}");
        }
    }

    #[test]
    fn what_was_kept_fits_or_is_not_used() {
        assert!(fits(&headers(&[]), 5));
        assert!(fits(&headers(&[("content-length", "5")]), 5));
        assert!(!fits(&headers(&[("content-length", "2")]), 5));
        assert!(!fits(&headers(&[("content-length", "5"), ("transfer-encoding", "chunked")]), 5));
    }

    #[test]
    fn a_request_whose_end_is_in_doubt_is_refused() {
        let check = |lines: &[(&'static str, &'static str)], expected: Option<Input>| {
            let mut own = HeaderMap::new();
            for (name, value) in lines {
                own.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let said = request(Version::HTTP_11, &own).err().map(|error| error.kind());
            assert_eq!(said, expected.map(Kind::Invalid), "{lines:?}");
        };
        let coded = |value: &'static str| ("transfer-encoding", value);
        check(&[], None);
        check(&[("content-length", "5")], None);
        check(&[coded("Chunked")], None);
        check(&[coded("gzip, chunked")], Some(Input::TransferCoding));
        check(&[coded("identity")], Some(Input::TransferCoding));
        check(&[coded("")], Some(Input::TransferCoding));
        check(&[coded("chunked, chunked")], Some(Input::Malformed));
        check(&[coded("chunked"), coded("chunked")], Some(Input::Malformed));
        check(&[coded("chunked"), ("content-length", "5")], Some(Input::Malformed));
    }
}
