//! What a route may cost and who may call it, and what is known of it without running it.

mod declared;

use std::time::Duration;

use axum::routing::MethodRouter;
use http::{Method, Uri};
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{RefOr, Schema};

use crate::context::{Need, Terms};
use crate::edge::Access;
use crate::openapi::example_target;
use crate::resilience::Criticality;
use crate::settings::{Check, Mistake, Mistakes};

pub use declared::{Answer, Content, Declared, EndpointFunction, Form, LastArgument, TakesAnything, TakesJson};

/// What a route may cost and who may call it. Feeds the stack, the API document and `routes`.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) access: Access,
    pub(crate) budget: Duration,
    pub(crate) private_max_age: Option<Duration>,
    pub(crate) cached: bool,
    pub(crate) criticality: Criticality,
    pub(crate) without_meta: bool,
}

impl Policy {
    /// Anybody may call it. The budget is 1 s unless [`budget`](Self::budget) says otherwise.
    #[must_use]
    pub fn public() -> Self {
        Self {
            access: Access::default(),
            budget: Duration::from_secs(1),
            private_max_age: None,
            cached: false,
            criticality: Criticality::Normal,
            without_meta: false,
        }
    }

    /// Only with credentials. Otherwise like [`public`](Self::public).
    #[must_use]
    pub fn user() -> Self {
        Self { access: Access { needs_identity: true, ..Access::default() }, ..Self::public() }
    }

    /// The subject must have this role, too. Implies credentials.
    #[must_use]
    pub fn role(mut self, role: &'static str) -> Self {
        self.access.needs_identity = true;
        self.access.roles.push(role.into());
        self
    }

    /// The program must have been granted this scope, too. Implies credentials.
    #[must_use]
    pub fn scope(mut self, scope: &'static str) -> Self {
        self.access.needs_identity = true;
        self.access.scopes.push(scope.into());
        self
    }

    /// The whole time a request may take, until the last byte of an answer that streams.
    #[must_use]
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// When this BFF is full, requests here are refused last.
    #[must_use]
    pub fn critical(mut self) -> Self {
        self.criticality = Criticality::Critical;
        self
    }

    /// When this BFF is full, requests here are refused first.
    #[must_use]
    pub fn sheddable(mut self) -> Self {
        self.criticality = Criticality::Sheddable;
        self
    }

    /// What it answers to a GET is no page: it has no parts, and no `meta` to say what is missing or old. Without this word an
    /// answer without `meta` is refused at start.
    #[must_use]
    pub fn without_meta(mut self) -> Self {
        self.without_meta = true;
        self
    }

    /// Keeps whole answers, for as long as they let clients keep them: `public` ones for everybody, `private` ones (see
    /// [`private_max_age`](Self::private_max_age)) for the identity that asked. They are then served with their `Age`.
    /// Default: only the answers of upstreams are kept.
    #[must_use]
    pub fn cached(mut self) -> Self {
        self.cached = true;
        self
    }

    /// How long a client may keep a private answer without asking. Default: it asks each time.
    #[must_use]
    pub fn private_max_age(mut self, limit: Duration) -> Self {
        self.private_max_age = Some(limit);
        self
    }
}

/// `[endpoints.<name>]`: numbers of one endpoint's policy that operators may change. Access rules are code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointSettings {
    /// The whole time a request may take. Default: what the endpoint's policy says.
    #[serde(with = "humantime_serde")]
    pub budget: Option<Duration>,
    /// The share of the budget after which optional and fallback parts degrade. Default 0.85.
    pub soft_share: Option<f64>,
    /// At most so many elements of a list are joined. Default 100.
    pub join_limit: Option<usize>,
    /// At most so many calls of one join are under way at once. Default 8.
    pub join_at_once: Option<usize>,
}

