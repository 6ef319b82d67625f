//! The console: completed trees as outlines, for people.
//!
//! Children complete before their parents. So each completed activity takes the outlines of its children along, which
//! wait under its span id, and waits in turn under the span id of its parent; a root is printed. No list of open
//! activities is needed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use activity::{Level, Listener, Record, SpanContext};

use crate::error::OpenError;
use crate::printer::{self, Printer};
use crate::view::Text;

/// Prints every completed root with its children below it, indented, in the order in which they began.
///
/// ```text
/// Statement.Execute ok 6ms, complete after 16ms {poll.count=2, bytes=4096 B}
///   Statement.Poll ok 3ms {poll.count=1}
///   Chunk.Download error(timeout) 10ms
/// ```
///
/// A tree shows at most 1,000 activities below its root and at most 16,384 wait for their roots, over all trees; what
/// is beyond is left out, with a line that says how many. Register one for each source: when its registration is
/// dropped, what waits is forgotten.
///
/// # Blocking
/// Unless made with [`in_background`](Console::in_background), it prints on the thread that completes the root, and waits
/// for the writer: meant for a terminal, not for production.
pub struct Console {
    text: Text,
    waiting: Mutex<Waiting>,
    way: Way,
}

/// How an outline gets to its reader.
enum Way {
    Direct(Mutex<Box<dyn Write + Send>>),
    Background(Printer),
}

/// The most activities shown below one.
const MAX_BELOW: usize = 1000;
/// The most activities that wait for their roots, and the most parents for which any do.
const MAX_WAITING: usize = 16_384;

impl Console {
    /// Prints to the standard error of the process.
    pub fn stderr() -> Console {
        Console::to(io::stderr())
    }

    /// Prints to anything. A tree is one call to `write_all` and one to `flush`; errors are ignored.
    pub fn to(writer: impl Write + Send + 'static) -> Console {
        Console::by(Way::Direct(Mutex::new(Box::new(writer))))
    }

    /// Prints to anything, on a thread of its own. At most 4 MiB of outlines wait for the writer; those beyond are dropped,
    /// and the next line says how many. Dropping the registration, or the console, waits up to 2 s for the writer.
    ///
    /// # Errors
    /// [`OpenError::Thread`] when the system has no thread.
    pub fn in_background(writer: impl Write + Send + 'static) -> Result<Console, OpenError> {
        let printer = Printer::start(Box::new(writer)).map_err(OpenError::Thread)?;
        Ok(Console::by(Way::Background(printer)))
    }

    fn by(way: Way) -> Console {
        Console {
            text: Text::Hidden,
            waiting: Mutex::default(),
            way,
        }
    }

    /// Whether free text, such as SQL, and events are printed. Control characters are escaped. Defaults to false.
    pub fn with_text(mut self, text: bool) -> Console {
        self.text = Text::shown(text);
        self
    }

    /// Waits until every tree completed up to now is printed; says whether that was so in time.
    pub fn flush(&self, deadline: Duration) -> bool {
        match &self.way {
            Way::Direct(_) => true,
            Way::Background(printer) => printer.flush(deadline),
        }
    }

