//! All routes, as the router falls back on them.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use axum::routing::MethodRouter;
use axum::routing::future::RouteFuture;
use http::HeaderValue;
use tower::Service;

use super::Routes;
use super::table::{Found, Table};

/// Takes what no endpoint takes: finds the route, and hands the request to its door.
#[derive(Clone)]
pub(crate) struct PassThrough(Arc<Doors>);

struct Doors {
    table: Arc<Table>,
    /// One for each entry of the table.
    doors: Vec<MethodRouter>,
    unmatched: MethodRouter,
}

/// In a request's extensions: why it is not passed on. Said behind the door, which counts and logs it.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// The route is for other methods: these.
    NotThisMethod(HeaderValue),
    /// Nobody can say what the upstream would make of its path.
    Doubtful,
}

impl PassThrough {
    /// `doors` in the order of [`Routes::names`]; `unmatched` for requests that no route takes either.
    pub(crate) fn new(routes: &Routes, doors: Vec<MethodRouter>, unmatched: MethodRouter) -> Self {
        Self(Arc::new(Doors { table: routes.table.clone(), doors, unmatched }))
    }
}

impl Service<Request> for PassThrough {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Doors { table, doors, unmatched } = &*self.0;
        if doors.is_empty() {
            return unmatched.clone().call(request);
        }
        let (mut head, body) = request.into_parts();
        let door = match table.find(&head) {
            Found::Route(index) => doors.get(index),
            Found::NotThisMethod(index) => {
                let allowed = table.allowed(&head).parse().unwrap_or(HeaderValue::from_static(""));
                head.extensions.insert(Refusal::NotThisMethod(allowed));
                doors.get(index)
            }
            Found::Doubtful(index) => {
                head.extensions.insert(Refusal::Doubtful);
                doors.get(index)
            }
            Found::Nothing => None,
        };
        door.unwrap_or(unmatched).clone().call(Request::from_parts(head, body))
    }
}
