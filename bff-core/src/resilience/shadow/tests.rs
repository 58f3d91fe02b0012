use proptest::prelude::*;
use serde_json::json;

use super::*;

fn found(real: &Value, shadow: &Value, ignore: &[&str]) -> Vec<(String, Kind)> {
    let ignore = Ignore::new(&ignore.iter().map(|pointer| (*pointer).to_owned()).collect::<Vec<_>>());
    let mut found = Vec::new();
    diff(real, shadow, &ignore, &mut |path: &str, kind| found.push((path.to_owned(), kind)));
    found
}

fn check(real: &Value, shadow: &Value, ignore: &[&str], expect: &[(&str, Kind)]) {
    let found = found(real, shadow, ignore);
    let found: Vec<_> = found.iter().map(|(path, kind)| (path.as_str(), *kind)).collect();
    assert_eq!(found, expect, "{real} {shadow} {ignore:?}");
}

#[test]
fn differences_are_found_where_they_are() {
    use Kind::{Added, Changed, Missing, Type};
    check(&json!(1), &json!(2), &[], &[("", Changed)]);
    check(&json!({"a": 1}), &json!({"a": "1"}), &[], &[("/a", Type)]);
    check(&json!({"a": null}), &json!({"a": 1}), &[], &[("/a", Type)]);
    check(&json!({"a": null}), &json!({}), &[], &[("/a", Missing)]);
    check(&json!({"a": 1, "b": 2}), &json!({"c": 3, "a": 1}), &[], &[("/b", Missing), ("/c", Added)]);
    check(&json!({"a": true}), &json!({"a": false}), &[], &[("/a", Changed)]);
    check(&json!([1, 2, 3]), &json!([1, 4]), &[], &[("/*", Changed), ("/*", Missing)]);
    check(&json!([1]), &json!([1, 2]), &[], &[("/*", Added)]);
    check(&json!({"a": []}), &json!({"a": {}}), &[], &[("/a", Type)]);
    let (real, shadow) = (json!({"items": [{"n": 1}, {"n": 2}]}), json!({"items": [{"n": 1}, {"n": 3}]}));
    check(&real, &shadow, &[], &[("/items/*/n", Changed)]);
}

#[test]
fn numbers_are_compared_by_value() {
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let same = |one: &str, other: &str| {
        assert!(found(&number(one), &number(other), &[]).is_empty(), "{one} {other}");
        assert!(found(&number(other), &number(one), &[]).is_empty(), "{other} {one}");
    };
    let differ = |one: &str, other: &str| {
        check(&number(one), &number(other), &[], &[("", Kind::Changed)]);
        check(&number(other), &number(one), &[], &[("", Kind::Changed)]);
    };
    same("1", "1.0");
    same("100", "1e2");
    same("0", "-0.0");
    same("18446744073709551615", "18446744073709551615");
    same("1e300", "1.0e300");
    same("0.10", "0.1");
    differ("1", "1.5");
    differ("9007199254740993", "9007199254740992.0");
    differ("9007199254740993", "9007199254740992");
    differ("-1", "18446744073709551615");
    differ("1e300", "1");
}

#[test]
fn ids_among_keys_are_not_shown_and_long_keys_are_cut() {
    let long = "ä".repeat(40);
    for (key, shown) in [
        ("0", "/*"),
        ("12345", "/*"),
        ("1a", "/1a"),
        ("", "/"),
        ("0190163d-8694-739b-aea5-966c26f8ad90", "/*"),
        ("0190163D8694739BAEA5966C26F8AD90", "/*"),
        ("someone@example.org", "/*"),
        ("@type", "/@type"),
        ("a/b~c", "/a~1b~0c"),
        (&long, &format!("/{}", "ä".repeat(32))),
    ] {
        check(&json!({ key: 1 }), &json!({ key: 2 }), &[], &[(shown, Kind::Changed)]);
    }
}

