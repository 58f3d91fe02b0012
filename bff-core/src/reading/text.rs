//! Texts that are no Unicode: bytes that are no UTF-8, and halves of surrogate pairs.

use std::collections::HashSet;
use std::ops::Range;

use super::walk::{Piece, Walk};

/// What stands in the place of what cannot be read (Unicode §5.22), in UTF-8.
const REPLACEMENT: &str = "\u{FFFD}";
/// The same as an escape: as long as the half of a pair that it replaces.
const ESCAPED_REPLACEMENT: &[u8; 6] = b"\\ufffd";
/// At most so many fields are told of one document.
const MOST_FIELDS: usize = 16;

/// A document whose texts can be read, and the fields whose texts could not.
#[derive(Debug)]
pub(super) struct Repaired {
    pub(super) text: Vec<u8>,
    pub(super) fields: Vec<String>,
}

/// Two names of one object that would become the same.
#[derive(Debug)]
pub(super) struct Ambiguous;

/// The document without the byte order mark in front of it, which a reader may overlook (RFC 8259 §8.1).
pub(crate) fn without_mark(document: &[u8]) -> &[u8] {
    document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document)
}

/// The document with U+FFFD in place of what is no Unicode, inside texts only; `None` where there is nothing of the kind.
///
/// Nothing else is changed, byte for byte: no number, no order, and no name that can be read.
///
/// # Errors
/// When two names of one object cannot be told apart afterwards.
pub(super) fn repair(document: &[u8]) -> Result<Option<Repaired>, Ambiguous> {
    let mut walk = Walk::new(document);
    let mut repaired: Option<Repaired> = None;
    let mut copied = 0;
    // Names that hold the replacement, each with its object.
    let mut doubtful: HashSet<(usize, Vec<u8>)> = HashSet::new();
    while let Some((piece, range)) = walk.next() {
        if piece == Piece::Bare {
            continue;
        }
        let raw = document.get(range.clone()).unwrap_or_default();
        let damaged = is_damaged(raw).then(|| sound(raw));
        if piece == Piece::Name {
            let name = damaged.clone().or_else(|| holds_replacement(raw).then(|| raw.to_vec()));
            if name.is_some_and(|name| !doubtful.insert((walk.inside(), normal(name)))) {
                return Err(Ambiguous);
            }
        }
        let Some(sound) = damaged else { continue };
        let out =
            repaired.get_or_insert_with(|| Repaired { text: Vec::with_capacity(document.len()), fields: Vec::new() });
        let Range { start, end } = range;
        out.text.extend_from_slice(document.get(copied..start).unwrap_or_default());
        out.text.extend_from_slice(&sound);
        copied = end;
        let place = walk.place();
        if out.fields.len() < MOST_FIELDS && !out.fields.contains(&place) {
            out.fields.push(place);
        }
    }
    Ok(repaired.map(|mut repaired| {
        repaired.text.extend_from_slice(document.get(copied..).unwrap_or_default());
        repaired
    }))
}

fn holds_replacement(raw: &[u8]) -> bool {
    let holds = |part: &[u8]| raw.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    holds(REPLACEMENT.as_bytes()) || holds(ESCAPED_REPLACEMENT)
}

/// One way to write a name that holds the replacement.
fn normal(name: Vec<u8>) -> Vec<u8> {
    serde_json::from_slice::<String>(&name).map_or(name, String::into_bytes)
}

fn is_damaged(raw: &[u8]) -> bool {
    std::str::from_utf8(raw).is_err() || halves(raw).next().is_some()
}

fn sound(raw: &[u8]) -> Vec<u8> {
    let mut text = raw.to_vec();
    for at in halves(raw) {
        if let Some(half) = text.get_mut(at..at + ESCAPED_REPLACEMENT.len()) {
            half.copy_from_slice(ESCAPED_REPLACEMENT);
        }
    }
    let mut sound = Vec::with_capacity(text.len() + REPLACEMENT.len());
    for chunk in text.utf8_chunks() {
        sound.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            sound.extend_from_slice(REPLACEMENT.as_bytes());
        }
    }
    sound
}

