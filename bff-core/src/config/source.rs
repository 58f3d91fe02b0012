//! Where settings are written: files, variables, flags; and how their names become keys.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};

use ::config::{Format, Map, Source, Value};

use super::shape;
use crate::settings::Mistake;

/// What the names of our variables begin with.
const PREFIX: &str = "BFF_";
/// What stands between the parts of a key in the name of a variable.
const SEPARATOR: &str = "__";

/// Where the settings of a BFF are written. The later wins: text, file, environment, flags.
#[derive(Clone, Debug, Default)]
pub struct Sources<'a> {
    /// The BFF's name; without `file` and `text`, `config/<name>.toml` is read if it exists.
    pub name: &'a str,
    /// TOML that is part of the program: of the demo, of a test. Default: none.
    pub text: Option<&'a str>,
    /// A TOML file that has to exist. Default: none.
    pub file: Option<PathBuf>,
    /// The environment. Variables such as `BFF_SERVER__LISTEN` count, in any case; those without a `__` after
    /// `BFF_` belong to others (Kubernetes makes some for every service).
    pub env: Vec<(String, String)>,
    /// Flags.
    pub overrides: Vec<Override>,
    /// Names of endpoints and upstreams whose case a variable cannot say: `BFF_ENDPOINTS__GETHOME__BUDGET` means
    /// `getHome` if that is listed here or named in the file.
    pub names: Vec<String>,
}

/// One setting by flag.
#[derive(Clone, Debug)]
pub struct Override {
    /// The flag, for messages: `--set`.
    pub flag: &'static str,
    /// The key's path, as in TOML: `upstreams.ledger.url`.
    pub key: String,
    /// Its value; lists with commas.
    pub value: String,
}

impl<'a> Sources<'a> {
    /// The sources of the BFF of this name: its file, if it exists, and nothing else.
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        Self { name, ..Self::default() }
    }

    /// With this text in place of the file.
    #[must_use]
    pub fn text(mut self, text: &'a str) -> Self {
        self.text = Some(text);
        self
    }

    /// With these variables.
    #[must_use]
    pub fn env<K: Into<String>, V: Into<String>>(mut self, env: impl IntoIterator<Item = (K, V)>) -> Self {
        self.env.extend(env.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// With this setting, as if by `--set`.
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.push(Override { flag: "--set", key: key.into(), value: value.into() });
        self
    }

    /// Everything that is written, merged. A mistake if a file cannot be read or is no TOML: then nothing else can
    /// be said.
    pub(super) fn merge(&self, shape: &serde_json::Value) -> Result<Merged, Mistake> {
        let mut layers = self.documents()?;
        let mut texts = BTreeSet::new();
        let named = merge(layers.clone())?;
        let mut variables: Vec<_> =
            self.env.iter().filter_map(|(name, value)| Some((keys(name)?, name, value))).collect();
        // The order of an environment is no order.
        variables.sort_unstable();
        for (keys, name, value) in variables {
            let path = self.resolve(&keys, shape, &named);
            layers.push(Layer::of_text(&path, value, name));
            texts.insert(name.clone());
        }
        for Override { flag, key, value } in &self.overrides {
            let path: Vec<String> = key.split('.').map(str::to_owned).collect();
            layers.push(Layer::of_text(&path, value, flag));
            texts.insert((*flag).to_owned());
        }
        Ok(Merged { root: merge(layers)?, texts })
    }

    fn documents(&self) -> Result<Vec<Layer>, Mistake> {
        let mut documents = Vec::new();
        if let Some(text) = self.text {
            documents.push(Layer::of_toml(text, "built in")?);
        }
        let usual = || Path::new("config").join(format!("{}.toml", self.name));
        let file = match &self.file {
            Some(file) => Some(file.clone()),
            None if self.text.is_none() && !self.name.is_empty() => Some(usual()).filter(|file| file.exists()),
            None => None,
        };
        if let Some(file) = file {
            let shown = file.display().to_string();
            let text = std::fs::read_to_string(&file).map_err(|cause| {
                let remedy = "name a TOML file with --config, or in BFF_CONFIG";
                document_mistake(&shown, format!("cannot be read ({cause})"), remedy)
            })?;
            documents.push(Layer::of_toml(&text, &shown)?);
        }
        Ok(documents)
    }

    /// The path that a variable means: names of variables have no case and no dashes, keys may have both.
    fn resolve(&self, keys: &[String], shape: &serde_json::Value, named: &Value) -> Vec<String> {
        let (mut shape, mut named) = (Some(shape), Some(named));
        keys.iter()
            .map(|key| {
                let in_shape = shape.and_then(serde_json::Value::as_object);
                let in_files = named.and_then(table);
                let dynamic = in_shape.is_some_and(|table| table.contains_key(shape::ANY));
                let known = in_shape.into_iter().flat_map(serde_json::Map::keys);
                let known = known.chain(in_files.into_iter().flat_map(Map::keys));
                let known = known.chain(self.names.iter().filter(|_| dynamic));
                let found = known.filter(|known| *known != shape::ANY).find(|known| plain(known) == *key);
                let key = found.unwrap_or(key).clone();
                shape = shape.and_then(|shape| shape::below(shape, &key));
                named = in_files.and_then(|table| table.get(&key));
                key
            })
            .collect()
    }
}