#[test]
fn what_is_ignored_does_not_count() {
    let real = json!({"items": [{"at": 1, "n": 1}, {"at": 2, "n": 2}], "a/b": {"c": 1}, "~": 1});
    let shadow = json!({"items": [{"at": 3, "n": 1}, {"n": "2"}], "a/b": {"c": 2}, "~": 2});
    let rest = [("/a~1b/c", Kind::Changed), ("/~0", Kind::Changed)];
    let items = [("/items/*/at", Kind::Changed), ("/items/*/at", Kind::Missing), ("/items/*/n", Kind::Type)];
    check(&real, &shadow, &[], &[&rest[..1], &items[..], &rest[1..]].concat());
    check(&real, &shadow, &["/items/*/at", "/*/*/n", "/a~1b"], &rest[1..]);
    check(&real, &shadow, &["/items/1", "/~0", "/a~1b/*"], &items[..1]);
    check(&real, &shadow, &["/items", "/*/c"], &rest[1..]);
    check(&real, &shadow, &["/*"], &[]);
    check(&json!([1, 2]), &json!([2]), &["/1"], &[("/*", Kind::Changed)]);
}

#[test]
fn work_is_bounded() {
    let (real, shadow) = (json!(vec![1; 5000]), json!(vec![2; 5000]));
    assert_eq!(found(&real, &shadow, &[]).len(), 1000);
    let deep = |leaf: i32| (0..100).fold(json!(leaf), |inner, _| json!([inner]));
    check(&deep(1), &deep(2), &[], &[("/*".repeat(64).as_str(), Kind::Changed)]);
    check(&deep(1), &deep(1), &[], &[]);
}

