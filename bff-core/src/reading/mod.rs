//! What others wrote, read: one set of rules for everything that is JSON.
//!
//! Strict first. What is read strictly costs nothing more and reads as ever; only what is not is looked at again, by
//! rules that keep an answer alive without making it say anything else:
//!
//! | rule | answers of typed calls | filtered routes | our request bodies | key sets | tokens, kept entries |
//! | --- | --- | --- | --- | --- | --- |
//! | a byte order mark in front is skipped (`text`) | yes | yes | no | yes | no |
//! | texts that are no Unicode get U+FFFD (`text`) | yes | yes | no | no | no |
//! | whole numbers are integers however they are written (`number`, `lenient`) | yes | as they are | yes | no | no |
//! | lists of [`Rows`] lose what cannot be read (`rows`) | yes | – | no | – | no |
//! | content codings are undone, within the size limit (`coding`) | yes | yes | no | yes | – |
//! | bytes behind the document | refused | refused | refused | refused | refused |
//!
//! What is kept is what was read: with its texts and numbers as they are read strictly.

pub(crate) mod coding;
mod lenient;
mod number;
mod request;
mod rows;
mod text;
mod walk;

use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use self::lenient::{Found, Lenient, Notes};
use self::number::{Whole, is_unusual};
use self::walk::{Piece, Walk, place_of};

pub(crate) use request::request;
pub(crate) use rows::is_damaged;
pub use rows::{Lost, Rows};
pub(crate) use text::without_mark;

/// A value, and what it took to read it.
#[derive(Debug)]
pub(crate) struct Read<T> {
    pub(crate) value: T,
    /// The document as it is read strictly; `None` where it was.
    pub(crate) document: Option<Bytes>,
    /// Elements that lists have lost.
    pub(crate) lost: Option<Lost>,
    /// The fields where something could not be read.
    pub(crate) damaged: Vec<String>,
}

/// Why a document cannot be read. Tells the place, never the value: a log is no place for a user's data.
#[derive(Debug)]
pub(crate) struct Unreadable {
    what: &'static str,
    place: String,
    line: usize,
    column: usize,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at {}, line {} column {}", self.what, self.place, self.line, self.column)
    }
}

impl std::error::Error for Unreadable {}

impl Unreadable {
    /// Where in the document, as a pointer.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    fn new(document: &[u8], error: &serde_json::Error) -> Self {
        use serde_json::error::Category;
        let (line, column) = (error.line(), error.column());
        let what = match error.classify() {
            Category::Data => "a value of the wrong kind, or a field that is missing",
            Category::Eof => "the JSON ends early",
            Category::Syntax | Category::Io => "no JSON",
        };
        Self { what, place: place_of(document, line, column), line, column }
    }
}

/// Reads what is kept, or what must not be guessed at: as it stands.
///
/// # Errors
/// When it is not what the type says, to its last byte.
pub(crate) fn strictly<T: DeserializeOwned>(document: &[u8]) -> Result<Read<T>, Unreadable> {
    match serde_json::from_slice(document) {
        Ok(value) => Ok(Read { value, document: None, lost: None, damaged: Vec::new() }),
        Err(error) => Err(Unreadable::new(document, &error)),
    }
}

/// Reads the answer to a typed call: strictly, and by the rules above where that fails.
///
/// # Errors
/// When it is not what the type says by any of them.
pub(crate) fn answer<T: DeserializeOwned>(document: &[u8]) -> Result<Read<T>, Unreadable> {
    match serde_json::from_slice(document) {
        Ok(value) => Ok(Read { value, document: None, lost: None, damaged: Vec::new() }),
        Err(error) => leniently(document, error),
    }
}

#[cold]
fn leniently<T: DeserializeOwned>(document: &[u8], error: serde_json::Error) -> Result<Read<T>, Unreadable> {
    let unreadable = Unreadable::new(document, &error);
    let Some(Readable { document, damaged }) = readable(document) else { return Err(unreadable) };
    let Ok(text) = std::str::from_utf8(&document) else { return Err(unreadable) };
    let read = |value, text: String| Read { value, document: Some(text.into()), lost: None, damaged: damaged.clone() };
    let strict = match serde_json::from_str(text) {
        Ok(value) => return Ok(read(value, text.to_owned())),
        Err(error) => Unreadable::new(text.as_bytes(), &error),
    };
    let notes = Notes::of(text, true);
    let typed = exactly(text, &notes);
    let Found { numbers, lost, lists } = notes.into_found();
    let lost = lost.filter(|lost| lost.count > 0);
    if typed.is_err() || lost.is_some() {
        // Where serde keeps a value aside before it knows its type, nobody can say where an integer is expected.
        let anywhere = rewritten(text, &unusual(text));
        if let Some(anywhere) = anywhere
            && let Ok(value) = serde_json::from_str(&anywhere)
        {
            return Ok(read(value, anywhere));
        }
    }
    let value = typed.map_err(|_| strict)?;
    let mut read = read(value, rewritten(text, &numbers).unwrap_or_else(|| text.to_owned()));
    read.lost = lost;
    for at in lists {
        let place = place_before(text, at);
        if !read.damaged.contains(&place) {
            read.damaged.push(place);
        }
    }
    Ok(read)
}

/// A document whose texts can be read, and the fields in which they could not.
#[derive(Debug)]
pub(crate) struct Readable {
    pub(crate) document: Vec<u8>,
    pub(crate) damaged: Vec<String>,
}

/// A document that is not read strictly, without its byte order mark and with U+FFFD in texts that are no Unicode; `None`
/// where two names would become one.
pub(crate) fn readable(document: &[u8]) -> Option<Readable> {
    let document = without_mark(document);
    match text::repair(document).ok()? {
        Some(repaired) => Some(Readable { document: repaired.text, damaged: repaired.fields }),
        None => Some(Readable { document: document.to_vec(), damaged: Vec::new() }),
    }
}

/// With integers that may be written in any way, and lists that may lose elements.
fn exactly<T: DeserializeOwned>(text: &str, notes: &Notes) -> Result<T, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(Lenient::new(&mut reader, notes))?;
    reader.end()?;
    Ok(value)
}

/// All whole numbers that are written with a fraction or an exponent, and as what they are read.
fn unusual(text: &str) -> Vec<(std::ops::Range<usize>, String)> {
    let mut walk = Walk::new(text.as_bytes());
    let mut found = Vec::new();
    while let Some((piece, range)) = walk.next() {
        let number = text.get(range.clone()).filter(|number| piece == Piece::Bare && is_unusual(number));
        // The sign of a zero is for those to see who expect no integer.
        let whole = number.and_then(Whole::of).filter(|whole| whole.size > 0);
        found.extend(whole.and_then(Whole::text).map(|whole| (range, whole)));
    }
    found
}

/// The text with these pieces in place of those that stand there; `None` where there are none.
fn rewritten(text: &str, pieces: &[(std::ops::Range<usize>, String)]) -> Option<String> {
    if pieces.is_empty() {
        return None;
    }
    let mut pieces: Vec<_> = pieces.iter().collect();
    pieces.sort_unstable_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (range, piece) in pieces {
        out.push_str(text.get(copied..range.start)?);
        out.push_str(piece);
        copied = range.end;
    }
    out.push_str(text.get(copied..)?);
    Some(out)
}

/// The place of the list in which an element begins here.
fn place_before(text: &str, at: usize) -> String {
    let mut walk = Walk::new(text.as_bytes().get(..at).unwrap_or_default());
    while walk.next().is_some() {}
    walk.place()
}

#[cfg(test)]
mod tests;
