//! How an answer becomes the value that a client wants.

use std::any::{Any, TypeId};
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::error::{Error, Kind, Result};
use crate::reading::{self, Lost, Read, Unreadable};

/// A body as the value that the client wants, still without its type.
pub(super) type Decoded = Arc<dyn Any + Send + Sync>;

/// How the answer to one call is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    arrived: fn(&Bytes) -> Result<Read<Decoded>, Unreadable>,
    kept: fn(&Bytes) -> Result<Read<Decoded>, Unreadable>,
    /// The client wants no value, so that an answer without a body is one.
    pub(super) wants_nothing: bool,
    /// It is read for what it is, whatever its content type says.
    pub(super) of_any_type: bool,
}

/// What an answer says.
pub(super) struct Reading {
    /// `None` where it says that there is none (`null`, 204).
    pub(super) value: Option<Decoded>,
    /// The body as it is read strictly; `None` where it was.
    pub(super) document: Option<Bytes>,
    /// What its lists have lost.
    pub(super) lost: Option<Lost>,
    /// Where something in it could not be read.
    pub(super) damaged: Vec<String>,
}

impl Reader {
    /// For JSON that is a `T`.
    pub(super) fn of<T: DeserializeOwned + Send + Sync + 'static>() -> Self {
        Self {
            arrived: |body| reading::answer::<T>(body).map(erased),
            kept: |body| reading::strictly::<T>(body).map(erased),
            wants_nothing: TypeId::of::<T>() == TypeId::of::<()>(),
            of_any_type: false,
        }
    }

    /// For a document that somebody else reads, strictly: only the mark in front of it is skipped.
    pub(super) fn of_document() -> Self {
        fn as_it_is(body: &Bytes) -> Result<Read<Decoded>, Unreadable> {
            let value = Arc::new(body.slice_ref(reading::without_mark(body)));
            Ok(Read { value, document: None, lost: None, damaged: Vec::new() })
        }
        Self { arrived: as_it_is, kept: as_it_is, wants_nothing: false, of_any_type: true }
    }

    /// Reads what an upstream sent.
    ///
    /// # Errors
    /// When the body is not what the client's type says; names the place in it, never the value.
    pub(super) fn arrived(self, body: &Bytes) -> Result<Reading> {
        read(self.arrived, body)
    }

    /// Reads what is kept: as it was read when it arrived, and nothing is guessed at.
    ///
    /// # Errors
    /// As above: another version of this BFF kept it.
    pub(super) fn kept(self, body: &Bytes) -> Result<Reading> {
        read(self.kept, body)
    }
}

fn erased<T: Send + Sync + 'static>(read: Read<T>) -> Read<Decoded> {
    let Read { value, document, lost, damaged } = read;
    Read { value: Arc::new(value), document, lost, damaged }
}

fn read(by: fn(&Bytes) -> Result<Read<Decoded>, Unreadable>, body: &Bytes) -> Result<Reading> {
    match by(body) {
        Ok(Read { value, document, lost, damaged }) => Ok(Reading { value: Some(value), document, lost, damaged }),
        Err(_) if is_null(body) => Ok(Reading { value: None, document: Some(NULL), lost: None, damaged: Vec::new() }),
        Err(error) => Err(Error::new(Kind::InvalidResponse).caused_by(error)),
    }
}

/// What stands for "there is none".
pub(super) const NULL: Bytes = Bytes::from_static(b"null");

/// Whether an answer says that there is none, to a client whose type has no word for that.
fn is_null(body: &[u8]) -> bool {
    reading::without_mark(body).trim_ascii() == b"null"
}

/// Whether nothing is said at all.
pub(super) fn is_empty(body: &[u8]) -> bool {
    reading::without_mark(body).trim_ascii().is_empty()
}
