//! Asks each page for its parts, without calling anybody.
//!
//! Only code of a GET that takes a composer is run, and of that only what stands in front of `compose!`, once for each start
//! and each of `check`, `routes` and `openapi`. Bodies of writes are never run: nobody knows what they do. It runs on a
//! thread of its own and has [`LONGEST`] for each page, so that code that sleeps, blocks or never ends delays no start for
//! longer; such a page is refused. What it answers is neither written nor read, however long it is.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use futures::FutureExt;
use http::{HeaderMap, Request, Uri};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::context::{Context, Scope, Terms, TraceContext, Wishes};
use crate::edge;
use crate::error::{Error, Kind};
use crate::identity::{Claims, Identity};
use crate::routes::{Route, SurveyedPart};
use crate::settings::Mistakes;

/// How long the code in front of `compose!` may take. It makes arguments for calls, which is done in no time.
const LONGEST: Duration = Duration::from_secs(2);
/// What a thread may need on top of it to say that it gave up.
const GRACE: Duration = Duration::from_secs(1);

/// The parts of each endpoint, by its name.
pub(super) type Parts = BTreeMap<String, Vec<SurveyedPart>>;

/// One page that is going to be asked.
struct Asked {
    router: Router,
    target: Uri,
    context: Arc<Context>,
}

/// What became of it.
enum Ended {
    Answered(Box<Response>),
    Panicked(String),
    TooLate,
}

/// Asks every page for its parts, and notes those that do not get as far.
pub(super) async fn survey<Upstreams>(
    routes: &[&Route<Upstreams>],
    upstreams: &Upstreams,
    mistakes: &mut Mistakes,
) -> Parts
where
    Upstreams: Clone + Send + Sync + 'static,
{
    let surveyed: Vec<_> = routes.iter().copied().filter(|route| route.is_surveyed()).collect();
    let asked: Vec<Asked> = surveyed.iter().map(|route| Asked::new(route, upstreams)).collect();
    let contexts: Vec<Arc<Context>> = asked.iter().map(|asked| asked.context.clone()).collect();
    let (sender, mut ended) = mpsc::channel(asked.len().max(1));
    // Not joined: what blocks cannot be ended, only left behind.
    drop(tokio::task::spawn_blocking(move || ask(asked, &sender)));
    let mut parts = Parts::new();
    for (route, context) in surveyed.into_iter().zip(contexts) {
        let found = match timeout(LONGEST + GRACE, ended.recv()).await {
            Ok(Some(Ended::Answered(response))) => judge(route, &context, &response),
            Ok(Some(Ended::Panicked(said))) => Err((
                format!("panics when it is asked for its parts: {said}"),
                "nothing in front of `compose!` may panic, for no argument",
            )),
            Ok(Some(Ended::TooLate)) => Err(too_late()),
            // It blocks the thread, and nobody after it can be asked.
            Err(_) => {
                let (problem, remedy) = too_late();
                mistakes.note(&route.title(), problem, remedy);
                return parts;
            }
            Ok(None) => Err(("could not be asked for its parts".to_owned(), "there is no thread for it")),
        };
        match found {
            Ok(own) => {
                parts.insert(route.name.clone(), own);
            }
            Err((problem, remedy)) => mistakes.note(&route.title(), problem, remedy),
        }
    }
    parts
}

fn too_late() -> (String, &'static str) {
    let longest = humantime::format_duration(LONGEST);
    let problem = format!("does not get as far as `compose!` within {longest}");
    (problem, "take what sleeps, waits or computes into an `async` block of the part that needs it")
}

impl<State: Clone + Send + Sync + 'static> Route<State> {
    /// Whether its function is run for its parts.
    fn is_surveyed(&self) -> bool {
        self.method == http::Method::GET && self.is_composed
    }
}

impl Asked {
    fn new<State: Clone + Send + Sync + 'static>(route: &Route<State>, state: &State) -> Self {
        let terms = Arc::new(Terms { endpoint: route.name.as_str().into(), ..Terms::default() });
        let trace = TraceContext::of(&HeaderMap::new()).0;
        let mut context = Context::new(None, trace, terms, Wishes::default(), HeaderMap::new());
        context.survey = true;
        // A page that asks who is there shall get as far as its parts.
        if let Ok(nobody) = Identity::new(Claims { subject: "survey".into(), ..Claims::default() }) {
            context.identify(Ok(Arc::new(nobody)));
        }
        Self {
            router: Router::new().route(&route.path, route.handler.clone()).with_state(state.clone()),
            target: route.example(),
            context: Arc::new(context),
        }
    }

    async fn ask(self) -> Ended {
        let mut request = Request::new(axum::body::Body::empty());
        *request.uri_mut() = self.target;
        request.extensions_mut().insert(self.context.clone());
        let answered = Scope::endpoint(self.context).enter(self.router.oneshot(request));
        match timeout(LONGEST, AssertUnwindSafe(answered).catch_unwind()).await {
            Ok(Ok(Ok(response))) => Ended::Answered(Box::new(response)),
            Ok(Err(panic)) => Ended::Panicked(said(panic.as_ref())),
            Err(_) => Ended::TooLate,
        }
    }
}

/// Asks one after the other, on a clock that runs even where that of the caller is paused.
fn ask(asked: Vec<Asked>, ended: &mpsc::Sender<Ended>) {
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
    for asked in asked {
        if ended.blocking_send(runtime.block_on(asked.ask())).is_err() {
            return;
        }
    }
    runtime.shutdown_background();
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no text").to_owned()
}

type Found = Result<Vec<SurveyedPart>, (String, &'static str)>;

fn judge<State>(route: &Route<State>, context: &Context, response: &Response) -> Found {
    let parts = context.ledger.in_answer_order();
    let parts: Vec<_> =
        parts.iter().map(|part| SurveyedPart { name: part.name.to_string(), need: part.need }).collect();
    match edge::cause(response) {
        Some(error) if error.kind() == Kind::Surveyed => match error.upstream() {
            Some(upstream) => Err((
                format!("asks {upstream} in front of its parts, so that nobody knows them"),
                "take the call into an `async` block of the part that needs it, where it runs beside the others",
            )),
            None => Ok(parts),
        },
        Some(error) => Err(not_taken(route, error)),
        None if !parts.is_empty() && route.policy.without_meta => {
            Err(("has parts, and its policy says `without_meta`".to_owned(), "give it `meta: Meta`"))
        }
        None => Ok(parts),
    }
}

/// It was asked as its own document says.
fn not_taken<State>(route: &Route<State>, error: &Error) -> (String, &'static str) {
    let faults = error.faults().iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail));
    let faults: Vec<String> = faults.collect();
    let why = if faults.is_empty() { error.to_string() } else { faults.join(", ") };
    let problem = format!("refuses the request that its document gives as an example, {} ({why})", route.example());
    (problem, "give its parameters an `example` that it takes, and names and types that its arguments have")
}
