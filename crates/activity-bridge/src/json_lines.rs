//! The file listener: from completed activities, through a queue, to one thread that writes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io, process};

use activity::{ByteCount, Level, Listener, Record, Registration, Source};

use crate::error::OpenError;
use crate::file::{Files, Output};
use crate::folder::default_folder;
use crate::json;
use crate::queue::Queue;
use crate::view::Text;

/// Writes completed activities as lines of JSON, roots and children alike.
///
/// A line is an object with `name`, `trace_id`, `span_id`, `parent_span_id` (or null), `kind` (`client` for a root,
/// else `internal`), `start_time` (RFC 3339, UTC, microseconds), `duration_ns` (own end), `completed_after_ns` (end of
/// the last child), `status` (`code`: `ok` or `error`; `error_type` or null, `cancelled` and `abandoned` among them),
/// `source`, `attributes` (the tags by name, rolled up), `events` (`name`, `at`, `fields`) and `dropped_events`.
/// Durations are in nanoseconds, sizes in bytes. A line `{"dropped":n}` says that n lines are missing before it. The
/// children of an activity come before it.
///
/// Files are called `<prefix>-<UTC time>-<process id>.jsonl`, belong to one process each and can be read by their
/// owner only; a folder that has to be made is closed to others as well. On Windows the folder's access list rules. A
/// process that was forked writes to a file of its own from its first completed activity on.
///
/// Keep this beside its [`Registration`]s: dropping it writes what waits and ends the thread. What completes
/// afterwards is counted as dropped.
///
/// # Cost
/// For each completed activity, on the thread that completes it: an allocation of the line, a lookup of the process id
/// and a lock that is held for a push. Never a wait for the disk.
///
/// # Blocking
/// Dropping a registration, or this, waits for the disk until the [deadline](JsonLinesBuilder::with_flush_deadline).
pub struct JsonLines {
    shared: Arc<Shared>,
}

impl JsonLines {
    /// Begins to describe where and what to write. `prefix` begins the names of files, and tells those apart that
    /// rotation may delete; conventionally the name of the driver, such as `apache.arrow.adbc.databricks`.
    pub fn builder(prefix: impl Into<String>) -> JsonLinesBuilder {
        JsonLinesBuilder {
            prefix: prefix.into(),
            folder: None,
            text: Text::Hidden,
            max_file_size: ByteCount(1024 * 1024),
            max_files: 100,
            max_queued: ByteCount(4 * 1024 * 1024),
            flush_deadline: Duration::from_secs(2),
        }
    }

    /// Writes what a source does from now on, until the registration is dropped.
    pub fn listen_to(&self, source: &'static Source) -> Registration {
        source.register(self.listener())
    }

    /// What [`listen_to`](JsonLines::listen_to) registers, for whoever wants to choose which activities it is told of.
    pub fn listener(&self) -> Arc<dyn Listener> {
        Arc::<Shared>::clone(&self.shared)
    }

    /// Waits until everything completed up to now is in the file; says whether that was so in time.
    pub fn flush(&self, deadline: Duration) -> bool {
        match self.shared.own(process::id()) {
            Some(writer) => writer.queue.flush(deadline),
            None => true,
        }
    }

    /// What has become of this process's lines so far.
    pub fn stats(&self) -> JsonLinesStats {
        let counts = self.shared.own(process::id()).map(|writer| writer.queue.counts());
        let counts = counts.unwrap_or_default();
        JsonLinesStats {
            written: counts.written,
            dropped: counts.refused + counts.failed,
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.shared.files.folder
    }
}

impl Drop for JsonLines {
    fn drop(&mut self) {
        if let Some(writer) = self.shared.own(process::id()) {
            writer.close(self.shared.flush_deadline);
        }
    }
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines")
            .field("files", &self.shared.files)
            .field("text", &self.shared.text)
            .field("stats", &self.stats())
            .finish()
    }
}

/// Lines of a [`JsonLines`] in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonLinesStats {
    /// Lines for activities that are in a file.
    pub written: u64,
    /// Lines that are missing: the queue was full, or the disk did not take them.
    pub dropped: u64,
}

/// Describes a [`JsonLines`].
#[derive(Clone, Debug)]
#[must_use = "nothing is written before `open`"]
pub struct JsonLinesBuilder {
    prefix: String,
    folder: Option<PathBuf>,
    text: Text,
    max_file_size: ByteCount,
    max_files: usize,
    max_queued: ByteCount,
    flush_deadline: Duration,
}

