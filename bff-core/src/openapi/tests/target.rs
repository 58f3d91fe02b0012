//! Requests from examples.

use http::Uri;
use utoipa::openapi::path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Ref, Type};
use utoipa::openapi::{RefOr, Required, Schema};

use crate::openapi::example_target;

fn parameter(name: &str, place: ParameterIn, schema: impl Into<RefOr<Schema>>) -> ParameterBuilder {
    ParameterBuilder::new().name(name).parameter_in(place).required(Required::True).schema(Some(schema))
}

fn operation(parameters: impl IntoIterator<Item = ParameterBuilder>) -> Operation {
    parameters.into_iter().fold(OperationBuilder::new(), OperationBuilder::parameter).build()
}

fn check(path: &str, parameters: impl IntoIterator<Item = ParameterBuilder>, expected: &str) {
    let sky = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["clear"])).build();
    let schemas = [("Sky".to_owned(), RefOr::T(Schema::Object(sky)))];
    let target: Uri = example_target(path, &operation(parameters), &schemas);
    assert_eq!(target.to_string(), expected);
}

fn text() -> Object {
    Object::with_type(Type::String)
}

#[test]
fn a_placeholder_gets_the_example_of_its_parameter() {
    use ParameterIn::Path;
    check("/stations/{id}", [], "/stations/1");
    check(
        "/stations/{id}/x",
        [parameter("id", Path, text()).example(Some("zü/7?".into()))],
        "/stations/z%C3%BC%2F7%3F/x",
    );
    check("/n/{n}", [parameter("n", Path, ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(12)))], "/n/12");
    check("/s/{sky}", [parameter("sky", Path, Ref::from_schema_name("Sky"))], "/s/clear");
    check("/s/{id}", [parameter("id", Path, Ref::from_schema_name("Unknown"))], "/s/1");
    check("/s/{id}", [parameter("id", Path, text()).example(Some("".into()))], "/s/1");
    check("/f/{*rest}", [parameter("rest", Path, text()).example(Some("a b/c".into()))], "/f/a%20b/c");
}

#[test]
fn a_required_parameter_of_the_query_is_there() {
    use ParameterIn::Query;
    let list = || ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["b"])));
    check(
        "/t",
        [parameter("from", Query, text()).example(Some("09:30 & later".into()))],
        "/t?from=09%3A30%20%26%20later",
    );
    check(
        "/t",
        [
            parameter("a", Query, Object::with_type(Type::Boolean)),
            parameter("c", Query, text()).required(Required::False),
            parameter("b", Query, list()),
        ],
        "/t?a=true&b=b",
    );
    let two = || parameter("d", Query, list()).example(Some(serde_json::json!(["x", 7])));
    check("/t", [two()], "/t?d=x&d=7");
    check("/t", [two().explode(Some(false))], "/t?d=x%2C7");
}
