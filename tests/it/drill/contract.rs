//! A BFF's API document, as what its answers are held against.

use bff_core::testing::Answer;
use bff_core::{App, Endpoint};
use serde_json::{Map, Value, json};

pub(super) struct Contract {
    document: Value,
}

impl Contract {
    pub(super) fn of(app: &App) -> Self {
        Self { document: serde_json::to_value(&app.document).unwrap() }
    }

    fn operation(&self, endpoint: &Endpoint) -> &Value {
        &self.document["paths"][&endpoint.path][endpoint.method.as_str().to_lowercase()]
    }

    /// The answer must be one that the document promises: its status, its content type, its body.
    pub(super) fn check(&self, endpoint: &Endpoint, answer: &Answer) {
        let status = answer.status.as_str();
        let promised = &self.operation(endpoint)["responses"][status];
        assert!(promised.is_object(), "{}: the API document knows no {status}", endpoint.name);
        let kind = answer.header("content-type");
        let schema = &promised["content"][kind]["schema"];
        assert!(schema.is_object(), "{}: the API document knows no {status} of {kind:?}", endpoint.name);
        let mut rooted = schema.clone();
        rooted["components"] = self.document["components"].clone();
        let validator = jsonschema::draft202012::new(&rooted).unwrap();
        let body = answer.json();
        let faults: Vec<String> =
            validator.iter_errors(&body).map(|fault| format!("{} at {}", fault, fault.instance_path())).collect();
        assert!(faults.is_empty(), "{} {status}: {faults:?}\n{body:#}", endpoint.name);
    }

    /// A body that the endpoint takes, from the examples of its schema.
    pub(super) fn example_body(&self, endpoint: &Endpoint) -> Value {
        let content = &self.operation(endpoint)["requestBody"]["content"]["application/json"];
        self.example(&content["schema"])
    }

    fn example(&self, schema: &Value) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.example(self.document.pointer(reference.trim_start_matches('#')).unwrap());
        }
        if let Some(example) = schema.get("example").or_else(|| schema["examples"].get(0)) {
            return example.clone();
        }
        match schema["properties"].as_object() {
            Some(properties) => {
                let filled: Map<String, Value> =
                    properties.iter().map(|(name, property)| (name.clone(), self.example(property))).collect();
                Value::Object(filled)
            }
            None => json!("example"),
        }
    }
}
