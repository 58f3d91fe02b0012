//! Names of things that several backends speak of. They go both ways: an endpoint takes them, a view shows them.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The longest id that a backend gives.
const LONGEST: usize = 64;
/// What [`fits`] says, for the API document.
const PATTERN: &str = "^[A-Za-z0-9_-]{1,64}$";

/// Which product.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProductId(String);

/// Which order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderId(String);

/// A text that is no id of any backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnfitId;

impl fmt::Display for UnfitId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "an id is 1 to {LONGEST} characters of A-Z, a-z, 0-9, _ and -")
    }
}

impl std::error::Error for UnfitId {}

fn fits(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// What every id can do. `$example` is one that the mock services know.
macro_rules! id {
    ($id:ident, $about:literal, $example:literal) => {
        impl TryFrom<String> for $id {
            type Error = UnfitId;

            fn try_from(text: String) -> Result<Self, UnfitId> {
                if fits(&text) { Ok(Self(text)) } else { Err(UnfitId) }
            }
        }

        impl TryFrom<&str> for $id {
            type Error = UnfitId;

            fn try_from(text: &str) -> Result<Self, UnfitId> {
                if fits(text) { Ok(Self(text.to_owned())) } else { Err(UnfitId) }
            }
        }

        impl AsRef<str> for $id {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_str(Text(PhantomData))
            }
        }

        impl PartialSchema for $id {
            fn schema() -> RefOr<Schema> {
                schema($about, $example)
            }
        }

        impl ToSchema for $id {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($id))
            }
        }
    };
}

id!(ProductId, "Which product.", "42");
id!(OrderId, "Which order.", "1001");

/// Reads an id. It refuses the text itself, rather than afterwards, so that a path extractor can name the argument.
struct Text<T>(PhantomData<T>);

impl<T> Visitor<'_> for Text<T>
where
    T: TryFrom<String, Error = UnfitId> + for<'a> TryFrom<&'a str, Error = UnfitId>,
{
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an id")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::try_from(text).map_err(E::custom)
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<T, E> {
        T::try_from(text).map_err(E::custom)
    }
}

fn schema(about: &str, example: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(about))
        .pattern(Some(PATTERN))
        .min_length(Some(1))
        .max_length(Some(LONGEST))
        .examples([example])
        .into()
}

/// The ids of a batch as one argument of a query: each once and sorted, so that equal sets make equal cache keys.
/// `None` for no ids at all.
pub(crate) fn set(ids: impl IntoIterator<Item: Borrow<ProductId>>) -> Option<String> {
    let ids: Vec<_> = ids.into_iter().collect();
    let mut texts: Vec<&str> = ids.iter().map(|id| id.borrow().as_ref()).collect();
    texts.sort_unstable();
    texts.dedup();
    (!texts.is_empty()).then(|| texts.join(","))
}

#[cfg(test)]
mod tests {
    use bff_core::axum::Router;
    use bff_core::axum::body::{Body, to_bytes};
    use bff_core::axum::http::Request;
    use bff_core::axum::routing::get;
    use serde_json::{json, to_value};
    use tower::ServiceExt;

    use super::*;

    fn check(text: &str, fits: bool) {
        assert_eq!(ProductId::try_from(text).is_ok(), fits, "{text:?}");
        assert_eq!(ProductId::try_from(text.to_owned()).is_ok(), fits, "{text:?}");
        let json = json!(text).to_string();
        assert_eq!(serde_json::from_str::<ProductId>(&json).is_ok(), fits, "{json}");
    }

    #[test]
    fn an_id_is_short_and_plain() {
        for text in ["42", "a", "A_b-9", "-", &"x".repeat(64)] {
            check(text, true);
        }
        for text in ["", ".", "..", "a b", "a/b", "a,b", "ä", "4\n", "4%32", "\"", &"x".repeat(65)] {
            check(text, false);
        }
        assert!(serde_json::from_str::<ProductId>("42").is_err(), "a number is no id");
    }

    #[test]
    fn an_id_is_written_as_it_was_read() {
        let id: OrderId = serde_json::from_str("\"1001\"").unwrap();
        assert_eq!((id.to_string().as_str(), to_value(&id).unwrap()), ("1001", json!("1001")));
    }

    #[test]
    fn equal_sets_are_one_text() {
        let [a, b, c] = ["9", "10", "b"].map(|id| ProductId::try_from(id).unwrap());
        assert_eq!(set([&c, &a, &b, &a]), set(vec![a, b, c]));
        assert_eq!(set([ProductId::try_from("7").unwrap()]).as_deref(), Some("7"));
        assert_eq!(set(&[]), None);
    }

    #[test]
    fn the_api_document_says_what_fits() {
        let expected = json!({
            "type": "string", "description": "Which product.", "pattern": PATTERN,
            "minLength": 1, "maxLength": 64, "examples": ["42"],
        });
        assert_eq!(to_value(ProductId::schema()).unwrap(), expected);
    }

    #[tokio::test]
    async fn a_path_that_holds_no_id_is_told_where() {
        async fn thing(id: bff_core::Result<bff_core::Path<ProductId>>) -> String {
            match id {
                Ok(bff_core::Path(id)) => id.to_string(),
                Err(error) => {
                    error.faults().iter().map(|fault| format!("{} {}", fault.pointer, fault.detail)).collect()
                }
            }
        }
        let ask = async |path: &str| {
            let router = Router::new().route("/things/{id}", get(thing));
            let response = router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
            to_bytes(response.into_body(), 1000).await.unwrap()
        };
        assert_eq!(ask("/things/42").await, "42");
        assert_eq!(ask("/things/a%20b").await, format!("{{id}} {UnfitId}"));
    }
}
