//! Headers that a configuration, or a call, adds to what an upstream is asked.

use std::collections::BTreeMap;
use std::fmt;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderName, HeaderValue};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hop_by_hop;
use crate::settings::Mistakes;

/// What stands in place of a value wherever it would be shown.
const HIDDEN: &str = "********";

/// The value of a header in a configuration. Most of them are secrets, so none is shown: not by `Debug`, not as JSON, and
/// not in a mistake.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderText(String);

impl From<&str> for HeaderText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for HeaderText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(HIDDEN)
    }
}

impl Serialize for HeaderText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl<'de> Deserialize<'de> for HeaderText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde would quote what it found in place of a text.
        String::deserialize(deserializer).map(Self).map_err(|_| D::Error::custom("the value of a header is a text"))
    }
}

impl HeaderText {
    /// The value as it travels; never shown by what logs headers, and never put into a table of HTTP/2.
    fn value(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&self.0).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// What says how a request is sent, who asks, or how its answer is read: made here, for every call.
const OWNED: [&str; 18] = [
    "accept-encoding",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
    "request-timeout",
    "traceparent",
    "tracestate",
    "via",
    "x-request-id",
];

/// Whether a header of this name is made here. A server that reads `_` as `-` (CGI, RFC 3875 §4.1.18) does not tell
/// `x_user_id` from `x-user-id`.
fn is_owned(name: &HeaderName) -> bool {
    let name = name.as_str().replace('_', "-");
    OWNED.contains(&name.as_str())
        || hop_by_hop::is_known(&name)
        || name.starts_with("x-user-")
        || name == "x-client-id"
}

/// Why a call cannot say this header; `None` where it can.
pub(super) fn why_not(name: &HeaderName) -> Option<&'static str> {
    if is_owned(name) {
        Some("is made by the framework")
    } else if [AUTHORIZATION, COOKIE].contains(name) {
        Some("says who asks; a secret stands in request_headers, and forward_authorization passes on the visitor's")
    } else {
        None
    }
}

/// Whether a header of an answer may be told with its value: not what belongs to the connection, to the bytes that were
/// decoded, or to one client.
pub(super) fn is_told(name: &HeaderName) -> bool {
    let untold = ["content-length", "content-encoding", "set-cookie"];
    !untold.contains(&name.as_str()) && !hop_by_hop::is_known(name.as_str())
}

/// The headers of a configuration, ready; what is none is left out (and reported by `check`).
pub(super) fn ready(headers: &BTreeMap<String, HeaderText>) -> Box<[(HeaderName, HeaderValue)]> {
    headers.iter().filter_map(|(name, text)| Some((name.parse().ok()?, text.value()?))).collect()
}

/// Notes what is wrong with `request_headers`, beside what else the upstream is told.
pub(super) fn check(
    headers: &BTreeMap<String, HeaderText>,
    forward: &[HeaderName],
    forward_authorization: bool,
    mistakes: &mut Mistakes,
) {
    for (text, value) in headers {
        let mut note = |problem: &str, remedy: &str| mistakes.note(text, problem, remedy);
        let Ok(name) = text.parse::<HeaderName>() else {
            note("is no header name", "use names such as \"x-api-key\"");
            continue;
        };
        if headers.keys().any(|other| other != text && other.eq_ignore_ascii_case(text)) {
            note("is there twice", "header names know no case: keep one of them");
        }
        if is_owned(&name) {
            note("is made by the framework", "take it out");
        } else if forward.contains(&name) {
            note("is passed on from the client as well (forward)", "take it out of one of them");
        } else if name == AUTHORIZATION && forward_authorization {
            note("is the visitor's (forward_authorization)", "take one of them out");
        }
        if value.value().is_none() {
            note("its value cannot stand in a header (it is not shown)", "use visible ASCII, on one line");
        } else if value.0.is_empty() {
            note("its value is empty", "give the value, or a file that holds it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_framework_makes_is_no_one_elses() {
        for name in [
            "Host",
            "content-length",
            "transfer-encoding",
            "connection",
            "x-user-id",
            "x_user_roles",
            "x-client-id",
            "traceparent",
            "tracestate",
            "request-timeout",
            "x-request-id",
            "content-type",
            "authorization",
            "cookie",
            "proxy-authorization",
        ] {
            assert!(why_not(&name.parse().unwrap()).is_some(), "{name}");
        }
        for name in ["accept", "user-agent", "x-api-key", "prefer"] {
            assert_eq!(why_not(&name.parse().unwrap()), None, "{name}");
        }
    }

    #[test]
    fn a_value_is_shown_nowhere() {
        let text = HeaderText::from("canary");
        assert!(!format!("{text:?}{}{:?}", serde_json::to_string(&text).unwrap(), text.value()).contains("canary"));
        let wrong = serde_json::from_str::<HeaderText>("4711").unwrap_err();
        assert!(!wrong.to_string().contains("4711"), "{wrong}");
    }
}
