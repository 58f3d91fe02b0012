//! The document for people: Swagger UI at `/docs`, from the binary alone.

use axum::Router;
use axum::routing::MethodRouter;

/// The explorer of the BFF for `name`. `door` is what a request to one of its paths passes.
///
/// Without the feature `docs` there is none.
#[cfg(feature = "docs")]
pub(crate) fn explorer(name: &'static str, door: impl Fn(&str, MethodRouter) -> MethodRouter) -> Router {
    use std::sync::Arc;

    use axum::extract::Path;
    use axum::response::Redirect;
    use axum::routing::get;
    use utoipa_swagger_ui::Config;

    // The validator is a service on the internet, which has no business with our documents.
    let config = Config::from("/openapi.json").validator_url("none").display_operation_id(true);
    let config = Arc::new(config);
    let first = config.clone();
    Router::new()
        .route("/docs", door("/docs", get(|| async { Redirect::permanent("/docs/") })))
        .route("/docs/", door("/docs/", get(move || std::future::ready(asset(name, "index.html", &first)))))
        .route(
            "/docs/{*file}",
            door("/docs/{*file}", get(move |Path(file): Path<String>| std::future::ready(asset(name, &file, &config)))),
        )
}

/// The explorer of a BFF that is built without one.
#[cfg(not(feature = "docs"))]
pub(crate) fn explorer(_name: &'static str, _door: impl Fn(&str, MethodRouter) -> MethodRouter) -> Router {
    Router::new()
}

#[cfg(feature = "docs")]
fn asset(
    name: &str,
    file: &str,
    config: &std::sync::Arc<utoipa_swagger_ui::Config<'static>>,
) -> crate::error::Result<axum::response::Response> {
    use axum::response::IntoResponse;
    use http::{HeaderValue, header};

    use crate::error::{Error, Kind};

    let found = utoipa_swagger_ui::serve(file, config.clone())
        .map_err(|error| Error::internal(error.to_string()))?
        .ok_or_else(|| Error::new(Kind::NoSuchRoute))?;
    let kind = HeaderValue::from_str(&found.content_type).map_err(Error::internal)?;
    let mut body = found.bytes.into_owned();
    if file == "index.html" && !found.gzpipped {
        let page = String::from_utf8_lossy(&body);
        body = page.replace("<title>Swagger UI</title>", &format!("<title>BFF for {name}</title>")).into_bytes();
    }
    let mut response = ([(header::CONTENT_TYPE, kind)], body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if found.gzpipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}
