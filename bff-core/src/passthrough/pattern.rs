//! Which paths a route takes, and what is left of a path without its beginning.

use std::iter;

use percent_encoding::percent_decode_str;

/// The paths of a route: a template that takes the whole path, or everything below some segments.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// As it is written in the configuration.
    text: String,
    segments: Vec<Segment>,
    /// Whatever follows its segments is taken too.
    is_prefix: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// This text, decoded.
    Literal(Vec<u8>),
    /// Anything but nothing, under this name.
    Any(String),
}

/// How the segments of a path are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// As RFC 3986 §3.3 has it: segments stand between slashes, and an encoded slash is a part of its segment.
    Strict,
    /// As a careless upstream may have it: encoded slashes and backslashes part segments, empty ones do not count, and
    /// what follows a `;` is no part of a segment.
    Careless,
}

impl Pattern {
    /// # Errors
    /// What is wrong with the text.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('/') else { return Err(format!("{text:?} does not begin with /")) };
        let (path, is_prefix) = match path.strip_suffix('*') {
            Some("") => (None, true),
            Some(rest) if rest.ends_with('/') => (rest.strip_suffix('/'), true),
            _ => (Some(path), false),
        };
        let mut segments = Vec::new();
        let texts: Vec<&str> = path.map(|path| path.split('/').collect()).unwrap_or_default();
        for (index, segment) in texts.iter().enumerate() {
            // A path that ends with a slash ends with an empty segment.
            if segment.is_empty() && (is_prefix || index + 1 < texts.len()) {
                return Err(format!("{text:?} has an empty segment"));
            }
            let segment = Segment::new(segment)?;
            if matches!(segment, Segment::Any(_)) && segments.contains(&segment) {
                return Err(format!("{text:?} uses one name twice"));
            }
            segments.push(segment);
        }
        Ok(Self { text: text.to_owned(), segments, is_prefix })
    }

    /// As an API document writes it: OpenAPI knows no star, so that what follows is one more placeholder.
    pub(super) fn in_document(&self) -> String {
        if self.is_prefix { format!("{}{{rest}}", self.text.trim_end_matches('*')) } else { self.text.clone() }
    }

    /// The same for all patterns that take the same paths.
    pub(super) fn shape(&self) -> String {
        let mut shape = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => shape.push_str(&format!("/{}", text.escape_ascii())),
                Segment::Any(_) => shape.push_str("/{}"),
            }
        }
        shape.push_str(if self.is_prefix { "/*" } else { "" });
        shape
    }

    /// How exactly it says what it takes; the greater goes first.
    ///
    /// More literal segments, then a whole path before a beginning, then the longer beginning, then the one that is
    /// literal earlier.
    pub(super) fn rank(&self) -> (usize, bool, usize, Vec<bool>) {
        let literal: Vec<bool> = self.segments.iter().map(|segment| matches!(segment, Segment::Literal(_))).collect();
        let literals = literal.iter().filter(|literal| **literal).count();
        (literals, !self.is_prefix, self.segments.len(), literal)
    }

    /// Whether it takes this path. Allocates nothing.
    ///
    /// Segments are compared decoded (RFC 3986 §6.2.2.2): the upstream decodes them too, and a route must not be
    /// gone around by writing `%61` for `a`.
    pub(super) fn takes(&self, path: &str, reading: Reading) -> bool {
        // `*`, which OPTIONS may ask for, is no path (RFC 9112 §3.2.4).
        let Some(below) = path.strip_prefix('/') else { return false };
        match reading {
            Reading::Strict => self.takes_segments(self.segments.iter(), below.split('/'), percent_decode_str),
            Reading::Careless => {
                let own = self.segments.iter().filter(|segment| !segment.is_empty());
                self.takes_segments(own, careless(path), |segment| {
                    percent_decode_str(segment).take_while(|byte| *byte != b';')
                })
            }
        }
    }

    fn takes_segments<'a, 'b, Decoded: Iterator<Item = u8>>(
        &self,
        own: impl Iterator<Item = &'a Segment>,
        mut given: impl Iterator<Item = &'b str>,
        decode: impl Fn(&'b str) -> Decoded,
    ) -> bool {
        for own in own {
            let Some(given) = given.next() else { return false };
            let fits = match own {
                Segment::Literal(text) => decode(given).eq(text.iter().copied()),
                Segment::Any(_) => !given.is_empty(),
            };
            if !fits {
                return false;
            }
        }
        self.is_prefix || given.next().is_none()
    }

    /// How many segments `beginning` has, if this pattern begins with them.
    pub(super) fn begins_with(&self, beginning: &Self) -> Option<usize> {
        let begins = !beginning.is_prefix && self.segments.starts_with(&beginning.segments);
        begins.then_some(beginning.segments.len())
    }
}

impl Segment {
    fn new(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            return if is_name { Ok(Self::Any(name.to_owned())) } else { Err(format!("{text:?} is no placeholder")) };
        }
        if text.contains(['{', '}', '*']) {
            return Err(format!("{text:?} mixes text and a placeholder"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\\"<>^`|".contains(&byte)) {
            return Err(format!("{text:?} cannot stand in a path"));
        }
        if is_dots(text) {
            return Err(format!("{text:?} leads elsewhere"));
        }
        Ok(Self::Literal(percent_decode_str(text).collect()))
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Literal(text) if text.is_empty())
    }
}

/// Whether an upstream could take a segment of this path for `.` or `..` (RFC 3986 §5.2.4), however it is written: what
/// the upstream then makes of the path need not be what the route stands for.
pub(super) fn has_dots(path: &str) -> bool {
    careless(path).any(is_dots)
}

fn is_dots(segment: &str) -> bool {
    let decoded = || percent_decode_str(segment).take_while(|byte| *byte != b';');
    decoded().eq(*b".") || decoded().eq(*b"..")
}

/// Whether a careless upstream may read this path in another way than it is meant.
pub(super) fn is_odd(path: &str) -> bool {
    path.bytes().any(|byte| matches!(byte, b'%' | b'\\' | b';')) || path.contains("//") || path.ends_with('/')
}

/// What is left of a path without its first segments: nothing, or a path.
pub(super) fn without_first(path: &str, segments: usize) -> &str {
    path.match_indices('/').nth(segments).map_or("", |(at, _)| &path[at..])
}

fn careless(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path;
    iter::from_fn(move || {
        while !rest.is_empty() {
            let (segment, after) = cut(rest);
            rest = after;
            if !segment.is_empty() {
                return Some(segment);
            }
        }
        None
    })
}

/// The text before the first separator, and that behind it.
fn cut(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let width = match byte {
            b'/' | b'\\' => 1,
            b'%' if matches!(bytes.get(at + 1..at + 3), Some([b'2', b'f' | b'F'] | [b'5', b'c' | b'C'])) => 3,
            _ => continue,
        };
        return (&text[..at], &text[at + width..]);
    }
    (text, "")
}
