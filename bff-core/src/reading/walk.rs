//! Going through a JSON text that a reader did not like, to find the place and to change single pieces of it.

use std::fmt::Write;
use std::ops::Range;

/// Names deeper than this are not told, and what stands there is taken for a value. Typed values have an end before that.
const DEEPEST: usize = 128;
/// The longest place that is told, in characters.
const LONGEST_PLACE: usize = 120;

/// One piece of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The name of a member, with its quotes.
    Name,
    /// A text that is a value, with its quotes.
    Text,
    /// A number, `true`, `false`, `null`, or what is none of these.
    Bare,
}

/// A way through a JSON text, piece by piece. It believes in no grammar: any bytes come to an end.
pub(super) struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    levels: Vec<Level>,
    /// How many levels are open below those.
    deeper: usize,
    /// How many levels there have been.
    opened: usize,
}

/// An object or a list that is open.
struct Level {
    id: usize,
    is_object: bool,
    wants_name: bool,
    /// The member that stands here.
    name: Option<Range<usize>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, levels: Vec::new(), deeper: 0, opened: 0 }
    }

    /// Tells the object or list that is open here from all others.
    pub(super) fn inside(&self) -> usize {
        self.levels.last().map_or(0, |level| level.id)
    }

    /// The next piece, and where it stands.
    pub(super) fn next(&mut self) -> Option<(Piece, Range<usize>)> {
        loop {
            let start = self.at;
            let byte = *self.text.get(start)?;
            self.at += 1;
            match byte {
                b'{' | b'[' => self.open(byte == b'{'),
                b'}' | b']' => self.close(),
                b',' => self.wants_name(true),
                b':' => self.wants_name(false),
                b' ' | b'\t' | b'\n' | b'\r' => {}
                b'"' => {
                    self.skip_text();
                    let range = start..self.at;
                    return Some(match self.levels.last_mut().filter(|level| level.wants_name && self.deeper == 0) {
                        Some(level) => {
                            level.wants_name = false;
                            level.name = Some(range.clone());
                            (Piece::Name, range)
                        }
                        None => (Piece::Text, range),
                    });
                }
                _ => {
                    let ends = |byte: &u8| {
                        matches!(byte, b'{' | b'[' | b'}' | b']' | b',' | b':' | b'"') || byte.is_ascii_whitespace()
                    };
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    self.at += rest.iter().position(ends).unwrap_or(rest.len());
                    return Some((Piece::Bare, start..self.at));
                }
            }
        }
    }

    /// Where it is now: the names that lead there, with dots between them and without indexes.
    pub(super) fn place(&self) -> String {
        let mut place = String::new();
        for level in self.levels.iter().filter(|level| level.is_object) {
            let Some(name) = level.name.clone().and_then(|range| self.text.get(range)) else { continue };
            let name = name.strip_prefix(b"\"").unwrap_or(name);
            let name = String::from_utf8_lossy(name.strip_suffix(b"\"").unwrap_or(name));
            if !place.is_empty() {
                place.push('.');
            }
            // It is written by somebody else, and read in a log.
            let _ = write!(place, "{}", name.escape_debug());
        }
        match place.char_indices().nth(LONGEST_PLACE) {
            Some((end, _)) => format!("{}…", &place[..end]),
            None if place.is_empty() => "the whole".to_owned(),
            None => place,
        }
    }

    fn open(&mut self, is_object: bool) {
        if self.levels.len() < DEEPEST {
            self.opened += 1;
            self.levels.push(Level { id: self.opened, is_object, wants_name: is_object, name: None });
        } else {
            self.deeper += 1;
        }
    }

    fn close(&mut self) {
        match self.deeper.checked_sub(1) {
            Some(less) => self.deeper = less,
            None => drop(self.levels.pop()),
        }
    }

    fn wants_name(&mut self, wants: bool) {
        if self.deeper == 0
            && let Some(level) = self.levels.last_mut()
        {
            level.wants_name = wants && level.is_object;
        }
    }

    /// To behind the quote that ends a text.
    fn skip_text(&mut self) {
        while let Some(byte) = self.text.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => return,
                b'\\' => self.at += 1,
                _ => {}
            }
        }
        self.at = self.text.len();
    }
}

/// Where in the document a reader stopped, by the line and the column that it tells.
pub(super) fn place_of(text: &[u8], line: usize, column: usize) -> String {
    let mut begin = 0;
    for _ in 1..line {
        let rest = text.get(begin..).unwrap_or_default();
        begin += rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
    }
    let end = begin.saturating_add(column).min(text.len());
    let mut walk = Walk::new(text.get(..end).unwrap_or(text));
    while walk.next().is_some() {}
    walk.place()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_piece_has_its_place() {
        let text = br#" {"a": [ {"b c": "x\"y", "d":-1.5e3}, null ], "e\"": {"f": true}} "#;
        let mut walk = Walk::new(text);
        let mut found = Vec::new();
        while let Some((piece, range)) = walk.next() {
            found.push((piece, std::str::from_utf8(&text[range]).unwrap(), walk.place()));
        }
        let found: Vec<_> = found.iter().map(|(piece, text, place)| (*piece, *text, place.as_str())).collect();
        let expected = [
            (Piece::Name, "\"a\"", "a"),
            (Piece::Name, "\"b c\"", "a.b c"),
            (Piece::Text, r#""x\"y""#, "a.b c"),
            (Piece::Name, "\"d\"", "a.d"),
            (Piece::Bare, "-1.5e3", "a.d"),
            (Piece::Bare, "null", "a"),
            (Piece::Name, r#""e\"""#, r#"e\\\""#),
            (Piece::Name, "\"f\"", r#"e\\\".f"#),
            (Piece::Bare, "true", r#"e\\\".f"#),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_reader_is_told_where_it_stopped() {
        let text = b"{\"a\":\n[{\"b\": 7,\n \"c\": \"x\"}]}";
        assert_eq!(place_of(text, 2, 8), "a.b");
        assert_eq!(place_of(text, 3, 9), "a.c");
        assert_eq!(place_of(text, 9, 9), "the whole");
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (mut walk, mut end) = (Walk::new(&text), 0);
            while let Some((_, range)) = walk.next() {
                prop_assert!(range.start >= end && range.end <= text.len() && range.start < range.end);
                end = range.end;
                let _ = walk.place();
            }
        }

        #[test]
        fn brackets_of_any_depth_cost_little(depth in 0_usize..100_000) {
            let text = [vec![b'['; depth], vec![b']'; depth]].concat();
            let mut walk = Walk::new(&text);
            prop_assert!(walk.next().is_none());
            prop_assert_eq!((walk.inside(), walk.deeper), (0, 0));
        }
    }
}
