//! Writing for people without waiting for them: texts go through a bounded queue to a thread that prints.

use std::io::{self, Write};
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::queue::Queue;

/// How long the end waits for the writer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(2);
/// The most memory for texts that wait.
const MAX_QUEUED_BYTES: u64 = 4 << 20;

/// A thread that prints, and its queue. Dropping it prints what waits, within the [`DEADLINE`].
pub(crate) struct Printer {
    pid: u32,
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Printer {
    pub(crate) fn start(writer: Box<dyn Write + Send>) -> io::Result<Printer> {
        let queue = Arc::new(Queue::new(MAX_QUEUED_BYTES));
        let work = Work(Arc::clone(&queue));
        let builder = thread::Builder::new().name("activity-print".into());
        let thread = builder.spawn(move || work.run(writer))?;
        Ok(Printer {
            pid: process::id(),
            queue,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Never waits for the writer.
    pub(crate) fn print(&self, text: String) {
        if self.is_here() {
            self.queue.push(text.into_bytes());
        }
    }

    pub(crate) fn flush(&self, deadline: Duration) -> bool {
        !self.is_here() || self.queue.flush(deadline)
    }

    pub(crate) fn dropped(&self) -> u64 {
        if !self.is_here() {
            return 0;
        }
        let counts = self.queue.counts();
        counts.refused + counts.failed
    }

    /// A forked process has a copy of the memory, but not the thread; and the queue may have been locked then.
    fn is_here(&self) -> bool {
        self.pid == process::id()
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if self.pid != process::id() {
            std::mem::forget(thread);
        } else if self.queue.close(DEADLINE) {
            // It has nothing left to do. Joined nevertheless, so that the library may be unloaded.
            let _ = thread.map(JoinHandle::join);
        }
    }
}

/// The writer's side of the queue; marks it as finished when it goes, however it goes.
struct Work(Arc<Queue>);

impl Work {
    fn run(self, mut writer: Box<dyn Write + Send>) {
        while let Some(batch) = self.0.take() {
            let mut failed = 0;
            for text in &batch.lines {
                failed += u64::from(writer.write_all(text).is_err());
            }
            if batch.refused > 0 {
                // Its readers are people; a count that cannot be written either is still in `dropped`.
                let _ = writeln!(writer, "({} not shown: too much waited to be printed)", batch.refused);
            }
            let _ = writer.flush();
            self.0.settle(&batch, failed);
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.finish();
    }
}
