//! Local traces: showing the activities of one database's connections where its options say.
//!
//! There is one listener for each destination, and it shows only activities that carry the destination's [`Mark`]: those of
//! connections whose database asked for it. Databases that ask for the same share one destination, which ends when the last
//! of them and of their connections lets go.

#[cfg(feature = "otlp")]
mod otlp;
mod registry;
mod routed;
mod sink;

use std::mem;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use activity::Registration;
use databricks_telemetry::SOURCE;

use crate::error::Result;
use crate::options::Settings;
use routed::Routed;
use sink::{Sink, Wish};

/// How long closing a connection waits for its activities to be shown.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

/// What the activities of a destination's connections carry. Its number is never given twice, in this process or in those
/// that are forked from it.
pub(crate) struct Mark {
    number: u64,
    pid: u32,
}

impl Mark {
    fn new() -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            pid: process::id(),
        }
    }
}

/// A share in a destination.
pub(crate) struct Traces {
    mark: Arc<Mark>,
    /// `None` only while being dropped.
    listening: Option<(Registration, Sink)>,
}

impl Traces {
    /// The destination that the options ask for, if they do.
    ///
    /// # Errors
    /// `InvalidArgument` naming a folder that cannot be written, `NotImplemented` for `otlp` in a build without it.
    ///
    /// # Blocking
    /// Makes a file, if this destination is not there yet.
    pub(crate) fn open(settings: &Settings) -> Result<Option<Arc<Self>>> {
        Wish::of(settings)?.map(registry::share).transpose()
    }

    fn start(wish: &Wish) -> Result<Self> {
        let (sink, listener) = wish.open()?;
        let mark = Arc::new(Mark::new());
        let registration = SOURCE.register(Arc::new(Routed::new(&mark, listener)));
        Ok(Self {
            mark,
            listening: Some((registration, sink)),
        })
    }

    /// What a connection's activities carry so that they are shown here.
    pub(crate) fn mark(&self) -> Arc<Mark> {
        Arc::clone(&self.mark)
    }

    /// Waits until what is complete is shown, or the deadline is over.
    ///
    /// # Blocking
    /// At most 2 s.
    pub(crate) fn flush(&self) {
        if let Some((_, sink)) = self.listening.as_ref().filter(|_| self.is_here()) {
            sink.flush(FLUSH_DEADLINE);
        }
    }

    /// How many activities could not be shown.
    pub(crate) fn dropped(&self) -> u64 {
        let listening = self.listening.as_ref().filter(|_| self.is_here());
        listening.map_or(0, |(_, sink)| sink.dropped())
    }

    fn is_here(&self) -> bool {
        self.mark.pid == process::id()
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        let listening = self.listening.take();
        if !self.is_here() {
            // A copy in a forked child: the threads are the parent's, and locks may have been held at the fork.
            mem::forget(listening);
        }
        // Else the registration goes first, which shows what waits.
    }
}

impl std::fmt::Debug for Traces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}
