//! The ids of activities for the spans that show them.

use std::cell::Cell;

use activity::SpanContext;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

thread_local! {
    /// The activity for which a span is being made on this thread.
    static SHOWN: Cell<Option<SpanContext>> = const { Cell::new(None) };
}

/// Gives the spans that an [`OtelListener`](crate::OtelListener) makes the ids of their activities, and all other spans those of
/// another generator.
///
/// Install it in a tracer provider so that what others learnt of an activity's ids (such as the server that was sent a
/// `traceparent`) fits the spans of that provider.
///
/// ```
/// use activity_bridge::ActivityIds;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let provider = SdkTracerProvider::builder().with_id_generator(ActivityIds::new()).build();
/// ```
#[derive(Clone, Debug, Default)]
pub struct ActivityIds<G = RandomIdGenerator> {
    others: G,
}

impl ActivityIds {
    /// Takes random ids for all other spans, as the SDK does by itself.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<G> ActivityIds<G> {
    /// Takes the ids of all other spans from `others`.
    pub fn around(others: G) -> ActivityIds<G> {
        ActivityIds { others }
    }
}

impl<G: IdGenerator> IdGenerator for ActivityIds<G> {
    fn new_trace_id(&self) -> TraceId {
        match SHOWN.get() {
            Some(activity) => trace_id(activity),
            None => self.others.new_trace_id(),
        }
    }

    fn new_span_id(&self) -> SpanId {
        match SHOWN.get() {
            Some(activity) => span_id(activity),
            None => self.others.new_span_id(),
        }
    }
}

/// Makes the span of an activity.
pub(crate) fn showing<R>(activity: SpanContext, make: impl FnOnce() -> R) -> R {
    let _reset = Reset(SHOWN.replace(Some(activity)));
    make()
}

/// Also when a processor of the application panics.
struct Reset(Option<SpanContext>);

impl Drop for Reset {
    fn drop(&mut self) {
        SHOWN.set(self.0);
    }
}

pub(crate) fn trace_id(context: SpanContext) -> TraceId {
    TraceId::from(context.trace_id().as_u128())
}

pub(crate) fn span_id(context: SpanContext) -> SpanId {
    SpanId::from(context.span_id().as_u64())
}
