//! Where a claim stands in a token.

use serde_json::{Map, Value};

/// Claims that are objects wherever they are known, and what is meant by who names them.
const OBJECTS: [(&str, &str); 5] = [
    ("realm_access", "write realm_access.roles"),
    ("resource_access", "write resource_access.<client>.roles, with the client's id"),
    ("address", "name a claim that is a text or a list"),
    ("cnf", "name a claim that is a text or a list"),
    ("act", "write act.sub"),
];

/// The claim that `name` names: the one of exactly this name (names such as `https://id.example/roles` hold dots and
/// slashes), or else the one at the end of a path with dots between its steps. What begins with `/` is a JSON pointer
/// (RFC 6901).
pub(super) fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(pointer) = name.strip_prefix('/') {
        let mut steps = pointer.split('/').map(|step| step.replace("~1", "/").replace("~0", "~"));
        let first = claims.get(&steps.next()?)?;
        return steps.try_fold(first, |value, step| match value {
            Value::Object(members) => members.get(&step),
            Value::Array(elements) => elements.get(index(&step)?),
            _ => None,
        });
    }
    if let Some(own) = claims.get(name) {
        return Some(own);
    }
    let mut steps = name.split('.');
    let first = claims.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.as_object()?.get(step))
}

/// RFC 6901 §4: digits without zeros in front.
fn index(step: &str) -> Option<usize> {
    let is_index = step == "0" || !step.starts_with('0') && step.bytes().all(|digit| digit.is_ascii_digit());
    step.parse().ok().filter(|_| is_index)
}

/// What is wrong with a name, and what to do about it; `None` for nothing.
pub(super) fn mistake(name: &str) -> Option<(String, &'static str)> {
    if name.is_empty() {
        return Some(("is empty".to_owned(), "name a claim; tokens need not have it"));
    }
    if name.starts_with('/') {
        let is_pointer = name.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        let problem = || (format!("{name:?} is no JSON pointer"), "write ~0 for a tilde and ~1 for a slash in a name");
        return (!is_pointer).then(problem).or_else(|| object(name.trim_start_matches('/')));
    }
    object(name)
}

/// A name that leads to an object, which is neither a text nor a list.
fn object(name: &str) -> Option<(String, &'static str)> {
    let (first, rest) = name.split_once(['.', '/']).map_or((name, None), |(first, rest)| (first, Some(rest)));
    let (_, remedy) = OBJECTS.iter().find(|(known, _)| *known == first)?;
    // Below it stands one object for each client.
    let is_object = match rest {
        None => true,
        Some(rest) => first == "resource_access" && !rest.contains(['.', '/']),
    };
    is_object.then(|| (format!("{name} is an object, and a text or a list is expected"), *remedy))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn k16_where_a_claim_stands() {
        let claims = json!({
            "roles": ["flat"],
            "a.b": ["exact"],
            "a": { "b": ["below"], "c.d": ["dotted"], "c": { "d": ["deep"] } },
            "https://id.example/roles": ["url"],
            "realm_access": { "roles": ["admin"] },
            "resource_access": { "my.app": { "roles": ["x"] } },
            "list": [{ "roles": ["first"] }, { "roles": ["second"] }],
            "/odd": ["slash"],
            "": { "": ["nameless"] },
            "t~x": ["tilde"],
            "text": "words",
        });
        let Value::Object(claims) = claims else { panic!() };
        for (name, found) in [
            ("roles", Some("flat")),
            ("a.b", Some("exact")),
            ("/a/b", Some("below")),
            ("a.c.d", Some("deep")),
            ("/a/c.d", Some("dotted")),
            ("https://id.example/roles", Some("url")),
            ("/https:~1~1id.example~1roles", Some("url")),
            ("realm_access.roles", Some("admin")),
            ("/resource_access/my.app/roles", Some("x")),
            ("resource_access.my.app.roles", None),
            ("/list/1/roles", Some("second")),
            ("/list/01/roles", None),
            ("/list/2/roles", None),
            ("list.0.roles", None),
            ("/~1odd", Some("slash")),
            ("/t~0x", Some("tilde")),
            ("//", Some("nameless")),
            ("text.words", None),
            ("none", None),
            ("realm_access.none", None),
        ] {
            let value = find(&claims, name).map(|value| value[0].as_str().unwrap());
            assert_eq!(value, found, "{name}");
        }
    }

    #[test]
    fn k16_what_is_known_to_be_an_object_is_a_mistake() {
        for name in
            ["", "/a~b", "/a~", "realm_access", "/realm_access", "resource_access", "resource_access.app", "act"]
        {
            assert!(mistake(name).is_some(), "{name}");
        }
        for name in [
            "roles",
            "realm_access.roles",
            "/realm_access/roles",
            "resource_access.app.roles",
            "/resource_access/my.app/roles",
            "https://id.example/roles",
            "act.sub",
            "/a~0b~1c",
        ] {
            assert_eq!(mistake(name), None, "{name}");
        }
    }
}
