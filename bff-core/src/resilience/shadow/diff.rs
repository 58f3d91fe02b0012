//! Where two JSON values differ.

use serde_json::{Number, Value};

/// After so many differences there are two different things, and it is not worth looking further.
const MOST: usize = 1000;
/// What is nested deeper is compared as a whole.
const DEEPEST: usize = 64;
/// How much of a key is shown, in bytes.
const LONGEST_KEY: usize = 64;

/// How the value at a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The same type, another value.
    Changed,
    /// Only the real answer has it.
    Missing,
    /// Only the shadow's answer has it.
    Added,
    /// Another type, `null` being one.
    Type,
}

impl Kind {
    /// As a report says it.
    #[must_use]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Added => "added",
            Self::Type => "type",
        }
    }
}

/// The paths whose differences do not count, with everything below them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ignore {
    paths: Vec<Vec<Pattern>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Any,
    /// A key, or an index in decimal.
    This(String),
}

/// One step down: a key, or an index.
#[derive(Clone, Copy)]
enum Step<'v> {
    Key(&'v str),
    Index(usize),
}

impl Ignore {
    /// These JSON pointers, `*` standing for any index or key. What is no pointer is left out (and reported by `check`).
    #[must_use]
    pub(super) fn new(pointers: &[String]) -> Self {
        Self { paths: pointers.iter().filter_map(|pointer| patterns(pointer)).collect() }
    }

    /// Whether this is a JSON pointer (RFC 6901) below the whole document, which cannot be ignored.
    #[must_use]
    pub(super) fn is_pointer(text: &str) -> bool {
        patterns(text).is_some()
    }

    fn hides(&self, steps: &[Step<'_>]) -> bool {
        // From the end, where paths differ most.
        let fits = |path: &Vec<Pattern>| {
            path.len() == steps.len() && path.iter().zip(steps).rev().all(|(pattern, step)| pattern.fits(*step))
        };
        self.paths.iter().any(fits)
    }
}

impl Pattern {
    fn fits(&self, step: Step<'_>) -> bool {
        match (self, step) {
            (Self::Any, _) => true,
            (Self::This(name), Step::Key(key)) => name == key,
            (Self::This(name), Step::Index(at)) => name.parse() == Ok(at),
        }
    }
}

fn patterns(pointer: &str) -> Option<Vec<Pattern>> {
    pointer.strip_prefix('/')?.split('/').map(pattern).collect()
}

fn pattern(token: &str) -> Option<Pattern> {
    if token == "*" {
        return Some(Pattern::Any);
    }
    let is_escaped = token.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    is_escaped.then(|| Pattern::This(token.replace("~1", "/").replace("~0", "~")))
}

/// Tells `found` where `shadow` differs from `real`, as JSON pointers with `*` for indexes and for keys that look like
/// ids; at most 1000 times.
///
/// Lists are compared place by place. Numbers are equal if their values are, however they are written.
pub(super) fn diff(real: &Value, shadow: &Value, ignore: &Ignore, found: &mut impl FnMut(&str, Kind)) {
    Walk { ignore, found, left: MOST, steps: Vec::new(), path: String::new() }.compare(real, shadow);
}

struct Walk<'v, 'i, F> {
    ignore: &'i Ignore,
    found: &'i mut F,
    left: usize,
    steps: Vec<Step<'v>>,
    path: String,
}

impl<'v, F: FnMut(&str, Kind)> Walk<'v, '_, F> {
    fn compare(&mut self, real: &'v Value, shadow: &'v Value) {
        match (real, shadow) {
            _ if self.steps.len() >= DEEPEST => self.tell(Kind::Changed, real != shadow),
            (Value::Object(real), Value::Object(shadow)) => {
                for (key, real) in real {
                    self.down(Step::Key(key), Some(real), shadow.get(key));
                }
                for (key, shadow) in shadow.iter().filter(|(key, _)| !real.contains_key(*key)) {
                    self.down(Step::Key(key), None, Some(shadow));
                }
            }
            (Value::Array(real), Value::Array(shadow)) => {
                for at in 0..real.len().max(shadow.len()) {
                    self.down(Step::Index(at), real.get(at), shadow.get(at));
                }
            }
            (Value::Number(real), Value::Number(shadow)) => self.tell(Kind::Changed, !equal(real, shadow)),
            _ if std::mem::discriminant(real) != std::mem::discriminant(shadow) => self.tell(Kind::Type, true),
            _ => self.tell(Kind::Changed, real != shadow),
        }
    }

    fn down(&mut self, step: Step<'v>, real: Option<&'v Value>, shadow: Option<&'v Value>) {
        if self.left == 0 {
            return;
        }
        self.steps.push(step);
        if !self.ignore.hides(&self.steps) {
            let before = self.path.len();
            self.path.push('/');
            match step {
                Step::Key(key) if !looks_like_an_id(key) => push(&mut self.path, key),
                _ => self.path.push('*'),
            }
            match (real, shadow) {
                (Some(real), Some(shadow)) => self.compare(real, shadow),
                (Some(_), None) => self.tell(Kind::Missing, true),
                (None, _) => self.tell(Kind::Added, true),
            }
            self.path.truncate(before);
        }
        self.steps.pop();
    }

    fn tell(&mut self, kind: Kind, differs: bool) {
        if differs && self.left > 0 {
            self.left -= 1;
            (self.found)(&self.path, kind);
        }
    }
}

/// By value: `1` is `1.0`, and integers beyond 2^53 are not rounded.
fn equal(one: &Number, other: &Number) -> bool {
    match (integer(one), integer(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.as_f64() == other.as_f64(),
        _ => false,
    }
}

/// The value of a number without a fraction; `None` also for those that no integer type holds.
fn integer(number: &Number) -> Option<i128> {
    if let Some(small) = number.as_i64() {
        return Some(small.into());
    }
    if let Some(large) = number.as_u64() {
        return Some(large.into());
    }
    let float = number.as_f64()?;
    (float.fract() == 0.0 && float.abs() < 1e30).then_some(float as i128)
}

/// Adds a key to a path, escaped (RFC 6901 §3), or the beginning of it if it is long.
fn push(path: &mut String, key: &str) {
    for letter in key[..key.floor_char_boundary(LONGEST_KEY)].chars() {
        match letter {
            '~' => path.push_str("~0"),
            '/' => path.push_str("~1"),
            letter => path.push(letter),
        }
    }
}

/// Keys that name a record, not a field: they would be as many as there are records, and tell of users.
///
/// Digits, UUIDs with and without dashes, and mail addresses (but not `@type`).
fn looks_like_an_id(key: &str) -> bool {
    let digits = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit());
    let hex = key.bytes().filter(|byte| *byte != b'-');
    let uuid =
        matches!(key.len(), 32 | 36) && hex.clone().count() == 32 && hex.clone().all(|byte| byte.is_ascii_hexdigit());
    digits || uuid || key.find('@').is_some_and(|at| at > 0)
}