/// Where the escapes begin that are one half of a surrogate pair without the other (RFC 8259 §8.2).
fn halves(raw: &[u8]) -> impl Iterator<Item = usize> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at += raw.get(at..)?.iter().position(|byte| *byte == b'\\')?;
            let start = at;
            let Some(unit) = unit(raw, start) else {
                at += 2;
                continue;
            };
            at += ESCAPED_REPLACEMENT.len();
            match unit {
                0xD800..=0xDBFF if matches!(self::unit(raw, at), Some(0xDC00..=0xDFFF)) => {
                    at += ESCAPED_REPLACEMENT.len();
                }
                0xD800..=0xDFFF => return Some(start),
                _ => {}
            }
        }
    })
}

/// The UTF-16 unit of the escape that begins here.
fn unit(raw: &[u8], at: usize) -> Option<u16> {
    let digits = raw.get(at..at + 6)?.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn check(document: &[u8], text: &str, fields: &[&str]) {
        let repaired = repair(document).unwrap().unwrap();
        assert_eq!(String::from_utf8(repaired.text).unwrap(), text);
        assert_eq!(repaired.fields, fields, "{text}");
    }

    #[test]
    fn k02_what_is_no_unicode_is_replaced() {
        check(br#"{"name":"Kettle \ud83d"}"#, r#"{"name":"Kettle \ufffd"}"#, &["name"]);
        check(br#"["\ud83d\ude00 \ude00\uD83D"]"#, r#"["\ud83d\ude00 \ufffd\ufffd"]"#, &["the whole"]);
        check(br#"{"a":{"b":["\uD83Dx"]}}"#, r#"{"a":{"b":["\ufffdx"]}}"#, &["a.b"]);
        check(b"{\"a\":\"Caf\xE9\",\"b\":1.0}", "{\"a\":\"Caf\u{FFFD}\",\"b\":1.0}", &["a"]);
        check(b"{\"a\":\"\xED\xA0\xBD\"}", "{\"a\":\"\u{FFFD}\u{FFFD}\u{FFFD}\"}", &["a"]);
        check(br#"{"n\ud83d":"x"}"#, r#"{"n\ufffd":"x"}"#, &[r"n\\ud83d"]);
    }

    #[test]
    fn what_can_be_read_is_left_alone() {
        for sound in [
            r#"{"a":"\\ud83d","b":"\ud83d\ude00","c":"é\u00e9","d":-0,"e":"\ufffd"}"#,
            r#"{"a":"\"\\\ufffd"}"#,
            "{}",
            "",
            r#"{"a":"\ud83"#,
            r#"{"a":"\uzzzz"}"#,
        ] {
            assert!(repair(sound.as_bytes()).unwrap().is_none(), "{sound}");
        }
    }

    #[test]
    fn names_that_would_become_one_are_refused() {
        for ambiguous in [
            r#"{"n\ud83d":1,"n\ud83e":2}"#,
            r#"{"n\ud83d":1,"n\ufffd":2}"#,
            "{\"x\":[{\"n\u{FFFD}\":1,\"a\":{},\"n\\udfff\":2}]}",
        ] {
            assert!(repair(ambiguous.as_bytes()).is_err(), "{ambiguous}");
        }
        for clear in [r#"[{"n\ud83d":1},{"n\ud83e":2}]"#, r#"{"n\ud83d":{"n\ud83e":2}}"#] {
            assert!(repair(clear.as_bytes()).is_ok_and(|repaired| repaired.is_some()), "{clear}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[a-z\u{e9}]{1,4}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Nothing is touched in a document that can be read.
        #[test]
        fn sound_documents_are_left_alone(value in json()) {
            prop_assert!(repair(value.to_string().as_bytes()).unwrap().is_none());
        }

        /// A damaged text is the only thing that differs: all other numbers, names, texts and their order stay.
        #[test]
        fn nothing_but_the_damage_changes(value in json(), damage in "[\\\\]ud[89a-f][0-9a-f]{2}") {
            let sound = format!(r#"{{"before":{value},"damaged":"x{damage}y","behind":{value}}}"#);
            let repaired = repair(sound.as_bytes()).unwrap().unwrap();
            let expected = sound.replace(&damage, "\\ufffd");
            prop_assert_eq!(String::from_utf8(repaired.text).unwrap(), expected);
        }

        /// Whatever comes, what is repaired needs no repair.
        #[test]
        fn once_is_enough(bytes in proptest::collection::vec(any::<u8>(), 0..100), inside: bool) {
            let document = if inside { [b"{\"a\":\"", bytes.as_slice(), b"\"}"].concat() } else { bytes };
            if let Ok(Some(repaired)) = repair(&document) {
                prop_assert!(matches!(repair(&repaired.text), Ok(None)));
            }
        }
    }
}
