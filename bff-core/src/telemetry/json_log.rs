//! The log as JSON, one object a line: what `tracing_subscriber::fmt::format::Json` writes with flat events and no
//! list of spans, for a fraction of its work.
//!
//! The one of the library keeps a span's fields as an object, parses it again for every line of that span, and hands
//! the line on in some forty pieces. Here they are kept as the text that goes into the line, and the line is one piece.
//! Every key and every value passes through `serde_json`, so that nothing that a client sends can end a string or a line.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Display, Formatter};
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Serialize;
use serde_json::value::RawValue;
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock;

#[cfg(test)]
mod tests;

/// The longest lines of an ordinary day fit; others grow.
const LINE: usize = 1024;

/// Two ids and their names fit.
const FIELDS: usize = 160;

/// The target of all events that come from the `log` crate; their own one is the field [`LOG_TARGET`].
const LOG: &str = "log";
const LOG_TARGET: &str = "log.target";

/// Writes an event as a line.
#[derive(Debug)]
pub(super) struct Line;

/// Keeps the fields of a span as the inside of a JSON object: `"request_id":"…","trace_id":"…"`.
#[derive(Debug)]
pub(super) struct Fragment;

impl<S> FormatEvent<S, Fragment> for Line
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Fragment>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        let mut line = Vec::with_capacity(LINE);
        line.extend_from_slice(b"{\"timestamp\":\"");
        stamp(&mut line, clock::wall());
        line.extend_from_slice(b"\",\"level\":\"");
        line.extend_from_slice(about.level().as_str().as_bytes());
        line.push(b'"');

        let mut fields = Fields::after(&mut line, true);
        event.record(&mut fields);
        let logged_for = fields.logged_for.filter(|_| about.target() == LOG);
        entry(&mut line, "target", logged_for.as_deref().unwrap_or(about.target()));

        let named = event.parent().and_then(|id| context.span(id));
        if let Some(span) = named.or_else(|| context.lookup_current()) {
            line.extend_from_slice(b",\"span\":{");
            let extensions = span.extensions();
            let kept = extensions.get::<FormattedFields<Fragment>>().map_or("", |kept| &kept.fields);
            line.extend_from_slice(kept.as_bytes());
            if !kept.is_empty() {
                line.push(b',');
            }
            line.extend_from_slice(b"\"name\":");
            put(&mut line, span.name());
            line.push(b'}');
        }
        line.extend_from_slice(b"}\n");
        write(&mut writer, &line)
    }
}

impl<'writer> FormatFields<'writer> for Fragment {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut fragment = Vec::with_capacity(FIELDS);
        fields.record(&mut Fields::after(&mut fragment, false));
        write(&mut writer, &fragment)
    }

    /// A value may replace an earlier one, and no key may stand there twice: this, which is rare, reads what is kept.
    fn add_fields(&self, kept: &'writer mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut later = FormattedFields::<Self>::new(String::new());
        self.format_fields(later.as_writer(), fields)?;
        let (kept_object, later_object) = (format!("{{{}}}", kept.fields), format!("{{{}}}", later.fields));
        let mut all: BTreeMap<String, &RawValue> = serde_json::from_str(&kept_object).map_err(|_| fmt::Error)?;
        let added: BTreeMap<String, &RawValue> = serde_json::from_str(&later_object).map_err(|_| fmt::Error)?;
        all.extend(added);
        let mut merged = Vec::with_capacity(kept_object.len() + later_object.len());
        let mut fields = Fields::after(&mut merged, false);
        for (name, value) in &all {
            fields.entry(name, value);
        }
        kept.fields = String::from_utf8(merged).map_err(|_| fmt::Error)?;
        Ok(())
    }
}

/// All at once: each piece costs a call that the compiler cannot see through.
fn write(writer: &mut Writer<'_>, json: &[u8]) -> fmt::Result {
    writer.write_str(std::str::from_utf8(json).map_err(|_| fmt::Error)?)
}

/// `value` as JSON. Neither writing to memory nor turning these values into JSON can fail; if a future one could,
/// `null` would keep the line readable.
fn put(json: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let start = json.len();
    if serde_json::to_writer(&mut *json, value).is_err() {
        json.truncate(start);
        json.extend_from_slice(b"null");
    }
}

/// `,"name":value`
fn entry(json: &mut Vec<u8>, name: &str, value: &(impl Serialize + ?Sized)) {
    json.push(b',');
    put(json, name);
    json.push(b':');
    put(json, value);
}

/// Appends the fields of an event or a span.
struct Fields<'a> {
    json: &'a mut Vec<u8>,
    /// Whether an entry stands before the next one.
    follows: bool,
    /// The target that the `log` crate was given.
    logged_for: Option<String>,
}

impl<'a> Fields<'a> {
    fn after(json: &'a mut Vec<u8>, follows: bool) -> Self {
        Self { json, follows, logged_for: None }
    }

    fn entry(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        if self.follows {
            entry(self.json, name, value);
        } else {
            self.follows = true;
            put(self.json, name);
            self.json.push(b':');
            put(self.json, value);
        }
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.entry(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.entry(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.entry(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.entry(field.name(), &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == LOG_TARGET {
            self.logged_for = Some(value.to_owned());
        }
        self.entry(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.entry(field.name(), &format_args!("{}", Shown(value)));
    }
}

/// What a value shows of itself, up to where it fails: `serde_json` panics on a value that fails without a writer
/// that failed.
struct Shown<'a>(&'a dyn Debug);

impl Display for Shown<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let _ = self.0.fmt(formatter);
        Ok(())
    }
}

/// RFC 3339, in UTC, to the microsecond: `2026-02-03T04:05:06.000007Z`.
fn stamp(text: &mut Vec<u8>, at: SystemTime) {
    // A clock that stands outside the years 0 to 9999 is broken; its lines are worth more than its time.
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    let at = Offset::UTC.to_datetime(at);
    let mut digits = *b"0000-00-00T00:00:00.000000Z";
    let mut place = |end: usize, mut number: u32| {
        // From the right, over the zeros.
        for digit in digits[..end].iter_mut().rev().take_while(|digit| digit.is_ascii_digit()) {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    place(4, u32::from(at.year().unsigned_abs()));
    place(7, u32::from(at.month().unsigned_abs()));
    place(10, u32::from(at.day().unsigned_abs()));
    place(13, u32::from(at.hour().unsigned_abs()));
    place(16, u32::from(at.minute().unsigned_abs()));
    place(19, u32::from(at.second().unsigned_abs()));
    place(26, at.subsec_nanosecond().unsigned_abs() / 1000);
    text.extend_from_slice(&digits);
}
