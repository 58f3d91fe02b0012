//! Schemas and the examples made from them.

use serde_json::{Value, json};

use super::{__path_station_page, railway, station_page, text};
use crate::openapi::book::Book;
use crate::{Bff, Policy, routes};

#[tokio::test]
async fn what_is_always_written_is_required() {
    let (_, document) = text(&railway()).await;
    let required = |name: &str| document["components"]["schemas"][name]["required"].clone();
    assert_eq!(required("StationPage"), json!(["station", "weather", "nearby", "meta"]));
    assert_eq!(required("Station"), json!(["id", "name", "platforms", "opened", "surroundings"]));
    assert_eq!(required("Ticket"), json!(["number", "gate"]));
    // Requests may leave out what they may leave out.
    assert_eq!(required("NewTicket"), json!(["from", "seats"]));
    // The core leaves out what does not apply, and never writes null.
    assert_eq!(required("PartStatus"), json!(["part", "outcome", "reason"]));
    let core = &document["components"]["schemas"];
    assert_eq!(core["PartStatus"]["properties"]["age_seconds"]["type"], "integer");
    assert_eq!(core["Problem"]["properties"]["errors"]["type"], "array");
    assert_eq!(core["Station"]["properties"]["opened"]["type"], json!(["string", "null"]));
}

