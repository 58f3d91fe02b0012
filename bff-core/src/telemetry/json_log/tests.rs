//! The line is the one that `tracing_subscriber`'s own JSON format writes.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tracing::field::Empty;
use tracing::subscriber::with_default;
use tracing_subscriber::fmt::MakeWriter;

use super::{Fragment, Line, stamp};

/// What a log has written, piece by piece.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<String>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn log() -> tracing_subscriber::fmt::SubscriberBuilder {
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE)
}

fn ours(events: impl Fn()) -> Vec<String> {
    let sink = Sink::default();
    let log = log().fmt_fields(Fragment).event_format(Line).with_writer(sink.clone());
    with_default(log.finish(), events);
    let lines = sink.0.lock().unwrap();
    lines.clone()
}

fn theirs(events: impl Fn()) -> Vec<String> {
    let sink = Sink::default();
    let log = log().json().flatten_event(true).with_span_list(false).with_writer(sink.clone());
    with_default(log.finish(), events);
    let lines = sink.0.lock().unwrap();
    lines.clone()
}

/// Reads a line, and takes the time out of it.
fn read(line: &str) -> Value {
    assert_eq!(line.find('\n'), Some(line.len() - 1), "{line:?} is not one line");
    let mut line: Value = serde_json::from_str(line).unwrap();
    let stamp = line["timestamp"].take();
    let stamp = stamp.as_str().unwrap();
    assert!(stamp.len() == 27 && stamp.ends_with('Z') && stamp.parse::<jiff::Timestamp>().is_ok(), "{stamp}");
    line
}

#[track_caller]
fn same(count: usize, events: impl Fn()) {
    let (ours, theirs) = (ours(&events), theirs(&events));
    assert_eq!((ours.len(), theirs.len()), (count, count), "one write for each line");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(read(ours), read(theirs), "\n{ours}{theirs}");
    }
}

/// As [`same`], and to the byte but for the time.
#[track_caller]
fn identical(events: impl Fn()) {
    let rest = |line: &String| line[line.find("Z\",").unwrap()..].to_owned();
    assert_eq!(
        ours(&events).iter().map(rest).collect::<Vec<_>>(),
        theirs(&events).iter().map(rest).collect::<Vec<_>>()
    );
    let count = ours(&events).len();
    assert_ne!(count, 0);
    same(count, events);
}

const HOSTILE: &str = "a\"b\\c\n{\"level\":\"ERROR\"}\r\u{0}\u{1b}[31m\u{7f}\u{85}\u{2028}\u{202e}ä漢🦀\t\u{8}\u{c}";

#[test]
fn the_access_line_is_theirs_to_the_byte() {
    identical(|| {
        let request = tracing::info_span!("request", request_id = %"0190-7", trace_id = %"4bf92f3577b34da6");
        let _entered = request.enter();
        let bytes = Some(512_u64);
        let (path, millis, degraded, parts) = ("/v1/pages/7", 1.25, false, "header=live:41ms");
        tracing::info!(
            target: "access",
            method = %"GET", path, route = %"/v1/pages/{id}", status = 200_u16, millis, bytes, degraded, parts
        );
        tracing::info!(target: "access", path, bytes = None::<u64>, error = %"timeout", "the client left");
    });
}

#[test]
fn what_a_client_sends_ends_neither_a_string_nor_a_line() {
    identical(|| {
        let span = tracing::warn_span!("hostile", text = HOSTILE, trace = %HOSTILE, zebug = ?HOSTILE);
        let _entered = span.enter();
        tracing::warn!(text = HOSTILE, shown = %HOSTILE, debug = ?HOSTILE, "{HOSTILE}");
        tracing::warn!("quoted \"name\"" = 1, "line\nbreak" = HOSTILE, { "" } = 2);
    });
}

#[test]
fn numbers_and_truths() {
    identical(|| {
        tracing::debug!(yes = true, no = false, none = None::<bool>, empty = Empty);
        tracing::debug!(low = i64::MIN, high = i64::MAX, most = u64::MAX, byte = 7_u8, minus = -1_i8);
        tracing::debug!(large = u128::MAX, small = i128::MIN);
        tracing::debug!(nan = f64::NAN, infinite = f64::INFINITY, minus = f64::NEG_INFINITY);
        tracing::debug!(one = 1.0, zero = -0.0, third = 1.0 / 3.0, max = f64::MAX, tiny = 5e-324, single = 0.1_f32);
    });
    same(1, || {
        let span =
            tracing::info_span!("n", nan = f64::NAN, third = 1.0 / 3.0, max = f64::MAX, big = u128::MAX, u = u64::MAX);
        span.in_scope(|| tracing::info!(target: "t", "in it"));
    });
}

