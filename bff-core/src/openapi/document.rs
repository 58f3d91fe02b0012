//! The whole document, from the table of contents.

use std::collections::BTreeMap;

use http::Method;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem};
use utoipa::openapi::schema::{Components, ComponentsBuilder};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, Paths, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::operation::operation;
use super::passed::{self, Passed};
use super::{answers, examples, mends};
use crate::bff::About;
use crate::compose::Meta;
use crate::edge::Problem;
use crate::passthrough::RouteSettings;
use crate::routes::{Route, SurveyedPart};

/// The name of the one security scheme.
pub(super) const BEARER: &str = "bearer";

/// The API document of a BFF. Of the configuration only the routes with a schema are in it.
pub(crate) fn document<State>(
    about: &About,
    routes: &[Route<State>],
    parts: &BTreeMap<String, Vec<SurveyedPart>>,
    passed: &BTreeMap<String, RouteSettings>,
) -> OpenApi {
    let parts_of = |route: &Route<State>| parts.get(&route.name).map_or(&[][..], Vec::as_slice);
    let mut operations: Vec<Operation> = routes.iter().map(|route| operation(about, route, parts_of(route))).collect();
    let mut schemas: BTreeMap<String, RefOr<Schema>> = named_schemas(routes).collect();
    let mut passed = passed::operations(passed, &schemas);
    mends::mend(&mut operations, &mut passed, &mut schemas);
    mends::tell_reasons(&mut schemas, about.coarse_reasons);
    for (route, operation) in routes.iter().zip(&mut operations) {
        examples::add(about, operation, parts_of(route), &schemas);
    }
    let own = routes.iter().any(|route| route.policy.access.needs_identity);
    let components = components(schemas, own || passed.iter().any(|passed| passed.operation.security.is_some()));
    let mut paths = Paths::new();
    for (route, operation) in routes.iter().zip(operations) {
        let item = paths.paths.entry(without_stars(&route.path)).or_default();
        item.merge_operations(PathItem::new(method(&route.method), operation));
    }
    for Passed { path, method: verb, operation } in passed {
        let item = paths.paths.entry(path).or_default();
        item.merge_operations(PathItem::new(method(&verb), operation));
    }
    let description = Some(about.description).filter(|description| !description.is_empty());
    let info = InfoBuilder::new()
        .title(format!("BFF for {}", about.name))
        .version(about.version)
        .description(description)
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build()
}

/// Two types of one name, of which a document could hold only one: the endpoint that meets it second, and the name.
pub(crate) fn clash<State>(routes: &[Route<State>]) -> Option<(String, String)> {
    let mut known: BTreeMap<String, RefOr<Schema>> = core_schemas().into_iter().collect();
    for route in routes {
        for (name, schema) in &route.schemas {
            match known.get(name) {
                Some(other) if other != schema => {
                    return Some((route.title(), format!("another type of the API is called {name}, too")));
                }
                Some(_) => {}
                None => {
                    known.insert(name.clone(), schema.clone());
                }
            }
        }
    }
    None
}

/// The names that a schema may point to.
pub(crate) fn schema_names<State>(routes: &[Route<State>]) -> Vec<String> {
    named_schemas(routes).map(|(name, _)| name).collect()
}

fn named_schemas<State>(routes: &[Route<State>]) -> impl Iterator<Item = (String, RefOr<Schema>)> {
    routes.iter().flat_map(|route| route.schemas.iter().cloned()).chain(core_schemas())
}

fn core_schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas =
        vec![(Meta::name().into_owned(), Meta::schema()), (Problem::name().into_owned(), Problem::schema())];
    Meta::schemas(&mut schemas);
    Problem::schemas(&mut schemas);
    schemas
}

fn components(schemas: BTreeMap<String, RefOr<Schema>>, with_bearer: bool) -> Components {
    let mut components = ComponentsBuilder::new().schemas_from_iter(schemas).build();
    components.headers = answers::headers().map(|(name, header)| (name.to_owned(), header.into())).collect();
    if with_bearer {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.bearer_format = Some("JWT".to_owned());
        components.security_schemes.insert(BEARER.to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    }
    components
}

/// OpenAPI knows no placeholder for more than one segment; it is an ordinary one there.
pub(super) fn without_stars(path: &str) -> String {
    path.replace("{*", "{")
}

fn method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        Method::HEAD => HttpMethod::Head,
        Method::OPTIONS => HttpMethod::Options,
        _ => HttpMethod::Get,
    }
}
