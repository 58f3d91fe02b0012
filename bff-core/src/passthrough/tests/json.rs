//! Leaving fields out of JSON.

use super::super::json::Rules;
use super::*;

#[track_caller]
fn check(rules: &str, given: &str, left: &str) {
    let settings = route(&format!("path = '/'\nupstream = 'u'\njson = {{ {rules} }}")).json;
    let rules = Rules::new(&settings).unwrap();
    let out = rules.apply(given.as_bytes()).map(|(out, _)| String::from_utf8(out).unwrap());
    assert_eq!(out.unwrap_or_else(|_| "refused".to_owned()), left, "{given}");
}

#[test]
fn only_what_is_allowed() {
    let rules = "allow = ['id', 'owner.name', 'tags']";
    for (given, left) in [
        (r#"{"id":1,"secret":2}"#, r#"{"id":1}"#),
        // Order, numbers and texts stay as they were written.
        (
            r#" { "tags" : [ 1.0e2, {"x": "\u00e4"} ] , "a":0, "id": 12345678901234567890123 } "#,
            r#"{"tags":[ 1.0e2, {"x": "\u00e4"} ],"id":12345678901234567890123}"#,
        ),
        (r#"{"owner":{"name":"ada","mail":"x"},"id":1}"#, r#"{"owner":{"name":"ada"},"id":1}"#),
        (
            r#"{"owner":[{"name":"a","x":1},{"x":2},[{"name":"b"}],"text",null]}"#,
            r#"{"owner":[{"name":"a"},{},[{"name":"b"}],null]}"#,
        ),
        // Where a rule leads into a field that is no object there is nothing that it allows.
        (r#"{"owner":"ada lovelace, 1 street"}"#, "{}"),
        (r#"{"owner":null}"#, r#"{"owner":null}"#),
        (r#"[{"id":1,"x":2},{"x":3}]"#, r#"[{"id":1},{}]"#),
        ("[]", "[]"),
        ("null", "null"),
        (r#"{"id":1,"x":2,"id":3}"#, r#"{"id":1,"id":3}"#),
        (r#"{"i\u0064":1}"#, r#"{"id":1}"#),
        (r#""text""#, "refused"),
        ("1", "refused"),
        ("", "refused"),
        (r#"{"id":1"#, "refused"),
        (r#"{"id":1} x"#, "refused"),
        ("<html>", "refused"),
    ] {
        check(rules, given, left);
    }
}

#[test]
fn all_but_what_is_denied() {
    let rules = "deny = ['secret', 'owner.mail']";
    for (given, left) in [
        (r#"{"id":1,"secret":{"id":2}}"#, r#"{"id":1}"#),
        (r#"{"\u0073ecret":1,"s":{"secret":2}}"#, r#"{"s":{"secret":2}}"#),
        (r#"{"owner":{"mail":1,"name":"a"}}"#, r#"{"owner":{"name":"a"}}"#),
        (r#"{"owner":"ada"}"#, r#"{"owner":"ada"}"#),
        (r#"[1,"a",{"secret":1}]"#, r#"[1,"a",{}]"#),
        ("true", "true"),
    ] {
        check(rules, given, left);
    }
    check("allow = ['owner'], deny = ['owner.mail']", r#"{"id":1,"owner":{"mail":1,"n":2}}"#, r#"{"owner":{"n":2}}"#);
}

#[test]
fn other_names() {
    let rules = "rename = { old = 'new', 'owner.name' = 'who' }";
    for (given, left) in [
        (r#"{"old":1,"x":2}"#, r#"{"new":1,"x":2}"#),
        (r#"{"owner":{"name":"a","old":1}}"#, r#"{"owner":{"who":"a","old":1}}"#),
        (r#"{"new":1}"#, r#"{"new":1}"#),
        // Two of one name would be read differently by everybody.
        (r#"{"new":1,"old":2}"#, r#"{"new":2}"#),
    ] {
        check(rules, given, left);
    }
    check("allow = ['a'], rename = { a = 'b' }", r#"{"a":{"x":1},"b":2}"#, r#"{"b":{"x":1}}"#);
    check("rename = { a = 'b', b = 'a' }", r#"{"a":1,"b":2}"#, r#"{"b":1,"a":2}"#);
}

#[test]
fn nesting_has_an_end() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    check("deny = ['a']", &deep(60), &deep(60));
    check("deny = ['a']", &deep(100_000), "refused");
    // Nobody looks into what no rule leads into.
    let given = format!(r#"{{"a":1,"b":{}}}"#, deep(100));
    check("deny = ['a']", &given, &format!(r#"{{"b":{}}}"#, deep(100)));
}

#[test]
fn arrays_and_texts_are_passed_over_as_they_stand() {
    for (given, left) in [
        (r#"[ [ {"a":1,"b":2} , [ ] , 3.10 ] , null , "a,]}" ]"#, r#"[[{"b":2},[],3.10],null,"a,]}"]"#),
        (r#"{"b" : [ "\"]" , {"a":"\\"} ] }"#, r#"{"b":[ "\"]" , {"a":"\\"} ]}"#),
        (r#" 1e5 "#, "1e5"),
        (r#""\\\"""#, r#""\\\"""#),
    ] {
        check("deny = ['a']", given, left);
    }
}

/// Each of these would not end if it cost a step for each pair of members, or of levels.
#[test]
fn the_work_grows_as_the_document() {
    let rules = "rename = { old = 'new' }";
    let many = |name: &str| vec![format!("\"{name}\":1"); 200_000].join(",");
    check(rules, &format!("{{{},\"old\":2}}", many("new")), r#"{"new":2}"#);
    check(rules, &format!("{{{}}}", many("new")), &format!("{{{}}}", many("new")));
    let wide = format!("[{}]", vec!["[[[[{\"old\":1}]]]]"; 100_000].join(","));
    check(rules, &wide, &wide.replace("old", "new"));
}
