//! Routes in the API document.

use super::*;

#[tokio::test]
async fn a_route_with_a_schema_is_in_the_document() {
    let routes = "[routes.old-files]\npath = '/v1/{box}/*'\nupstream = 'files'\nmethods = ['GET', 'PUT']\nauth = 'user'\n\
                  scopes = ['read']\nsummary = 'Old files'\n\
                  schema = { type = 'object', properties = { id = { type = 'integer' }, sky = { '$ref' = '#/components/schemas/Weather' } } }\n\
                  [routes.silent]\npath = '/v2/*'\nupstream = 'files'\n";
    let world = World::new(routes, Reply::json(&json!(1))).await;
    let document = serde_json::to_value(&world.bff.app.document).unwrap();
    assert_eq!(
        document["paths"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["/v1/{box}/{rest}", "/weather/{id}"]
    );
    let path = &document["paths"]["/v1/{box}/{rest}"];
    let get = &path["get"];
    assert_eq!((&get["operationId"], &path["put"]["operationId"]), (&json!("getOldFiles"), &json!("putOldFiles")));
    assert_eq!(get["summary"], "Old files");
    assert_eq!(get["security"], json!([{ "bearer": ["read"] }]));
    assert_eq!(get["parameters"].as_array().unwrap().len(), 2);
    let answer = &get["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(answer["properties"]["id"]["type"], "integer");
    assert_eq!(
        answer["required"],
        serde_json::Value::Null,
        "whether a field is always there is the upstream's business"
    );
    for status in ["401", "403", "502", "504"] {
        let problem = &get["responses"][status]["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(problem, "#/components/schemas/Problem", "{status}");
    }
    assert!(document["components"]["securitySchemes"]["bearer"].is_object());
}
