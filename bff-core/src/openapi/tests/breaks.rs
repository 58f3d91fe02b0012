//! Changes of a released document.

use serde_json::{Value, json};

use crate::openapi::breaking;

/// A document with one operation.
fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "paths": { "/stations/{id}": { "post": {
            "operationId": "station",
            "security": [{ "bearer": ["read"] }],
            "parameters": [
                { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } },
                { "name": "parts", "in": "query", "required": false, "style": "form", "explode": false,
                  "schema": { "type": "array", "items": { "type": "string", "enum": ["weather", "news"] } } },
            ],
            "requestBody": { "required": true, "content": { "application/json": { "schema":
                { "$ref": "#/components/schemas/Wish" } } } },
            "responses": {
                "200": { "description": "", "headers": { "ETag": {} }, "content": { "application/json": { "schema":
                    { "$ref": "#/components/schemas/Station" } } } },
                "404": { "description": "" },
            },
        } } },
        "components": { "schemas": {
            "Station": { "type": "object", "required": ["name", "weather", "sky"], "properties": {
                "name": { "type": "string" },
                "sky": { "type": "string", "enum": ["clear", "clouded"] },
                "count": { "type": "integer", "format": "int32" },
                "weather": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Weather" }] },
                "twin": { "$ref": "#/components/schemas/Station" },
                "lines": { "type": "array", "items": { "type": "object", "properties": { "id": { "type": "string" } } } },
            } },
            "Weather": { "type": "object", "required": ["wind"], "properties": { "wind": { "type": "number" } } },
            "Wish": { "type": "object", "required": ["from"], "properties": {
                "from": { "type": ["string", "null"] },
                "class": { "type": "string", "enum": ["first", "second"] },
                "seats": { "type": "integer", "maximum": 9 },
            } },
        } },
    })
}

const OPERATION: &str = "/paths/~1stations~1{id}/post";

/// Puts `value` at `pointer` (null takes away) and says what that breaks.
#[track_caller]
fn check(pointer: &str, value: Value, expected: &[&str]) {
    let old = document();
    let mut new = document();
    let pointer = pointer.replace("{op}", OPERATION).replace("{s}", "/components/schemas");
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    let parent = new.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(members), Value::Null) => assert!(members.remove(&key).is_some(), "{key}"),
        (Value::Array(items), Value::Null) => drop(items.remove(key.parse().unwrap())),
        (Value::Array(items), value) if key == "-" => items.push(value),
        (parent, value) => parent[key.as_str()] = value,
    }
    assert_eq!(breaking(&old.to_string(), &new.to_string()), expected, "{pointer}");
}

#[test]
fn the_same_document_breaks_nothing() {
    assert_eq!(breaking(&document().to_string(), &document().to_string()), [""; 0]);
    assert!(breaking("x", "{}")[0].contains("released document is not JSON"));
}

#[test]
fn operations_stay() {
    let place = "POST /stations/{id}";
    let told = |what: &str| format!("{place}: {what}");
    check("/paths/~1stations~1{id}", Value::Null, &["/stations/{id}: removed"]);
    check("{op}", Value::Null, &[&told("removed")]);
    check("{op}/operationId", json!("page"), &[&told("operationId was \"station\", is \"page\"")]);
    check("{op}/responses/404", Value::Null, &[&told("answer 404: removed")]);
    check("{op}/responses/202", json!({ "description": "" }), &[&told("answer 202: a success of a new kind")]);
    check("{op}/responses/409", json!({ "description": "" }), &[]);
    check("{op}/responses/200/headers/ETag", Value::Null, &[&told("answer 200: the header ETag is gone")]);
    check(
        "{op}/responses/200/content/application~1json",
        Value::Null,
        &[&told("answer 200: application/json is gone")],
    );
    check(
        "{op}/security/0/bearer/-",
        json!("write"),
        &[&told("security was [{\"bearer\":[\"read\"]}], is [{\"bearer\":[\"read\",\"write\"]}]")],
    );
    check("{op}/x-roles", json!(["clerk"]), &[&told("needs the role \"clerk\" now")]);
    check("/paths/~1new", json!({ "get": {} }), &[]);
}

