//! What can go wrong at a backend, on demand.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::service::Service;

/// Everything that is wrong with one backend. All fields can be combined; the default is a healthy backend.
///
/// The order of one exchange: barrier, latency, `hang`, an error by chance, the real answer, then the
/// answer is spoilt (`garbage`, `wrong_content_type`, the cache headers), and `reset`, `truncate` and
/// `trickle` decide how it goes over the wire. A write is done before a `reset`, a `truncate` or
/// a `trickle`: the caller cannot know, as in life. It is not done under `hang` or an error by chance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// A fixed wait before the answer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// A wait with a long tail, on top of the fixed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// The share of requests that fail, 0 to 1. Where only `error_status` is given, all fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<f64>,
    /// The status of a request that fails, 400 to 599. Default: 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_status: Option<u16>,
    /// `Retry-After` on requests that fail. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// Takes the request and never answers.
    #[serde(skip_serializing_if = "is_false")]
    pub hang: bool,
    /// The head at once, the body slowly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trickle: Option<Trickle>,
    /// A TCP reset instead of the answer; over HTTP/2, a reset of the stream.
    #[serde(skip_serializing_if = "is_false")]
    pub reset: bool,
    /// Half of the body that `Content-Length` promised, then the connection closes.
    #[serde(skip_serializing_if = "is_false")]
    pub truncate: bool,
    /// A 200 that says JSON and is not.
    #[serde(skip_serializing_if = "is_false")]
    pub garbage: bool,
    /// A 200 with an HTML page, as a proxy in the way would send.
    #[serde(skip_serializing_if = "is_false")]
    pub wrong_content_type: bool,
    /// `Cache-Control: public, max-age=3600` on everything, private or not.
    #[serde(skip_serializing_if = "is_false")]
    pub lie_public: bool,
    /// This `Cache-Control` instead of the right one; the empty string takes the header away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// The port is closed and all connections with it. Clearing it opens the same port again. Ignores `path`.
    #[serde(skip_serializing_if = "is_false")]
    pub refuse: bool,
    /// Only requests whose path starts with this. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A log-normal wait, given by its middle and its tail.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Half of all requests wait less than this, in milliseconds.
    pub p50_ms: f64,
    /// One request in a hundred waits longer than this, in milliseconds.
    pub p99_ms: f64,
}

/// A slow body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trickle {
    /// How fast the body comes, in bytes per second.
    pub bytes_per_second: u64,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Faults {
    /// What is wrong with these faults, naming the field, or nothing.
    pub fn check(&self) -> Result<(), String> {
        if self.error_rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
            return Err("error_rate must be from 0 to 1".to_owned());
        }
        if self.error_status.is_some_and(|status| !(400..=599).contains(&status)) {
            return Err("error_status must be from 400 to 599".to_owned());
        }
        if let Some(Latency { p50_ms, p99_ms }) = self.latency
            && !(p50_ms > 0.0 && p99_ms >= p50_ms && p99_ms <= 3_600_000.0)
        {
            return Err("latency needs 0 < p50_ms <= p99_ms <= 3600000".to_owned());
        }
        if self.trickle.is_some_and(|t| t.bytes_per_second == 0) {
            return Err("trickle.bytes_per_second must be above 0; for an answer that never comes use hang".to_owned());
        }
        if self.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Err("path must start with a slash".to_owned());
        }
        if self.cache_control.as_ref().is_some_and(|value| HeaderValue::from_str(value).is_err()) {
            return Err("cache_control is not a valid header value".to_owned());
        }
        Ok(())
    }

    /// Whether these faults touch a request for this path.
    pub(crate) fn touch(&self, path: &str) -> bool {
        self.path.as_ref().is_none_or(|start| path.starts_with(start.as_str()))
    }

    /// How long this request waits.
    pub(crate) fn draw_wait(&self, rng: &mut fastrand::Rng) -> Duration {
        let tail = self.latency.map_or(0.0, |latency| latency.draw(rng));
        Duration::from_millis(self.latency_ms.unwrap_or(0)) + Duration::from_secs_f64(tail / 1000.0)
    }

    /// The status this request fails with, or nothing.
    pub(crate) fn draw_error(&self, rng: &mut fastrand::Rng) -> Option<StatusCode> {
        let rate = self.error_rate.unwrap_or(if self.error_status.is_some() { 1.0 } else { 0.0 });
        let status = StatusCode::from_u16(self.error_status.unwrap_or(503)).ok()?;
        (rng.f64() < rate).then_some(status)
    }
}

