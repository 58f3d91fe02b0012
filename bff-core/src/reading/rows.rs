//! Lists that may lose an element.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

/// Under this name a reader knows such a list.
pub(super) const ROWS: &str = "$bff_core::Rows";

/// A list of which one bad element costs that element and not the list. Reads like a `Vec`.
///
/// What is lost is told in `meta`, with `count` and `of`, and the answer is not kept. For what is shown one by one; never
/// for what is summed, counted or paid: there a list is whole or it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T>(Vec<T>);

/// How many elements of an answer's lists could not be read, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// So many are not there.
    pub count: u32,
    /// Of so many that were sent.
    pub of: u32,
}

impl<T> Rows<T> {
    /// Those that could be read.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Vec<T>> for Rows<T> {
    fn from(rows: Vec<T>) -> Self {
        Self(rows)
    }
}

impl<T> From<Rows<T>> for Vec<T> {
    fn from(rows: Rows<T>) -> Self {
        rows.0
    }
}

impl<T> Deref for Rows<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T> DerefMut for Rows<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

impl<T> IntoIterator for Rows<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Rows<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(ROWS, List(PhantomData))
    }
}

struct List<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
    type Value = Rows<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    /// Any reader but ours: all or nothing.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Rows<T>, D::Error> {
        Vec::deserialize(deserializer).map(Rows)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Rows<T>, A::Error> {
        let mut rows = Vec::with_capacity(elements.size_hint().unwrap_or(0).min(1024));
        loop {
            let left = elements.size_hint();
            match elements.next_element() {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => return Ok(Rows(rows)),
                // Our reader has gone on to the next one; another may not have.
                Err(error) if left.is_none() || elements.size_hint() >= left => return Err(error),
                Err(_) => {}
            }
        }
    }
}

/// Whether a key holds U+FFFD anywhere in its texts: it stands for what could not be read, and two keys that were not the
/// same may look the same with it.
pub(crate) fn is_damaged<Key: Hash>(key: &Key) -> bool {
    struct Watch(bool);

    impl Hasher for Watch {
        fn finish(&self) -> u64 {
            0
        }

        fn write(&mut self, bytes: &[u8]) {
            self.0 |= bytes.windows(3).any(|window| window == "\u{FFFD}".as_bytes());
        }

        // Numbers, lengths and marks between fields are no texts.
        fn write_u8(&mut self, _: u8) {}
        fn write_u16(&mut self, _: u16) {}
        fn write_u32(&mut self, _: u32) {}
        fn write_u64(&mut self, _: u64) {}
        fn write_u128(&mut self, _: u128) {}
        fn write_usize(&mut self, _: usize) {}
    }

    let mut watch = Watch(false);
    key.hash(&mut watch);
    watch.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_our_reader_it_is_all_or_nothing() {
        assert_eq!(serde_json::from_str::<Rows<u8>>("[1,2]").unwrap().into_vec(), [1, 2]);
        assert!(serde_json::from_str::<Rows<u8>>("[1,\"2\"]").is_err());
        assert!(serde_json::from_value::<Rows<u8>>(serde_json::json!([1, "2"])).is_err());
    }

    #[test]
    fn k02_a_key_that_is_damaged_is_known() {
        for damaged in ["\u{FFFD}", "a\u{FFFD}b", "\u{FFFD}\u{FFFD}"] {
            assert!(is_damaged(&damaged));
            assert!(is_damaged(&(7, vec![Some(damaged.to_owned())])));
        }
        assert!(!is_damaged(&("é", u64::from_ne_bytes(*b"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF"), [1_u16, 2], 'x')));
        assert!(!is_damaged(&"\u{FFFC}\u{FFFE}"));
    }
}