    /// The trees that were not printed because too much waited for the writer, or because it failed.
    pub fn dropped(&self) -> u64 {
        match &self.way {
            Way::Direct(_) => 0,
            Way::Background(printer) => printer.dropped(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Console {
    fn level(&self) -> Level {
        self.text.level()
    }

    fn completed(&self, record: &Record<'_>) {
        let line = describe(record, self.text);
        let mut waiting = self.waiting();
        let mut outline = waiting.outline(record, line);
        match record.parent_context() {
            Some(parent) if !record.is_root() => waiting.keep(parent, outline),
            _ => {
                outline.omitted += std::mem::take(&mut waiting.homeless);
                drop(waiting);
                match &self.way {
                    Way::Direct(writer) => {
                        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                        let _ = writer.write_all(outline.print().as_bytes());
                        let _ = writer.flush();
                    }
                    Way::Background(printer) => printer.print(outline.print()),
                }
            }
        }
    }

    fn unregistered(&self) {
        // The roots that would take these along will not be seen.
        *self.waiting() = Waiting::default();
        if let Way::Background(printer) = &self.way {
            printer.flush(printer::DEADLINE);
        }
    }
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console")
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

/// Outlines by the parent for which they wait.
#[derive(Default)]
struct Waiting {
    below: HashMap<SpanContext, Below>,
    /// Activities in all of them.
    activities: usize,
    /// Activities that found no place, not even to be counted; the next root tells.
    homeless: u64,
}

#[derive(Default)]
struct Below {
    outlines: Vec<Outline>,
    activities: usize,
    omitted: u64,
}

/// An activity and what is known of those below it.
struct Outline {
    started: Instant,
    line: String,
    /// The lines below, with their depth below this one.
    below: Vec<(usize, String)>,
    omitted: u64,
}

impl Waiting {
    /// Puts an activity together with those that waited for it.
    fn outline(&mut self, record: &Record<'_>, line: String) -> Outline {
        let mut children = self.below.remove(&record.context()).unwrap_or_default();
        self.activities -= children.activities;
        children.outlines.sort_by_key(|outline| outline.started);
        let mut below = Vec::with_capacity(children.activities);
        for child in children.outlines {
            below.push((1, child.line));
            below.extend(child.below.into_iter().map(|(depth, line)| (depth + 1, line)));
        }
        Outline {
            started: record.started(),
            line,
            below,
            omitted: children.omitted,
        }
    }

    fn keep(&mut self, parent: SpanContext, mut outline: Outline) {
        if self.below.len() >= MAX_WAITING && !self.below.contains_key(&parent) {
            self.homeless += outline.omitted + count(1 + outline.below.len());
            return;
        }
        let siblings = self.below.entry(parent).or_default();
        siblings.omitted += outline.omitted;
        let room = (MAX_BELOW - siblings.activities).min(MAX_WAITING - self.activities);
        if room == 0 {
            siblings.omitted += count(1 + outline.below.len());
            return;
        }
        // What is cut off is the end, so that all that stays has its parent.
        siblings.omitted += count((1 + outline.below.len()).saturating_sub(room));
        outline.below.truncate(room - 1);
        let activities = 1 + outline.below.len();
        siblings.activities += activities;
        siblings.outlines.push(outline);
        self.activities += activities;
    }
}

impl Outline {
    fn print(&self) -> String {
        let mut text = format!("{}\n", self.line);
        for (depth, line) in &self.below {
            let _ = writeln!(text, "{:indent$}{line}", "", indent = 2 * depth);
        }
        if self.omitted > 0 {
            let _ = writeln!(text, "  ({} more)", self.omitted);
        }
        text
    }
}

fn count(activities: usize) -> u64 {
    u64::try_from(activities).unwrap_or(u64::MAX)
}

/// One line about an activity. Writing to a string does not fail.
fn describe(record: &Record<'_>, text: Text) -> String {
    let mut line = format!(
        "{} {} {:?}",
        record.operation().name(),
        record.status(),
        record.duration()
    );
    if record.completed_after() != record.duration() {
        let _ = write!(line, ", complete after {:?}", record.completed_after());
    }
    let mut separator = " {";
    for (tag, value) in text.tags(record) {
        let _ = write!(line, "{separator}{}={}", tag.name(), printable(&value.to_string()));
        separator = ", ";
    }
    if separator == ", " {
        line.push('}');
    }
    for event in text.events(record) {
        let _ = write!(line, " [{}", event.name());
        for (name, value) in event.fields() {
            let _ = write!(line, " {name}={}", printable(&value.to_string()));
        }
        line.push(']');
    }
    if text.dropped_events(record) > 0 {
        let _ = write!(line, " ({} earlier events)", text.dropped_events(record));
    }
    line
}

/// Keeps a line a line, and a terminal from obeying what a statement's text says.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}
