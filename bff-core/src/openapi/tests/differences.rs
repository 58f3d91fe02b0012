//! A committed document and the one that the code makes.

use crate::openapi::compare;

#[test]
fn line_ends_do_not_count() {
    assert_eq!(compare("{\r\n  \"a\": 1\r\n}\r\n", "{\n  \"a\": 1\n}\n"), Ok(()));
}

#[test]
fn the_first_places_are_named() {
    let old = r#"{ "paths": { "/a~b": { "get": [1, 2] } }, "gone": 1, "same": [1] }"#;
    let new = r#"{ "paths": { "/a~b": { "get": [1, 3] } }, "new": 1, "same": [1] }"#;
    let difference = compare(old, new).unwrap_err();
    let expected = [
        "/gone: committed, but no longer made",
        "/paths/~1a~0b/get/1: committed 2, made 3",
        "/new: made, but not committed",
    ];
    let mut lines: Vec<&str> = difference.lines().collect();
    lines.sort_unstable_by_key(|line| expected.iter().position(|known| known == line));
    assert_eq!(lines, expected);
}

#[test]
fn many_differences_are_counted() {
    let list = |from: usize| serde_json::json!((from..from + 25).collect::<Vec<_>>()).to_string();
    let difference = compare(&list(0), &list(1)).unwrap_err();
    assert_eq!(difference.lines().count(), 11);
    assert!(difference.ends_with("and 15 more"), "{difference}");
}

#[test]
fn what_is_no_difference_in_content_is_one_in_form() {
    assert!(compare("{\"a\":1}", "{ \"a\": 1 }").unwrap_err().contains("order or spacing"));
    assert!(compare("", "{}").unwrap_err().contains("committed document is not JSON"));
}