#[tokio::test]
async fn every_pointer_leads_somewhere_and_nothing_is_left_over() {
    let (text, document) = text(&railway()).await;
    let mut pointers = Vec::new();
    collect(&document, &mut pointers);
    assert!(pointers.len() > 50);
    for pointer in &pointers {
        assert!(document.pointer(pointer.trim_start_matches('#')).is_some(), "{pointer}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "{name}");
    }
}

#[tokio::test]
async fn a_pointer_that_nobody_registered_becomes_a_string() {
    let bff = Bff::new("railway", "1").page(routes!(station_page), Policy::public());
    let (_, document) = text(&bff).await;
    assert!(document["components"]["schemas"].get("StationId").is_none());
    let id = &document["paths"]["/v1/stations/{id}"]["get"]["parameters"][0];
    assert_eq!((&id["name"], &id["schema"]["type"]), (&json!("id"), &json!("string")));
    assert!(document["components"].get("securitySchemes").is_none());
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(pointer)) = members.get("$ref") {
                found.push(pointer.clone());
            }
            members.values().for_each(|value| collect(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn examples_fit_their_schemas() {
    let (_, document) = text(&railway()).await;
    let mut checked = 0;
    for operation in document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values())
    {
        for response in operation["responses"].as_object().unwrap().values() {
            let Some(content) = response.get("content").and_then(|content| content.get("application/json")) else {
                continue;
            };
            let mut schema = content["schema"].clone();
            schema["components"] = document["components"].clone();
            let validator = jsonschema::draft202012::options().build(&schema).unwrap();
            for (name, example) in content["examples"].as_object().unwrap() {
                let errors: Vec<String> = validator
                    .iter_errors(&example["value"])
                    .map(|error| format!("{}: {error}", error.instance_path()))
                    .collect();
                assert_eq!(errors, [""; 0], "{name}: {}", example["value"]);
                checked += 1;
            }
        }
    }
    // Two of the pages, one of the ticket.
    assert_eq!(checked, 5);
}

#[tokio::test]
async fn a_degraded_day_is_told() {
    let (_, document) = text(&railway()).await;
    let examples =
        |path: &str| &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["examples"];
    let page = examples("/v1/stations/{id}");
    assert_eq!(page["good_day"]["value"]["meta"], json!({ "degraded": false, "parts": [] }));
    assert_eq!(page["good_day"]["value"]["station"]["name"], "Central");
    assert_eq!(page["good_day"]["value"]["weather"]["celsius"], -5);
    assert_eq!(page["degraded"]["value"]["weather"], Value::Null);
    let entry = json!({ "part": "weather", "outcome": "missing", "reason": "timeout" });
    assert_eq!(page["degraded"]["value"]["meta"], json!({ "degraded": true, "parts": [entry] }));

    let timetable = examples("/timetable");
    assert_ne!(timetable["good_day"]["value"]["lines"], json!({ "items": [] }));
    assert_eq!(timetable["degraded"]["value"]["lines"], json!({ "items": [] }));
    assert_eq!(timetable["degraded"]["value"]["meta"]["parts"][0]["outcome"], "fallback");
}

#[tokio::test]
async fn examples_stand_in_the_order_of_the_answer() {
    let (text, _) = text(&railway()).await;
    let good = text.split("\"good_day\"").last().unwrap();
    let good = good.split("\"304\"").next().unwrap();
    let places = ["\"station\":", "\"weather\":", "\"nearby\":", "\"meta\":"].map(|key| good.find(key).unwrap());
    assert!(places.is_sorted(), "{good}");
    // The explorer shows the first example.
    assert!(text.find("\"good_day\"").unwrap() < text.find("\"degraded\"").unwrap());
}

fn example(schema: &Value) -> Value {
    let schemas = json!({
        "Tree": { "type": "object", "properties": {
            "left": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Tree" }] },
            "leaves": { "type": "array", "items": { "$ref": "#/components/schemas/Tree" } },
        } },
        "Endless": { "type": "object", "properties": { "inner": { "$ref": "#/components/schemas/Endless" } } },
    });
    Book(schemas.as_object()).example(schema, "some_word")
}

#[test]
fn a_plausible_value_fits() {
    let check = |schema: Value, expected: Value| {
        let made = example(&schema);
        assert_eq!(made, expected, "{schema}");
        assert!(jsonschema::is_valid(&schema, &made), "{schema}: {made}");
    };
    check(json!({ "type": "string" }), json!("some word"));
    check(json!({ "type": "string", "minLength": 11, "maxLength": 12 }), json!("some wordxx"));
    check(json!({ "type": "string", "maxLength": 4 }), json!("some"));
    check(json!({ "type": ["null", "string"], "enum": [null, "a"] }), json!("a"));
    check(json!({ "type": "string", "example": 7 }), json!("some word"));
    check(json!({ "type": "integer", "minimum": 400, "maximum": 599, "example": 504 }), json!(504));
    check(json!({ "type": "integer", "exclusiveMinimum": 1 }), json!(2));
    check(json!({ "type": "integer", "minimum": 3, "multipleOf": 5 }), json!(5));
    check(json!({ "type": "number", "maximum": 0.5 }), json!(0.5));
    check(json!({ "type": "array", "items": { "const": 1 }, "minItems": 3 }), json!([1, 1, 1]));
    check(json!({ "type": "array", "prefixItems": [{ "const": 1 }, { "const": 2 }], "items": false }), json!([1, 2]));
    check(json!({ "type": "null" }), Value::Null);
    let parts = json!({ "allOf": [
        { "type": "object", "required": ["a"], "properties": { "a": { "type": "boolean" } } },
        { "type": "object", "required": ["b"], "properties": { "b": { "const": 7 } } },
    ] });
    check(parts, json!({ "a": true, "b": 7 }));
    check(json!({ "oneOf": [{ "type": "null" }, { "type": "boolean" }] }), json!(true));
    let map = json!({ "type": "object", "additionalProperties": { "const": 1 }, "propertyNames": { "enum": ["k"] } });
    check(map, json!({ "k": 1 }));
}

#[test]
fn a_type_inside_itself_comes_to_an_end() {
    let made = example(&json!({ "$ref": "#/components/schemas/Tree" }));
    assert_eq!(made, json!({ "left": null, "leaves": [] }));
    // No type of Rust's is so; it only must not take the process with it.
    let made = example(&json!({ "$ref": "#/components/schemas/Endless" }));
    assert!(made.to_string().len() < 1000);
}