impl JsonLinesBuilder {
    /// The folder for the files; made if it is missing. Defaults to [`default_folder`].
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> JsonLinesBuilder {
        self.folder = Some(folder.into());
        self
    }

    /// Whether free text and events are written. **The text of SQL statements then lands in the file**, and whatever
    /// else the source tells to listeners on this machine. Defaults to false.
    pub fn with_text(mut self, text: bool) -> JsonLinesBuilder {
        self.text = Text::shown(text);
        self
    }

    /// The size at which a new file begins; only a single line that is longer makes a file larger. Defaults to
    /// 1024 KiB.
    pub fn with_max_file_size(mut self, size: ByteCount) -> JsonLinesBuilder {
        self.max_file_size = size;
        self
    }

    /// The most files of this prefix in the folder, whichever process wrote them; the oldest are deleted before a new
    /// one begins. A process whose file is deleted so goes on unseen until its next file; allow for more files than
    /// processes. At least 1. Defaults to 100.
    pub fn with_max_files(mut self, count: usize) -> JsonLinesBuilder {
        self.max_files = count.max(1);
        self
    }

    /// The most memory for lines that wait to be written; lines beyond are dropped and counted. Defaults to 4 MiB.
    pub fn with_max_queued(mut self, size: ByteCount) -> JsonLinesBuilder {
        self.max_queued = size;
        self
    }

    /// How long dropping a registration, or the listener, may wait for the disk. Defaults to 2 s.
    pub fn with_flush_deadline(mut self, deadline: Duration) -> JsonLinesBuilder {
        self.flush_deadline = deadline;
        self
    }

    /// Makes the folder and the first file, and starts the thread that writes. A file in which nothing was written is
    /// removed again at the end.
    ///
    /// # Errors
    /// [`OpenError::Folder`] names a folder in which no file can be created; [`OpenError::NoDefaultFolder`] when there
    /// is no home folder either; [`OpenError::InvalidPrefix`]; [`OpenError::Thread`] when the system has no thread.
    pub fn open(self) -> Result<JsonLines, OpenError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if !(1..=100).contains(&self.prefix.len()) || !self.prefix.bytes().all(allowed) {
            return Err(OpenError::InvalidPrefix);
        }
        let folder = self.folder.or_else(default_folder).ok_or(OpenError::NoDefaultFolder)?;
        let files = Files {
            folder,
            prefix: self.prefix,
            max_bytes: self.max_file_size.0,
            max_files: self.max_files,
        };
        let first = Writer::start(&files, self.max_queued, process::id())?;
        let shared = Shared {
            files,
            text: self.text,
            max_queued: self.max_queued,
            flush_deadline: self.flush_deadline,
            first,
        };
        Ok(JsonLines {
            shared: Arc::new(shared),
        })
    }
}

/// What is registered. Threads may hold on to it for long after the end, so it owns nothing that matters then.
struct Shared {
    files: Files,
    text: Text,
    max_queued: ByteCount,
    flush_deadline: Duration,
    /// The writer of the process that opened the listener; leads on to those of forked processes.
    first: Writer,
}

impl Shared {
    /// The writer of a process, if it has one.
    fn own(&self, pid: u32) -> Option<&Writer> {
        let mut writer = &self.first;
        while writer.pid != pid {
            writer = writer.forked.get()?;
        }
        Some(writer)
    }

    /// The writer of a process. A process without one was forked: it has a copy of the memory, but not the thread, and
    /// the file belongs to the parent. No lock of the parent's writer is touched, since one may have been held then.
    fn writer(&self, pid: u32) -> &Writer {
        let mut writer = &self.first;
        while writer.pid != pid {
            let start = || Writer::start(&self.files, self.max_queued, pid).unwrap_or_else(|_| Writer::dead(pid));
            writer = writer.forked.get_or_init(|| Box::new(start()));
        }
        writer
    }

    fn push(&self, line: Vec<u8>, pid: u32) {
        self.writer(pid).queue.push(line);
    }
}

impl Listener for Shared {
    fn level(&self) -> Level {
        self.text.level()
    }

    fn completed(&self, record: &Record<'_>) {
        self.push(json::line(record, self.text), process::id());
    }

    fn unregistered(&self) {
        if let Some(writer) = self.own(process::id()) {
            writer.queue.flush(self.flush_deadline);
        }
    }
}