impl Check for EndpointSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.budget.is_some_and(|budget| budget.is_zero()) {
            mistakes.note("budget", "0 leaves no time for an answer", "give a time above 0, such as \"800ms\"");
        }
        if let Some(share) = self.soft_share
            && !(share > 0.0 && share <= 1.0)
        {
            mistakes.note(
                "soft_share",
                format!("{share} is no share of the budget"),
                "give a number above 0, at most 1",
            );
        }
        for (key, number) in [("join_limit", self.join_limit), ("join_at_once", self.join_at_once)] {
            if number == Some(0) {
                mistakes.note(key, "0 lets no list be joined", "give a number above 0");
            }
        }
    }
}

/// One endpoint, as the table of contents names it.
#[derive(Clone)]
pub(crate) struct Route<State> {
    /// Its name in logs, metrics, configuration and the API document: `getHome`.
    pub(crate) name: String,
    /// Its path, with placeholders.
    pub(crate) path: String,
    pub(crate) method: Method,
    pub(crate) policy: Policy,
    pub(crate) operation: Operation,
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
    pub(crate) handler: MethodRouter<State>,
    /// What its function answers, by its type.
    pub(crate) form: Form,
    /// What its function reads from the body, if that is JSON of a known type.
    pub(crate) takes: Option<Content>,
    /// It takes a composer, so that it may have parts.
    pub(crate) is_composed: bool,
}

/// A part of an endpoint, known without calling anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SurveyedPart {
    /// Its JSON key.
    pub name: String,
    /// How much the page needs it.
    #[serde(serialize_with = "word")]
    pub need: Need,
}

fn word<S: serde::Serializer>(need: &Need, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(need.as_str())
}

impl<State> Route<State> {
    /// What `routes!` made of one function.
    ///
    /// # Errors
    /// When it is not one operation: a policy would then cover what nobody knows of.
    pub(crate) fn new(declared: Declared<State>, policy: Policy) -> Result<Self, Mistake> {
        let Declared { schemas, paths, handler, form, takes, is_composed } = declared;
        let mut operations: Vec<(String, Option<Method>, Operation)> = paths
            .paths
            .into_iter()
            .flat_map(|(path, item)| operations(item).map(move |(method, of)| (path.clone(), method, of)))
            .collect();
        let (path, method, operation) = match (operations.pop(), operations.len()) {
            (Some((path, Some(method), operation)), 0) => (path, method, operation),
            (last, _) => {
                operations.extend(last);
                return Err(not_one(&operations));
            }
        };
        let name = operation_name(&method, operation.operation_id.as_deref().unwrap_or_default());
        Ok(Self { name, path, method, policy, operation, schemas, handler, form, takes, is_composed })
    }

    /// How mistakes name it.
    pub(crate) fn title(&self) -> String {
        format!("{} {} ({})", self.method, self.path, self.name)
    }

    /// A path and query that the endpoint takes.
    pub(crate) fn example(&self) -> Uri {
        example_target(&self.path, &self.operation, &self.schemas)
    }

    /// The terms of a request, from the policy and what the configuration changes about it.
    pub(crate) fn terms(&self, settings: Option<&EndpointSettings>, strict: bool, coarse_reasons: bool) -> Terms {
        let own = Terms::default();
        let settings = settings.copied().unwrap_or_default();
        Terms {
            endpoint: self.name.as_str().into(),
            route: self.path.as_str().into(),
            budget: settings.budget.unwrap_or(self.policy.budget),
            soft_share: settings.soft_share.unwrap_or(own.soft_share),
            coarse_reasons,
            strict,
            join_limit: settings.join_limit.unwrap_or(own.join_limit),
            join_at_once: settings.join_at_once.unwrap_or(own.join_at_once),
        }
    }
}

/// What stands at one path; `None` for a method that no endpoint can have.
fn operations(item: PathItem) -> impl Iterator<Item = (Option<Method>, Operation)> {
    [
        (Some(Method::GET), item.get),
        (Some(Method::POST), item.post),
        (Some(Method::PUT), item.put),
        (Some(Method::PATCH), item.patch),
        (Some(Method::DELETE), item.delete),
        (None, item.head),
        (None, item.options),
        (None, item.trace),
        (None, item.query),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation?)))
}

