//! Where activities come from: a source has a table of tags, a clock and listeners.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU64 as Count, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Instant, SystemTime};

use crate::activity::Activity;
use crate::clock::{Clock, SystemClock};
use crate::id::SpanContext;
use crate::listener::{Entry, Listener, Listeners, Registration};
use crate::operation::{Level, Operation};
use crate::record::Lane;
use crate::sync::{AtomicU64, RwLock};
use crate::tag::TagTable;

/// Starts activities and tells listeners about them. Always a `static`: whoever starts and whoever listens name the
/// same item, so that a typo does not compile.
///
/// ```
/// use activity::{EventKind, Operation, Source};
///
/// activity::tags! {
///     /// What we know.
///     pub static TAGS;
///     /// Rows read.
///     pub const ROWS: u64 = "rows", scope: Local, merge: Sum;
/// }
/// static SOURCE: Source = Source::new("example", &TAGS);
/// static READ: Operation = Operation::new("Read", EventKind::NONE);
///
/// let mut activity = SOURCE.start(&READ);
/// activity.set(ROWS, 3);
/// assert!(!activity.is_recording()); // nobody listens
/// ```
pub struct Source {
    name: &'static str,
    tags: &'static TagTable,
    /// `None` for the system clock, which is worth a direct call.
    clock: Option<&'static dyn Clock>,
    /// The generation of the list of listeners, above the eight bits of the level.
    state: AtomicU64,
    /// `None` before the first registration.
    registry: RwLock<Option<Arc<Listeners>>>,
    pub(crate) counters: Counters,
}

const LEVEL_BITS: u32 = 8;

/// The constructors, which loom's types cannot have at compile time.
macro_rules! constructors {
    ($($const:tt)?) => {
        impl Source {
            /// Makes a source that reads the [`SystemClock`].
            pub $($const)? fn new(name: &'static str, tags: &'static TagTable) -> Source {
                Source::build(name, tags, None)
            }

            /// Makes a source with a clock of its own.
            pub $($const)? fn with_clock(name: &'static str, tags: &'static TagTable, clock: &'static dyn Clock) -> Source {
                Source::build(name, tags, Some(clock))
            }

            $($const)? fn build(name: &'static str, tags: &'static TagTable, clock: Option<&'static dyn Clock>) -> Source {
                Source {
                    name,
                    tags,
                    clock,
                    state: AtomicU64::new(0),
                    registry: RwLock::new(None),
                    counters: Counters::new(),
                }
            }
        }
    };
}

#[cfg(not(loom))]
constructors!(const);
#[cfg(loom)]
constructors!();

impl Source {
    /// Begins to start an activity at the top of a tree.
    #[inline]
    pub fn root(&'static self, operation: &'static Operation) -> RootBuilder {
        RootBuilder {
            source: self,
            operation,
            parent: None,
            lane: None,
        }
    }

    /// Starts an activity at the top of a new trace.
    ///
    /// # Cost
    /// With nobody listening: one relaxed load. Else: a clock reading, ids, and the listeners' own work; nothing is
    /// allocated.
    #[inline]
    pub fn start(&'static self, operation: &'static Operation) -> Activity {
        match self.level() {
            Level::Off => Activity::noop(),
            _ => Activity::start_root(self, operation, None, None),
        }
    }

    /// Registers a listener for all activities that start from now on, until the registration is dropped.
    ///
    /// # Blocking
    /// On other registrations, briefly. Never on a listener.
    pub fn register(&'static self, listener: Arc<dyn Listener>) -> Registration {
        let level = listener.level();
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        let (generation, before) = parts(&registry);
        let entry = Arc::new(Entry::new(listener, level, generation + 1));
        let entries = before.iter().chain([&entry]).map(Arc::clone).collect();
        let replaced = self.replace(&mut registry, generation + 1, entries);
        drop(registry);
        drop(replaced);
        Registration::new(self, entry)
    }

    /// The most that any listener wants to know; one relaxed load.
    #[inline]
    pub fn level(&self) -> Level {
        Level::from_bits(self.state.load(Ordering::Relaxed) as u8)
    }

