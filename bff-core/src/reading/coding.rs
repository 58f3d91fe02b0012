//! Content codings (RFC 9110 §8.4): what is said to be read, and what is read if it comes.

use std::fmt;
use std::io::{self, Read};

use ::brotli::enc::StandardAlloc;
use ::brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue};

/// What a call says that asks for compressed answers.
pub(crate) const COMPRESSED: HeaderValue = HeaderValue::from_static("gzip, br, zstd, deflate");
/// What any other call says. A call that says nothing allows any coding (RFC 9110 §12.5.3).
pub(crate) const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
/// So many codings on top of one another, and nobody honest has put them there.
const MOST: usize = 4;
/// The largest window of zstd that a reader has to have (RFC 9659): 8 MiB.
const ZSTD_WINDOW: u32 = 23;

/// Why a coding cannot be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undecodable {
    /// A coding that is not read here.
    Unknown,
    /// It is not what its coding says.
    Broken,
    /// It is larger than may be read.
    TooLarge,
}

impl fmt::Display for Undecodable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Unknown => "it comes in a content coding that is not read here",
            Self::Broken => "its content coding is broken",
            Self::TooLarge => "it is too large once its content coding is undone",
        })
    }
}

impl std::error::Error for Undecodable {}

/// The body without its codings, of at most `limit` bytes at every step. The headers then say nothing of them.
///
/// # Errors
/// When that cannot be had.
pub(crate) fn decode(headers: &mut HeaderMap, body: Bytes, limit: usize) -> Result<Bytes, Undecodable> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return Ok(body);
    }
    let decoded = undo(headers, body, limit)?;
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    Ok(decoded)
}

fn undo(headers: &HeaderMap, mut body: Bytes, limit: usize) -> Result<Bytes, Undecodable> {
    let mut codings = Vec::new();
    for line in headers.get_all(CONTENT_ENCODING) {
        let line = line.to_str().map_err(|_| Undecodable::Unknown)?;
        let named = line.split(',').map(|name| name.trim().to_ascii_lowercase());
        codings.extend(named.filter(|name| !name.is_empty() && name != "identity"));
    }
    if codings.len() > MOST {
        return Err(Undecodable::Unknown);
    }
    // Nothing has no coding, whatever is said of it.
    if body.is_empty() {
        return Ok(body);
    }
    // The last one named was put on last.
    for coding in codings.iter().rev() {
        body = once(coding, &body, limit)?.into();
    }
    Ok(body)
}

fn once(coding: &str, body: &[u8], limit: usize) -> Result<Vec<u8>, Undecodable> {
    match coding {
        "gzip" | "x-gzip" => within(flate2::read::MultiGzDecoder::new(body), limit),
        "deflate" if is_zlib(body) => {
            let mut reader = flate2::read::ZlibDecoder::new(body);
            let read = within(&mut reader, limit)?;
            all_of(read, reader.total_in(), body)
        }
        // What many servers send under this name.
        "deflate" => {
            let mut reader = flate2::read::DeflateDecoder::new(body);
            let read = within(&mut reader, limit)?;
            all_of(read, reader.total_in(), body)
        }
        "br" => brotli(body, limit),
        "zstd" => {
            let broken = |_: io::Error| Undecodable::Broken;
            let mut reader = zstd::Decoder::with_buffer(body).map_err(broken)?;
            reader.window_log_max(ZSTD_WINDOW).map_err(broken)?;
            within(reader, limit)
        }
        _ => Err(Undecodable::Unknown),
    }
}

/// RFC 1950 §2.2.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..] if method & 0x0F == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0)
}

fn within(reader: impl Read, limit: usize) -> Result<Vec<u8>, Undecodable> {
    let mut read = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(one_more).read_to_end(&mut read).map_err(|_| Undecodable::Broken)?;
    if read.len() > limit { Err(Undecodable::TooLarge) } else { Ok(read) }
}

/// By its own reader, which tells how far it came: the one that is a `Read` overlooks what stands behind.
fn brotli(body: &[u8], limit: usize) -> Result<Vec<u8>, Undecodable> {
    let memory = StandardAlloc::default;
    let mut state = BrotliState::new(memory(), memory(), memory());
    let (mut left, mut used, mut total) = (body.len(), 0, 0);
    let mut piece = [0; 8192];
    let mut read = Vec::new();
    loop {
        let (mut room, mut written) = (piece.len(), 0);
        let ended = BrotliDecompressStream(
            &mut left,
            &mut used,
            body,
            &mut room,
            &mut written,
            &mut piece,
            &mut total,
            &mut state,
        );
        read.extend_from_slice(piece.get(..written).unwrap_or_default());
        if read.len() > limit {
            return Err(Undecodable::TooLarge);
        }
        match ended {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess => return all_of(read, used as u64, body),
            BrotliResult::NeedsMoreInput | BrotliResult::ResultFailure => return Err(Undecodable::Broken),
        }
    }
}

