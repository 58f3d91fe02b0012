//! Makes the request of a call, sends it down the stack, and hands out what it came to.

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Uri};

use super::call::{Call, Handling};
use super::reader::Reader;
use super::told::{open, record};
use super::unsent::{Content, Ready, Unsent};
use super::write::write;
use crate::body::Body;
use crate::clock;
use crate::context::{Scope, TraceContext};
use crate::error::{Error, Kind, Result};
use crate::fetched::Fetched;
use crate::reading::coding;

/// So that a backend's log names a request as ours does.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(super) async fn send<T: Send + Sync + 'static>(ready: Ready<T>, reader: Reader) -> Result<Fetched<T>> {
    let Ready { call, per_identity, .. } = ready;
    let mark = call.mark();
    let Unsent {
        client,
        method,
        path,
        headers,
        body,
        defect,
        timeout,
        attempt_timeout,
        retries,
        hedged,
        ttl,
        at_least,
        keeps,
        invalidates,
    } = call;
    let upstream = client.upstream.clone();
    let scope = Scope::current();
    if scope.as_ref().is_some_and(|scope| scope.context.survey) {
        // A survey asks for parts; nothing is called for it, whatever the endpoint does.
        return Err(Error::new(Kind::Surveyed).from_upstream(upstream.name.clone()));
    }
    if let Some(defect) = defect {
        return Err(defect.from_upstream(upstream.name.clone()));
    }
    let safe = method.is_safe();
    let started = clock::now();

    let target = path.target().ok_or_else(|| path.unfit().from_upstream(upstream.name.clone()))?;
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::try_from(target).map_err(Error::internal)?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let codings = if upstream.settings.compressed { coding::COMPRESSED } else { coding::IDENTITY };
    request.headers_mut().insert(ACCEPT_ENCODING, codings);
    if let Some(agent) = upstream.shared.agent.get() {
        request.headers_mut().insert(USER_AGENT, agent.clone());
    }
    for (name, value) in &upstream.added {
        request.headers_mut().insert(name.clone(), value.clone());
    }
    for (name, value) in headers {
        request.headers_mut().insert(name, value);
    }
    if let Some(Content { kind, bytes }) = body {
        *request.body_mut() = Body::Bytes(bytes);
        request.headers_mut().insert(CONTENT_TYPE, kind);
    }
    let mut overrides = upstream.settings.cache;
    overrides.ttl = ttl.or(overrides.ttl);
    overrides.at_least = at_least.or(overrides.at_least);
    let keeps =
        if keeps.is_empty() { upstream.keeps.clone() } else { upstream.keeps.iter().cloned().chain(keeps).collect() };
    let required = scope.as_ref().is_none_or(|scope| scope.need.is_required());
    let (part, trace, trace_state) = match &scope {
        Some(scope) => {
            let context = &scope.context;
            if let Ok(id) = HeaderValue::from_str(&context.request_id) {
                request.headers_mut().insert(REQUEST_ID, id);
            }
            let part = scope.part.and_then(|part| context.ledger.name(part));
            (part, context.trace, context.trace_state.clone())
        }
        None => (None, TraceContext::begin(), None),
    };
    request.extensions_mut().insert(Call {
        safe,
        per_identity,
        key: None,
        mark,
        required,
        scope: scope.clone(),
        part,
        holder: scope.as_ref().and_then(|scope| scope.context.holder()),
        trace,
        trace_state,
        patience: None,
        timeout: timeout.unwrap_or(upstream.settings.timeout),
        attempt_timeout: attempt_timeout.unwrap_or(upstream.settings.attempt_timeout),
        retries: retries.unwrap_or(upstream.settings.retry.tries),
        hedged: hedged.unwrap_or(upstream.settings.hedge.enabled),
        deadline: None,
        overrides,
        keeps,
        handling: Handling::Read(reader),
        known: None,
        target: upstream.main.clone(),
        host: None,
        avoid: None,
        taken: None,
    });
    *request.method_mut() = method;

    let result =
        if safe { (client.stack)(request).await } else { write(&upstream, &client.stack, request, invalidates).await };
    let result = result.and_then(|response| open::<T>(response, reader));
    if let Some(scope) = scope {
        let took = clock::now() - started;
        scope.context.ledger.call(record(&scope, &upstream, per_identity, safe, took, &result));
    }
    let (value, answer) = result?;
    let Some(value) = value else {
        if required {
            let error =
                Error::new(Kind::InvalidResponse).caused_by("it says that there is none (204, null), and it is needed");
            upstream.troubles.failed(&upstream, None, &error);
        }
        return Err(Error::new(Kind::Nothing).from_upstream(upstream.name.clone()));
    };
    let fetched = match answer.staleness {
        None => Fetched::fresh(value),
        Some(staleness) => Fetched::stale(value, staleness),
    };
    let fetched = fetched.with_head(answer.head);
    Ok(match answer.lost {
        None => fetched,
        Some(lost) => fetched.without(lost),
    })
}
