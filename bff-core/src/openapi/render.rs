//! The document as text, the same in every process.
//!
//! Properties stand in the order in which their type names them, in examples too; extensions, which come in any order,
//! stand last in the order of the alphabet.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;
use utoipa::openapi::OpenApi;

use super::examples::GOOD_DAY;
use super::shapes;

/// How deep an example is put in order.
const DEEPEST: usize = 32;

/// The document as JSON for people and for version control, with a newline at its end.
pub fn render(document: &OpenApi) -> String {
    let plain = serde_json::to_string(document).unwrap_or_default();
    let Ok(mut tree) = serde_json::from_str::<Tree>(&plain) else { return plain };
    extensions_last(&mut tree);
    arrange_examples(&mut tree);
    let mut text = serde_json::to_string_pretty(&tree).unwrap_or(plain);
    text.push('\n');
    text
}

/// JSON whose members keep their order.
#[derive(Clone)]
enum Tree {
    Leaf(Value),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    fn at(&self, way: &[&str]) -> Option<&Self> {
        way.iter().try_fold(self, |tree, key| tree.get(key))
    }

    fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match self {
            Self::Object(members) => members.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut Self> {
        let members = match self {
            Self::Object(members) => members.as_mut_slice(),
            _ => &mut [],
        };
        members.iter_mut().map(|(_, value)| value)
    }
}

fn extensions_last(tree: &mut Tree) {
    match tree {
        Tree::Leaf(_) => {}
        Tree::List(items) => items.iter_mut().for_each(extensions_last),
        Tree::Object(members) => {
            members.sort_by_cached_key(|(name, _)| name.starts_with("x-").then(|| name.clone()));
            members.iter_mut().for_each(|(_, value)| extensions_last(value));
        }
    }
}

fn arrange_examples(document: &mut Tree) {
    let schemas = document.at(&["components", "schemas"]).cloned().unwrap_or(Tree::Object(Vec::new()));
    let Some(paths) = document.get_mut("paths") else { return };
    let responses = paths.values_mut().flat_map(Tree::values_mut).filter_map(|path| path.get_mut("responses"));
    let contents = responses.flat_map(Tree::values_mut).filter_map(|response| response.get_mut("content"));
    for content in contents.flat_map(Tree::values_mut) {
        let Some(schema) = content.get("schema").cloned() else { continue };
        let Some(examples) = content.get_mut("examples") else { continue };
        if let Tree::Object(examples) = examples {
            examples.sort_by_key(|(name, _)| name != GOOD_DAY);
        }
        for example in examples.values_mut() {
            if let Some(value) = example.get_mut("value") {
                arrange(value, &schema, &schemas, 0);
            }
        }
    }
}

/// Puts the members of `value` in the order of the properties of its schema.
fn arrange(value: &mut Tree, schema: &Tree, schemas: &Tree, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Tree::Leaf(_) => {}
        Tree::List(values) => {
            let mut shapes = Vec::new();
            variants(schema, schemas, depth, &mut shapes);
            if let Some(items) = shapes.iter().find_map(|shape| shape.get("items")) {
                values.iter_mut().for_each(|value| arrange(value, items, schemas, depth + 1));
            }
        }
        Tree::Object(members) => {
            let mut shapes = Vec::new();
            variants(schema, schemas, depth, &mut shapes);
            let properties = shapes.iter().filter_map(|shape| shape.get("properties"));
            let properties: Vec<&(String, Tree)> = properties.flat_map(Tree::members).collect();
            members.sort_by_cached_key(|(name, _)| {
                let place = properties.iter().position(|(known, _)| known == name);
                (place.unwrap_or(usize::MAX), name.clone())
            });
            let others = shapes.iter().find_map(|shape| shape.get("additionalProperties"));
            for (name, value) in members {
                let own = properties.iter().find(|(known, _)| known == name).map(|(_, own)| own);
                if let Some(own) = own.or(others) {
                    arrange(value, own, schemas, depth + 1);
                }
            }
        }
    }
}

/// The schema itself, pointers followed, and all that it is put together from.
fn variants<'a>(schema: &'a Tree, schemas: &'a Tree, depth: usize, found: &mut Vec<&'a Tree>) {
    if depth > DEEPEST {
        return;
    }
    if let Some(Tree::Leaf(Value::String(pointer))) = schema.get("$ref")
        && let Some(named) = shapes::name(pointer).and_then(|name| schemas.get(name))
    {
        variants(named, schemas, depth + 1, found);
    }
    found.push(schema);
    for key in ["allOf", "oneOf", "anyOf"] {
        for part in schema.get(key).map_or(&[][..], Tree::items) {
            variants(part, schemas, depth + 1, found);
        }
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Leaf(value) => value.serialize(serializer),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => serializer.collect_map(members.iter().map(|(name, value)| (name, value))),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InOrder)
    }
}

/// Builds a [`Tree`].
struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Tree;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}
