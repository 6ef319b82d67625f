//! The activity itself: what the code that does the work holds on to.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::completion::Owner;
use crate::id::SpanContext;
use crate::listener::Listeners;
use crate::live::Live;
use crate::operation::{Level, Operation};
use crate::record::{Core, Lane, Started, Status};
use crate::slots::{Completed, Slots};
use crate::source::Source;
use crate::tag::{Tag, is_text};
use crate::thread::{self, Local};
use crate::value::{EventValue, LocalText, Summable, TagValue};

/// One thing that is being done: a span. Dropping it ends it.
///
/// Owned by whoever does the work, which is the only one who can write into it; work that continues elsewhere takes a
/// [`child`](Activity::child), or a [`Parent`] handle that makes children. A no-op activity does nothing at all.
///
/// # Cost
/// The size of a pointer; null for a no-op. What it points to is reused: each thread keeps the memory of the last few
/// activities that ended on it, so that a thread which starts and ends activities allocates nothing after the first.
/// Setting a value is a plain store. A lock and a shared allocation come into being with the first child or handle.
#[must_use = "dropping an activity ends it"]
#[derive(Default)]
pub struct Activity {
    live: Option<Box<Live>>,
}

impl Activity {
    /// An activity that records nothing.
    #[inline]
    pub const fn noop() -> Activity {
        Activity { live: None }
    }

    pub(crate) fn start_root(
        source: &'static Source,
        operation: &'static Operation,
        parent: Option<SpanContext>,
        lane: Option<Lane>,
    ) -> Activity {
        thread::with(|local| Activity::begin_root(local, source, operation, parent, lane))
    }

    #[inline(never)]
    fn begin_root(
        local: &Local,
        source: &'static Source,
        operation: &'static Operation,
        parent: Option<SpanContext>,
        lane: Option<Lane>,
    ) -> Activity {
        if local.suppressed.get() > 0 {
            return Activity::noop();
        }
        let listeners = local.take_listeners(source);
        if listeners.level == Level::Off {
            // The last one has gone since the level was read.
            return Activity::noop();
        }
        let mut live = Live::blank(local, source, operation);
        let now = source.now();
        live.core.started = now;
        local.generator.stir(now);
        let span_id = local.generator.span_id();
        match parent {
            Some(parent) => {
                live.core.context = parent.with_span(span_id);
                live.core.parent_span = Some(parent.span_id());
            }
            None => {
                let trace_id = local.generator.trace_id();
                live.core.context = SpanContext::new(trace_id, span_id, 0);
                live.core.parent_span = None;
            }
        }
        live.core.generation = listeners.generation;
        live.core.level = listeners.level;
        live.core.is_root = true;
        if lane.is_some() {
            live.core.lane = lane;
        }
        Activity::tell_started(local, live, listeners)
    }

    /// Starts an activity below the one that `owner` holds.
    pub(crate) fn start_child(owner: &Owner, operation: &'static Operation) -> Activity {
        match owner.core() {
            Some(parent) => thread::with(|local| Activity::begin_child(local, owner, parent, operation)),
            None => Activity::noop(),
        }
    }

    #[inline(never)]
    fn begin_child(local: &Local, owner: &Owner, parent: &Core, operation: &'static Operation) -> Activity {
        if local.suppressed.get() > 0 {
            return Activity::noop();
        }
        let listeners = local.take_listeners(parent.source);
        let mut live = Live::blank(local, parent.source, operation);
        let now = parent.source.now();
        live.core.started = now;
        local.generator.stir(now);
        live.core.context = parent.context.with_span(local.generator.span_id());
        live.core.parent_span = Some(parent.context.span_id());
        live.core.generation = parent.generation;
        live.core.level = parent.level;
        live.core.is_root = false;
        if parent.lane.is_some() {
            live.core.lane = parent.lane.as_ref().map(Arc::clone);
        }
        live.parent = owner.clone();
        Activity::tell_started(local, live, listeners)
    }

    #[inline(always)]
    fn tell_started(local: &Local, live: Box<Live>, listeners: Arc<Listeners>) -> Activity {
        listeners.tell(live.core.generation, |listener| {
            listener.started(&Started { core: &live.core })
        });
        local.keep_listeners(live.core.source, listeners);
        Activity { live: Some(live) }
    }

    /// Sets a tag. The last value wins.
    #[inline]
    pub fn set<T: TagValue>(&mut self, tag: Tag<T>, value: T) {
        if let Some(live) = &mut self.live
            && live.core.owns(tag)
            && (!is_text::<T>() || live.core.level == Level::Trace)
        {
            value.store(&mut live.slots, tag.slot());
        }
    }

    /// Adds to the value of a tag; one that was not set counts as zero.
    #[inline]
    pub fn add<T: Summable>(&mut self, tag: Tag<T>, value: T) {
        if let Some(live) = &mut self.live
            && live.core.owns(tag)
        {
            value.add(&mut live.slots, tag.slot());
        }
    }

    /// Sets a tag to free text, which is only made if somebody listens at [`Level::Trace`].
    #[inline]
    pub fn set_text(&mut self, tag: Tag<LocalText>, text: impl FnOnce() -> String) {
        if self.is_tracing() {
            self.set(tag, LocalText::new(text()));
        }
    }