/// The thread that writes for one process, and its queue.
struct Writer {
    pid: u32,
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The writer of a process that was forked from this one.
    forked: OnceLock<Box<Writer>>,
}

impl Writer {
    fn start(files: &Files, max_queued: ByteCount, pid: u32) -> Result<Writer, OpenError> {
        let cannot_open = |source: io::Error| OpenError::Folder {
            folder: files.folder.clone(),
            source,
        };
        let output = Output::open(files.clone(), pid).map_err(cannot_open)?;
        let queue = Arc::new(Queue::new(max_queued.0));
        let work = Work(Arc::clone(&queue));
        let builder = thread::Builder::new().name("activity-jsonl".into());
        let thread = builder.spawn(move || work.run(output)).map_err(OpenError::Thread)?;
        Ok(Writer {
            pid,
            queue,
            thread: Mutex::new(Some(thread)),
            forked: OnceLock::new(),
        })
    }

    /// A forked process that cannot open a file counts its lines.
    fn dead(pid: u32) -> Writer {
        Writer {
            pid,
            queue: Arc::new(Queue::dead()),
            thread: Mutex::new(None),
            forked: OnceLock::new(),
        }
    }

    fn close(&self, deadline: Duration) {
        if self.queue.close(deadline) {
            let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            // It has nothing left to do. Joined nevertheless, so that the library may be unloaded.
            let _ = thread.map(JoinHandle::join);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.pid != process::id() {
            // A thread of the process that this one was forked from; here, there is nothing to let go.
            let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(thread.take());
        }
    }
}

/// The writer's side of the queue; marks it as finished when it goes, however it goes.
struct Work(Arc<Queue>);

impl Work {
    fn run(self, mut output: Output) {
        let mut unsaid = 0;
        while let Some(batch) = self.0.take() {
            let failed = output.write(&batch.lines);
            unsaid += batch.refused + failed;
            if unsaid > 0 && output.write(&[json::dropped(unsaid)]) == 0 {
                unsaid = 0;
            }
            self.0.settle(&batch, failed);
        }
        output.finish();
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect::<Vec<_>>();
        names.sort();
        names
    }

    #[test]
    fn a_forked_process_writes_to_its_own_file() {
        let folder = tempfile::tempdir().unwrap();
        let traces = JsonLines::builder("fork").with_folder(folder.path()).open().unwrap();
        let (parent, child, grandchild) = (process::id(), process::id() + 1, process::id() + 2);
        for pid in [parent, child, grandchild, child, parent] {
            traces.shared.push(format!("{pid}\n").into_bytes(), pid);
        }
        assert!(traces.shared.own(child).is_some());
        assert!(traces.shared.own(grandchild + 1).is_none());
        for (pid, times) in [(parent, 2), (child, 2), (grandchild, 1)] {
            traces.shared.writer(pid).close(Duration::MAX);
            let suffix = format!("-{pid}.jsonl");
            let own = names(folder.path()).into_iter().filter(|name| name.ends_with(&suffix));
            let own = own.collect::<Vec<_>>();
            assert_eq!(own.len(), 1);
            let text = std::fs::read_to_string(folder.path().join(&own[0])).unwrap();
            assert_eq!(text, format!("{pid}\n").repeat(times));
        }
    }

    #[test]
    fn lines_that_the_disk_refuses_are_counted_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("traces");
        let one_line_each = JsonLines::builder("disk").with_max_file_size(ByteCount(1));
        let traces = one_line_each.with_folder(&place).open().unwrap();
        let push = |line: &str| {
            traces.shared.push(format!("{line}\n").into_bytes(), process::id());
            assert!(traces.flush(Duration::MAX));
        };
        push("first");
        // Rotation now finds a file where its folder should be.
        std::fs::rename(&place, folder.path().join("away")).unwrap();
        std::fs::write(&place, "").unwrap();
        push("second");
        push("third");
        assert_eq!(traces.stats(), JsonLinesStats { written: 1, dropped: 2 });
        std::fs::remove_file(&place).unwrap();
        push("fourth");
        let contents = names(&place)
            .into_iter()
            .map(|name| std::fs::read_to_string(place.join(name)).unwrap());
        assert_eq!(contents.collect::<Vec<_>>(), ["fourth\n", "{\"dropped\":2}\n"]);
        assert_eq!(traces.stats(), JsonLinesStats { written: 2, dropped: 2 });
    }
}
