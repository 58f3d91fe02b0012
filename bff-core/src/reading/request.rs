//! Bodies that clients of ours send.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::lenient::{Lenient, Notes};

/// What is wrong with a request's body.
#[derive(Debug)]
pub(crate) struct Mistake {
    /// A JSON pointer (RFC 6901) to the place.
    pub(crate) pointer: String,
    pub(crate) error: serde_json::Error,
}

/// Reads the body of a request: strictly, but that a whole number is an integer however it is written, because our API
/// document says `integer` and means what JSON Schema does.
///
/// # Errors
/// The first mistake in it.
pub(crate) fn request<T: DeserializeOwned>(body: &[u8]) -> Result<T, Mistake> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = match serde_path_to_error::deserialize(&mut reader) {
        Err(error) if error.inner().is_data() => return exactly(body).unwrap_or_else(|| Err(mistake(error))),
        read => read.map_err(mistake)?,
    };
    reader.end().map_err(behind)?;
    Ok(value)
}

/// `None` for a body that is no text.
#[cold]
fn exactly<T: DeserializeOwned>(body: &[u8]) -> Option<Result<T, Mistake>> {
    let text = std::str::from_utf8(body).ok()?;
    let notes = Notes::of(text, false);
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = serde_path_to_error::deserialize(Lenient::new(&mut reader, &notes)).map_err(mistake);
    Some(read.and_then(|value| reader.end().map_err(behind).map(|()| value)))
}

fn mistake(error: serde_path_to_error::Error<serde_json::Error>) -> Mistake {
    Mistake { pointer: pointer(error.path()), error: error.into_inner() }
}

fn behind(error: serde_json::Error) -> Mistake {
    Mistake { pointer: String::new(), error }
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}
