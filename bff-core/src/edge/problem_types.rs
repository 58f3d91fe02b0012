//! The kinds of problem a BFF answers with; each is explained under `/problems/`.

use crate::context::Need;
use crate::error::{Error, Input, Kind};

/// One kind of problem: the last word of its `type`, its title, its status, and what a developer should know.
#[derive(Debug)]
pub struct ProblemType {
    /// The last segment of the `type` URI.
    pub slug: &'static str,
    /// The same for every occurrence.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What it means and what to do about it.
    pub explanation: &'static str,
}

macro_rules! problem_types {
    ($($name:ident = $status:literal $slug:literal $title:literal $explanation:literal;)*) => {
        $(const $name: &ProblemType =
            &ProblemType { slug: $slug, title: $title, status: $status, explanation: $explanation };)*
        /// All of them.
        pub const PROBLEM_TYPES: &[&ProblemType] = &[$($name),*];
    };
}

problem_types! {
    MALFORMED = 400 "malformed" "The request cannot be read"
        "A parameter or the JSON of the body is not what the API document says. `errors` points at each mistake.";
    UNAUTHENTICATED = 401 "unauthenticated" "Credentials are needed"
        "Send a valid token as `Authorization: Bearer …`. `detail` says what is wrong with the one that was sent.";
    FORBIDDEN = 403 "forbidden" "Not allowed"
        "The credentials hold, but do not suffice: a role or a scope is missing, or the thing belongs to somebody else.";
    NOT_FOUND = 404 "not-found" "There is no such thing"
        "What the page is about does not exist. Asking again does not help.";
    NO_ROUTE = 404 "no-such-endpoint" "There is no such endpoint"
        "No endpoint answers at this path. `/openapi.json` lists all of them.";
    METHOD = 405 "method-not-allowed" "Not this method"
        "The endpoint exists, but not for this method; `Allow` lists those it answers.";
    NOT_ACCEPTABLE = 406 "not-acceptable" "Not in this form"
        "The answer is not made in any form that `Accept` names.";
    TOO_SLOW = 408 "request-too-slow" "The request took too long to arrive"
        "The body did not arrive in time. Try again on a better connection.";
    CONFLICT = 409 "conflict" "The state does not allow it"
        "The change contradicts what is there. Read again, then decide.";
    PRECONDITION = 412 "precondition-failed" "The precondition does not hold"
        "What was to be changed is not what it was when it was read. Read again, then decide.";
    TOO_LARGE = 413 "too-large" "The body is too large"
        "`detail` says how much is taken.";
    TARGET_TOO_LONG = 414 "target-too-long" "The path and query are too long"
        "Shorten them; no id or search of ours is that long.";
    MEDIA_TYPE = 415 "unsupported-media-type" "Not this content type"
        "Bodies are `application/json`.";
    UNPROCESSABLE = 422 "unprocessable" "The content does not fit"
        "The JSON is well-formed and says something that is not possible. `errors` points at each mistake.";
    TOO_MANY = 429 "too-many-requests" "Too many requests"
        "Wait for as long as `Retry-After` says.";
    INTERNAL = 500 "internal" "A defect of ours"
        "It is logged under `request_id`. Asking again may help.";
    NOT_IMPLEMENTED = 501 "not-implemented" "Not spoken here"
        "The body is in a transfer coding other than `chunked`.";
    UPSTREAM_FAILED = 502 "upstream-failed" "A service behind us failed"
        "The part named by `part` cannot be had, and the page is nothing without it. Asking again may help.";
    UNAVAILABLE = 503 "unavailable" "Not available now"
        "Wait for as long as `Retry-After` says, then ask again.";
    INCOMPLETE = 503 "incomplete" "Only a part of the answer is available"
        "The part named by `part` cannot be had now. Ask with `?partial=true` to get the rest.";
    NOT_KEPT = 504 "not-kept" "Nothing that is kept would do"
        "The request says `only-if-cached`. Ask without it.";
    TIMEOUT = 504 "timeout" "It took too long"
        "The part named by `part` did not come in time. Asking again may help; with `outcome_unknown`, read first.";
}

/// Which problem an error is. The only place where an error meets a status.
///
/// A 404 passes as itself only from the subject (or from a write, or where the endpoint says so itself): that a
/// required part is not found is our contradiction, not the client's. An upstream's 400 or 401 is our mistake as well;
/// passing a 401 on would log users out.
pub(super) fn classify(error: &Error) -> &'static ProblemType {
    let passes = error.is_write() || error.upstream().is_none();
    match error.kind() {
        Kind::NotFound if passes || error.part().is_some_and(|(_, need)| need == Need::Subject) => NOT_FOUND,
        Kind::NotFound
        | Kind::Nothing
        | Kind::Rejected
        | Kind::UpstreamError
        | Kind::Unreachable
        | Kind::InvalidResponse => UPSTREAM_FAILED,
        Kind::Forbidden | Kind::NotAllowed => FORBIDDEN,
        Kind::Anonymous | Kind::Unauthenticated => UNAUTHENTICATED,
        Kind::Conflict => CONFLICT,
        Kind::Precondition => PRECONDITION,
        Kind::Unprocessable => UNPROCESSABLE,
        Kind::Timeout | Kind::Deadline => TIMEOUT,
        Kind::CircuitOpen | Kind::Overloaded | Kind::Busy | Kind::IssuerUnavailable => UNAVAILABLE,
        Kind::Invalid(input) => match input {
            Input::Malformed => MALFORMED,
            Input::Unprocessable => UNPROCESSABLE,
            Input::TooLarge => TOO_LARGE,
            Input::TargetTooLong => TARGET_TOO_LONG,
            Input::MediaType => MEDIA_TYPE,
            Input::TooSlow => TOO_SLOW,
            Input::NotAcceptable => NOT_ACCEPTABLE,
            Input::TransferCoding => NOT_IMPLEMENTED,
        },
        Kind::NoSuchRoute => NO_ROUTE,
        Kind::MethodNotAllowed => METHOD,
        Kind::NotKept => NOT_KEPT,
        Kind::Incomplete(_) => INCOMPLETE,
        Kind::Internal | Kind::Surveyed => INTERNAL,
    }
}

/// The problem of a status that a library of ours answered with by itself.
pub(super) fn of_status(status: u16) -> &'static ProblemType {
    match status {
        404 => NO_ROUTE,
        status => PROBLEM_TYPES.iter().find(|kind| kind.status == status).copied().unwrap_or(if status < 500 {
            MALFORMED
        } else {
            INTERNAL
        }),
    }
}
