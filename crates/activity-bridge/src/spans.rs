//! Activities as live `tracing` spans of the application's subscriber.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use activity::{Listener, Record, SpanContext, Started, Status};
use tracing::field::Empty;
use tracing::{Id, Level, Span, dispatcher};

use crate::json::error_type;
use crate::view::Text;

/// Makes a live `tracing` span for each activity, from its start to its completion.
///
/// Spans go to the subscriber that is current on the thread that starts a root, and the whole tree follows it there,
/// whichever threads it runs on. A root lies below the span that is current on its thread; a child below its parent's
/// span. No subscriber is installed, and none is changed. Spans are never entered, since an activity is not tied to a
/// thread.
///
/// All spans look alike to filters: name and target `activity`, level `INFO`. The operation is in the field `otel.name`,
/// which OpenTelemetry layers take for the name. Further fields: `otel.kind` (`client` for a root, else `internal`),
/// `activity.source`, `activity.trace_id` and `activity.span_id` from the start; `otel.status_code` (`OK` or `ERROR`),
/// `error.type`, `duration_ns` and `attributes` (all tags as `name=value`, rolled up) from the completion. A subscriber
/// that turns the span of a root down is not asked about its children.
///
/// At most 16,384 spans are open; an activity beyond is [counted](TracingListener::dropped), and neither it nor what is
/// below it has a span. Register one listener for each source: when its registration is dropped, its open spans close.
///
/// # Cost
/// Whatever the subscriber does, on the thread that starts and completes an activity; and a lock for a lookup.
#[derive(Default)]
pub struct TracingListener {
    text: Text,
    /// Shared, so that nothing of the subscriber is called while this is locked: cloning a span calls it.
    open: Mutex<HashMap<SpanContext, Arc<Span>>>,
    dropped: AtomicU64,
}

/// The most spans that are open at a time.
const MAX_OPEN: usize = 16_384;

impl TracingListener {
    /// A listener that shows no free text.
    pub fn new() -> TracingListener {
        TracingListener::default()
    }

    /// Whether free text, such as SQL, is among the attributes. Defaults to false.
    pub fn with_text(mut self, text: bool) -> TracingListener {
        self.text = Text::shown(text);
        self
    }

    /// The number of activities that were not shown because too many spans were open.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<SpanContext, Arc<Span>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The span of an activity; none for a child of an activity that has none.
    fn span(&self, activity: &Started<'_>) -> Option<Span> {
        let parent = match activity.parent_context() {
            Some(parent) if !activity.is_root() => parent,
            _ => return Some(make(activity, None)),
        };
        let parent = self.open().get(&parent).map(Arc::clone)?;
        // A thread that works on a child may have another subscriber, or none, which would not know the parent.
        parent.with_subscriber(|(id, dispatch)| dispatcher::with_default(dispatch, || make(activity, Some(id.clone()))))
    }
}

impl Listener for TracingListener {
    fn level(&self) -> activity::Level {
        self.text.level()
    }

    fn started(&self, activity: &Started<'_>) {
        // The subscriber may export through the very library that it looks at.
        let _suppressed = activity::suppress();
        if self.open().len() >= MAX_OPEN {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if let Some(span) = self.span(activity).filter(|span| !span.is_disabled()) {
            self.open().insert(activity.context(), Arc::new(span));
        }
    }

    fn completed(&self, record: &Record<'_>) {
        let _suppressed = activity::suppress();
        let Some(span) = self.open().remove(&record.context()) else {
            return;
        };
        at_home(span, |span| {
            let ok = record.status() == Status::Ok;
            span.record("otel.status_code", if ok { "OK" } else { "ERROR" });
            if let Some(error_type) = error_type(record.status()) {
                span.record("error.type", error_type);
            }
            span.record(
                "duration_ns",
                u64::try_from(record.duration().as_nanos()).unwrap_or(u64::MAX),
            );
            let attributes = attributes(record, self.text);
            if !attributes.is_empty() {
                span.record("attributes", attributes.as_str());
            }
        });
    }

    fn unregistered(&self) {
        let _suppressed = activity::suppress();
        // The completions of these will not be seen.
        let open = std::mem::take(&mut *self.open());
        open.into_values().for_each(|span| at_home(span, |_| {}));
    }
}

impl fmt::Debug for TracingListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracingListener")
            .field("text", &self.text)
            .field("open", &self.open().len())
            .field("dropped", &self.dropped())
            .finish()
    }
}

/// Does the last things with a span, and lets go of it, where its subscriber is the current one.
///
/// The registry of `tracing-subscriber` lets go of a span's parent through whichever subscriber is current. Where that
/// is another one, the parent would never close.
fn at_home(span: Arc<Span>, last: impl FnOnce(&Span)) {
    let home = span
        .with_subscriber(|(_, dispatch)| dispatch.clone())
        .unwrap_or_default();
    dispatcher::with_default(&home, || {
        last(&span);
        drop(span);
    });
}

/// Makes the span of an activity below another span, or else below the current one.
fn make(activity: &Started<'_>, parent: Option<Id>) -> Span {
    // A callsite is either told the parent or asks for it, so there are two of them; written once, they do not differ.
    macro_rules! activity_span {
        ($($parent:tt)*) => {
            tracing::span!(
                target: "activity",
                $($parent)*
                Level::INFO,
                "activity",
                otel.name = activity.operation().name(),
                otel.kind = if activity.is_root() { "client" } else { "internal" },
                activity.source = activity.source().name(),
                activity.trace_id = %activity.context().trace_id(),
                activity.span_id = %activity.context().span_id(),
                otel.status_code = Empty,
                "error.type" = Empty,
                duration_ns = Empty,
                attributes = Empty,
            )
        };
    }
    match parent {
        Some(parent) => activity_span!(parent: parent,),
        None => activity_span!(),
    }
}

/// `name=value` of all tags that may be shown. Writing to a string does not fail.
fn attributes(record: &Record<'_>, text: Text) -> String {
    let mut attributes = String::new();
    for (tag, value) in text.tags(record) {
        let separator = if attributes.is_empty() { "" } else { " " };
        let _ = write!(attributes, "{separator}{}={value}", tag.name());
    }
    attributes
}
