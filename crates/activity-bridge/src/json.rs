//! What does a line say? One completed activity, with the nouns of OpenTelemetry in snake case.

use std::fmt::Display;
use std::io::Write;

use activity::{EventValue, Record, RemoteValue, Status, Value};

use crate::utc::Utc;
use crate::view::Text;

/// A record as one line of JSON, line break included.
pub(crate) fn line(record: &Record<'_>, text: Text) -> Vec<u8> {
    let mut line = Vec::with_capacity(640);
    let started_at = record.started_at();
    let parent = record.parent_context();

    let mut span = Object::begin(&mut line);
    span.string("name", record.operation().name());
    span.token("trace_id", record.context().trace_id());
    span.token("span_id", record.context().span_id());
    match parent {
        Some(parent) => span.token("parent_span_id", parent.span_id()),
        None => span.literal("parent_span_id", "null"),
    }
    span.string("kind", if record.is_root() { "client" } else { "internal" });
    span.token("start_time", Utc::of(started_at));
    span.literal("duration_ns", record.duration().as_nanos());
    span.literal("completed_after_ns", record.completed_after().as_nanos());
    let mut status = span.object("status");
    status.string("code", if record.status() == Status::Ok { "ok" } else { "error" });
    match error_type(record.status()) {
        Some(error_type) => status.string("error_type", error_type),
        None => status.literal("error_type", "null"),
    }
    status.end();
    span.string("source", record.source().name());

    let mut attributes = span.object("attributes");
    for (tag, value) in text.tags(record) {
        attributes.tag(tag.name(), &value);
    }
    attributes.end();

    span.key("events").push(b'[');
    for (index, event) in text.events(record).enumerate() {
        if index > 0 {
            span.out.push(b',');
        }
        let mut object = Object::begin(span.out);
        object.string("name", event.name());
        object.token("at", Utc::of(started_at + event.after()));
        let mut fields = object.object("fields");
        for (name, value) in event.fields() {
            fields.event_field(name, value);
        }
        fields.end();
        object.end();
    }
    span.out.push(b']');
    span.literal("dropped_events", text.dropped_events(record));
    span.end();
    line.push(b'\n');
    line
}

/// The line that stands for `count` lines which are missing.
pub(crate) fn dropped(count: u64) -> Vec<u8> {
    format!("{{\"dropped\":{count}}}\n").into_bytes()
}

/// OpenTelemetry knows no other outcomes than ok and error, so the others are types of error.
pub(crate) fn error_type(status: Status) -> Option<&'static str> {
    match status {
        Status::Ok => None,
        Status::Error(error_type) => Some(error_type),
        Status::Cancelled => Some("cancelled"),
        Status::Abandoned => Some("abandoned"),
    }
}

/// An object that is being written. Writing to memory does not fail.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn begin(out: &'a mut Vec<u8>) -> Object<'a> {
        out.push(b'{');
        Object { out, is_empty: true }
    }

    fn end(self) {
        self.out.push(b'}');
    }

    fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        quote(self.out, name);
        self.out.push(b':');
        self.out
    }

    fn object(&mut self, name: &str) -> Object<'_> {
        Object::begin(self.key(name))
    }

    fn string(&mut self, name: &str, value: &str) {
        quote(self.key(name), value);
    }

    /// A value that prints as JSON.
    fn literal(&mut self, name: &str, value: impl Display) {
        let _ = write!(self.key(name), "{value}");
    }

    /// A string that needs no escaping.
    fn token(&mut self, name: &str, value: impl Display) {
        let _ = write!(self.key(name), "\"{value}\"");
    }

    fn tag(&mut self, name: &str, value: &Value<'_>) {
        match value {
            Value::Text(text) => self.string(name, text.as_str()),
            Value::Closed(value) => match value {
                RemoteValue::Bool(value) => self.literal(name, value),
                RemoteValue::Bytes(bytes) => self.literal(name, bytes.0),
                RemoteValue::Duration(duration) => self.literal(name, duration.as_nanos()),
                RemoteValue::Enum(value) => self.string(name, value),
                RemoteValue::I64(number) => self.literal(name, number),
                RemoteValue::Id(id) => self.string(name, id.as_str()),
                RemoteValue::U64(number) => self.literal(name, number),
                RemoteValue::Version(version) => self.string(name, version.as_str()),
            },
        }
    }

    fn event_field(&mut self, name: &str, value: &EventValue) {
        match value {
            EventValue::Bool(value) => self.literal(name, value),
            EventValue::Bytes(bytes) => self.literal(name, bytes.0),
            EventValue::Duration(duration) => self.literal(name, duration.as_nanos()),
            EventValue::I64(number) => self.literal(name, number),
            EventValue::Str(text) => self.string(name, text),
            EventValue::Text(text) => self.string(name, text.as_str()),
            EventValue::U64(number) => self.literal(name, number),
        }
    }
}

fn quote(out: &mut Vec<u8>, text: &str) {
    // A string has no way to fail to be JSON.
    let _ = serde_json::to_writer(out, text);
}
