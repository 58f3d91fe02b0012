//! Leaving fields out of JSON, and giving them other names.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::settings::JsonSettings;
use crate::reading;

/// Deeper nesting under a rule is not looked into: no honest answer has it, and each level is a call on the stack.
const DEEPEST: usize = 64;

/// What is kept of an object, and under which names; one node for each field that a rule names.
#[derive(Debug, Default)]
pub(super) struct Rules {
    fields: Vec<Field>,
    /// Without a list of what is allowed, everything is.
    all: bool,
}

#[derive(Debug)]
struct Field {
    name: String,
    renamed: Option<String>,
    allowed: bool,
    denied: bool,
    below: Vec<Field>,
}

impl Rules {
    /// The rules of a route; `None` where nothing is filtered.
    pub(super) fn new(settings: &JsonSettings) -> Option<Self> {
        if settings.is_empty() {
            return None;
        }
        let mut fields = Vec::new();
        for path in &settings.allow {
            change(&mut fields, path, |field| field.allowed = true);
        }
        for path in &settings.deny {
            change(&mut fields, path, |field| field.denied = true);
        }
        for (path, name) in &settings.rename {
            change(&mut fields, path, |field| field.renamed = Some(name.clone()));
        }
        Some(Self { fields, all: settings.allow.is_empty() })
    }

    /// What is left of a document, in its order; numbers and texts are as they were written.
    ///
    /// Arrays are looked through: a rule holds for each element. Where a rule leads into a field that is no object, there
    /// is nothing that the rule allows, so that the field is left out, unless it is allowed as a whole or null.
    ///
    /// Texts that are no Unicode, and a byte order mark, are dealt with as in answers of typed calls; gives the fields too in
    /// which there were such texts.
    ///
    /// # Errors
    /// When it is no JSON, or nothing of it may be seen.
    pub(super) fn apply(&self, document: &[u8]) -> Result<(Vec<u8>, Vec<String>), serde_json::Error> {
        let error = match self.strictly(document) {
            Ok(shown) => return Ok((shown, Vec::new())),
            Err(error) => error,
        };
        match reading::readable(document) {
            Some(readable) => Ok((self.strictly(&readable.document)?, readable.damaged)),
            None => Err(error),
        }
    }

    fn strictly(&self, document: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
        let mut out = Vec::with_capacity(document.len());
        let document: &RawValue = serde_json::from_slice(document)?;
        if !write(&mut Cursor::new(document), &self.fields, self.all, 0, &mut out)? {
            return Err(serde_json::Error::custom("nothing in it may be passed on"));
        }
        Ok(out)
    }
}

/// Changes the node at the end of a dotted path, made where it is not there yet.
fn change(fields: &mut Vec<Field>, path: &str, change_it: impl FnOnce(&mut Field)) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let index = fields.iter().position(|field| field.name == name).unwrap_or_else(|| {
        let name = name.to_owned();
        fields.push(Field { name, renamed: None, allowed: false, denied: false, below: Vec::new() });
        fields.len() - 1
    });
    let Some(field) = fields.get_mut(index) else { return };
    match rest {
        Some(rest) => change(&mut field.below, rest, change_it),
        None => change_it(field),
    }
}

/// A place in a document that is known to be JSON, so that nothing is looked at twice to find its end: arrays in arrays are
/// gone through once, however deep they are.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(value: &'a RawValue) -> Self {
        Self { text: value.get(), at: 0 }
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += blanks;
        rest.get(blanks).copied()
    }

    /// The whole value that begins here.
    fn take(&mut self) -> &'a str {
        let start = self.at;
        let mut depth = 0_usize;
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' => self.skip_text(),
                b'{' | b'[' => depth += 1,
                // The end of what this value stands in.
                b'}' | b']' | b',' if depth == 0 => break,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// From the quote that begins a text to the one that ends it.
    fn skip_text(&mut self) {
        let rest = self.text.as_bytes().get(self.at + 1..).unwrap_or_default();
        let mut is_escaped = false;
        let inside = rest.iter().take_while(|byte| {
            let is_end = **byte == b'"' && !is_escaped;
            is_escaped = **byte == b'\\' && !is_escaped;
            !is_end
        });
        self.at += 1 + inside.count();
    }
}

/// Writes what may be seen of the value that begins here; false for nothing.
fn write(
    cursor: &mut Cursor<'_>,
    rules: &[Field],
    all: bool,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<bool, serde_json::Error> {
    if depth > DEEPEST {
        return Err(serde_json::Error::custom("too deep"));
    }
    match cursor.peek() {
        Some(b'{') => write_object(cursor.take(), rules, all, depth, out)?,
        Some(b'[') => {
            cursor.at += 1;
            out.push(b'[');
            loop {
                match cursor.peek() {
                    None => break,
                    Some(b']') => {
                        cursor.at += 1;
                        break;
                    }
                    Some(b',') => cursor.at += 1,
                    Some(_) => {
                        let before = separate(out, b'[');
                        if !write(cursor, rules, all, depth + 1, out)? {
                            out.truncate(before);
                        }
                    }
                }
            }
            out.push(b']');
        }
        first => {
            let scalar = cursor.take();
            if !all && first != Some(b'n') {
                return Ok(false);
            }
            out.extend_from_slice(scalar.trim_ascii_end().as_bytes());
        }
    }
    Ok(true)
}

fn write_object(
    text: &str,
    rules: &[Field],
    all: bool,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let Members(members) = serde_json::from_str(text)?;
    let taken = Taken::of(rules, &members);
    out.push(b'{');
    for (name, value) in &members {
        let rule = rules.iter().find(|rule| rule.name == *name.0);
        let whole = all || rule.is_some_and(|rule| rule.allowed);
        let below = rule.map_or(&[][..], |rule| &rule.below);
        let is_gone = rule.is_some_and(|rule| rule.denied) || (!whole && below.is_empty());
        if is_gone || (taken.has(&name.0) && rule.is_none_or(|rule| rule.renamed.is_none())) {
            continue;
        }
        let before = separate(out, b'{');
        let shown = rule.and_then(|rule| rule.renamed.as_deref()).unwrap_or(&name.0);
        serde_json::to_writer(&mut *out, shown)?;
        out.push(b':');
        if below.is_empty() {
            out.extend_from_slice(value.get().as_bytes());
        } else if !write(&mut Cursor::new(value), below, whole, depth + 1, out)? {
            out.truncate(before);
        }
    }
    out.push(b'}');
    Ok(())
}

/// The names that fields of one object get by a rule: a field that has one of them by itself gives way, because one object
/// must not have two of one name.
struct Taken<'a>(Vec<&'a str>);

impl<'a> Taken<'a> {
    /// Looked up once for an object, however often a name stands in it.
    fn of(rules: &'a [Field], members: &[(Name<'_>, &RawValue)]) -> Self {
        let renaming = rules.iter().filter(|rule| !rule.denied);
        let renaming = renaming.filter_map(|rule| Some((rule, rule.renamed.as_deref()?)));
        let is_there = |rule: &Field| members.iter().any(|(member, _)| *member.0 == rule.name);
        Self(renaming.filter(|(rule, _)| is_there(rule)).map(|(_, name)| name).collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}

/// A comma behind what is there already; gives the length before it.
fn separate(out: &mut Vec<u8>, open: u8) -> usize {
    let before = out.len();
    if out.last() != Some(&open) {
        out.push(b',');
    }
    before
}

/// The members of an object in their order, those of the same name too.
struct Members<'a>(Vec<(Name<'a>, &'a RawValue)>);

/// Without escapes, so that no way to write a name gets around a rule.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(Text)
    }
}
