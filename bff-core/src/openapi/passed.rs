//! Routes of the configuration that have a schema.

use std::collections::BTreeMap;

use http::Method;
use utoipa::openapi::path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, Required, ResponseBuilder};

use super::answers;
use super::document::BEARER;
use super::operation::{access, placeholders, tag};
use super::shapes::Schemas;
use crate::passthrough::{RouteSettings, read_schema};
use crate::routes::operation_name;

/// One operation of a route.
pub(super) struct Passed {
    pub(super) path: String,
    pub(super) method: Method,
    pub(super) operation: Operation,
}

/// Every route that has a schema, for each of its methods. A schema that is none is left out; `check` reports it.
pub(super) fn operations(routes: &BTreeMap<String, RouteSettings>, schemas: &Schemas) -> Vec<Passed> {
    let names: Vec<String> = schemas.keys().cloned().collect();
    let mut passed = Vec::new();
    for (name, route) in routes {
        let Some(Ok(schema)) = route.schema.as_ref().map(|schema| read_schema(schema, &names)) else { continue };
        let path = route.path_in_document();
        for method in route.methods_in_document() {
            let content = Content::new(Some(schema.clone()));
            let mut answer = ResponseBuilder::new().description("What the service behind it answers.");
            if method != Method::HEAD {
                answer = answer.content("application/json", content);
            }
            let mut operation = operation(name, route, &path, &method);
            operation.responses.responses.insert("200".to_owned(), answer.build().into());
            passed.push(Passed { path: path.clone(), method, operation });
        }
    }
    passed
}

fn operation(name: &str, route: &RouteSettings, path: &str, method: &Method) -> Operation {
    let own = route.access();
    let mut operation = OperationBuilder::new()
        .operation_id(Some(operation_name(method, &name.replace('-', "_"))))
        .summary(route.summary.clone())
        .description(access(&own))
        .build();
    operation.tags = tag(path).map(|tag| vec![tag.to_owned()]);
    for name in placeholders(path) {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(Object::with_type(Type::String)));
        operation.parameters.get_or_insert_default().push(parameter.build().into());
    }
    if own.needs_identity {
        let scopes = own.scopes.iter().map(AsRef::as_ref);
        operation.security = Some(vec![SecurityRequirement::new::<_, _, &str>(BEARER, scopes)]);
    }
    for status in problems(own.needs_identity, method) {
        operation.responses.responses.insert(status.to_string(), answers::problem(status, false).into());
    }
    operation
}

/// The problems that we answer with ourselves; what else the upstream says is its own.
fn problems(needs_identity: bool, method: &Method) -> Vec<u16> {
    let mut statuses = vec![400, 414, 500, 502, 503, 504];
    if needs_identity {
        statuses.extend([401, 403]);
    }
    if !method.is_safe() {
        statuses.extend([408, 413]);
    }
    statuses
}