#[test]
fn answers_say_no_less() {
    let told = |what: &str| format!("POST /stations/{{id}}: answer 200: {what}");
    check("{s}/Station/properties/name", Value::Null, &[&told("name: removed")]);
    check("{s}/Station/required/0", Value::Null, &[&told("name: no longer always there")]);
    check("{s}/Station/properties/name/type", json!(["string", "null"]), &[&told("name: may be null now")]);
    check("{s}/Station/properties/name/type", json!("integer"), &[&told("name: type was string, is integer")]);
    check("{s}/Station/properties/count/format", json!("int64"), &[&told("count: format was int32, is int64")]);
    check("{s}/Station/properties/sky/enum/-", json!("dark"), &[&told("sky: the value \"dark\" is new")]);
    check("{s}/Weather/properties/wind/type", json!(["number", "null"]), &[&told("weather.wind: may be null now")]);
    let id = "{s}/Station/properties/lines/items/properties/id/type";
    check(id, json!("integer"), &[&told("lines[].id: type was string, is integer")]);
    check("{s}/Weather/properties/wind/type", json!("integer"), &[]);
    check("{s}/Station/properties/weather", json!({ "$ref": "#/components/schemas/Weather" }), &[]);
    check("{s}/Station/properties/sky/enum/0", Value::Null, &[]);
    check("{s}/Station/properties/more", json!({ "type": "string" }), &[]);
}

#[test]
fn answers_may_be_one_of_what_they_were() {
    let string = json!({ "type": "string" });
    let number = json!({ "type": "number" });
    let either = json!({ "oneOf": [string, { "$ref": "#/components/schemas/Weather" }] });
    let three = json!({ "oneOf": [string, { "$ref": "#/components/schemas/Weather" }, number] });
    let with = |value: &Value| {
        let mut document = document();
        document["components"]["schemas"]["Station"]["properties"]["either"] = value.clone();
        document.to_string()
    };
    assert_eq!(breaking(&with(&either), &with(&either)), [""; 0]);
    assert_eq!(breaking(&with(&three), &with(&either)), [""; 0]);
    let new = "POST /stations/{id}: answer 200: either: a variant is new or changed";
    assert_eq!(breaking(&with(&either), &with(&three)), [new]);
}

#[test]
fn requests_need_no_more() {
    let told = |what: &str| format!("POST /stations/{{id}}: {what}");
    let name = json!({ "name": "q", "in": "query", "required": true, "schema": { "type": "string" } });
    check("{op}/parameters/-", name, &[&told("the query parameter q is new and required")]);
    let name = json!({ "name": "q", "in": "query", "required": false, "schema": { "type": "string" } });
    check("{op}/parameters/-", name, &[]);
    check("{op}/parameters/1", Value::Null, &[&told("the query parameter parts is no longer taken")]);
    check("{op}/parameters/1/required", json!(true), &[&told("the query parameter parts is required now")]);
    let news = "the query parameter parts: []: the value \"news\" is no longer taken";
    check("{op}/parameters/1/schema/items/enum/1", Value::Null, &[&told(news)]);
    check("{op}/parameters/1/schema/items/enum/-", json!("map"), &[]);
    check(
        "{op}/parameters/0/schema/type",
        json!("integer"),
        &[&told("the path parameter id: type was string, is integer")],
    );
    check("{op}/requestBody", Value::Null, &[&told("a body is no longer taken")]);
    check("{s}/Wish/required/-", json!("class"), &[&told("body: class: required now")]);
    check("{s}/Wish/properties/class", Value::Null, &[&told("body: class: no longer taken")]);
    check("{s}/Wish/properties/from/type", json!("string"), &[&told("body: from: null is no longer taken")]);
    check(
        "{s}/Wish/properties/class/enum/0",
        Value::Null,
        &[&told("body: class: the value \"first\" is no longer taken")],
    );
    check("{s}/Wish/properties/class/enum/-", json!("third"), &[]);
    check("{s}/Wish/properties/seats/maximum", json!(4), &[&told("body: seats: maximum is 4 now")]);
    check("{s}/Wish/properties/seats/maximum", json!(12), &[]);
    check("{s}/Wish/properties/more", json!({ "type": "string" }), &[]);
    check("{s}/Wish/required/0", Value::Null, &[]);
}

#[test]
fn a_new_required_property_of_a_request_breaks() {
    let mut new = document();
    new["components"]["schemas"]["Wish"]["properties"]["day"] = json!({ "type": "string" });
    new["components"]["schemas"]["Wish"]["required"] = json!(["from", "day"]);
    let found = breaking(&document().to_string(), &new.to_string());
    assert_eq!(found, ["POST /stations/{id}: body: day: new and required"]);
}
