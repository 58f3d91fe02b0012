//! What the API document demands of a request, enforced: bounds, lengths, patterns, enumerations.
//!
//! The schemas are those of the document, so that there is one truth about what an endpoint takes. A parameter that does not
//! fit is a 400, a body that does not fit a 422; both name every place. Whoever's document demands nothing pays nothing.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;
use tower::{Service, ServiceExt};

use super::json;
use crate::context::Context;
use crate::error::{Error, Input, InputFault, Kind, Result};

/// So many mistakes are named in one answer.
const NAMED: usize = 32;
/// So many permitted values are named.
const LISTED: usize = 20;

/// What the document demands of requests to one endpoint.
#[derive(Debug, Default)]
pub struct Rules {
    /// Of its parameters.
    pub parameters: Vec<Rule>,
    /// Of its JSON body.
    pub body: Option<Validator>,
}

/// What the document demands of one parameter.
#[derive(Debug)]
pub struct Rule {
    /// Where it stands.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// What its text is.
    pub text: Text,
    /// How a list of them is written; `None` for one value.
    pub list: Option<List>,
    /// The schema of the value.
    pub validator: Validator,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
}

/// What the text of a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// Text.
    Plain,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// How a list is written in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// One parameter for each item.
    Repeated,
    /// One parameter, with commas.
    Commas,
}

/// Reads a schema of a document. Patterns are matched in linear time, whatever a client sends.
///
/// # Errors
/// When it is none, or a pattern in it cannot be read so.
pub(crate) fn validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::draft202012::options()
        .with_pattern_options(PatternOptions::regex())
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .build(schema)
        .map_err(|error| error.to_string())
}

pub(super) async fn hold<Inner>(rules: Arc<Rules>, request: Request, inner: Inner) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    match check(&rules, request).await {
        Ok(request) => inner.oneshot(request).await,
        Err(error) => Ok(error.into_response()),
    }
}

async fn check(rules: &Rules, request: Request) -> Result<Request> {
    let (mut head, mut body) = request.into_parts();
    if !rules.parameters.is_empty() {
        check_parameters(&rules.parameters, &mut head).await?;
    }
    // What is no JSON, or cannot be read, the endpoint's own argument refuses.
    if let Some(validator) = rules.body.as_ref().filter(|_| json::is_json(&head.headers)) {
        let deadline = head.extensions.get::<Arc<Context>>().map(|context| context.deadline());
        let bytes = json::collect(body, deadline).await?;
        if let Ok(value) = serde_json::from_slice(&bytes) {
            refuse(Input::Unprocessable, faults(validator, &value, ""))?;
        }
        body = Body::from(bytes);
    }
    Ok(Request::from_parts(head, body))
}

async fn check_parameters(rules: &[Rule], head: &mut Parts) -> Result<()> {
    let path = RawPathParams::from_request_parts(head, &()).await.ok();
    let path: Vec<(&str, &str)> = path.iter().flat_map(RawPathParams::iter).collect();
    let query: Vec<_> = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).collect();
    let mut found = Vec::new();
    for rule in rules {
        let values: Vec<&str> = match rule.place {
            Place::Path => path.iter().filter(|(name, _)| *name == rule.name).map(|(_, value)| *value).collect(),
            Place::Query => query.iter().filter(|(name, _)| *name == rule.name).map(|(_, value)| &**value).collect(),
        };
        rule.check(&values, &mut found);
    }
    refuse(Input::Malformed, found)
}

fn refuse(input: Input, faults: Vec<InputFault>) -> Result<()> {
    if faults.is_empty() { Ok(()) } else { Err(Error::new(Kind::Invalid(input)).with_faults(faults)) }
}

impl Rule {
    /// That one is not there is for the endpoint to say.
    fn check(&self, values: &[&str], found: &mut Vec<InputFault>) {
        let pointer = match self.place {
            Place::Path => format!("{{{}}}", self.name),
            Place::Query => format!("?{}", self.name),
        };
        let values: Vec<&str> = match self.list {
            Some(List::Commas) => values.iter().flat_map(|value| value.split(',')).collect(),
            _ => values.to_vec(),
        };
        let mut read = Vec::with_capacity(values.len());
        for value in values {
            match self.text.read(value) {
                Ok(value) => read.push(value),
                Err(detail) => return found.push(InputFault { pointer, detail: detail.to_owned() }),
            }
        }
        if self.list.is_some() && !read.is_empty() {
            read = vec![Value::Array(read)];
        }
        for value in read {
            let own = faults(&self.validator, &value, "");
            // Of a parameter one line is enough, and it has no places inside.
            found.extend(own.into_iter().take(1).map(|fault| InputFault { pointer: pointer.clone(), ..fault }));
        }
    }
}

