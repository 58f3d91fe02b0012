//! Reading: everything that is written becomes [`Settings`], or a list of all mistakes.

use std::collections::{BTreeMap, BTreeSet};

use ::config::{Value, ValueKind};
use serde::Deserialize;
use serde_path_to_error::Segment;

use super::reader::Reader;
use super::secret::{self, FromFile};
use super::source::{Merged, Sources, table};
use super::{Settings, report, shape};
use crate::settings::{Check, Mistake, Mistakes};

/// Settings, and where they were written.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What holds.
    pub settings: Settings,
    /// Where it was written.
    pub origins: Origins,
}

/// Where each setting was written.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    // bound: the keys that are written
    written: BTreeMap<String, String>,
    // bound: the keys that are written
    from_files: BTreeSet<String>,
}

impl Origins {
    /// Where the value at `key` was written: a file, a variable, a flag; for a table where its first key was.
    /// `None` for a default.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<&str> {
        let found = self.written.get(key).or_else(|| {
            let inside = format!("{key}.");
            let mut below = self.written.range(inside.clone()..);
            below.next().filter(|(key, _)| key.starts_with(&inside)).map(|(_, origin)| origin)
        });
        found.map(String::as_str)
    }

    /// Every key that is written, with where.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.written.iter().map(|(key, origin)| (key.as_str(), origin.as_str()))
    }

    /// Whether the value at `key` stands in a file of its own.
    #[must_use]
    pub fn is_from_file(&self, key: &str) -> bool {
        self.from_files.contains(key)
    }

    fn collect(&mut self, value: &Value, key: &str) {
        match table(value) {
            Some(table) => {
                for (name, value) in table {
                    let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                    self.collect(value, &key);
                }
            }
            None => {
                if let Some(origin) = value.origin() {
                    self.written.insert(key.to_owned(), origin.to_owned());
                }
            }
        }
    }
}

impl Settings {
    /// Reads and checks what is written in `sources`.
    ///
    /// # Errors
    /// All mistakes, by key: keys that nobody knows, values of the wrong type, values that break a rule of their
    /// mechanism. Only a document that cannot be parsed hides the others.
    pub fn load(sources: &Sources<'_>) -> Result<Loaded, Vec<Mistake>> {
        Self::load_checked(sources, |_| Vec::new())
    }

    /// Like [`load`](Self::load), with the rules of one BFF ([`Bff::check`](crate::Bff::check)) on top.
    ///
    /// `check` sees the settings even where there are mistakes already (a value that cannot be read is at its
    /// default), so that all are reported at once.
    ///
    /// # Errors
    /// All mistakes, by key.
    pub fn load_checked(
        sources: &Sources<'_>,
        check: impl FnOnce(&Self) -> Vec<Mistake>,
    ) -> Result<Loaded, Vec<Mistake>> {
        let shape = shape::shape();
        let mut merged = sources.merge(&shape).map_err(|mistake| vec![mistake])?;
        let expanded = secret::expand(&mut merged, &shape);
        let mut origins = Origins::default();
        origins.collect(&merged.root, "");
        origins.from_files = expanded.read.iter().map(|secret| secret.key.join(".")).collect();

        let mut reading =
            Reading { mistakes: expanded.mistakes, unread: BTreeSet::new(), origins: &origins, shape: &shape };
        for key in expanded.unread {
            remove(&mut merged.root, &key);
            reading.unread.insert(key.join("."));
        }
        let settings = reading.read(&mut merged);
        let Reading { mut mistakes, unread, .. } = reading;

        let mut broken = Mistakes::default();
        settings.check(&mut broken);
        let broken = broken.into_inner().into_iter().chain(check(&settings));
        // What could not be read is at its default, about which nobody wants to hear.
        mistakes.extend(broken.filter(|mistake| !unread.contains(&mistake.key)).map(|mut mistake| {
            mistake.origin = mistake.origin.or_else(|| origin(&origins, &shape, &mistake.key));
            mistake
        }));
        if mistakes.is_empty() {
            return Ok(Loaded { settings, origins });
        }
        Err(presentable(mistakes, &expanded.read))
    }

    /// Settings from TOML alone.
    ///
    /// # Errors
    /// All mistakes, by key.
    pub fn from_toml(text: &str) -> Result<Self, Vec<Mistake>> {
        Self::load(&Sources::default().text(text)).map(|loaded| loaded.settings)
    }
}

/// In the order of the keys, each once, without anything secret.
fn presentable(mut mistakes: Vec<Mistake>, secrets: &[FromFile]) -> Vec<Mistake> {
    for mistake in &mut mistakes {
        mistake.problem = secret::scrub(&mistake.problem, secrets);
        mistake.remedy = secret::scrub(&mistake.remedy, secrets);
    }
    mistakes.sort_by(|a, b| a.key.cmp(&b.key));
    mistakes.dedup();
    mistakes
}

