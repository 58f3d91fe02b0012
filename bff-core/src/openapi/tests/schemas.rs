//! Schemas and the examples made from them.

use serde_json::{Value, json};

use super::{railway, text};

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
    let examples = |path: &str| &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["examples"];
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
    let good = text.split("\"good_day\"").nth(2).unwrap();
    let places = ["\"station\":", "\"weather\":", "\"nearby\":", "\"meta\":"].map(|key| good.find(key).unwrap());
    assert!(places.is_sorted(), "{good}");
}