#[test]
fn a_report_counts_pairs() {
    fn shared<T: Send + Sync>() {}
    shared::<Report>();
    let report = Report::new(&ShadowSettings { ignore: vec!["/at".to_owned()], ..ShadowSettings::default() });
    report.compared(br#"{"a":1,"at":1}"#, br#"{ "a": 1.0, "at": 2 }"#);
    report.compared(br#"{"n":[1,2,3]}"#, br#"{"n":[4,5,6]}"#);
    report.compared(br#"{"n":[1,2,3]}"#, br#"{"n":[4]}"#);
    report.compared(b"secret", b"other");
    report.compared(b"secret", b"secret");
    report.compared(b"{}", b"secret");
    report.status(200, 200);
    report.status(200, 503);
    report.status(404, 200);
    report.status(200, 503);
    ["timeout", "timeout", "unreachable"].into_iter().for_each(|how| report.failed(how));
    report.skipped();
    let view = serde_json::to_value(report.view()).unwrap();
    let expect = json!({
        "compared": 9,
        "same": 2,
        "different": 7,
        "failed": {"timeout": 2, "unreachable": 1},
        "skipped": 1,
        "statuses": [{"real": 200, "shadow": 503, "count": 2}, {"real": 404, "shadow": 200, "count": 1}],
        "fields": [
            {"path": "", "kind": "changed", "count": 2},
            {"path": "/n/*", "kind": "changed", "count": 2},
            {"path": "/n/*", "kind": "missing", "count": 1},
        ],
    });
    assert_eq!(view, expect);
    assert!(!view.to_string().contains("secret"));
}

#[test]
fn a_report_tells_apart_only_so_many() {
    let report = Report::new(&ShadowSettings::default());
    for status in 0..600 {
        report.status(200, status);
    }
    let named: Vec<_> = (0..100).map(|at| &*Box::leak(format!("way {at}").into_boxed_str())).collect();
    named.into_iter().for_each(|how| report.failed(how));
    for at in 0..100 {
        report.compared(format!("{{\"f{at}\":1}}").as_bytes(), b"{}");
    }
    let view = report.view();
    assert_eq!((view.statuses.len(), view.failed.len(), view.fields.len()), (17, 17, 65));
    assert_eq!(view.statuses[0], StatusView { real: 0, shadow: 0, count: 599 - 16 });
    assert_eq!(view.failed["others"], 84);
    assert_eq!(view.fields[0], FieldView { path: "others".to_owned(), kind: "various", count: 36 });
}

#[test]
fn every_mistake_is_noted() {
    let keys = |settings: ShadowSettings| {
        let mut mistakes = Mistakes::default();
        settings.check(&mut mistakes);
        mistakes.into_inner().into_iter().map(|mistake| mistake.key).collect::<Vec<_>>()
    };
    assert!(keys(ShadowSettings::default()).is_empty());
    let ignore = |pointer: &str| keys(ShadowSettings { ignore: vec![pointer.to_owned()], ..ShadowSettings::default() });
    for good in ["/a", "/a/*/b", "/", "/a~0b~1c", "/*"] {
        assert!(ignore(good).is_empty(), "{good}");
    }
    for bad in ["", "a", "/a~", "/a~2", "/~/b"] {
        assert_eq!(ignore(bad), ["ignore"], "{bad}");
    }
    for share in [0.0, -1.0, 1.1, f64::NAN] {
        assert_eq!(keys(ShadowSettings { share, ..ShadowSettings::default() }), ["share"]);
    }
    let nothing = ShadowSettings { timeout: Duration::ZERO, at_once: 0, ..ShadowSettings::default() };
    assert_eq!(keys(nothing), ["timeout", "at_once"]);
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9/~*]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z0-9/~*]{0,4}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every place where there is no object and no list with something in it, as a JSON pointer.
fn leaves(value: &Value, at: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => map.iter().for_each(|(key, inner)| {
            leaves(inner, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all);
        }),
        Value::Array(list) if !list.is_empty() => {
            list.iter().enumerate().for_each(|(index, inner)| leaves(inner, &format!("{at}/{index}"), all));
        }
        _ => all.push(at.to_owned()),
    }
}

/// A pointer as a report shows it: in these documents whatever is all digits is an index or looks like an id.
fn shown(pointer: &str) -> String {
    let token = |token: &str| match token {
        "" => String::new(),
        token if token.bytes().all(|byte| byte.is_ascii_digit()) => "*".to_owned(),
        token => token.to_owned(),
    };
    pointer.split('/').map(token).collect::<Vec<_>>().join("/")
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(value in json()) {
        prop_assert!(found(&value, &value, &[]).is_empty());
        let again = serde_json::from_str(&value.to_string()).unwrap();
        prop_assert!(found(&value, &again, &[]).is_empty());
    }

    #[test]
    fn a_changed_leaf_is_found_at_its_path_and_hidden_by_it(value in json(), which in any::<prop::sample::Index>()) {
        let mut pointers = Vec::new();
        leaves(&value, "", &mut pointers);
        let pointer = which.get(&pointers);
        let mut changed = value.clone();
        let leaf = changed.pointer_mut(pointer).unwrap();
        *leaf = if leaf.is_string() { json!(1) } else { json!("changed") };
        prop_assert_eq!(found(&value, &changed, &[]), [(shown(pointer), Kind::Type)]);
        if !pointer.is_empty() {
            prop_assert!(found(&value, &changed, &[pointer]).is_empty());
            let top = format!("/{}", pointer[1..].split('/').next().unwrap());
            prop_assert!(found(&value, &changed, &[&top]).is_empty());
            let any = "/*".repeat(pointer.matches('/').count());
            prop_assert!(found(&value, &changed, &[&any]).is_empty());
            prop_assert_eq!(found(&value, &changed, &[&format!("{pointer}/*")]).len(), 1);
        }
    }

    #[test]
    fn missing_and_added_mirror_each_other(one in json(), other in json()) {
        let mirrored = |kind| match kind {
            Kind::Missing => Kind::Added,
            Kind::Added => Kind::Missing,
            kind => kind,
        };
        let mut there = found(&one, &other, &[]);
        let mut back: Vec<_> =
            found(&other, &one, &[]).into_iter().map(|(path, kind)| (path, mirrored(kind))).collect();
        there.sort();
        back.sort();
        prop_assert_eq!(there, back);
    }

    #[test]
    fn a_report_stays_small(pairs in prop::collection::vec((json(), json()), 1..40)) {
        let report = Report::new(&ShadowSettings::default());
        for (real, shadow) in &pairs {
            report.compared(real.to_string().as_bytes(), shadow.to_string().as_bytes());
            let view = report.view();
            prop_assert!(view.fields.len() <= 65);
            prop_assert_eq!(view.same + view.different, view.compared);
            prop_assert!(view.fields.is_sorted_by(|a, b| a.count >= b.count));
            prop_assert!(view.fields.iter().all(|field| field.path == "others" || field.count <= view.different));
        }
    }
}
