//! What is counted, and where the log goes.

mod json_log;
mod kept;
mod passed;

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use crate::context::{CallOutcome, Context, Outcome};
use crate::error::Error;
use crate::settings::{Check, Mistakes};

pub use kept::SecondLevelCounts;
pub use passed::{OpenTunnel, Way};

/// Upper bounds in seconds: fine where pages live (5 ms to 1 s), coarse beyond.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8, 1.0, 2.5, 10.0];

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// `[log]`: what is logged, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSettings {
    /// `json` or `text`. Default `json`.
    pub format: LogFormat,
    /// In the syntax of `tracing_subscriber::EnvFilter` (`info`, `info,bff_core=debug`). Default `info`.
    pub filter: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::default(), filter: "info".to_owned() }
    }
}

impl Check for LogSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if let Err(error) = EnvFilter::try_new(&self.filter) {
            mistakes.note(
                "filter",
                format!("{:?} cannot be read ({error})", self.filter),
                "write a level such as \"info\"",
            );
        }
    }
}

/// Sends the log of this process to standard output. The second call in a process changes nothing.
///
/// A filter that cannot be read counts as `info`; [`LogSettings::check`] reports it.
pub fn log_to_stdout(settings: &LogSettings) {
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(true);
    let _ = match settings.format {
        LogFormat::Json => log.fmt_fields(json_log::Fragment).event_format(json_log::Line).try_init(),
        LogFormat::Text => log.with_ansi(std::io::stdout().is_terminal()).try_init(),
    };
}