/// What is written, and which origins write everything as text.
pub(super) struct Merged {
    pub(super) root: Value,
    pub(super) texts: BTreeSet<String>,
}

/// The table that `value` is.
pub(super) fn table(value: &Value) -> Option<&Map<String, Value>> {
    match &value.kind {
        ::config::ValueKind::Table(table) => Some(table),
        _ => None,
    }
}

/// What one document, one variable or one flag says.
#[derive(Clone, Debug)]
struct Layer(Map<String, Value>);

impl Layer {
    fn of_toml(text: &str, origin: &str) -> Result<Self, Mistake> {
        let parsed = ::config::FileFormat::Toml.parse(Some(&origin.to_owned()), text);
        parsed.map(Self).map_err(|cause| {
            document_mistake(origin, syntax_problem(cause.as_ref()), "mend it; nothing else was looked at")
        })
    }

    fn of_text(path: &[String], value: &str, origin: &str) -> Self {
        let origin = origin.to_owned();
        let mut table = Map::new();
        if let Some((last, outer)) = path.split_last() {
            table.insert(last.clone(), Value::new(Some(&origin), value));
            for key in outer.iter().rev() {
                table = Map::from([(key.clone(), Value::new(Some(&origin), table))]);
            }
        }
        Self(table)
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ::config::ConfigError> {
        Ok(self.0.clone())
    }
}

fn merge(layers: Vec<Layer>) -> Result<Value, Mistake> {
    let merged = ::config::Config::builder().add_source(layers).build();
    let merged = merged.map_err(|cause| document_mistake("", cause.to_string(), "mend it"))?;
    Ok(merged.cache)
}

/// The parts of a variable's name, plain; `None` for a variable that is not ours.
fn keys(name: &str) -> Option<Vec<String>> {
    let (prefix, rest) = name.split_at_checked(PREFIX.len())?;
    let ours = prefix.eq_ignore_ascii_case(PREFIX) && rest.contains(SEPARATOR);
    ours.then(|| rest.split(SEPARATOR).map(plain).collect())
}

/// A key as the name of a variable can say it.
fn plain(key: &str) -> String {
    key.to_ascii_lowercase().replace('-', "_")
}

/// What is wrong with a whole document.
fn document_mistake(document: &str, problem: String, remedy: &str) -> Mistake {
    Mistake { key: document.to_owned(), problem, remedy: remedy.to_owned(), origin: None }
}

/// Line, column and message of a parser's error. It draws the line, too, which is left out: there may be a secret
/// in it.
fn syntax_problem(cause: &dyn Error) -> String {
    let text = cause.to_string();
    let drawn =
        |line: &&str| line.trim_start_matches([' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']).starts_with('|');
    let mut lines = text.lines().filter(|line| !drawn(line)).map(str::trim);
    let place = lines.next().unwrap_or_default();
    let place = place.strip_prefix("TOML parse error at ").unwrap_or(place).to_owned();
    let message = lines.collect::<Vec<_>>().join(", ");
    if message.is_empty() { place } else { format!("{place}: {message}") }
}
