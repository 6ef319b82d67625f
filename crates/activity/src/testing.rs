//! For tests of code that has activities: a clock to turn by hand, and a listener that remembers.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::clock::{Clock, saturating_ns};
use crate::event::Event;
use crate::id::{SpanContext, SpanId};
use crate::listener::{Listener, Registration};
use crate::operation::{Level, Operation};
use crate::record::{Record, Started, Status};
use crate::slots::{Slots, ones};
use crate::source::Source;
use crate::tag::Tag;
use crate::value::TagValue;

/// A clock that stands still until it is turned.
///
/// ```
/// use std::time::Duration;
/// use activity::testing::ManualClock;
/// use activity::{EventKind, Operation, Source};
///
/// activity::tags! {
///     /// No tags.
///     pub static TAGS;
/// }
/// static CLOCK: ManualClock = ManualClock::new();
/// static SOURCE: Source = Source::with_clock("test", &TAGS, &CLOCK);
/// # static WORK: Operation = Operation::new("Work", EventKind::NONE);
/// # let _registration = activity::testing::Recorder::new(activity::Level::Metrics).listen_to(&SOURCE);
/// let activity = SOURCE.start(&WORK);
/// CLOCK.advance(Duration::from_millis(5));
/// assert_eq!(activity.elapsed(), Duration::from_millis(5));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock {
    zero: OnceLock<Instant>,
    turned_ns: AtomicU64,
}

impl ManualClock {
    /// A clock that begins at 2026-01-01 00:00:00 UTC.
    pub const fn new() -> ManualClock {
        ManualClock {
            zero: OnceLock::new(),
            turned_ns: AtomicU64::new(0),
        }
    }

    /// Turns the clock forward.
    pub fn advance(&self, by: Duration) {
        self.turned_ns.fetch_add(saturating_ns(by), Ordering::SeqCst);
    }

    fn zero(&self) -> Instant {
        *self.zero.get_or_init(Instant::now)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.zero() + Duration::from_nanos(self.turned_ns.load(Ordering::SeqCst))
    }

    fn wall_time(&self, at: Instant) -> SystemTime {
        const NEW_YEAR_2026: Duration = Duration::from_secs(1_767_225_600);
        UNIX_EPOCH + NEW_YEAR_2026 + at.saturating_duration_since(self.zero())
    }
}

/// A listener that remembers what completed, in memory, and prints it as trees.
#[derive(Debug)]
pub struct Recorder {
    level: Level,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// The order in which activities started, which is the order in which they are printed.
    started: HashMap<SpanId, usize>,
    ended: usize,
    completed: Vec<Recorded>,
}

impl Recorder {
    /// The most activities a recorder remembers; further ones are only counted.
    pub const MAX_REMEMBERED: usize = 1 << 17;

    /// A recorder that wants to know this much.
    pub fn new(level: Level) -> Arc<Recorder> {
        Arc::new(Recorder {
            level,
            memory: Mutex::default(),
        })
    }

    /// Registers the recorder at a source.
    pub fn listen_to(self: &Arc<Recorder>, source: &'static Source) -> Registration {
        source.register(Arc::<Recorder>::clone(self))
    }

    /// What completed, in the order of completion.
    pub fn completed(&self) -> Vec<Recorded> {
        self.memory().completed.clone()
    }

    /// What completed of one operation, in the order of completion.
    pub fn completed_of(&self, operation: &'static Operation) -> Vec<Recorded> {
        let of = |record: &&Recorded| std::ptr::eq(record.operation, operation);
        self.memory().completed.iter().filter(of).cloned().collect()
    }

    /// The number of activities that started.
    pub fn started_count(&self) -> usize {
        self.memory().started.len()
    }

    /// The number of activities that ended.
    pub fn ended_count(&self) -> usize {
        self.memory().ended
    }

    /// The number of activities that completed.
    pub fn completed_count(&self) -> usize {
        self.memory().completed.len()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.memory() = Memory::default();
    }