/// A label that many metrics share without copying it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name(Arc<str>);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: Name,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartLabels {
    endpoint: Name,
    part: Cow<'static, str>,
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    upstream: Name,
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    upstream: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TargetLabels {
    upstream: Name,
    variant: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShadowLabels {
    upstream: Name,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    upstream: Name,
    variant: Name,
    state: &'static str,
}

/// What guards one version of an upstream, as it is when the metrics are read. Totals count from the start.
#[derive(Debug)]
pub struct Guarded {
    /// Its name in the configuration.
    pub upstream: Arc<str>,
    /// The version; empty for the main one.
    pub variant: Arc<str>,
    /// The breaker's state, and how often it has opened; `None` without one.
    pub breaker: Option<(&'static str, u64)>,
    /// Limit, calls in flight, and calls refused by the bulkhead; `None` without one.
    pub bulkhead: Option<(usize, usize, u64)>,
    /// Attempts made again.
    pub retries: u64,
    /// Requests that were never sent, sent again.
    pub resent: u64,
    /// Attempts made beside a late one.
    pub hedges: u64,
    /// Further attempts that the budget refused.
    pub budget_refused: u64,
    /// Hosts known.
    pub hosts: usize,
    /// Hosts that get no calls because they failed.
    pub hosts_ejected: usize,
}

/// What [`Guarded`] and the shadow become.
#[derive(Debug, Default)]
struct Protections {
    breaker_state: Family<StateLabels, Gauge>,
    breaker_opened: Family<TargetLabels, Counter>,
    limit: Family<TargetLabels, Gauge>,
    in_flight: Family<TargetLabels, Gauge>,
    bulkhead_refused: Family<TargetLabels, Counter>,
    retries: Family<TargetLabels, Counter>,
    resent: Family<TargetLabels, Counter>,
    hedges: Family<TargetLabels, Counter>,
    budget_refused: Family<TargetLabels, Counter>,
    hosts: Family<TargetLabels, Gauge>,
    hosts_ejected: Family<TargetLabels, Gauge>,
    shadow: Family<ShadowLabels, Counter>,
    refused: Family<UpstreamLabels, Counter>,
}

impl Protections {
    fn register(&self, registry: &mut Registry) {
        let state = "1 for the state that the circuit breaker is in (closed, open, half_open)";
        registry.register("upstream_breaker_state", state, self.breaker_state.clone());
        registry.register("upstream_breaker_opened", "Times the circuit breaker opened", self.breaker_opened.clone());
        registry.register("upstream_limit", "Calls that may be in flight at once", self.limit.clone());
        registry.register("upstream_in_flight", "Attempts in flight", self.in_flight.clone());
        registry.register("upstream_bulkhead_refused", "Calls that found no place", self.bulkhead_refused.clone());
        registry.register("upstream_retries", "Attempts made again", self.retries.clone());
        registry.register("upstream_resent", "Requests that were never sent, sent again", self.resent.clone());
        registry.register("upstream_hedges", "Attempts made beside a late one", self.hedges.clone());
        let refused = "Further attempts that the retry budget refused";
        registry.register("upstream_retry_budget_refused", refused, self.budget_refused.clone());
        registry.register("upstream_hosts", "Hosts known", self.hosts.clone());
        registry.register(
            "upstream_hosts_ejected",
            "Hosts without calls, because they failed",
            self.hosts_ejected.clone(),
        );
        registry.register("upstream_refused", "Calls refused because of who we are (401, 403)", self.refused.clone());
        registry.register("upstream_shadow", "Answers compared with the shadow's", self.shadow.clone());
    }
}

/// The states of a circuit breaker, as metrics and views name them.
pub const BREAKER_STATES: [&str; 3] = ["closed", "open", "half_open"];

/// Everything that is counted. Label values come from closed sets: routes, parts, upstreams, outcomes.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<EndpointLabels, Histogram>,
    response_bytes: Family<EndpointLabels, Counter>,
    parts: Family<PartLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    call_seconds: Family<UpstreamLabels, Histogram>,
    shed: Family<EndpointLabels, Counter>,
    protections: Protections,
    passed: passed::Passed,
    kept: kept::Kept,
}

/// A counter that is kept elsewhere, brought up to `total`.
fn raise(counter: &Counter, total: u64) {
    counter.inner().store(total, Ordering::Relaxed);
}

fn gauge(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("bff");
        let requests = Family::default();
        let request_seconds = Family::new_with_constructor(seconds as fn() -> Histogram);
        let response_bytes = Family::default();
        let parts = Family::default();
        let calls = Family::default();
        let call_seconds = Family::new_with_constructor(seconds as fn() -> Histogram);
        registry.register("requests", "Requests answered", requests.clone());
        registry.register("request_duration_seconds", "From the door to the answer's head", request_seconds.clone());
        registry.register("response_bytes", "Answer bodies before compression", response_bytes.clone());
        registry.register("part_outcomes", "What became of the parts of composite answers", parts.clone());
        registry.register("upstream_calls", "What became of upstream calls", calls.clone());
        registry.register("upstream_call_duration_seconds", "From asking to having", call_seconds.clone());
        let shed = Family::default();
        registry.register("requests_shed", "Requests refused because this BFF was full", shed.clone());
        let protections = Protections::default();
        protections.register(&mut registry);
        let passed = passed::Passed::default();
        passed.register(&mut registry);
        let kept = kept::Kept::default();
        kept.register(&mut registry);
        Self {
            registry,
            requests,
            request_seconds,
            response_bytes,
            parts,
            calls,
            call_seconds,
            shed,
            protections,
            passed,
            kept,
        }
    }
}

impl Metrics {
    /// Counts an upstream call.
    pub fn call(&self, upstream: &Arc<str>, outcome: CallOutcome, error: Option<&Error>, took: Duration) {
        let reason = error.and_then(Error::reason).map_or("", crate::error::Reason::as_str);
        let upstream = Name(upstream.clone());
        self.calls.get_or_create(&CallLabels { upstream: upstream.clone(), outcome: outcome.as_str(), reason }).inc();
        self.call_seconds.get_or_create(&UpstreamLabels { upstream }).observe(took.as_secs_f64());
    }

    /// Counts a request that was refused because this BFF was full.
    pub fn shed(&self, endpoint: &Arc<str>) {
        self.shed.get_or_create(&EndpointLabels { endpoint: Name(endpoint.clone()) }).inc();
    }

