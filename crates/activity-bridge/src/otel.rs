//! Activities as live OpenTelemetry spans of a tracer provider.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use activity::{ByteCount, EventValue, Listener, Record, RemoteValue, Started, Value};
use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, TraceFlags, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};

use crate::json::error_type;
use crate::otel_ids::{showing, span_id, trace_id};
use crate::view::Text;

/// Makes a live span for each activity through a tracer, from its start to its completion.
///
/// Sampling, limits, resource and processors are the tracer provider's, and nothing global is read but the current context of the
/// thread that starts a root: a root lies below the span that is current there, unless the activity was given a parent
/// itself. A child lies below its parent's span, whichever threads they run on; an activity below one that is not sampled is left
/// to the sampler with that parent, as any span would be. A `traceparent` that the activity was given is a remote parent.
///
/// A span has the name of the operation, the kind `Client` for a root and `Internal` below, the activity's start and end, the
/// status `Error` with `error.type` unless it went well (`cancelled` and `abandoned` among the types), its tags as attributes
/// (rolled up) and its events. Durations are in seconds, sizes in bytes. Its ids are the provider's own, unless the provider
/// has [`ActivityIds`](crate::ActivityIds).
///
/// At most 16,384 spans are open; an activity beyond is [counted](OtelListener::dropped), and neither it nor what is below it has
/// a span. Register one listener for each source: when its registration is dropped, its open spans end.
///
/// # Cost
/// Whatever the provider's processors do, on the thread that starts and completes an activity; and a lock for a lookup.
pub struct OtelListener<T: Tracer> {
    tracer: T,
    text: Text,
    names: fn(&'static str) -> Cow<'static, str>,
    common: Vec<KeyValue>,
    open: Mutex<HashMap<activity::SpanContext, T::Span>>,
    dropped: AtomicU64,
}

/// The most spans that are open at a time.
const MAX_OPEN: usize = 16_384;

impl<T: Tracer> OtelListener<T> {
    /// A listener that shows no free text, and tags by their own names.
    pub fn new(tracer: T) -> OtelListener<T> {
        OtelListener {
            tracer,
            text: Text::Hidden,
            names: Cow::Borrowed,
            common: Vec::new(),
            open: Mutex::default(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Whether free text, such as SQL, and events are shown. Defaults to false.
    pub fn with_text(mut self, text: bool) -> OtelListener<T> {
        self.text = Text::shown(text);
        self
    }

    /// Which attribute a tag becomes, by its name; for tags that semantic conventions have another name for.
    pub fn with_attribute_names(mut self, names: fn(&'static str) -> Cow<'static, str>) -> OtelListener<T> {
        self.names = names;
        self
    }

    /// Attributes of every span.
    pub fn with_common_attributes(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> OtelListener<T> {
        self.common.extend(attributes);
        self
    }

    /// The number of activities that were not shown because too many spans were open, or because the one above was not shown.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<activity::SpanContext, T::Span>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The context in which the span of an activity is made; none for a child of an activity that has no span.
    fn parent(&self, activity: &Started<'_>) -> Option<Context> {
        match activity.parent_context() {
            None => Some(Context::current()),
            Some(parent) if activity.is_root() => Some(outside(parent)),
            Some(parent) => {
                let span = self.open().get(&parent)?.span_context().clone();
                Some(Context::new().with_remote_span_context(span))
            }
        }
    }
}

/// The context of a parent that the activity was given.
fn outside(parent: activity::SpanContext) -> Context {
    let current = Context::current();
    if current_span().is_some_and(|span| span.trace_id() == parent.trace_id() && span.span_id() == parent.span_id()) {
        // The caller named its own current span. That one is not remote, and may have a trace state.
        return current;
    }
    let flags = TraceFlags::new(parent.flags());
    let parent = SpanContext::new(trace_id(parent), span_id(parent), flags, true, TraceState::default());
    Context::new().with_remote_span_context(parent)
}

/// The span that is current on this thread in OpenTelemetry's context, as the parent of an activity.
///
/// Reads a variable of the thread; makes and changes nothing.
pub fn current_span() -> Option<activity::SpanContext> {
    let context = Context::current();
    let span = context.span();
    let span = span.span_context();
    let trace_id = activity::TraceId::new(u128::from_be_bytes(span.trace_id().to_bytes()))?;
    let span_id = activity::SpanId::new(u64::from_be_bytes(span.span_id().to_bytes()))?;
    Some(activity::SpanContext::new(
        trace_id,
        span_id,
        span.trace_flags().to_u8(),
    ))
}

impl<T> Listener for OtelListener<T>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + 'static,
{
    fn level(&self) -> activity::Level {
        self.text.level()
    }

    fn started(&self, activity: &Started<'_>) {
        // A processor may export through the very library that it looks at.
        let _suppressed = activity::suppress();
        if self.open().len() >= MAX_OPEN {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Some(parent) = self.parent(activity) else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let builder = SpanBuilder::from_name(activity.operation().name())
            .with_kind(if activity.is_root() {
                SpanKind::Client
            } else {
                SpanKind::Internal
            })
            .with_start_time(activity.started_at())
            .with_attributes(self.common.iter().cloned());
        let span = showing(activity.context(), || self.tracer.build_with_context(builder, &parent));
        self.open().insert(activity.context(), span);
    }

    fn completed(&self, record: &Record<'_>) {
        let _suppressed = activity::suppress();
        let Some(mut span) = self.open().remove(&record.context()) else {
            return;
        };
        if !span.is_recording() {
            return;
        }
        let tags = self.text.tags(record);
        span.set_attributes(tags.map(|(tag, value)| KeyValue::new((self.names)(tag.name()), attribute(&value))));
        let started_at = record.started_at();
        for event in self.text.events(record) {
            let fields = event.fields().iter();
            let fields = fields.map(|(name, value)| KeyValue::new(*name, event_attribute(value)));
            span.add_event_with_timestamp(event.name(), started_at + event.after(), fields.collect());
        }
        if let Some(error_type) = error_type(record.status()) {
            span.set_attribute(KeyValue::new("error.type", error_type));
            span.set_status(Status::error(error_type));
        }
        span.end_with_timestamp(started_at + record.duration());
    }

    fn unregistered(&self) {
        let _suppressed = activity::suppress();
        // The completions of these will not be seen. Ended outside of the lock.
        let open = std::mem::take(&mut *self.open());
        drop(open);
    }
}

impl<T: Tracer> fmt::Debug for OtelListener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelListener")
            .field("text", &self.text)
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

fn attribute(value: &Value<'_>) -> opentelemetry::Value {
    match value {
        Value::Text(text) => text.as_str().to_owned().into(),
        Value::Closed(value) => match value {
            RemoteValue::Bool(value) => (*value).into(),
            RemoteValue::Bytes(ByteCount(count)) => number(*count),
            RemoteValue::Duration(duration) => duration.as_secs_f64().into(),
            RemoteValue::Enum(word) => (*word).into(),
            RemoteValue::I64(number) => (*number).into(),
            RemoteValue::Id(id) => id.as_str().to_owned().into(),
            RemoteValue::U64(count) => number(*count),
            RemoteValue::Version(version) => version.as_str().to_owned().into(),
        },
    }
}

fn event_attribute(value: &EventValue) -> opentelemetry::Value {
    match value {
        EventValue::Bool(value) => (*value).into(),
        EventValue::Bytes(ByteCount(count)) => number(*count),
        EventValue::Duration(duration) => duration.as_secs_f64().into(),
        EventValue::I64(number) => (*number).into(),
        EventValue::Str(text) => (*text).into(),
        EventValue::Text(text) => text.as_str().to_owned().into(),
        EventValue::U64(count) => number(*count),
    }
}

/// OpenTelemetry has no unsigned numbers.
fn number(count: u64) -> opentelemetry::Value {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}
