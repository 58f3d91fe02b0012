//! Paths whose arguments cannot leave their segment.

use std::fmt::{Display, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::{Error, Kind};
use crate::reading::is_damaged;

/// Everything but the unreserved characters of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The longest argument; no identifier of a backend is longer.
const LONGEST_ARGUMENT: usize = 512;

/// A path and a query, made by [`path!`](crate::path!).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    text: String,
    has_query: bool,
    fits: bool,
    damaged: bool,
}

impl Path {
    /// Fills every `{}` of `template` with one argument, encoded as exactly one segment.
    ///
    /// An argument that no encoding can keep in its place (empty, `.`, `..`, or longer than 512 bytes) makes a path that
    /// names nothing: the call ends as not found, and nothing is sent. One that holds U+FFFD could not be read when it was
    /// sent to us, and may have been any: the call ends as an invalid response.
    #[must_use]
    pub fn fill(template: &str, arguments: &[&dyn Display]) -> Self {
        let mut path =
            Self { text: String::with_capacity(template.len() + 16), has_query: false, fits: true, damaged: false };
        let mut pieces = template.split("{}");
        path.text.push_str(pieces.next().unwrap_or_default());
        let mut argument_text = String::new();
        for (piece, argument) in pieces.zip(arguments) {
            argument_text.clear();
            let _ = write!(argument_text, "{argument}");
            if matches!(argument_text.as_str(), "" | "." | "..") || argument_text.len() > LONGEST_ARGUMENT {
                path.fits = false;
            }
            path.damaged |= is_damaged(&argument_text);
            path.text.extend(utf8_percent_encode(&argument_text, RESERVED));
            path.text.push_str(piece);
        }
        path
    }

    /// Adds `name=value` to the query. A value that holds U+FFFD is refused as in [`fill`](Self::fill).
    #[must_use]
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        self.text.extend(utf8_percent_encode(name, RESERVED));
        self.text.push('=');
        let value = value.to_string();
        self.damaged |= is_damaged(&value);
        self.text.extend(utf8_percent_encode(&value, RESERVED));
        self
    }

    /// The path and query; `None` where an argument cannot stand in a path.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        (self.fits && !self.damaged).then_some(self.text.as_str())
    }

    /// How a call ends that has no target.
    pub(super) fn unfit(&self) -> Error {
        if self.damaged {
            return Error::new(Kind::InvalidResponse).never_sent().caused_by("an argument that could not be read");
        }
        Error::new(Kind::NotFound)
    }
}

/// A path of an upstream: `path!("/things/{}/parts/{}", thing, part)`.
///
/// Every argument becomes exactly one segment: no traversal, no query injection. The number of arguments is
/// checked when the program is compiled.
#[macro_export]
macro_rules! path {
    ($template:literal $(, $argument:expr)* $(,)?) => {{
        // Only counts the arguments.
        const _: fn() = || { let _ = ::core::format_args!($template $(, $crate::path!(@blank $argument))*); };
        $crate::upstream::Path::fill($template, &[$(&$argument as &dyn ::core::fmt::Display),*])
    }};
    (@blank $argument:expr) => { "" };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(argument: &str, target: Option<&str>) {
        assert_eq!(path!("/things/{}/x", argument).target(), target, "{argument:?}");
    }

    #[test]
    fn an_argument_stays_in_its_segment() {
        check("42", Some("/things/42/x"));
        check("a b", Some("/things/a%20b/x"));
        check("../admin", Some("/things/..%2Fadmin/x"));
        check("%2e%2e", Some("/things/%252e%252e/x"));
        check("?q=1#f", Some("/things/%3Fq%3D1%23f/x"));
        check("@evil.example", Some("/things/%40evil.example/x"));
        check("a\r\nb\0", Some("/things/a%0D%0Ab%00/x"));
        check("ä", Some("/things/%C3%A4/x"));
        for nothing in ["", ".", ".."] {
            check(nothing, None);
        }
        check(&"9".repeat(10_000), None);
    }

    #[test]
    fn k02_two_damaged_arguments_are_not_one() {
        for damaged in ["\u{FFFD}", "a\u{FFFD}b"] {
            check(damaged, None);
            assert_eq!(path!("/things").query("after", damaged).target(), None);
            assert_eq!(path!("/things/{}", damaged).unfit().kind(), Kind::InvalidResponse);
        }
        assert_eq!(path!("/things/{}", "..").unfit().kind(), Kind::NotFound);
        check("\u{FFFC}", Some("/things/%EF%BF%BC/x"));
    }

    #[test]
    fn a_query_is_encoded() {
        let path = path!("/things").query("ids", "1,2").query("q", "a&b=c");
        assert_eq!(path.target(), Some("/things?ids=1%2C2&q=a%26b%3Dc"));
    }
}