/// Nothing may stand behind what was read.
fn all_of(read: Vec<u8>, used: u64, body: &[u8]) -> Result<Vec<u8>, Undecodable> {
    if used == body.len() as u64 { Ok(read) } else { Err(Undecodable::Broken) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use proptest::prelude::*;

    use super::*;

    fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
        match coding {
            "gzip" | "x-gzip" => {
                let mut writer = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
                writer.write_all(body).unwrap();
                writer.finish().unwrap()
            }
            "deflate" => {
                let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
                writer.write_all(body).unwrap();
                writer.finish().unwrap()
            }
            "raw" => {
                let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
                writer.write_all(body).unwrap();
                writer.finish().unwrap()
            }
            "br" => {
                let mut coded = Vec::new();
                ::brotli::CompressorWriter::new(&mut coded, 4096, 5, 22).write_all(body).unwrap();
                coded
            }
            "zstd" => zstd::encode_all(body, 3).unwrap(),
            other => panic!("{other}"),
        }
    }

    fn named(names: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(CONTENT_ENCODING, name.parse().unwrap());
        }
        headers
    }

    fn check(names: &[&str], body: &[u8], limit: usize, expected: Result<&[u8], Undecodable>) {
        let mut headers = named(names);
        let decoded = decode(&mut headers, Bytes::copy_from_slice(body), limit);
        assert_eq!(decoded.as_deref(), expected.as_deref(), "{names:?}");
        assert_eq!(headers.contains_key(CONTENT_ENCODING), expected.is_err(), "{names:?}");
    }

    const TEXT: &[u8] = br#"{"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;

    #[test]
    fn k07_every_coding_that_is_named_is_read() {
        for coding in ["gzip", "x-gzip", "deflate", "br", "zstd"] {
            check(&[coding], &coded(coding, TEXT), TEXT.len(), Ok(TEXT));
            check(&[&coding.to_uppercase()], &coded(coding, TEXT), 1000, Ok(TEXT));
            check(&[coding], &coded(coding, TEXT), TEXT.len() - 1, Err(Undecodable::TooLarge));
            check(&[coding], b"", 10, Ok(b""));
            check(&[coding], TEXT, 1000, Err(Undecodable::Broken));
            let short = coded(coding, TEXT);
            check(&[coding], &short[..short.len() - 3], 1000, Err(Undecodable::Broken));
            check(&[coding], &[coded(coding, TEXT), TEXT.to_vec()].concat(), 1000, Err(Undecodable::Broken));
        }
        check(&["deflate"], &coded("raw", TEXT), 1000, Ok(TEXT));
        check(&["identity"], TEXT, 1000, Ok(TEXT));
        check(&["gzip, br"], &coded("br", &coded("gzip", TEXT)), 1000, Ok(TEXT));
        check(&["gzip", "identity, br"], &coded("br", &coded("gzip", TEXT)), 1000, Ok(TEXT));
        check(&["gzip"], &coded("gzip", TEXT).repeat(2), 1000, Ok(&TEXT.repeat(2)));
    }

    #[test]
    fn what_is_not_read_is_said_to_be_so() {
        for names in [&["compress"][..], &["gzip, dcb"], &["gzip, gzip, gzip, gzip, gzip"]] {
            check(names, TEXT, 1000, Err(Undecodable::Unknown));
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_bytes(b"gz\xE9p").unwrap());
        assert_eq!(decode(&mut headers, Bytes::from_static(TEXT), 1000), Err(Undecodable::Unknown));
    }

    #[test]
    fn a_small_answer_never_becomes_a_large_one() {
        let zeros = vec![0; 8 << 20];
        for coding in ["gzip", "deflate", "br", "zstd"] {
            check(&[coding], &coded(coding, &zeros), 1 << 20, Err(Undecodable::TooLarge));
            let twice = coded(coding, &coded(coding, &zeros));
            check(&[coding, coding], &twice, 1 << 20, Err(Undecodable::TooLarge));
        }
        // A window of 128 MiB, of which the frame says that it needs it (RFC 8878 §3.1.1.1.2).
        let greedy = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x88, 0x01, 0x00, 0x00];
        check(&["zstd"], &greedy, 1000, Err(Undecodable::Broken));
    }

    proptest! {
        #[test]
        fn what_was_put_on_is_taken_off(
            body in proptest::collection::vec(any::<u8>(), 1..400),
            codings in proptest::collection::vec(prop_oneof![Just("gzip"), Just("deflate"), Just("br"), Just("zstd")], 1..4),
        ) {
            let coded = codings.iter().fold(body.clone(), |body, coding| coded(coding, &body));
            let decoded = decode(&mut named(&codings), coded.into(), 10_000);
            prop_assert_eq!(decoded.as_deref(), Ok(body.as_slice()));
        }

        #[test]
        fn any_bytes_come_to_an_end(body in proptest::collection::vec(any::<u8>(), 0..100)) {
            for coding in ["gzip", "deflate", "br", "zstd"] {
                let _ = decode(&mut named(&[coding]), body.clone().into(), 1000);
            }
        }
    }
}