impl Text {
    fn read(self, text: &str) -> Result<Value, &'static str> {
        match self {
            Self::Plain => Ok(Value::from(text)),
            Self::Whole => {
                let whole = text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from));
                whole.map_err(|_| "write a whole number in its range")
            }
            Self::Number => text.parse::<f64>().map(Value::from).map_err(|_| "write a number"),
            Self::Boolean => text.parse::<bool>().map(Value::from).map_err(|_| "write true or false"),
        }
    }
}

/// Every place where `value` is not what the schema says.
fn faults(validator: &Validator, value: &Value, at: &str) -> Vec<InputFault> {
    let mut found = Vec::new();
    for error in validator.iter_errors(value) {
        tell(&error, at, &mut found);
        if found.len() >= NAMED {
            found.truncate(NAMED);
            break;
        }
    }
    found
}

fn tell(error: &ValidationError<'_>, at: &str, found: &mut Vec<InputFault>) {
    use ValidationErrorKind as Wrong;
    let pointer = format!("{at}{}", error.instance_path());
    let member = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    let detail = match error.kind() {
        Wrong::Required { property } => {
            let pointer = member(property.as_str().unwrap_or_default());
            return found.push(InputFault { pointer, detail: "it is missing".to_owned() });
        }
        Wrong::AdditionalProperties { unexpected } | Wrong::UnevaluatedProperties { unexpected } => {
            let unknown = |name: &String| InputFault { pointer: member(name), detail: "nobody knows it".to_owned() };
            return found.extend(unexpected.iter().take(NAMED).map(unknown));
        }
        Wrong::AnyOf { context } | Wrong::OneOfNotValid { context } => {
            // Of several forms the one that is meant is the one whose type it has.
            let mut meant =
                context.iter().filter(|branch| !branch.iter().any(|inner| is_of_another_type(inner, error)));
            if let (Some(branch), None) = (meant.next(), meant.next()) {
                return branch.iter().for_each(|inner| tell(inner, at, found));
            }
            "it has none of the forms that the API document gives".to_owned()
        }
        Wrong::Minimum { limit } => format!("give at least {limit}"),
        Wrong::Maximum { limit } => format!("give at most {limit}"),
        Wrong::ExclusiveMinimum { limit } => format!("give more than {limit}"),
        Wrong::ExclusiveMaximum { limit } => format!("give less than {limit}"),
        Wrong::MultipleOf { multiple_of } => format!("give a multiple of {multiple_of}"),
        Wrong::MinLength { limit } => format!("write at least {limit} characters"),
        Wrong::MaxLength { limit } => format!("write at most {limit} characters"),
        Wrong::Pattern { pattern } => format!("write what {pattern} matches"),
        Wrong::Format { format } => format!("write it as {format}"),
        Wrong::MinItems { limit } => format!("give at least {limit} items"),
        Wrong::MaxItems { limit } => format!("give at most {limit} items"),
        Wrong::MinProperties { limit } => format!("give at least {limit} members"),
        Wrong::MaxProperties { limit } => format!("give at most {limit} members"),
        Wrong::UniqueItems => "give each item once".to_owned(),
        Wrong::Enum { options } => format!("give one of {}", list(options)),
        Wrong::Constant { expected_value } => format!("give {expected_value}"),
        Wrong::Type { kind: TypeKind::Single(kind) } => format!("give a value of type {kind}"),
        Wrong::Type { kind: TypeKind::Multiple(kinds) } => {
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.to_string()).collect();
            format!("give a value of type {}", kinds.join(" or "))
        }
        other => format!("it is not what the API document says ({})", other.keyword()),
    };
    found.push(InputFault { pointer, detail });
}

fn is_of_another_type(inner: &ValidationError<'_>, outer: &ValidationError<'_>) -> bool {
    let same_place = inner.instance_path().as_str() == outer.instance_path().as_str();
    same_place && matches!(inner.kind(), ValidationErrorKind::Type { .. })
}

fn list(options: &Value) -> String {
    let options = options.as_array().map_or(&[][..], Vec::as_slice);
    let mut shown: Vec<String> = options.iter().take(LISTED).map(Value::to_string).collect();
    if options.len() > LISTED {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}
