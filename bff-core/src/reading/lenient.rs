//! A JSON reader behind which whole numbers are integers however they are written, and lists that say so lose elements.
//!
//! It stands between serde_json's reader and a type, and hands everything on but for three things: where an integer is
//! expected, the number's text is read exactly; [`Rows`](super::Rows) are read one by one; and names stay as they are.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Range;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
};
use serde_json::value::RawValue;

use super::number::{Whole, is_unusual};
use super::rows::{Lost, ROWS};

/// What was found on the way.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Where the text begins, to know a piece of it by its address.
    base: usize,
    /// Whether lists may lose elements.
    rows: bool,
    found: RefCell<Found>,
}

/// What a document needed to be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Numbers, and as what they were read.
    pub(super) numbers: Vec<(Range<usize>, String)>,
    pub(super) lost: Option<Lost>,
    /// Where the lists begin that have lost something.
    pub(super) lists: Vec<usize>,
}

impl Notes {
    /// For a text that is read in place. `rows`: lists may lose elements.
    pub(super) fn of(text: &str, rows: bool) -> Self {
        Self { base: text.as_ptr().addr(), rows, found: RefCell::default() }
    }

    pub(super) fn into_found(self) -> Found {
        self.found.into_inner()
    }

    fn offset(&self, piece: &str) -> usize {
        piece.as_ptr().addr().wrapping_sub(self.base)
    }

    fn number(&self, piece: &str, whole: Whole) {
        if let Some(text) = whole.text().filter(|_| is_unusual(piece)) {
            let start = self.offset(piece);
            self.found.borrow_mut().numbers.push((start..start + piece.len(), text));
        }
    }
}

/// A reader of one value.
pub(super) struct Lenient<'n, D> {
    inner: D,
    notes: &'n Notes,
}

impl<'n, D> Lenient<'n, D> {
    pub(super) fn new(inner: D, notes: &'n Notes) -> Self {
        Self { inner, notes }
    }

    fn wrap<V>(&self, visitor: V) -> Through<'n, V> {
        Through { inner: visitor, notes: self.notes }
    }
}

/// Whatever serde hands around, with the notes beside it.
struct Through<'n, T> {
    inner: T,
    notes: &'n Notes,
}

impl<'de, D: Deserializer<'de>> Lenient<'_, D> {
    /// The number that stands here, and its text.
    fn whole(self, expected: &dyn serde::de::Expected) -> Result<Whole, D::Error> {
        let notes = self.notes;
        let text = <&'de RawValue>::deserialize(self.inner)?.get();
        if let Some(whole) = Whole::of(text) {
            notes.number(text, whole);
            return Ok(whole);
        }
        Err(match text.as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => match text.parse() {
                Ok(number) => Error::invalid_type(Unexpected::Float(number), expected),
                Err(_) => Error::invalid_type(Unexpected::Other("number"), expected),
            },
            Some(b'"') => match serde_json::from_str::<String>(text) {
                Ok(text) => Error::invalid_type(Unexpected::Str(&text), expected),
                Err(_) => Error::invalid_type(Unexpected::Other("string"), expected),
            },
            Some(b'n') => Error::invalid_type(Unexpected::Unit, expected),
            Some(b't') => Error::invalid_type(Unexpected::Bool(true), expected),
            Some(b'f') => Error::invalid_type(Unexpected::Bool(false), expected),
            Some(b'[') => Error::invalid_type(Unexpected::Seq, expected),
            _ => Error::invalid_type(Unexpected::Map, expected),
        })
    }
}

/// A number that is whole and too large.
fn too_large<E: Error>(whole: Whole, expected: &dyn serde::de::Expected) -> E {
    let sign = if whole.is_negative { "-" } else { "" };
    E::invalid_value(Unexpected::Other(&format!("integer `{sign}{}`", whole.size)), expected)
}

macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let whole = self.whole(&visitor)?;
            match (u64::try_from(whole.size), whole.signed()) {
                (Ok(size), _) if !whole.is_negative => visitor.visit_u64(size),
                (_, Some(size)) => visitor.visit_i64(size),
                _ => Err(too_large(whole, &visitor)),
            }
        }
    )*};
}

macro_rules! handed_on {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.wrap(visitor);
            self.inner.$method(visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Lenient<'_, D> {
    type Error = D::Error;

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let whole = self.whole(&visitor)?;
        match whole.signed_long() {
            Some(size) => visitor.visit_i128(size),
            None => Err(too_large(whole, &visitor)),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let whole = self.whole(&visitor)?;
        if whole.is_negative { Err(too_large(whole, &visitor)) } else { visitor.visit_u128(whole.size) }
    }

    handed_on! {
        deserialize_any deserialize_bool deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq
        deserialize_map deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.wrap(visitor);
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        if name == ROWS && self.notes.rows {
            let elements = Vec::<&'de RawValue>::deserialize(self.inner)?;
            return visitor.visit_seq(Elements {
                elements: elements.into_iter(),
                notes: self.notes,
                error: PhantomData,
            });
        }
        let visitor = self.wrap(visitor);
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.wrap(visitor);
        self.inner.deserialize_tuple(length, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.wrap(visitor);
        self.inner.deserialize_tuple_struct(name, length, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.wrap(visitor);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.wrap(visitor);
        self.inner.deserialize_enum(name, variants, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visited {
    ($($method:ident($value:ty))*) => {$(
        fn $method<E: Error>(self, value: $value) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Through<'_, V> {
    type Value = V::Value;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.expecting(out)
    }

    visited! {
        visit_bool(bool) visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128) visit_u8(u8)
        visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128) visit_f32(f32) visit_f64(f64) visit_char(char)
        visit_str(&str) visit_borrowed_str(&'de str) visit_string(String) visit_bytes(&[u8])
        visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Lenient::new(inner, self.notes))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Lenient::new(inner, self.notes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Through { inner, notes: self.notes })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Through { inner, notes: self.notes })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Through { inner, notes: self.notes })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Through<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Lenient::new(inner, self.notes))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Through<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Through { inner, notes: self.notes })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Through<'_, A> {
    type Error = A::Error;

    /// Names are texts, whatever a map makes of them: they are read as ever.
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Through { inner, notes: self.notes })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'n, A: EnumAccess<'de>> EnumAccess<'de> for Through<'n, A> {
    type Error = A::Error;
    type Variant = Through<'n, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, inner) = self.inner.variant_seed(seed)?;
        Ok((name, Through { inner, notes: self.notes }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Through<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, inner: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Through { inner, notes: self.notes })
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, inner: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(length, Through { inner, notes: self.notes })
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], inner: V) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, Through { inner, notes: self.notes })
    }
}

/// The elements of a list that may lose some: each is read by itself.
struct Elements<'de, 'n, E> {
    elements: std::vec::IntoIter<&'de RawValue>,
    notes: &'n Notes,
    error: PhantomData<E>,
}

impl<'de, E: Error> SeqAccess<'de> for Elements<'de, '_, E> {
    type Error = E;

    /// An error costs this element; the next call reads the next one.
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, E> {
        let Some(element) = self.elements.next() else { return Ok(None) };
        let mut reader = serde_json::Deserializer::from_str(element.get());
        let read = seed.deserialize(Lenient::new(&mut reader, self.notes));
        let mut found = self.notes.found.borrow_mut();
        let is_lost = read.is_err();
        let lost = found.lost.get_or_insert_default();
        lost.of = lost.of.saturating_add(1);
        lost.count = lost.count.saturating_add(is_lost.into());
        if is_lost {
            found.lists.push(self.notes.offset(element.get()));
        }
        read.map(Some).map_err(E::custom)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.elements.len())
    }
}
