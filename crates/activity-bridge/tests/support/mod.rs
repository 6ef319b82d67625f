//! A source to trace, and eyes for the files that come of it.
#![allow(dead_code, reason = "each test needs its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use activity::testing::ManualClock;
use activity::{ByteCount, EventKind, Id, LocalText, Operation, Source, Version};
use activity_bridge::{JsonLines, JsonLinesBuilder};
use serde_json::Value;

pub(crate) const STATEMENT: EventKind = EventKind::new(1);

activity::closed_enum! {
    /// How a result travels.
    pub(crate) enum Format {
        /// In the answer.
        Inline = "INLINE",
        /// Behind links.
        Links = "EXTERNAL_LINKS",
    }
}

activity::tags! {
    /// Tags of every type and scope.
    pub(crate) static TAGS;
    /// How often the status was asked for.
    pub(crate) const POLLS: u64 = "poll.count", scope: All, merge: Sum, kinds: [STATEMENT];
    /// Size of the result.
    pub(crate) const BYTES: ByteCount = "bytes", scope: Local, merge: Sum;
    /// Slowest download.
    pub(crate) const SLOWEST: Duration = "slowest", scope: Local, merge: Max;
    /// How the result travels.
    pub(crate) const FORMAT: Format = "format", scope: Local, merge: First;
    /// Whether the result was compressed.
    pub(crate) const COMPRESSED: bool = "compressed", scope: Local, merge: Keep;
    /// Rows too many or too few.
    pub(crate) const DRIFT: i64 = "drift", scope: Local, merge: Keep;
    /// The statement's id.
    pub(crate) const STATEMENT_ID: Id = "statement.id", scope: Local, merge: Keep;
    /// The server's version.
    pub(crate) const VERSION: Version = "version", scope: Local, merge: Keep;
    /// Something only for Databricks.
    pub(crate) const REMOTE_ONLY: u64 = "remote.only", scope: Databricks, merge: Keep, kinds: [STATEMENT];
    /// The statement's text.
    pub(crate) const SQL: LocalText = "db.query.text", scope: Local, merge: Keep;
}

pub(crate) static CLOCK: ManualClock = ManualClock::new();
pub(crate) static SOURCE: Source = Source::with_clock("test.source", &TAGS, &CLOCK);
pub(crate) static EXECUTE: Operation = Operation::new("Statement.Execute", STATEMENT);
pub(crate) static POLL: Operation = Operation::new("Statement.Poll", EventKind::NONE);
pub(crate) static DOWNLOAD: Operation = Operation::new("Chunk.Download", EventKind::NONE);
pub(crate) static REQUEST: Operation = Operation::new("Http.Request", EventKind::NONE);

pub(crate) fn pass(ms: u64) {
    CLOCK.advance(Duration::from_millis(ms));
}

/// A statement with two polls and a download that outlives it and asks again below.
pub(crate) fn run_statement() {
    let mut statement = SOURCE.start(&EXECUTE);
    statement.set_text(SQL, || "SELECT\n'secret'".into());
    statement.set(REMOTE_ONLY, 1);
    statement.set(COMPRESSED, true);
    statement.set(DRIFT, -2);
    statement.set(STATEMENT_ID, Id::new("01f0-ab").unwrap());
    statement.set(VERSION, Version::new("18.1").unwrap());
    for _ in 0..2 {
        let mut poll = statement.child(&POLL);
        pass(3);
        poll.set(POLLS, 1);
    }
    statement.event(
        "links",
        &[("count", 2u64.into()), ("url", String::from("https://secret").into())],
    );
    let mut download = statement.child(&DOWNLOAD);
    statement.end();
    pass(4);
    let mut request = download.child(&REQUEST);
    pass(1);
    request.fail("timeout");
    request.end();
    download.set(BYTES, ByteCount(4096));
    download.set(SLOWEST, download.elapsed());
    download.set(FORMAT, Format::Links);
}

/// A file listener that waits for the disk as long as it takes.
pub(crate) fn traces(folder: impl AsRef<Path>) -> JsonLinesBuilder {
    JsonLines::builder("driver")
        .with_folder(folder.as_ref())
        .with_flush_deadline(Duration::MAX)
}

/// The files in a folder, by name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect::<Vec<_>>();
    files.sort();
    files
}

/// The lines of all files in a folder, oldest first.
pub(crate) fn lines(folder: &Path) -> Vec<Value> {
    let text = files(folder)
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect::<String>();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many lines stand for activities, and how many are said to be missing.
pub(crate) fn count(lines: &[Value]) -> (u64, u64) {
    let dropped = |line: &Value| line.get("dropped").map(|count| count.as_u64().unwrap());
    let missing = lines.iter().filter_map(dropped).sum();
    let there = lines.iter().filter(|line| dropped(line).is_none()).count();
    (u64::try_from(there).unwrap(), missing)
}
