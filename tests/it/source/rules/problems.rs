//! Sentence 5.

use crate::source::lexer::{Token, reads, without_attributes};
use crate::source::rule::{Rule, Violation, check};
use crate::source::tree::SourceFile;

pub(super) const RULE: Rule = Rule {
    sentence: "5. an error becomes HTTP in one place (`edge/problem.rs`); no status code stands in an endpoint's body",
    remedy: "return an `Error` of the right `Kind` and let `edge/problem.rs` make the problem of it; a status belongs \
             in the `responses(…)` of `#[utoipa::path]` only",
    find,
};

fn find(files: &[SourceFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files {
        let is_ours = file.krate().starts_with("bff-") || file.krate() == "upstreams";
        if !is_ours || !file.is_rust() || file.path == "bff-core/src/edge/problem.rs" {
            continue;
        }
        let all = file.shipped_tokens();
        let tokens = without_attributes(&all);
        let is_endpoint = file.krate() != "bff-core" && (file.within("endpoints") || file.name() == "endpoints.rs");
        for i in 0..tokens.len() {
            let why = if let Some(what) = error_becomes_http(&tokens, i) {
                what
            } else if is_endpoint && let Some(status) = status(&tokens, i) {
                format!("status {status} in an endpoint")
            } else {
                continue;
            };
            found.push(Violation::new(file, tokens[i].line, why));
        }
    }
    found
}

/// `impl IntoResponse for …Error`, `impl From<…Error> for StatusCode` and their like.
fn error_becomes_http(tokens: &[Token<'_>], at: usize) -> Option<String> {
    if tokens[at].text != "impl" {
        return None;
    }
    let head: Vec<_> =
        tokens[at..].iter().map(|token| token.text).take_while(|text| !matches!(*text, "{" | ";")).collect();
    let (what, whom) = head.split_at(head.iter().position(|text| *text == "for")?);
    let is_error = |text: &&str| text.ends_with("Error");
    let answers = what.contains(&"IntoResponse") && whom.iter().any(is_error);
    let is_http = whom.iter().any(|text| matches!(*text, "StatusCode" | "Response" | "Problem"));
    let converts = what.contains(&"From") && what.iter().any(is_error) && is_http;
    (answers || converts).then(|| "an error becomes an answer outside of edge/problem.rs".to_owned())
}

/// `StatusCode::…`, `status(404)`, `status: 404`, `status == 404`, `(404, …)`.
fn status(tokens: &[Token<'_>], at: usize) -> Option<String> {
    let token = tokens[at];
    if token.text == "StatusCode" && reads(tokens, at + 1, &["::"]) {
        return Some(format!("StatusCode::{}", tokens.get(at + 2)?.text));
    }
    let is_code = token.text.len() == 3 && token.text.parse().is_ok_and(|code: u16| (100..600).contains(&code));
    let before = |n: usize| at.checked_sub(n).map_or("", |i| tokens[i].text);
    let is_named = (1..=4)
        .map(before)
        .take_while(|text| !matches!(*text, ";" | "," | "{"))
        .any(|text| matches!(text, "status" | "status_code" | "with_status" | "from_u16" | "set_status"));
    // A tuple, not a call: no name before the parenthesis.
    let is_answer =
        before(1) == "(" && reads(tokens, at + 1, &[","]) && at.checked_sub(2).is_none_or(|i| !tokens[i].is_name());
    (is_code && (is_named || is_answer)).then(|| token.text.to_owned())
}

#[test]
fn an_endpoint_knows_no_status() {
    let endpoint = "\
#[utoipa::path(get, path = \"/a\", responses((status = OK, body = A), (status = 404), (status = StatusCode::OK)))]
async fn a() -> Result<A> {
    Err((404, \"gone\"))?;
    StatusCode::NOT_FOUND;
    answer.status(500);
    if call.status == 503 { take(200, x).limit(400); }
}
#[cfg(test)] mod tests { fn t() { assert_eq!(answer.status(), StatusCode::OK); } }
";
    check(
        &RULE,
        &[("bff-core/src/edge/stack.rs", endpoint), ("bff-web/src/v2/endpoints/a.rs", endpoint)],
        &[
            "bff-web/src/v2/endpoints/a.rs:3: status 404",
            "bff-web/src/v2/endpoints/a.rs:4: status StatusCode::NOT_FOUND",
            "bff-web/src/v2/endpoints/a.rs:5: status 500",
            "bff-web/src/v2/endpoints/a.rs:6: status 503",
        ],
    );
}

#[test]
fn an_error_becomes_http_in_one_file() {
    let text = "\
impl IntoResponse for Error {}
impl axum::response::IntoResponse for crate::auth::AuthError {}
impl From<Error> for StatusCode {}
impl IntoResponse for Page {}
impl From<Error> for io::Error {}
";
    check(
        &RULE,
        &[("bff-core/src/edge/problem.rs", text), ("bff-core/src/error.rs", text), ("mock-services/src/a.rs", text)],
        &[
            "bff-core/src/error.rs:1: an error",
            "bff-core/src/error.rs:2: an error",
            "bff-core/src/error.rs:3: an error",
        ],
    );
}
