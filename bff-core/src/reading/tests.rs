//! The rules together: strict reading is as it ever was, and lenient reading says nothing else.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
struct Thing {
    id: String,
    count: u32,
    #[serde(default)]
    exact: Option<i64>,
    #[serde(default)]
    share: f64,
    #[serde(default)]
    sizes: [u8; 2],
    #[serde(default)]
    kind: Kind,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Plain,
    Sized(u16),
    Pair(i8, u64),
    Named {
        number: i128,
    },
}

#[derive(Debug, PartialEq, Deserialize)]
struct List {
    things: Rows<Thing>,
}

fn thing(id: &str, count: u32) -> Thing {
    Thing { id: id.into(), count, exact: None, share: 0.0, sizes: [0, 0], kind: Kind::Plain }
}

#[track_caller]
fn check<T: DeserializeOwned + PartialEq + fmt::Debug>(document: &str, value: T) -> Read<T> {
    let read = answer::<T>(document.as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}"));
    assert_eq!(read.value, value, "{document}");
    if let (Some(kept), None) = (&read.document, read.lost) {
        // What is kept of it is read strictly, and says the same.
        assert_eq!(strictly::<T>(kept).unwrap().value, value, "{document}");
    }
    read
}

#[track_caller]
fn refused<T: DeserializeOwned + fmt::Debug>(document: &[u8]) -> String {
    let document = String::from_utf8_lossy(document);
    match answer::<T>(document.as_bytes()) {
        Ok(read) => panic!("{document}: {read:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn k04_integers_are_read_wherever_they_stand() {
    check(r#"{"id":"a","count":14.0}"#, thing("a", 14));
    check(r#"{"id":"a","count":-0}"#, thing("a", 0));
    check(r#"{"id":"a","count":1.4e1,"exact":null}"#, thing("a", 14));
    check(
        r#"{"id":"a","count":1,"exact":-9007199254740993.0}"#,
        Thing { exact: Some(-9_007_199_254_740_993), ..thing("a", 1) },
    );
    check(r#"{"id":"a","count":1,"sizes":[1.0,2e2]}"#, Thing { sizes: [1, 200], ..thing("a", 1) });
    check(r#"{"id":"a","count":1,"kind":{"sized":65535.0}}"#, Thing { kind: Kind::Sized(65535), ..thing("a", 1) });
    check(
        r#"{"id":"a","count":1,"kind":{"pair":[-1.0,1e19]}}"#,
        Thing { kind: Kind::Pair(-1, 10_000_000_000_000_000_000), ..thing("a", 1) },
    );
    check(
        r#"{"id":"a","count":1,"kind":{"named":{"number":-7e0}}}"#,
        Thing { kind: Kind::Named { number: -7 }, ..thing("a", 1) },
    );
    check(
        r#"{"a":1.0,"b":[2.0]}"#,
        BTreeMap::from([("a".to_owned(), Num::One(1)), ("b".to_owned(), Num::Many(vec![2]))]),
    );
    check("[[1.0],[2,3e0]]", vec![vec![1_u64], vec![2, 3]]);
    check("5.0", 5_u8);
}

/// serde keeps such a value aside before it knows what it is.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Num {
    One(u64),
    Many(Vec<i16>),
}

#[test]
fn k04_what_is_not_exactly_an_integer_is_refused() {
    for number in ["1.5", "4294967296.0", "-1.0", "1e10", "1e-1", "1e400", "\"14\"", "null", "true", "[14.0]", "{}"] {
        let told = refused::<Thing>(format!(r#"{{"id":"a","count":{number}}}"#).as_bytes());
        assert!(told.contains("at count"), "{told}");
    }
    refused::<u64>(b"18446744073709551616.0");
    refused::<i64>(b"9223372036854775808.0");
    refused::<BTreeMap<String, Num>>(br#"{"a":1.5}"#);
}

#[test]
fn numbers_where_no_integer_is_expected_stay_as_they_are() {
    let read = answer::<(u8, f64, f64, Box<RawValue>, Value)>(br#"[1.0, 5.0, -0.0, 7.00, 8.0]"#).unwrap();
    let (one, five, zero, raw, value) = read.value;
    assert_eq!((one, five, raw.get(), value.to_string().as_str()), (1, 5.0, "7.00", "8.0"));
    assert!(zero.is_sign_negative());
    assert_eq!(read.document.as_deref(), Some(&b"[1, 5.0, -0.0, 7.00, 8.0]"[..]));
}

#[test]
fn k02d_a_mark_in_front_is_skipped() {
    let read = check("\u{FEFF}{\"id\":\"a\",\"count\":1}", thing("a", 1));
    assert_eq!(read.document.as_deref(), Some(&br#"{"id":"a","count":1}"#[..]));
    refused::<Thing>("\u{FEFF}\u{FEFF}{\"id\":\"a\",\"count\":1}".as_bytes());
    refused::<Thing>(" \u{FEFF}{\"id\":\"a\",\"count\":1}".as_bytes());
    assert!(strictly::<Thing>("\u{FEFF}{\"id\":\"a\",\"count\":1}".as_bytes()).is_err());
}

#[test]
fn k02a_texts_are_read_by_what_can_be_read_of_them() {
    let read = check(r#"{"id":"Kettle \ud83d","count":1}"#, thing("Kettle \u{FFFD}", 1));
    assert_eq!(read.damaged, ["id"]);
    let read = answer::<Thing>(b"{\"id\":\"Caf\xE9\",\"count\":1.0,\"x\":\"\xFF\"}").unwrap();
    assert_eq!(read.value, thing("Caf\u{FFFD}", 1));
    assert_eq!(read.damaged, ["id", "x"]);
    // Outside of texts it is no JSON.
    assert!(answer::<Thing>(b"{\"id\":\"a\",\"count\":1\xE9}").is_err());
    assert!(strictly::<Thing>(br#"{"id":"\ud83d","count":1}"#).is_err());
    assert!(answer::<BTreeMap<String, u8>>(br#"{"\ud83d":1,"\ud83e":2}"#).is_err());
}

#[test]
fn k06_nothing_stands_behind_the_document() {
    for behind in [r#"{"error":"database gone"}"#, "<br />\n<b>Warning</b>: x", "x", "\0", ",", "1", "\u{FEFF}"] {
        for document in [r#"{"id":"a","count":1}"#, r#"{"id":"a","count":1.0}"#, r#"{"id":"\ud83d","count":1}"#] {
            refused::<Thing>(format!("{document}{behind}").as_bytes());
            refused::<Thing>(format!("{document} {behind}").as_bytes());
        }
    }
    check("{\"id\":\"a\",\"count\":1} \r\n\t", thing("a", 1));
}

#[test]
fn k02f_a_list_loses_what_cannot_be_read() {
    let sound = r#"{"id":"a","count":1}"#;
    for bad in [r#"{"id":7,"count":1}"#, r#"{"id":"b"}"#, "null", "[]", r#"{"id":"b","count":1.5}"#] {
        let document = format!(r#"{{"things":[{sound},{bad},{{"id":"c","count":2.0}}]}}"#);
        let read = check(&document, List { things: vec![thing("a", 1), thing("c", 2)].into() });
        assert_eq!((read.lost, read.damaged.as_slice()), (Some(Lost { count: 1, of: 3 }), &["things".to_owned()][..]));
        assert!(strictly::<List>(document.as_bytes()).is_err());
    }
    let read = check(
        r#"{"things":[{"id":"x\ud83d","count":1},{"id":"b","count":2.0}]}"#,
        List { things: vec![thing("x\u{FFFD}", 1), thing("b", 2)].into() },
    );
    assert_eq!(read.lost, None);
    refused::<List>(br#"{"things":{"id":"a"}}"#);
    refused::<List>(br#"{"things":[{"id":"a","count":1}"#);
    refused::<List>(br#"{"things":[{"id":"a","count":1}]}]"#);
    assert!(answer::<Vec<Thing>>(format!("[{sound},7]").as_bytes()).is_err(), "a list that is whole or not there");
}

#[test]
fn k04e_a_request_may_write_its_integers_in_any_way() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Wish {
        lines: Vec<Line>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Line {
        quantity: u32,
    }
    let wish = request::<Wish>(br#"{"lines":[{"quantity":1.0},{"quantity":2e1},{"quantity":-0}]}"#).unwrap();
    assert_eq!(wish.lines.iter().map(|line| line.quantity).collect::<Vec<_>>(), [1, 20, 0]);
    for (body, pointer, told) in [
        (r#"{"lines":[{"quantity":1},{"quantity":1.5}]}"#, "/lines/1/quantity", "floating point `1.5`"),
        (r#"{"lines":[{"quantity":"1"}]}"#, "/lines/0/quantity", "string \"1\""),
        (r#"{"lines":[{"quantity":4294967296.0}]}"#, "/lines/0/quantity", "`4294967296`"),
        (r#"{"lines":[{"quantity":1e40}]}"#, "/lines/0/quantity", "floating point"),
        (r#"{"lines":[{"quantity":1.0}]}x"#, "", "trailing"),
        (r#"{"lines":[{}]}"#, "/lines/0", "missing field"),
        ("{\"lines\":[{\"quantity\":1.0,\"x\":\"\\ud83d\"}", "/lines", "EOF"),
    ] {
        let mistake = request::<Wish>(body.as_bytes()).unwrap_err();
        assert!(mistake.pointer.starts_with(pointer), "{body}: {mistake:?}");
        assert!(mistake.error.to_string().contains(told), "{body}: {mistake:?}");
    }
    // Texts are not guessed at, and nothing is overlooked.
    assert!(request::<(u8, String)>(br#"[1.0,"\ud83d"]"#).is_err());
    assert!(request::<(u8, String)>(b"[1.0,\"\xE9\"]").is_err());
    assert!(request::<u8>("\u{FEFF}1".as_bytes()).is_err());
    assert!(request::<Rows<u8>>(b"[1,\"x\"]").is_err());
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z\\\\\"/\u{e9}\u{1F600}]{0,6}", ".{0,6}"]
}

/// Text, two numbers that may not be there, one that is no integer, and a list of two.
type Parts = (String, u32, Option<i64>, f64, [u8; 2]);

fn things() -> impl Strategy<Value = Vec<Parts>> {
    proptest::collection::vec((text(), any::<u32>(), any::<Option<i64>>(), -1e9..1e9, any::<[u8; 2]>()), 0..5)
}

fn document(things: &[Parts], number: impl Fn(i128) -> String) -> String {
    let thing = |(id, count, exact, share, [a, b]): &Parts| {
        let exact = exact.map_or("null".to_owned(), |exact| number(exact.into()));
        let (id, count) = (Value::from(id.as_str()), number((*count).into()));
        let (share, a, b) = (Value::from(*share), number((*a).into()), number((*b).into()));
        format!(r#"{{"share":{share}, "id":{id},"count":{count},"exact":{exact},"sizes":[{a},{b}]}}"#)
    };
    format!(r#"{{"things":[{}]}}"#, things.iter().map(thing).collect::<Vec<_>>().join(","))
}

proptest! {
    /// What was read before is read the same, and nothing was done to it.
    #[test]
    fn strict_answers_read_the_same_as_before(things in things()) {
        let document = document(&things, |number| number.to_string());
        let before: List = serde_json::from_str(&document).unwrap();
        let read = answer::<List>(document.as_bytes()).unwrap();
        prop_assert_eq!(read.value, before);
        prop_assert!(read.document.is_none() && read.lost.is_none() && read.damaged.is_empty());
    }

    /// However its integers are written, marked or not, an answer says the same; and what is kept of it is what anybody
    /// would have written who writes them as integers, byte for byte.
    #[test]
    fn lenient_reading_changes_no_number_no_name_and_no_order(things in things(), way in 0_u8..4, marked: bool) {
        let plain = document(&things, |number| number.to_string());
        let written = document(&things, |number| match way {
            0 => format!("{number}.0"),
            1 => format!("{number}.00e-0"),
            2 => format!("{number}.000E+0"),
            _ => number.to_string(),
        });
        let marked = format!("{}{written}", if marked { "\u{FEFF}" } else { "" });
        let read = answer::<List>(marked.as_bytes()).unwrap();
        prop_assert_eq!(read.value, serde_json::from_str::<List>(&plain).unwrap());
        prop_assert!(read.lost.is_none() && read.damaged.is_empty());
        if let Some(kept) = read.document {
            prop_assert_eq!(std::str::from_utf8(&kept).unwrap(), plain);
        }
    }

    /// What is no JSON for anybody is none here.
    #[test]
    fn what_strict_readers_of_any_type_refuse_is_refused(document in "[\\[\\]{}\",:0-9a-z. \\-]{0,30}") {
        let document = document.as_bytes();
        if serde_json::from_slice::<serde::de::IgnoredAny>(document).is_err() {
            prop_assert!(answer::<Value>(document).is_err());
            prop_assert!(answer::<Rows<Value>>(document).is_err());
        }
    }

    /// A list loses exactly what cannot be read, and keeps the order of the rest.
    #[test]
    fn a_list_loses_only_what_cannot_be_read(bad in proptest::collection::vec(any::<bool>(), 0..12)) {
        let element = |(at, bad): (usize, &bool)| if *bad { format!("\"{at}\"") } else { at.to_string() };
        let document = format!("[{}]", bad.iter().enumerate().map(element).collect::<Vec<_>>().join(", "));
        let read = answer::<Rows<usize>>(document.as_bytes()).unwrap();
        let expected: Vec<usize> = (0..bad.len()).filter(|at| !bad[*at]).collect();
        prop_assert_eq!(read.value.into_vec(), expected);
        let lost = bad.iter().filter(|bad| **bad).count();
        prop_assert_eq!(read.lost.map_or(0, |lost| lost.count as usize), lost);
        prop_assert!(read.lost.is_none_or(|lost| lost.of as usize == bad.len()));
    }
}
