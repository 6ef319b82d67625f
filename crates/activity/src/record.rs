//! What does a listener see? Views of an activity at its start, its end and its completion.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::event::Event;
use crate::id::{SpanContext, SpanId};
use crate::live::Live;
use crate::operation::{EventKind, Level, Operation};
use crate::remote::Remote;
use crate::slots::{Slots, ones};
use crate::source::Source;
use crate::tag::{Tag, TagDef};
use crate::value::{TagValue, Value};

/// A value by which listeners route a tree.
pub(crate) type Lane = Arc<dyn Any + Send + Sync>;

/// The facts of an activity that are known at its start and never change.
pub(crate) struct Core {
    pub(crate) source: &'static Source,
    pub(crate) operation: &'static Operation,
    pub(crate) context: SpanContext,
    pub(crate) parent_span: Option<SpanId>,
    pub(crate) started: Instant,
    /// The generation of the source's listeners when the tree started; later ones see nothing of it.
    pub(crate) generation: u64,
    pub(crate) level: Level,
    pub(crate) is_root: bool,
    pub(crate) lane: Option<Lane>,
}

impl Core {
    /// A copy, of which only the lane costs anything: a count up.
    pub(crate) fn copy(&self) -> Core {
        Core {
            lane: self.lane.as_ref().map(Arc::clone),
            ..*self
        }
    }

    fn parent_context(&self) -> Option<SpanContext> {
        self.parent_span.map(|span_id| self.context.with_span(span_id))
    }

    pub(crate) fn lane<T: Any>(&self) -> Option<&T> {
        self.lane.as_deref()?.downcast_ref()
    }

    /// Whether a tag belongs to the table of this activity's source; counts it if not.
    #[inline]
    pub(crate) fn owns<T>(&self, tag: Tag<T>) -> bool {
        let owns = std::ptr::eq(tag.table(), self.source.tags());
        if !owns {
            self.source.counters.foreign_tag();
        }
        owns
    }
}

/// How an activity went. The first failure or cancellation wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Nothing went wrong.
    #[default]
    Ok,
    /// Failed; names the type of the error.
    Error(&'static str),
    /// Somebody called it off.
    Cancelled,
    /// Dropped by a panic before it had any other status.
    Abandoned,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Ok => f.write_str("ok"),
            Status::Error(error_type) => write!(f, "error({error_type})"),
            Status::Cancelled => f.write_str("cancelled"),
            Status::Abandoned => f.write_str("abandoned"),
        }
    }
}

/// The facts that a started activity, and a record, have in common.
macro_rules! facts {
    () => {
        /// The source.
        pub fn source(&self) -> &'static Source {
            self.core().source
        }

        /// What is or was being done.
        pub fn operation(&self) -> &'static Operation {
            self.core().operation
        }

        /// Whether the activity is the top of its tree in this process.
        pub fn is_root(&self) -> bool {
            self.core().is_root
        }

        /// Its place in the trace.
        pub fn context(&self) -> SpanContext {
            self.core().context
        }

        /// The parent's place in the trace: of the parent activity, or for a root of the caller outside, if any.
        pub fn parent_context(&self) -> Option<SpanContext> {
            self.core().parent_context()
        }

        /// How much is recorded of the tree; decided once, at the start of its root.
        pub fn level(&self) -> Level {
            self.core().level
        }

        /// The wall time of the start.
        ///
        /// # Cost
        /// One clock reading with the system clock.
        pub fn started_at(&self) -> SystemTime {
            self.core().source.wall_time(self.core().started, self.seen())
        }

        /// The start by the source's clock.
        pub fn started(&self) -> Instant {
            self.core().started
        }

        /// The value by which the tree is routed, if it has one of this type.
        pub fn lane<T: Any>(&self) -> Option<&T> {
            self.core().lane()
        }
    };
}

/// An activity that has just begun, as its listeners see it.
pub struct Started<'a> {
    pub(crate) core: &'a Core,
}

impl Started<'_> {
    facts!();

    fn core(&self) -> &Core {
        self.core
    }

    /// The last reading of the clock before listeners were told.
    fn seen(&self) -> Instant {
        self.core.started
    }
}

impl fmt::Debug for Started<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started")
            .field("operation", &self.core.operation.name())
            .field("context", &self.core.context)
            .finish_non_exhaustive()
    }
}

/// An activity that has ended or completed, as its listeners see it.
pub struct Record<'a> {
    pub(crate) live: &'a Live,
    pub(crate) completed: Instant,
}

impl Record<'_> {
    facts!();

    /// From its start to its own end.
    pub fn duration(&self) -> Duration {
        self.live.ended.saturating_duration_since(self.live.core.started)
    }

    /// From its start to its completion; in [`ended`](crate::Listener::ended), the same as
    /// [`duration`](Record::duration).
    pub fn completed_after(&self) -> Duration {
        self.completed.saturating_duration_since(self.live.core.started)
    }

    /// How it went.
    pub fn status(&self) -> Status {
        self.live.status
    }

    /// The value of a tag, whatever its scope; `None` if it was not set or belongs to another table.
    #[inline]
    pub fn get<T: TagValue>(&self, tag: Tag<T>) -> Option<T> {
        if !std::ptr::eq(tag.table(), self.live.core.source.tags()) {
            return None;
        }
        T::load(&self.live.slots, tag.slot())
    }

    /// All values that listeners on this machine may see: those of the scopes `Local` and `All`, in table order.
    pub fn iter_local(&self) -> impl Iterator<Item = (&'static TagDef, Value<'_>)> {
        let table = self.live.core.source.tags();
        ones(self.live.slots.present() & table.local()).filter_map(move |slot| {
            let tag = table.at(slot)?;
            Some((tag, tag.value(&self.live.slots, slot)?))
        })
    }

    /// The only view for export: what is present *and* on the allow-list of a kind of event.
    #[inline]
    pub fn remote(&self, kind: EventKind) -> Remote<'_> {
        Remote::of(self.live.core.source, &self.live.slots, kind)
    }

    /// The last events, oldest first; at most 8.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.live.events.iter().flat_map(|ring| &ring.kept)
    }

    /// The number of events that gave way to later ones.
    pub fn dropped_events(&self) -> u64 {
        self.live.events.as_ref().map_or(0, |ring| ring.dropped)
    }

    #[inline(always)]
    fn core(&self) -> &Core {
        &self.live.core
    }

    /// The last reading of the clock before listeners were told.
    fn seen(&self) -> Instant {
        self.completed
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.live.slots
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("operation", &self.live.core.operation.name())
            .field("context", &self.live.core.context)
            .field("status", &self.live.status)
            .finish_non_exhaustive()
    }
}