    /// How one version of an upstream is guarded at this moment.
    pub fn guarded(&self, now: Guarded) {
        let own = &self.protections;
        let labels = TargetLabels { upstream: Name(now.upstream), variant: Name(now.variant) };
        if let Some((state, opened)) = now.breaker {
            for known in BREAKER_STATES {
                let TargetLabels { upstream, variant } = labels.clone();
                let labels = StateLabels { upstream, variant, state: known };
                own.breaker_state.get_or_create(&labels).set(i64::from(known == state));
            }
            raise(&own.breaker_opened.get_or_create(&labels), opened);
        }
        if let Some((limit, in_flight, refused)) = now.bulkhead {
            own.limit.get_or_create(&labels).set(gauge(limit));
            own.in_flight.get_or_create(&labels).set(gauge(in_flight));
            raise(&own.bulkhead_refused.get_or_create(&labels), refused);
        }
        raise(&own.retries.get_or_create(&labels), now.retries);
        raise(&own.resent.get_or_create(&labels), now.resent);
        raise(&own.hedges.get_or_create(&labels), now.hedges);
        raise(&own.budget_refused.get_or_create(&labels), now.budget_refused);
        own.hosts.get_or_create(&labels).set(gauge(now.hosts));
        own.hosts_ejected.get_or_create(&labels).set(gauge(now.hosts_ejected));
    }

    /// How often a shadow answered the same, and how often something else.
    pub fn shadow(&self, upstream: &Arc<str>, same: u64, different: u64) {
        for (result, total) in [("same", same), ("different", different)] {
            let labels = ShadowLabels { upstream: Name(upstream.clone()), result };
            raise(&self.protections.shadow.get_or_create(&labels), total);
        }
    }

    /// How often an upstream has refused us.
    pub fn refused(&self, upstream: &Arc<str>, total: u64) {
        raise(&self.protections.refused.get_or_create(&UpstreamLabels { upstream: Name(upstream.clone()) }), total);
    }

    /// Counts an answered request and what became of its parts.
    pub fn request(&self, context: &Context, status: u16, bytes: Option<u64>, took: Duration) {
        let endpoint = Name(context.terms.endpoint.clone());
        self.requests.get_or_create(&RequestLabels { endpoint: endpoint.clone(), status }).inc();
        let labels = EndpointLabels { endpoint };
        self.request_seconds.get_or_create(&labels).observe(took.as_secs_f64());
        if let Some(bytes) = bytes {
            self.response_bytes.get_or_create(&labels).inc_by(bytes);
        }
        context.ledger.read(|parts, _| {
            for part in parts {
                let reason = part.reason.map_or("", crate::error::Reason::as_str);
                let outcome = part.outcome.as_str();
                let labels = PartLabels { endpoint: labels.endpoint.clone(), part: part.name.clone(), outcome, reason };
                self.parts.get_or_create(&labels).inc();
            }
        });
    }

    /// Everything in the text format of OpenMetrics 1.0.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail; a half-written page would be worse than an empty one.
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

/// The part table of one request, for its log line: `header=live:41ms list=missing(timeout):180ms`.
#[must_use]
pub fn part_table(context: &Context) -> String {
    context.ledger.read(|parts, calls| {
        let mut table = String::with_capacity(parts.len() * 24);
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                table.push(' ');
            }
            // A live part tells where its data came from.
            let source = match part.outcome {
                Outcome::Live => calls.iter().find(|call| call.part == Some(part.id)).map(|call| call.outcome.as_str()),
                _ => None,
            };
            table.push_str(&part.name);
            table.push('=');
            table.push_str(source.unwrap_or(part.outcome.as_str()));
            if let Some(reason) = part.reason {
                let _ = write!(table, "({reason})");
            }
            let _ = write!(table, ":{}ms", part.took.as_millis());
        }
        table
    })
}