fn origin(origins: &Origins, shape: &serde_json::Value, key: &str) -> Option<String> {
    if let Some(origin) = origins.of(key) {
        return Some(origin.to_owned());
    }
    // Something that nobody wrote can still be wrong beside something that somebody did.
    let path: Vec<&str> = key.split('.').collect();
    let has_default = |value: &&serde_json::Value| !value.is_object() && !value.is_null() && *value != "";
    shape::at(shape, &path).filter(has_default).map(|_| "default".to_owned())
}

/// Reads until nothing is left that cannot be read.
struct Reading<'a> {
    mistakes: Vec<Mistake>,
    unread: BTreeSet<String>,
    origins: &'a Origins,
    shape: &'a serde_json::Value,
}

impl Reading<'_> {
    /// serde stops at the first value of the wrong type; without that value it reads on, since everything has a
    /// default.
    fn read(&mut self, merged: &mut Merged) -> Settings {
        loop {
            let mut unknown = Vec::new();
            match read(merged, &mut unknown) {
                Ok(settings) => {
                    for path in unknown {
                        self.mistakes.push(self.unknown(&path));
                    }
                    return settings;
                }
                Err((path, cause)) => {
                    self.mistakes.push(self.unreadable(&path, &cause));
                    self.unread.insert(path.join("."));
                    if !remove(&mut merged.root, &path) {
                        return Settings::default();
                    }
                }
            }
        }
    }

    fn unknown(&self, path: &[String]) -> Mistake {
        let (name, table) = path.split_last().map_or(("", [].as_slice()), |(name, table)| (name.as_str(), table));
        let key = path.join(".");
        Mistake {
            problem: "unknown key".to_owned(),
            remedy: shape::suggest(shape::at(self.shape, table), name),
            origin: self.origins.of(&key).map(str::to_owned),
            key,
        }
    }

    fn unreadable(&self, path: &[String], cause: &str) -> Mistake {
        let key = path.join(".");
        let secret = self.origins.is_from_file(&key) || path.last().is_some_and(|name| secret::is_secret(name));
        let problem = match cause.split_once(", expected struct ") {
            _ if secret => "cannot be read (the value is not shown)".to_owned(),
            // The name of a struct says nothing to those who write TOML.
            Some((found, _)) => format!("cannot be read ({found}, expected a table)"),
            None => format!("cannot be read ({cause})"),
        };
        let remedy = match shape::at(self.shape, path) {
            Some(table @ serde_json::Value::Object(_)) => match table.get(shape::ANY) {
                Some(_) => format!("write [{key}.<name>] and the keys below it"),
                None => format!("write [{key}] and the keys below it"),
            },
            Some(serde_json::Value::Null) | None => "docs/configuration.md says what it takes".to_owned(),
            Some(default) => format!("write it like the default, {}", report::inline(default)),
        };
        Mistake { problem, remedy, origin: self.origins.of(&key).map(str::to_owned), key }
    }
}

/// One attempt: the settings and the keys that nobody asked for, or the first value that cannot be read.
fn read(merged: &Merged, unknown: &mut Vec<Vec<String>>) -> Result<Settings, (Vec<String>, String)> {
    let mut track = serde_path_to_error::Track::new();
    let reader = serde_path_to_error::Deserializer::new(Reader::new(&merged.root, &merged.texts), &mut track);
    let mut ignored = |path: serde_ignored::Path<'_>| unknown.push(names(&path));
    let read = Settings::deserialize(serde_ignored::Deserializer::new(reader, &mut ignored));
    read.map_err(|cause| {
        // The key of a list stands for what is in it.
        let path = track.path();
        let keys = path.iter().map_while(|segment| match segment {
            Segment::Map { key } => Some(key.clone()),
            _ => None,
        });
        (keys.collect(), cause.to_string())
    })
}

fn names(path: &serde_ignored::Path<'_>) -> Vec<String> {
    use serde_ignored::Path;
    let (parent, name) = match path {
        Path::Root => return Vec::new(),
        Path::Map { parent, key } => (parent, Some(key.clone())),
        Path::Seq { parent, index } => (parent, Some(index.to_string())),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => (parent, None),
    };
    let mut names = names(parent);
    names.extend(name);
    names
}

/// Takes the value at `path` out of the tree; false if there is none.
fn remove(value: &mut Value, path: &[String]) -> bool {
    let (ValueKind::Table(table), Some((name, rest))) = (&mut value.kind, path.split_first()) else {
        return false;
    };
    match rest {
        [] => table.remove(name).is_some(),
        rest => table.get_mut(name).is_some_and(|value| remove(value, rest)),
    }
}
