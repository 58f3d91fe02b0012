//! What is counted, and where the log goes.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use crate::context::{CallOutcome, Context, Outcome};
use crate::error::Error;
use crate::settings::{Check, Mistakes};

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
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).try_init(),
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
        Self { registry, requests, request_seconds, response_bytes, parts, calls, call_seconds }
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
            let _ = write!(table, "{}={}", part.name, source.unwrap_or(part.outcome.as_str()));
            if let Some(reason) = part.reason {
                let _ = write!(table, "({reason})");
            }
            let _ = write!(table, ":{}ms", part.took.as_millis());
        }
        table
    })
}