#[test]
fn shown_values_and_errors() {
    identical(|| {
        let error = io::Error::other(HOSTILE);
        let error: &(dyn std::error::Error + 'static) = &error;
        tracing::error!(error, shown = %error, debug = ?error, "failed: {}", 7);
        tracing::error!(list = ?["a", "b\n"], nested = ?Some(json!({"a": [1, "\""]})), pretty = format!("{:#?}", (1, "x")));
        tracing::trace!(bytes = &b"ab\xff"[..], text = String::from("owned"), reference = &7);
    });
}

#[test]
fn an_event_without_fields_or_a_span() {
    identical(|| {
        tracing::info!("alone");
        tracing::info!(target: "a::\"b\"", {}, "x");
        tracing::event!(tracing::Level::TRACE, a.b.c = 1);
    });
}

#[test]
fn only_the_current_span_is_shown() {
    same(5, || {
        let outer = tracing::info_span!("outer", zeta = 1, alpha = "first");
        let _outer = outer.enter();
        tracing::info!("outer");
        let inner = tracing::debug_span!("inner");
        let other = tracing::info_span!(parent: None, "other", of = "nobody");
        inner.in_scope(|| {
            tracing::info!("inner");
            tracing::info!(parent: &other, "by its parent");
            tracing::info!(parent: None, "of nobody");
        });
        tracing::info!("outer again");
    });
}

#[test]
fn a_span_may_learn_and_change_its_fields() {
    let events = || {
        let span = tracing::info_span!("late", status = Empty, text = Empty, first = 1);
        let _entered = span.enter();
        tracing::info!("before");
        span.record("status", 200);
        tracing::info!("after");
        span.record("text", HOSTILE);
        span.record("status", tracing::field::display(HOSTILE));
        span.record("first", f64::NAN);
        tracing::info!("changed");
        let empty = tracing::info_span!("empty", later = Empty);
        let _entered = empty.enter();
        tracing::info!("nothing");
        empty.record("later", "x");
        tracing::info!("something");
    };
    same(5, events);
    let changed = &ours(events)[2];
    assert_eq!(changed.matches("\"status\":").count(), 1, "{changed}");
}

#[test]
fn a_span_field_called_name_yields_to_the_name() {
    same(1, || {
        let span = tracing::info_span!("its name", name = "a field");
        span.in_scope(|| tracing::info!("x"));
    });
}

#[test]
fn a_value_that_cannot_be_shown_costs_only_itself() {
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("half\"")?;
            Err(fmt::Error)
        }
    }
    let lines = ours(|| {
        let span = tracing::info_span!("s", broken = %Broken);
        span.in_scope(|| tracing::info!(broken = %Broken, after = 1));
    });
    let line = read(&lines[0]);
    assert_eq!((&line["broken"], &line["after"]), (&json!("half\""), &json!(1)));
    assert_eq!(line["span"], json!({"broken": "half\"", "name": "s"}));
}

#[test]
fn a_value_may_log_while_it_is_logged() {
    struct Chatty;
    impl fmt::Debug for Chatty {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            tracing::info!("from within");
            formatter.write_str("chatty")
        }
    }
    let lines = ours(|| tracing::info!(value = ?Chatty, after = 1));
    // Whether the inner one is written too is for `tracing` to say.
    let line = read(lines.last().unwrap());
    assert_eq!((&line["value"], &line["after"]), (&json!("chatty"), &json!(1)));
}

#[test]
fn an_event_of_the_log_crate_has_its_own_target() {
    let lines = ours(|| {
        tracing::info!(target: "log", { "log.target" = "hyper::proto", "log.line" = 7 }, "x");
        tracing::info!(target: "log", "y");
        tracing::info!(target: "mine", { "log.target" = "hyper::proto" }, "z");
    });
    let targets: Vec<_> = lines.iter().map(|line| read(line)["target"].clone()).collect();
    assert_eq!(targets, ["hyper::proto", "log", "mine"]);
}

#[test]
fn a_time_reads_as_rfc_3339() {
    let read = |at: SystemTime| {
        let mut text = Vec::new();
        stamp(&mut text, at);
        String::from_utf8(text).unwrap()
    };
    assert_eq!(read(UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
    assert_eq!(read(UNIX_EPOCH - Duration::from_micros(1)), "1969-12-31T23:59:59.999999Z");
    assert_eq!(read(UNIX_EPOCH + Duration::new(951_782_399, 7_999)), "2000-02-28T23:59:59.000007Z");
    assert_eq!(read(UNIX_EPOCH + Duration::new(1_709_210_096, 123_456_789)), "2024-02-29T12:34:56.123456Z");
    assert_eq!(read(UNIX_EPOCH + Duration::from_secs(253_402_207_200)), "9999-12-30T22:00:00.000000Z");
    assert_eq!(read(UNIX_EPOCH + Duration::from_secs(1 << 50)), "1970-01-01T00:00:00.000000Z");
}