impl Latency {
    /// The 99th percentile of the standard normal distribution.
    const Z99: f64 = 2.326_347_874;

    /// One wait in milliseconds; at most twenty times the tail, so that nothing waits for ever.
    fn draw(self, rng: &mut fastrand::Rng) -> f64 {
        let sigma = (self.p99_ms / self.p50_ms).ln() / Self::Z99;
        let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * rng.f64()).cos();
        (self.p50_ms * (sigma * normal).exp()).min(self.p99_ms * 20.0)
    }
}

/// Reads a fault from the command line: `reviews=hang`, `pricing=latency_ms:300,error_rate:0.1`,
/// `inventory=latency:20/400`, `catalog=trickle:100`, `orders=error`, or JSON after the `=`.
///
/// The message of a mistake names the service or the field.
pub fn parse_fault(text: &str) -> Result<(Service, Faults), String> {
    let (service, what) = text.split_once('=').ok_or("a fault is written as service=fault, as in reviews=hang")?;
    let service: Service = service.trim().parse().map_err(|e| format!("{e}"))?;
    let faults: Faults = if what.trim_start().starts_with('{') {
        serde_json::from_str(what).map_err(|e| e.to_string())?
    } else {
        let fields = what.split(',').map(|field| parse_field(field.trim())).collect::<Result<_, _>>()?;
        serde_json::from_value(serde_json::Value::Object(fields)).map_err(|e| e.to_string())?
    };
    faults.check()?;
    Ok((service, faults))
}

fn parse_field(field: &str) -> Result<(String, serde_json::Value), String> {
    use serde_json::{Value, json};

    let Some((name, value)) = field.split_once(':') else {
        return Ok(match field {
            "error" => ("error_rate".to_owned(), json!(1.0)),
            flag => (flag.to_owned(), Value::Bool(true)),
        });
    };
    let read = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let value = match name {
        "trickle" => json!({ "bytes_per_second": read(value) }),
        "latency" => {
            let (p50, p99) = value.split_once('/').ok_or("latency is written as latency:p50/p99, in ms")?;
            json!({ "p50_ms": read(p50), "p99_ms": read(p99) })
        }
        _ => read(value),
    };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_form_reads_flags_numbers_and_pairs() {
        let check = |text: &str, json: &str| {
            let (_, faults) = parse_fault(text).unwrap();
            assert_eq!(serde_json::to_string(&faults).unwrap(), json, "{text}");
        };
        check("reviews=hang", r#"{"hang":true}"#);
        check("pricing=latency_ms:300,error_rate:0.5", r#"{"latency_ms":300,"error_rate":0.5}"#);
        check("pricing=latency:20/400", r#"{"latency":{"p50_ms":20.0,"p99_ms":400.0}}"#);
        check("catalog=trickle:100,path:/search", r#"{"trickle":{"bytes_per_second":100},"path":"/search"}"#);
        check(r#"orders={"reset":true}"#, r#"{"reset":true}"#);
    }

    #[test]
    fn mistakes_name_what_is_wrong() {
        let check = |text: &str, part: &str| {
            let error = parse_fault(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        };
        check("shop=hang", "no service is called `shop`");
        check("orders=slow", "unknown field `slow`");
        check("orders=error_rate:3", "error_rate");
        check("orders", "service=fault");
    }

    #[test]
    fn the_drawn_latency_has_the_asked_middle_and_tail() {
        let mut rng = fastrand::Rng::with_seed(1);
        let latency = Latency { p50_ms: 20.0, p99_ms: 400.0 };
        let mut drawn: Vec<f64> = (0..20_000).map(|_| latency.draw(&mut rng)).collect();
        drawn.sort_by(f64::total_cmp);
        assert!((18.0..22.0).contains(&drawn[10_000]), "{}", drawn[10_000]);
        assert!((330.0..480.0).contains(&drawn[19_800]), "{}", drawn[19_800]);
    }
}
