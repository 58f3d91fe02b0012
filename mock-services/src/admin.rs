//! The console for operators: plain HTTP, made for curl.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    backend::Backend,
    call::Call,
    faults::Faults,
    reply::{Problem, Reply},
    running::Parts,
    service::Service,
};

/// The answer of the console to one request.
pub(crate) fn answer(parts: &Parts, request: &Request<Bytes>) -> Reply {
    route(parts, &Call::new(request)).unwrap_or_else(Reply::from)
}

fn route(parts: &Parts, call: &Call<'_>) -> Result<Reply, Problem> {
    match call.segments()[..] {
        [] => {
            call.reads_only()?;
            Ok(text(help(parts)))
        }
        ["rotate"] => {
            allow(call, "POST")?;
            rotate(parts, call)
        }
        [service, what] => {
            let service: Service = service
                .parse()
                .map_err(|error: crate::service::UnknownService| Problem::not_found(error.to_string()))?;
            let backend = parts.backend(service);
            match what {
                "faults" => faults(backend, call),
                "requests" => requests(backend, call),
                "barrier" => barrier(backend, call),
                "off" | "on" => {
                    allow(call, "PUT")?;
                    set(backend, Faults { refuse: what == "off", ..backend.faults() })
                }
                _ => Err(call.unknown_path()),
            }
        }
        _ => Err(call.unknown_path()),
    }
}

fn faults(backend: &Backend, call: &Call<'_>) -> Result<Reply, Problem> {
    match call.method().as_str() {
        "GET" | "HEAD" => Ok(line(&json!(backend.faults()))),
        "PUT" => set(backend, call.json()?),
        "DELETE" => set(backend, Faults::default()),
        _ => Err(Problem::wrong_method("GET, HEAD, PUT, DELETE")),
    }
}

fn set(backend: &Backend, faults: Faults) -> Result<Reply, Problem> {
    faults.check().map_err(Problem::bad_request)?;
    backend.set_faults(faults).map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(line(&json!(backend.faults())))
}

fn requests(backend: &Backend, call: &Call<'_>) -> Result<Reply, Problem> {
    match call.method().as_str() {
        "GET" | "HEAD" => Ok(line(&json!({ "requests": backend.requests() }))),
        "DELETE" => {
            backend.clear_requests();
            Ok(line(&json!({ "requests": [] })))
        }
        _ => Err(Problem::wrong_method("GET, HEAD, DELETE")),
    }
}

fn barrier(backend: &Backend, call: &Call<'_>) -> Result<Reply, Problem> {
    match call.method().as_str() {
        "GET" | "HEAD" => {}
        "PUT" => backend.hold(),
        "DELETE" => {
            let released = backend.release();
            return Ok(line(&json!({ "holding": false, "released": released })));
        }
        _ => return Err(Problem::wrong_method("GET, HEAD, PUT, DELETE")),
    }
    Ok(line(&json!({ "holding": backend.is_holding(), "held": backend.held() })))
}

fn rotate(parts: &Parts, call: &Call<'_>) -> Result<Reply, Problem> {
    let drop_old = match call.param("drop_old") {
        None | Some("false") => false,
        Some("true" | "") => true,
        Some(other) => {
            return Err(Problem::bad_request(format!("drop_old must be true or false, not `{other}`")));
        }
    };
    let keys = parts
        .rotate_keys(drop_old)
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(line(&json!({ "RS256": keys.rsa_kid(), "ES256": keys.ec_kid(), "dropped_old": drop_old })))
}

fn allow(call: &Call<'_>, method: &'static str) -> Result<(), Problem> {
    if *call.method() == Method::from_bytes(method.as_bytes()).unwrap_or_default() {
        return Ok(());
    }
    Err(Problem::wrong_method(method))
}

/// One line of JSON, with the line end that a terminal wants.
fn line(value: &Value) -> Reply {
    Reply::json(format!("{value}\n")).with(header::CACHE_CONTROL, "no-store")
}

fn text(body: String) -> Reply {
    Reply::new(StatusCode::OK, body)
        .with(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .with(header::CACHE_CONTROL, "no-store")
}

fn help(parts: &Parts) -> String {
    let mut services = String::new();
    for service in Service::ALL {
        let backend = parts.backend(service);
        let faults = backend.faults();
        let state = if faults == Faults::default() { "healthy".to_owned() } else { json!(faults).to_string() };
        services.push_str(&format!("  {:<16} {}  {state}\n", service.name(), backend.url()));
    }
    format!("{HELP_HEAD}\nservices\n{services}\n{HELP}")
}

const HELP_HEAD: &str = "mock services, for development only\n";

const HELP: &str = r#"console
  GET    /{service}/faults      what is wrong with it now
  PUT    /{service}/faults      replace that with a JSON object, fields below
  DELETE /{service}/faults      healthy again
  PUT    /{service}/off         close its port; PUT /{service}/on opens it again
  GET    /{service}/requests    what it was asked; DELETE forgets
  PUT    /{service}/barrier     hold requests; GET shows how many; DELETE lets them go
  POST   /rotate                new signing keys; ?drop_old=true unpublishes the old ones

faults (all can be combined)
  latency_ms           300                            fixed wait
  latency              {"p50_ms":20,"p99_ms":400}     wait with a long tail
  error_rate           0.1                            share of requests that fail
  error_status         503                            what they fail with
  retry_after_seconds  5                              Retry-After on those
  hang                 true                           never answers
  trickle              {"bytes_per_second":100}       head at once, body slowly
  reset                true                           TCP reset; over HTTP/2 a stream reset
  truncate             true                           half the body, then closed
  garbage              true                           200, says JSON, is not
  wrong_content_type   true                           200, an HTML page
  lie_public           true                           Cache-Control: public, max-age=3600 on everything
  cache_control        "no-store"                     this Cache-Control; "" takes it away
  refuse               true                           port closed
  path                 "/search"                      only paths that start with this

as in
  curl -X PUT localhost:9000/reviews/faults -d '{"hang":true}'
  curl -X DELETE localhost:9000/reviews/faults
  curl -s "localhost:9010/token?user=ada&aud=bff-web"
"#;