    /// Notes that something happened. Kept only if somebody listens at [`Level::Trace`]: the last 8 events of each
    /// activity, each with its first [`Event::MAX_FIELDS`](crate::Event::MAX_FIELDS) fields.
    #[inline]
    pub fn event(&mut self, name: &'static str, fields: &[(&'static str, EventValue)]) {
        if let Some(live) = &mut self.live
            && live.core.level == Level::Trace
        {
            live.push_event(name, fields);
        }
    }

    /// Says that the work failed, and with which type of error. The first failure or cancellation wins.
    #[inline]
    pub fn fail(&mut self, error_type: &'static str) {
        self.conclude(Status::Error(error_type));
    }

    /// Says that the work was called off. The first failure or cancellation wins.
    #[inline]
    pub fn cancel(&mut self) {
        self.conclude(Status::Cancelled);
    }

    /// Starts an activity below this one, which may outlive it and may end on another thread.
    pub fn child(&self, operation: &'static Operation) -> Activity {
        match &self.live {
            Some(live) => Activity::start_child(&live.owner(), operation),
            None => Activity::noop(),
        }
    }

    /// A handle with which others start children and add to the values, on any thread.
    pub fn parent_handle(&self) -> Parent {
        Parent {
            owner: self.live.as_ref().map(|live| live.owner()).unwrap_or_default(),
        }
    }

    /// Whether anything is recorded.
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.live.is_some()
    }

    /// Whether free text and events are recorded.
    #[inline]
    pub fn is_tracing(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.core.level == Level::Trace)
    }

    /// Its place in the trace; `None` for a no-op.
    #[inline]
    pub fn context(&self) -> Option<SpanContext> {
        self.live.as_ref().map(|live| live.core.context)
    }

    /// The value by which the tree is routed, if it has one of this type.
    pub fn lane<T: Any>(&self) -> Option<&T> {
        self.live.as_ref()?.core.lane()
    }

    /// The time since the start, by the source's clock; zero for a no-op.
    pub fn elapsed(&self) -> Duration {
        self.live.as_ref().map_or(Duration::ZERO, |live| {
            live.core.source.now().saturating_duration_since(live.core.started)
        })
    }

    /// Ends the activity, as dropping it does.
    #[inline]
    pub fn end(self) {}

    #[inline]
    fn conclude(&mut self, status: Status) {
        if let Some(live) = &mut self.live
            && live.status == Status::Ok
        {
            live.status = status;
        }
    }
}

impl Drop for Activity {
    #[inline]
    fn drop(&mut self) {
        if let Some(live) = self.live.take() {
            live.end();
        }
    }
}

impl fmt::Debug for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.live {
            Some(live) => f
                .debug_struct("Activity")
                .field("operation", &live.core.operation.name())
                .field("context", &live.core.context)
                .finish_non_exhaustive(),
            None => f.write_str("Activity(no-op)"),
        }
    }
}

/// A share in an activity: starts children and adds values, on any thread, even after the activity itself has ended.
/// The activity completes when it has ended and all its children and handles are gone.
///
/// # Blocking
/// Each call takes the record's lock for some nanoseconds, never across a listener.
#[derive(Clone, Default)]
pub struct Parent {
    owner: Owner,
}

impl Parent {
    /// A handle that records nothing.
    pub const fn noop() -> Parent {
        Parent { owner: Owner::NOBODY }
    }

    /// Starts an activity below the one of this handle.
    pub fn child(&self, operation: &'static Operation) -> Activity {
        Activity::start_child(&self.owner, operation)
    }

    /// Adds to what was rolled up for a tag.
    pub fn add<T: Summable>(&self, tag: Tag<T>, value: T) {
        if self.owner.core().is_some_and(|core| core.owns(tag)) {
            self.owner.with_rolled_up(|slots| value.add(slots, tag.slot()));
        }
    }

    /// Merges a value by the tag's rule, as if a child with this value completed now. A tag that does not roll up
    /// ([`Merge::Keep`](crate::Merge::Keep)) takes the last value given here, unless the activity sets its own.
    pub fn merge_set<T: TagValue>(&self, tag: Tag<T>, value: T) {
        if let Some(core) = self.owner.core()
            && core.owns(tag)
            && (!is_text::<T>() || core.level == Level::Trace)
        {
            self.owner.with_rolled_up(|slots| {
                if slots.bits(tag.slot()).is_none() {
                    return value.store(slots, tag.slot());
                }
                let mut given = Slots::new();
                value.store(&mut given, tag.slot());
                slots.merge(&given, Completed::Later, tag.table(), u64::MAX);
            });
        }
    }

    /// Whether anything is recorded.
    pub fn is_recording(&self) -> bool {
        !self.owner.is_nobody()
    }

    /// The activity's place in the trace; `None` for a no-op.
    pub fn context(&self) -> Option<SpanContext> {
        self.owner.core().map(|core| core.context)
    }

    /// The value by which the tree is routed, if it has one of this type.
    pub fn lane<T: Any>(&self) -> Option<&T> {
        self.owner.core()?.lane()
    }
}

impl fmt::Debug for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parent")
            .field("context", &self.context())
            .finish_non_exhaustive()
    }
}
