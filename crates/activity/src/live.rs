//! What a recording activity points to: its facts and values, in memory that is reused.

use std::sync::OnceLock;
use std::time::Instant;

use crate::completion::{Owner, Shared};
use crate::event::{Event, EventRing};
use crate::id::SpanContext;
use crate::operation::{Level, Operation};
use crate::record::{Core, Record, Status};
use crate::slots::Slots;
use crate::source::Source;
use crate::sync::Arc;
use crate::thread::{self, Local};
use crate::value::EventValue;

/// An activity that records. Written by its owner alone, without a lock.
pub(crate) struct Live {
    pub(crate) core: Core,
    pub(crate) slots: Slots,
    pub(crate) status: Status,
    pub(crate) events: Option<Box<EventRing>>,
    pub(crate) ended: Instant,
    /// What children hold on to; made with the first of them.
    shared: OnceLock<Arc<Shared>>,
    pub(crate) parent: Owner,
    /// The next one in a thread's store of free ones.
    pub(crate) next: Option<Box<Live>>,
}

impl Live {
    /// Memory to fill in: the source and the operation are set, there are no values, no lane and no parent; the rest of
    /// the facts are anything. Filled in field by field: a copy would cost more than everything else together.
    #[inline(always)]
    pub(crate) fn blank(local: &Local, source: &'static Source, operation: &'static Operation) -> Box<Live> {
        match local.take_free() {
            Some(mut live) => {
                live.core.source = source;
                live.core.operation = operation;
                live
            }
            None => Live::allocate(source, operation),
        }
    }

    #[cold]
    fn allocate(source: &'static Source, operation: &'static Operation) -> Box<Live> {
        let now = Instant::now();
        let core = Core {
            source,
            operation,
            context: SpanContext::BLANK,
            parent_span: None,
            started: now,
            generation: 0,
            level: Level::Off,
            is_root: false,
            lane: None,
        };
        Box::new(Live {
            core,
            slots: Slots::new(),
            status: Status::Ok,
            events: None,
            ended: now,
            shared: OnceLock::new(),
            parent: Owner::NOBODY,
            next: None,
        })
    }

    /// A share in the record, which keeps it from completing.
    pub(crate) fn owner(&self) -> Owner {
        Owner::of(Arc::clone(
            self.shared.get_or_init(|| Arc::new(Shared::new(self.core.copy()))),
        ))
    }

    pub(crate) fn push_event(&mut self, name: &'static str, fields: &[(&'static str, EventValue)]) {
        let fields = fields.iter().take(Event::MAX_FIELDS).cloned().collect();
        let after = self.core.source.now().saturating_duration_since(self.core.started);
        let event = Event { after, name, fields };
        if self.events.get_or_insert_default().push(event) {
            self.core.source.counters.event_dropped();
        }
    }

    /// Ends the activity, and completes it if it has no children or handles.
    pub(crate) fn end(mut self: Box<Live>) {
        let ended = self.core.source.now().max(self.core.started);
        self.ended = ended;
        if self.status == Status::Ok && std::thread::panicking() {
            self.status = Status::Abandoned;
        }
        match self.shared.take() {
            Some(shared) => self.end_shared(shared, ended),
            None => thread::with(|local| self.end_childless(local, ended)),
        }
    }

    #[inline(never)]
    fn end_childless(mut self: Box<Live>, local: &Local, ended: Instant) {
        let listeners = local.take_listeners(self.core.source);
        let record = Record {
            live: &self,
            completed: ended,
        };
        listeners.tell(self.core.generation, |listener| {
            listener.ended(&record);
            listener.completed(&record);
        });
        local.keep_listeners(self.core.source, listeners);
        if self.parent.is_nobody() {
            self.recycle(local);
        } else {
            self.parent.roll_up(&self.slots);
            let parent = std::mem::take(&mut self.parent);
            self.recycle(local);
            parent.release(ended);
        }
    }

    fn end_shared(self: Box<Live>, shared: Arc<Shared>, ended: Instant) {
        thread::with(|local| {
            let listeners = local.take_listeners(self.core.source);
            let record = Record {
                live: &self,
                completed: ended,
            };
            listeners.tell(self.core.generation, |listener| listener.ended(&record));
            local.keep_listeners(self.core.source, listeners);
        });
        shared.end(self);
        Owner::of(shared).release(ended);
    }

    /// Gives the memory back to this thread, for the next activity. The parent must have been taken.
    #[inline(always)]
    pub(crate) fn recycle(mut self: Box<Live>, local: &Local) {
        if self.core.lane.is_some() {
            self.core.lane = None;
        }
        if self.events.is_some() {
            self.events = None;
        }
        self.slots.clear();
        self.status = Status::Ok;
        local.put_free(self);
    }
}