    /// The name, for people.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The table of tags.
    pub const fn tags(&self) -> &'static TagTable {
        self.tags
    }

    /// Counts what listeners cannot see.
    pub fn stats(&self) -> SourceStats {
        SourceStats {
            listeners: parts(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
                .1
                .len(),
            listener_panics: self.counters.listener_panics.load(Ordering::Relaxed),
            open_records: self.counters.open_records.load(Ordering::Relaxed),
            dropped_events: self.counters.dropped_events.load(Ordering::Relaxed),
            foreign_tags: self.counters.foreign_tags.load(Ordering::Relaxed),
        }
    }

    #[inline(always)]
    pub(crate) fn now(&self) -> Instant {
        match self.clock {
            Some(clock) => clock.now(),
            None => SystemClock.now(),
        }
    }

    /// The wall time of `at`; `now` was read from this source's clock a moment ago.
    pub(crate) fn wall_time(&self, at: Instant, now: Instant) -> SystemTime {
        match self.clock {
            Some(clock) => clock.wall_time(at),
            None => SystemClock.wall_time_seen(at, now),
        }
    }

    #[inline(always)]
    pub(crate) fn generation(&self) -> u64 {
        // Pairs with the release in `replace`; the list itself is always read under the lock.
        self.state.load(Ordering::Acquire) >> LEVEL_BITS
    }

    /// Reads the list under the lock.
    #[cold]
    pub(crate) fn listeners(&'static self) -> Arc<Listeners> {
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        match &*registry {
            Some(listeners) => Arc::clone(listeners),
            None => Arc::new(Listeners::new(self, 0, Vec::new())),
        }
    }

    /// Takes a listener off the list, if it is on it.
    pub(crate) fn remove(&'static self, entry: &Arc<Entry>) {
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        let (generation, before) = parts(&registry);
        if before.iter().any(|other| Arc::ptr_eq(other, entry)) {
            let entries = before
                .iter()
                .filter(|other| !Arc::ptr_eq(other, entry))
                .map(Arc::clone)
                .collect();
            let replaced = self.replace(&mut registry, generation + 1, entries);
            drop(registry);
            drop(replaced);
        }
    }

    /// Puts a new list in place; hands back the old one, to be dropped outside of the lock.
    fn replace(
        &'static self,
        registry: &mut Option<Arc<Listeners>>,
        generation: u64,
        entries: Vec<Arc<Entry>>,
    ) -> Option<Arc<Listeners>> {
        let listeners = Listeners::new(self, generation, entries);
        self.state
            .store(generation << LEVEL_BITS | listeners.level as u64, Ordering::Release);
        registry.replace(Arc::new(listeners))
    }
}

fn parts(registry: &Option<Arc<Listeners>>) -> (u64, &[Arc<Entry>]) {
    registry
        .as_deref()
        .map_or((0, &[]), |listeners| (listeners.generation, listeners.entries()))
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("level", &self.level())
            .finish_non_exhaustive()
    }
}

/// Starts an activity at the top of a tree; made by [`Source::root`].
#[must_use = "nothing starts before `start`"]
pub struct RootBuilder {
    source: &'static Source,
    operation: &'static Operation,
    parent: Option<SpanContext>,
    lane: Option<Lane>,
}

impl RootBuilder {
    /// Continues the trace of somebody outside: takes over its trace id and flags. Without this the activity begins a
    /// trace of its own, which is not sampled.
    #[inline]
    pub fn parent(mut self, parent: impl Into<Option<SpanContext>>) -> RootBuilder {
        self.parent = parent.into();
        self
    }

    /// Gives the whole tree a value by which listeners route it, such as the lease of a connection.
    #[inline]
    pub fn lane(mut self, lane: Arc<dyn Any + Send + Sync>) -> RootBuilder {
        self.lane = Some(lane);
        self
    }

    /// Starts the activity, or a no-op if nobody listens or this thread is [suppressed](crate::suppress).
    #[inline]
    pub fn start(self) -> Activity {
        match self.source.level() {
            Level::Off => Activity::noop(),
            _ => Activity::start_root(self.source, self.operation, self.parent, self.lane),
        }
    }
}

impl fmt::Debug for RootBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootBuilder")
            .field("operation", &self.operation.name())
            .finish_non_exhaustive()
    }
}

/// What a source has counted. Counters only grow; the others are gauges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceStats {
    /// Registered listeners (gauge).
    pub listeners: usize,
    /// Listeners that panicked and were disabled.
    pub listener_panics: u64,
    /// Records that have, or had, children or parent handles and are not complete yet (gauge). Activities that never
    /// had any complete when they end, and are not counted.
    pub open_records: u64,
    /// Events that gave way to later ones.
    pub dropped_events: u64,
    /// Values set with a tag of another table, which are ignored.
    pub foreign_tags: u64,
}

pub(crate) struct Counters {
    listener_panics: Count,
    open_records: Count,
    dropped_events: Count,
    foreign_tags: Count,
}

impl Counters {
    const fn new() -> Counters {
        Counters {
            listener_panics: Count::new(0),
            open_records: Count::new(0),
            dropped_events: Count::new(0),
            foreign_tags: Count::new(0),
        }
    }

    pub(crate) fn listener_panicked(&self) {
        self.listener_panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn record_opened(&self) {
        self.open_records.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn record_completed(&self) {
        self.open_records.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn event_dropped(&self) {
        self.dropped_events.fetch_add(1, Ordering::Relaxed);
    }

    #[cold]
    pub(crate) fn foreign_tag(&self) {
        self.foreign_tags.fetch_add(1, Ordering::Relaxed);
    }
}