    /// Prints what completed as trees: one activity a line, children indented below their parent, in the order in which
    /// they started. Free text is quoted; this is a test's own.
    ///
    /// ```text
    /// Statement.Execute ok 12ms, complete after 15ms {poll.count=2}
    ///   Statement.Poll ok 3ms {poll.count=1}
    ///   Statement.Poll error(timeout) 4ms {poll.count=1}
    /// ```
    pub fn tree(&self) -> String {
        let memory = self.memory();
        let mut records: Vec<&Recorded> = memory.completed.iter().collect();
        records.sort_by_key(|record| memory.started.get(&record.context.span_id()));

        let known: HashSet<SpanId> = records.iter().map(|record| record.context.span_id()).collect();
        let mut below: HashMap<Option<SpanId>, Vec<&Recorded>> = HashMap::new();
        for record in &records {
            let parent = record
                .parent_context
                .map(|parent| parent.span_id())
                .filter(|span| known.contains(span));
            below.entry(parent).or_default().push(record);
        }
        let mut tree = String::new();
        let mut open: Vec<(usize, &Recorded)> = below.get(&None).into_iter().flatten().rev().map(|r| (0, *r)).collect();
        while let Some((depth, record)) = open.pop() {
            // Writing to a string does not fail.
            let _ = writeln!(tree, "{:indent$}{record}", "", indent = 2 * depth);
            let children = below.get(&Some(record.context.span_id())).into_iter().flatten();
            open.extend(children.rev().map(|child| (depth + 1, *child)));
        }
        tree
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Recorder {
    fn level(&self) -> Level {
        self.level
    }

    fn started(&self, activity: &Started<'_>) {
        let mut memory = self.memory();
        if memory.started.len() < Recorder::MAX_REMEMBERED {
            let order = memory.started.len();
            memory.started.insert(activity.context().span_id(), order);
        }
    }

    fn ended(&self, _: &Record<'_>) {
        self.memory().ended += 1;
    }

    fn completed(&self, record: &Record<'_>) {
        let mut memory = self.memory();
        if memory.completed.len() < Recorder::MAX_REMEMBERED {
            memory.completed.push(Recorded::new(record));
        }
    }
}

/// A completed activity that a [`Recorder`] remembers.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The source.
    pub source: &'static Source,
    /// What was done.
    pub operation: &'static Operation,
    /// Whether it was the top of its tree.
    pub is_root: bool,
    /// Its place in the trace.
    pub context: SpanContext,
    /// The parent's place in the trace.
    pub parent_context: Option<SpanContext>,
    /// The wall time of its start.
    pub started_at: SystemTime,
    /// From its start to its own end.
    pub duration: Duration,
    /// From its start to its completion.
    pub completed_after: Duration,
    /// How it went.
    pub status: Status,
    /// The last events, oldest first.
    pub events: Vec<Event>,
    /// The number of events that gave way to later ones.
    pub dropped_events: u64,
    slots: Slots,
}

impl Recorded {
    fn new(record: &Record<'_>) -> Recorded {
        Recorded {
            source: record.source(),
            operation: record.operation(),
            is_root: record.is_root(),
            context: record.context(),
            parent_context: record.parent_context(),
            started_at: record.started_at(),
            duration: record.duration(),
            completed_after: record.completed_after(),
            status: record.status(),
            events: record.events().cloned().collect(),
            dropped_events: record.dropped_events(),
            slots: record.slots().clone(),
        }
    }

    /// The value of a tag, whatever its scope.
    pub fn get<T: TagValue>(&self, tag: Tag<T>) -> Option<T> {
        std::ptr::eq(tag.table(), self.source.tags())
            .then(|| T::load(&self.slots, tag.slot()))
            .flatten()
    }

    /// All values as text, by name, whatever their scope, in table order.
    pub fn values(&self) -> Vec<(&'static str, String)> {
        let table = self.source.tags();
        let value = |slot: u8| {
            let tag = table.at(slot)?;
            Some((tag.name(), tag.value(&self.slots, slot)?.to_string()))
        };
        ones(self.slots.present()).filter_map(value).collect()
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?}", self.operation.name(), self.status, self.duration)?;
        if self.completed_after != self.duration {
            write!(f, ", complete after {:?}", self.completed_after)?;
        }
        let mut separator = " {";
        for (name, value) in self.values() {
            write!(f, "{separator}{name}={value}")?;
            separator = ", ";
        }
        if separator == ", " {
            f.write_str("}")?;
        }
        for event in &self.events {
            write!(f, " [{}", event.name())?;
            for (field, value) in event.fields() {
                write!(f, " {field}={value}")?;
            }
            f.write_str("]")?;
        }
        Ok(())
    }
}