fn not_one(operations: &[(String, Option<Method>, Operation)]) -> Mistake {
    let shown = operations.iter().map(|(path, method, operation)| {
        let function = operation.operation_id.as_deref().unwrap_or_default();
        format!("{} {path} ({function})", method.as_ref().map_or("another method of", Method::as_str))
    });
    let shown: Vec<String> = shown.collect();
    let (problem, remedy) = if shown.len() > 1 {
        ("one policy for several operations", "write `.page(routes!(…), …)` for each, with a policy of its own")
    } else {
        ("no operation that an endpoint can have", "declare get, post, put, patch or delete; get answers HEAD as well")
    };
    Mistake { key: shown.join(" and "), problem: problem.to_owned(), remedy: remedy.to_owned(), origin: None }
}

/// `getHomeScreen` for `home_screen`; a function whose name begins with a verb keeps it (`addItem`).
pub(crate) fn operation_name(method: &Method, function: &str) -> String {
    const VERBS: [&str; 9] = ["get", "list", "add", "change", "remove", "create", "update", "delete", "search"];
    let mut words = function.split('_').filter(|word| !word.is_empty()).peekable();
    let mut name = String::new();
    if words.peek().is_none_or(|first| !VERBS.contains(first)) {
        name.push_str(&method.as_str().to_ascii_lowercase());
    }
    for word in words {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if !name.is_empty() => name.extend(first.to_uppercase()),
            Some(first) => name.push(first),
            None => {}
        }
        name.push_str(letters.as_str());
    }
    name
}

/// One endpoint for [`Bff::page`](crate::Bff::page): the function with its `#[utoipa::path]`.
///
/// ```
/// # use bff_core::{Json, Policy, Problems, Result, routes};
/// # #[derive(serde::Serialize, utoipa::ToSchema)]
/// # struct Count { pieces: u32 }
/// #[utoipa::path(post, path = "/count", responses((status = OK, body = Count), Problems))]
/// async fn count() -> Result<Json<Count>> {
///     Ok(Json(Count { pieces: 1 }))
/// }
/// # #[utoipa::path(delete, path = "/count", responses((status = OK, body = Count), Problems))]
/// # async fn forget() -> Result<Json<Count>> { count().await }
/// let declared: bff_core::Declared<()> = routes!(count);
/// ```
///
/// One function for each page, because a policy covers one:
///
/// ```compile_fail
/// # use bff_core::{Json, Policy, Problems, Result, routes};
/// # #[derive(serde::Serialize, utoipa::ToSchema)]
/// # struct Count { pieces: u32 }
/// # #[utoipa::path(post, path = "/count", responses((status = OK, body = Count), Problems))]
/// # async fn count() -> Result<Json<Count>> { Ok(Json(Count { pieces: 1 })) }
/// # #[utoipa::path(delete, path = "/count", responses((status = OK, body = Count), Problems))]
/// # async fn forget() -> Result<Json<Count>> { count().await }
/// let declared: bff_core::Declared<()> = routes!(count, forget);
/// ```
#[macro_export]
macro_rules! routes {
    ($handler:path $(,)?) => {{
        // What it expands to names axum by that name; a BFF does not have to depend on it for that.
        #[allow(unused_imports)]
        use $crate::axum;
        #[allow(unused_imports)]
        use $crate::{TakesAnything as _, TakesJson as _};
        $crate::Declared::new(
            $crate::utoipa_axum::routes!($handler),
            &$handler,
            (&$crate::LastArgument::of(&$handler)).takes(),
        )
    }};
    ($($several:tt)*) => {
        ::core::compile_error!(
            "one function for each page, because a policy covers one: write `.page(routes!(one), …).page(routes!(other), …)`"
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_the_names_a_client_generator_wants() {
        assert_eq!(operation_name(&Method::GET, "home_screen"), "getHomeScreen");
        assert_eq!(operation_name(&Method::POST, "add_item"), "addItem");
        assert_eq!(operation_name(&Method::GET, "search"), "search");
        assert_eq!(operation_name(&Method::DELETE, "entry"), "deleteEntry");
    }
}
