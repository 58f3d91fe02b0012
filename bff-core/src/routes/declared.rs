//! What `routes!` makes of one function: what it says of itself, and what its type says that it answers.

use std::any::TypeId;
use std::borrow::Cow;
use std::marker::PhantomData;

use axum::response::{NoContent, Response};
use axum::routing::MethodRouter;
use http::StatusCode;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::{Paths, RefOr, Schema};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::compose::Composer;
use crate::edge::Json;
use crate::error::Result;

/// One function with its `#[utoipa::path]`, as [`routes!`](crate::routes!) makes it for [`Bff::page`](crate::Bff::page).
#[must_use]
pub struct Declared<State> {
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
    pub(super) paths: Paths,
    pub(super) handler: MethodRouter<State>,
    pub(super) form: Form,
    pub(super) takes: Option<Content>,
    pub(super) is_composed: bool,
}

impl<State> std::fmt::Debug for Declared<State> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Declared").field("form", &self.form).finish_non_exhaustive()
    }
}

impl<State> Declared<State> {
    /// For `routes!` alone, which hands in the same function twice, and what it takes.
    #[doc(hidden)]
    pub fn new<Function: EndpointFunction<Arguments>, Arguments>(
        (schemas, paths, handler): UtoipaMethodRouter<State>,
        _: &Function,
        takes: Option<Content>,
    ) -> Self {
        Self { schemas, paths, handler, form: Function::form(), takes, is_composed: Function::is_composed() }
    }
}

/// The last argument of a function, which is the one that may read the body.
#[doc(hidden)]
#[derive(Debug)]
pub struct LastArgument<T>(PhantomData<T>);

impl<T> LastArgument<T> {
    #[doc(hidden)]
    pub fn of<Function: EndpointFunction<Arguments, Last = T>, Arguments>(_: &Function) -> Self {
        Self(PhantomData)
    }
}

/// For an argument that is JSON of a known type. Of two traits with the same method the compiler takes the one that needs
/// fewer references, so that this one goes before [`TakesAnything`] where it fits.
#[doc(hidden)]
pub trait TakesJson {
    /// The type.
    fn takes(&self) -> Option<Content>;
}

impl<T: ToSchema> TakesJson for LastArgument<Json<T>> {
    fn takes(&self) -> Option<Content> {
        Some(Content::json::<T>())
    }
}

/// For every other argument.
#[doc(hidden)]
pub trait TakesAnything {
    /// Nothing is known of it.
    fn takes(&self) -> Option<Content>;
}

impl<T> TakesAnything for &LastArgument<T> {
    fn takes(&self) -> Option<Content> {
        None
    }
}

/// What an endpoint's function answers when all is well, as its type says it.
#[derive(Clone, Debug)]
pub struct Form {
    /// `None` where the function chooses it.
    pub(crate) status: Option<StatusCode>,
    pub(crate) content: Content,
}

/// What stands in the body.
#[derive(Clone, Debug)]
pub enum Content {
    /// JSON of this type.
    Json {
        /// As the document names it.
        name: Cow<'static, str>,
        /// What it looks like.
        schema: Value,
    },
    /// Nothing.
    Nothing,
    /// Whatever the function puts there.
    Anything,
}

impl Content {
    fn json<T: ToSchema>() -> Self {
        // What cannot be written as JSON is in no document either, and is found wanting there.
        Self::Json { name: T::name(), schema: serde_json::to_value(T::schema()).unwrap_or_default() }
    }
}

/// What a function of an endpoint may return. The API document is held against it: a function that declares one type and
/// returns another is refused at start and by `check`.
#[diagnostic::on_unimplemented(
    message = "an endpoint cannot answer `{Self}`",
    label = "returned by an endpoint",
    note = "return `Result<Json<T>>` with `T: ToSchema`, so that the API document can be held against it",
    note = "an answer that is not JSON, or that streams, is a `Result<Response>`"
)]
pub trait Answer {
    /// What it is.
    fn form() -> Form;
}

impl<T: ToSchema> Answer for Json<T> {
    fn form() -> Form {
        Form { status: Some(StatusCode::OK), content: Content::json::<T>() }
    }
}

/// An error is a problem, and those are the same for every endpoint.
impl<T: Answer> Answer for Result<T> {
    fn form() -> Form {
        T::form()
    }
}

/// With a status of its own choice.
impl<T: Answer> Answer for (StatusCode, T) {
    fn form() -> Form {
        Form { status: None, ..T::form() }
    }
}

impl Answer for () {
    fn form() -> Form {
        Form { status: Some(StatusCode::OK), content: Content::Nothing }
    }
}

impl Answer for NoContent {
    fn form() -> Form {
        Form { status: Some(StatusCode::NO_CONTENT), content: Content::Nothing }
    }
}

/// For what is not JSON, and for what streams. Its type says nothing, so nobody holds the document against it.
impl Answer for Response {
    fn form() -> Form {
        Form { status: None, content: Content::Anything }
    }
}

/// A function of an endpoint, with the types of its arguments. Every `async fn` that returns an [`Answer`] is one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no function of an endpoint",
    note = "it has to be an `async fn` that returns `Result<Json<T>>` with `T: ToSchema`, or `Result<Response>` for what is \
            not JSON"
)]
pub trait EndpointFunction<Arguments> {
    /// Its last argument; nothing for one without.
    type Last;

    /// What it answers.
    fn form() -> Form;

    /// Whether it takes a [`Composer`], so that it may have parts.
    fn is_composed() -> bool;
}

macro_rules! functions {
    ($($argument:ident)*; $last:ty) => {
        impl<Function, Answered, $($argument: 'static,)*> EndpointFunction<($($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Answered,
            Answered: Future<Output: Answer>,
        {
            type Last = $last;

            fn form() -> Form {
                <Answered::Output as Answer>::form()
            }

            fn is_composed() -> bool {
                let arguments: &[TypeId] = &[$(TypeId::of::<$argument>()),*];
                arguments.contains(&TypeId::of::<Composer>())
            }
        }
    };
}

/// As many arguments as axum takes.
macro_rules! functions_up_to {
    () => { functions!(; ()); };
    ($last:ident $($rest:ident)*) => { functions!($($rest)* $last; $last); functions_up_to!($($rest)*); };
}

functions_up_to!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14 T15 T16);
