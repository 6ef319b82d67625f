//! What a test recorded reads like an outline.

use std::time::Duration;

use activity::testing::{ManualClock, Recorder};
use activity::{ByteCount, EventKind, Level, LocalText, Operation, Source};

activity::closed_enum! {
    /// How a result travels.
    pub enum Format {
        /// In the answer.
        Inline = "INLINE",
        /// Behind links.
        Links = "EXTERNAL_LINKS",
    }
}

activity::tags! {
    /// Tags of a statement.
    pub static TAGS;
    /// How often the status was asked for.
    pub const POLLS: u64 = "poll.count", scope: Local, merge: Sum;
    /// Size of the result.
    pub const BYTES: ByteCount = "bytes", scope: Local, merge: Sum;
    /// Slowest download.
    pub const SLOWEST: Duration = "slowest", scope: Local, merge: Max;
    /// How the result travels.
    pub const FORMAT: Format = "format", scope: Local, merge: First;
    /// The text.
    pub const SQL: LocalText = "sql", scope: Local, merge: Keep;
}

static CLOCK: ManualClock = ManualClock::new();
static SOURCE: Source = Source::with_clock("tree", &TAGS, &CLOCK);
static EXECUTE: Operation = Operation::new("Statement.Execute", EventKind::NONE);
static POLL: Operation = Operation::new("Statement.Poll", EventKind::NONE);
static DOWNLOAD: Operation = Operation::new("Chunk.Download", EventKind::NONE);
static REQUEST: Operation = Operation::new("Http.Request", EventKind::NONE);

#[test]
fn the_recorder_prints_trees() {
    let recorder = Recorder::new(Level::Trace);
    let _registration = recorder.listen_to(&SOURCE);
    let pass = |ms| CLOCK.advance(Duration::from_millis(ms));

    let mut statement = SOURCE.start(&EXECUTE);
    statement.set_text(SQL, || "SELECT 1".into());
    for _ in 0..2 {
        let mut poll = statement.child(&POLL);
        pass(3);
        poll.set(POLLS, 1);
    }
    let downloads = statement.parent_handle();
    let mut failing = downloads.child(&DOWNLOAD);
    let mut working = downloads.child(&DOWNLOAD);
    drop(downloads);
    statement.event("links", &[("count", 2u64.into()), ("expire", true.into())]);
    statement.end();
    pass(5);
    let request = working.child(&REQUEST);
    pass(5);
    request.end();
    working.set(BYTES, ByteCount(4096));
    working.set(SLOWEST, working.elapsed());
    working.set(FORMAT, Format::Links);
    working.end();
    failing.set(SLOWEST, Duration::from_micros(1500));
    failing.set(FORMAT, Format::Inline);
    failing.fail("timeout");
    failing.end();
    let mut cancelled = SOURCE.start(&EXECUTE);
    cancelled.cancel();
    cancelled.end();

    let expected = "\
Statement.Execute ok 6ms, complete after 16ms {poll.count=2, bytes=4096 B, slowest=10ms, format=EXTERNAL_LINKS, \
sql=SELECT 1} [links count=2 expire=true]
  Statement.Poll ok 3ms {poll.count=1}
  Statement.Poll ok 3ms {poll.count=1}
  Chunk.Download error(timeout) 10ms {slowest=1.5ms, format=INLINE}
  Chunk.Download ok 10ms {bytes=4096 B, slowest=10ms, format=EXTERNAL_LINKS}
    Http.Request ok 5ms
Statement.Execute cancelled 0ns
";
    assert_eq!(recorder.tree(), expected);
}
