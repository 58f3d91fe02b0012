//! A merged value, as serde sees it.
//!
//! What a file says has a type, and has to have the right one. What a variable or a flag says is text, and is whatever
//! is asked for: a number, a list with commas, nothing.

use std::collections::BTreeSet;

use ::config::{Value, ValueKind};
use serde::de::value::{Error, MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

/// A value that is read.
#[derive(Clone, Copy)]
pub(super) enum Reader<'a> {
    /// From a file, with its type; `texts` are the origins that only know text.
    Typed { value: &'a Value, texts: &'a BTreeSet<String> },
    /// From a variable or a flag.
    Text(&'a str),
}

impl<'a> Reader<'a> {
    pub(super) fn new(value: &'a Value, texts: &'a BTreeSet<String>) -> Self {
        match &value.kind {
            ValueKind::String(text) if value.origin().is_some_and(|origin| texts.contains(origin)) => Self::Text(text),
            _ => Self::Typed { value, texts },
        }
    }
}

impl IntoDeserializer<'_, Error> for Reader<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! numbers {
    ($($method:ident: $number:ty),+ $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let Self::Text(text) = self else { return self.deserialize_any(visitor) };
            match text.trim().parse::<$number>() {
                Ok(number) => IntoDeserializer::<Error>::into_deserializer(number).$method(visitor),
                Err(_) => Err(Error::invalid_type(Unexpected::Str(text), &visitor)),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let (value, texts) = match self {
            Self::Text(text) => return visitor.visit_str(text),
            Self::Typed { value, texts } => (value, texts),
        };
        match &value.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(value) => visitor.visit_bool(*value),
            ValueKind::I64(value) => visitor.visit_i64(*value),
            ValueKind::I128(value) => visitor.visit_i128(*value),
            ValueKind::U64(value) => visitor.visit_u64(*value),
            ValueKind::U128(value) => visitor.visit_u128(*value),
            ValueKind::Float(value) => visitor.visit_f64(*value),
            ValueKind::String(value) => visitor.visit_str(value),
            ValueKind::Array(values) => {
                visitor.visit_seq(SeqDeserializer::new(values.iter().map(|value| Reader::new(value, texts))))
            }
            ValueKind::Table(table) => {
                let entries = table.iter().map(|(key, value)| (key.as_str(), Reader::new(value, texts)));
                visitor.visit_map(MapDeserializer::new(entries))
            }
        }
    }

    numbers! {
        deserialize_i8: i8, deserialize_i16: i16, deserialize_i32: i32, deserialize_i64: i64, deserialize_i128: i128,
        deserialize_u8: u8, deserialize_u16: u16, deserialize_u32: u32, deserialize_u64: u64, deserialize_u128: u128,
        deserialize_f32: f32, deserialize_f64: f64,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Text(text) if text.trim().eq_ignore_ascii_case("true") => visitor.visit_bool(true),
            Self::Text(text) if text.trim().eq_ignore_ascii_case("false") => visitor.visit_bool(false),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Text(text) if text.trim().is_empty() => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self::Text(text) = self else { return self.deserialize_any(visitor) };
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        visitor.visit_seq(SeqDeserializer::new(items.map(Reader::Text)))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (value, texts) = match self {
            Self::Text(text) => return visitor.visit_enum(text.trim().into_deserializer()),
            Self::Typed { value, texts } => (value, texts),
        };
        match &value.kind {
            ValueKind::String(variant) => visitor.visit_enum(variant.as_str().into_deserializer()),
            ValueKind::Table(table) => {
                let entries = table.iter().map(|(key, value)| (key.as_str(), Reader::new(value, texts)));
                MapAccessDeserializer::new(MapDeserializer::new(entries)).deserialize_enum(name, variants, visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}
