//! Activities: spans with typed tags that complete by ownership and are watched by listeners.
//!
//! A program says once what it is doing; whoever wants to know looks. There is one point of instrumentation for usage
//! telemetry, for diagnostics on this machine, and for the tracing of the application around it. The crate uses the
//! standard library alone, without `unsafe`, spawns no thread and installs nothing global.
//!
//! ```
//! use std::time::Duration;
//! use activity::testing::Recorder;
//! use activity::{ByteCount, EventKind, Level, LocalText, Operation, Source};
//!
//! // Kinds of exported event, tags, operations and a source: all of them items, so that a typo does not compile.
//! const STATEMENT: EventKind = EventKind::new(1);
//!
//! activity::tags! {
//!     /// What we know about a statement.
//!     pub static TAGS;
//!
//!     /// How often the status was asked for.
//!     pub const POLL_COUNT: u64 = "poll.count", scope: All, merge: Sum, kinds: [STATEMENT], required: [STATEMENT];
//!     /// The slowest download of a chunk.
//!     pub const SLOWEST_CHUNK: Duration = "chunk.slowest", scope: All, merge: Max, kinds: [STATEMENT];
//!     /// Bytes downloaded.
//!     pub const BYTES: ByteCount = "bytes", scope: All, merge: Sum, kinds: [STATEMENT];
//!     /// The statement's text.
//!     pub const SQL: LocalText = "db.query.text", scope: Local, merge: Keep;
//! }
//!
//! static EXECUTE: Operation = Operation::new("Statement.Execute", STATEMENT);
//! static POLL: Operation = Operation::new("Statement.Poll", EventKind::NONE);
//! static DOWNLOAD: Operation = Operation::new("Chunk.Download", EventKind::NONE);
//! static SOURCE: Source = Source::new("example", &TAGS);
//!
//! // Somebody listens. Without this line, nothing below costs anything.
//! let recorder = Recorder::new(Level::Metrics);
//! let _registration = recorder.listen_to(&SOURCE);
//!
//! let mut statement = SOURCE.start(&EXECUTE);
//! statement.set_text(SQL, || unreachable!("the recorder wants metrics, not text"));
//! let mut poll = statement.child(&POLL);
//! poll.set(POLL_COUNT, 1);
//! poll.end();
//!
//! // A download on another thread outlives the statement's own part.
//! let parent = statement.parent_handle();
//! statement.end();
//! assert!(recorder.completed_of(&EXECUTE).is_empty());
//! std::thread::spawn(move || {
//!     let mut download = parent.child(&DOWNLOAD);
//!     download.set(BYTES, ByteCount(4096));
//!     download.set(SLOWEST_CHUNK, download.elapsed());
//! })
//! .join()
//! .unwrap();
//!
//! // The last owner has let go: the statement is complete, and knows what its children did.
//! let statement = &recorder.completed_of(&EXECUTE)[0];
//! assert_eq!(statement.get(POLL_COUNT), Some(1));
//! assert_eq!(statement.get(BYTES), Some(ByteCount(4096)));
//! ```
//!
//! # Nouns
//!
//! - A [`Source`] has a table of tags, a clock and listeners. An [`Operation`] is a thing the program does. Both are
//!   `static`: they are compared by identity, never by name.
//! - An [`Activity`] is one thing being done. It has an owner, who alone writes into it. A [`Parent`] handle lets
//!   others start children below it, on any thread.
//! - A [`Tag`] is a typed handle out of one table, made by [`tags!`].
//! - A [`Listener`] looks at [`Started`] activities and at [`Record`]s. It is registered and unregistered at run time;
//!   any number of them can listen to one source, and none changes what another sees.
//!
//! # Two moments
//!
//! An activity **ends** when its owner ends or drops it. It **completes** when it has ended *and* all its children and
//! handles are gone. Between the two lies what outlives a call: a reader that is still drained, a download on its way.
//! A child that completes merges its values into its parent, by the rule of each tag ([`Merge`]); so the record that a
//! listener gets at [`completed`](Listener::completed) already has the sums, the slowest and the first.
//!
//! Completion is ownership, not bookkeeping: the record belongs to the activity, its children and the handles together,
//! and the last of them to go completes it, exactly once, on its own thread. There is no map of open spans, no id to
//! match, no timeout and no eviction. Success, failure, cancellation, a panic and a dropped future all take this road.
//! Two consequences: a listener's work at completion must be tiny and must not block, since the thread may be any; and
//! a record whose owner is parked for hours completes late ([`SourceStats::open_records`] shows how many are open).
//!
//! # Two locks on what leaves the machine
//!
//! *By type.* A tag with a remote scope accepts only [`Exportable`] types: numbers, booleans, durations, sizes, closed
//! enums, ids and versions of a bounded grammar. Free text is [`LocalText`]; a table that gives it a remote scope does
//! not compile ([`tags!`] shows it).
//!
//! *By mask.* For each [`EventKind`] the table has an allow-list, computed at compile time. [`Record::remote`] reads a
//! record through it, and is the only view for export. Its values ([`RemoteValue`]) have no variant for text.
//!
//! # What each path costs
//!
//! | path | cost |
//! |---|---|
//! | starting with nobody listening | one relaxed load |
//! | anything on a no-op activity | a null check |
//! | starting and ending, somebody listens | two clock readings, three draws of a thread's generator, the listeners' work; no lock, no atomic write, no allocation¹ |
//! | [`Activity::set`], [`Activity::add`] | a plain store |
//! | the first id, version or text of an activity | an allocation, kept with the memory of the activity¹ |
//! | [`Activity::set_text`], [`Activity::event`] | nothing below [`Level::Trace`]; above, what the text or the event allocates |
//! | the first child or handle of an activity | an allocation, and a lock from then on |
//! | a child that completes with values | the parent's lock for the time of the merge; the first one allocates their place |
//! | [`Parent::add`], [`Parent::merge_set`] | the record's lock for the time of the merge |
//! | registering and unregistering | a lock, and a new list of listeners; each thread notices at its next start or end |
//!
//! ¹ Each thread keeps the memory of the last 8 activities that ended on it, and uses it for those that start on it. A
//! thread's first activities allocate, and so do activities that always start on one thread and end on another.
//!
//! `cargo bench -p activity` measures these, next to other libraries, in one run.
//!
//! # Decisions
//!
//! - *Recorded is not sampled.* The W3C sampled flag comes from the parent outside ([`RootBuilder::parent`]); a new
//!   trace is not sampled, and listening never changes that.
//! - *Decided once.* How much is recorded ([`Level`]), and for which listeners, is decided when the root starts and
//!   holds for its whole tree; so starts and ends pair, and a listener that comes later sees nothing of it.
//! - *Nothing ambient.* There is no current activity: work spans calls and threads, and whoever does it holds its
//!   parent. The one thing tied to a thread is [`suppress`], with which an exporter keeps its own work from being
//!   recorded.
//! - *Listeners cannot hurt.* One that panics is caught, counted and never called again. No lock is held while one is
//!   called, so it may register, unregister and start activities.
//! - *Everything is bounded*: 64 tags a table, the last 8 events an activity, 8 fields an event, 8 KiB a text.
//!
//! Forked processes draw different ids, because ids are stirred with the time of each start.

mod activity;
mod clock;
mod completion;
mod context;
mod event;
mod id;
mod listener;
mod live;
mod macros;
mod operation;
mod record;
mod remote;
mod slots;
mod source;
mod sync;
mod tag;
pub mod testing;
mod thread;
mod value;

pub use activity::{Activity, Parent};
pub use clock::{Clock, SystemClock};
pub use context::{Suppressed, SuppressedFuture, is_suppressed, suppress, suppressed};
pub use event::Event;
pub use id::{InvalidTraceparent, SpanContext, SpanId, TraceId};
pub use listener::{Listener, Registration};
pub use operation::{EventKind, Level, Operation};
pub use record::{Record, Started, Status};
pub use remote::Remote;
pub use source::{RootBuilder, Source, SourceStats};
#[doc(hidden)]
pub use tag::TagSpec;
pub use tag::{Merge, Scope, Tag, TagDef, TagTable};
pub use value::{
    ByteCount, ClosedEnum, EventValue, Exportable, Id, InvalidValue, LocalText, Ordered, RemoteValue, Summable,
    TagValue, Value, Version,
};
