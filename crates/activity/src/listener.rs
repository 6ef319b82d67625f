//! Who is told? Listeners, their registration at a source, and the snapshot through which they are called.
//!
//! A source keeps its listeners behind a lock as an immutable list, together with a generation that every change counts
//! up. Each thread keeps the list it saw last, so that the lock is only taken when the generation has moved on: telling
//! a listener costs one load, no lock and no atomic write. An activity remembers the generation at its start and is
//! shown, later, to those listeners only that were there by then; so starts and ends pair.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::operation::Level;
use crate::record::{Record, Started};
use crate::source::Source;
use crate::sync::AtomicBool;
use crate::thread;

/// Looks at activities. Methods run on the thread that starts, ends or completes an activity, so they must be short and
/// must not block; they may start activities themselves (inside a [`suppress`](crate::suppress) scope, or for ever).
///
/// A listener that panics is disabled, counted in [`SourceStats`](crate::SourceStats) and never called again.
pub trait Listener: Send + Sync + 'static {
    /// How much the listener wants to know. Asked once, at registration.
    fn level(&self) -> Level;

    /// An activity began.
    fn started(&self, _activity: &Started<'_>) {}

    /// An activity stopped; its children may go on. Shows what the activity itself set.
    fn ended(&self, _record: &Record<'_>) {}

    /// An activity stopped, and all its children and [`Parent`](crate::Parent) handles are gone. Shows the rolled-up
    /// values. Called exactly once for each activity, on whichever thread let go last.
    fn completed(&self, _record: &Record<'_>) {}

    /// The registration was dropped, and no new call begins. Called once, on the thread that dropped it; calls that
    /// had begun on other threads may still be running.
    ///
    /// The place for last work such as flushing a file: the listener's own `Drop` may come much later, because each
    /// thread holds on to the list of listeners that it saw last until it next looks.
    fn unregistered(&self) {}
}

/// Keeps a listener registered; dropping it ends that.
#[must_use = "dropping a registration unregisters the listener at once"]
pub struct Registration {
    source: &'static Source,
    /// `None` only while being dropped.
    entry: Option<Arc<Entry>>,
}

impl Registration {
    pub(crate) fn new(source: &'static Source, entry: Arc<Entry>) -> Registration {
        Registration {
            source,
            entry: Some(entry),
        }
    }

    /// Whether the listener is still called: false once it has panicked.
    pub fn is_active(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.is_active())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let Some(entry) = self.entry.take() else { return };
        let was_active = entry.deactivate();
        self.source.remove(&entry);
        thread::with(|local| local.forget_listeners(self.source));
        if was_active && !survives(|| entry.listener.unregistered()) {
            self.source.counters.listener_panicked();
        }
        survives(|| drop(entry));
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration")
            .field("source", &self.source.name())
            .field("active", &self.is_active())
            .finish()
    }
}

/// A registered listener.
pub(crate) struct Entry {
    listener: Arc<dyn Listener>,
    level: Level,
    /// The first generation of the list that has this entry.
    since: u64,
    active: AtomicBool,
}

impl Entry {
    pub(crate) fn new(listener: Arc<dyn Listener>, level: Level, since: u64) -> Entry {
        // One that wants to know nothing is never called.
        let since = if level == Level::Off { u64::MAX } else { since };
        Entry {
            listener,
            level,
            since,
            active: AtomicBool::new(true),
        }
    }

    #[inline(always)]
    fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Says whether the entry was active until now.
    fn deactivate(&self) -> bool {
        self.active.swap(false, Ordering::Relaxed)
    }
}

/// The listeners of a source, at one generation. Never changed, only replaced.
pub(crate) struct Listeners {
    source: &'static Source,
    pub(crate) generation: u64,
    /// The most that any of them wants to know.
    pub(crate) level: Level,
    entries: Vec<Arc<Entry>>,
}

impl Listeners {
    pub(crate) fn new(source: &'static Source, generation: u64, entries: Vec<Arc<Entry>>) -> Listeners {
        let level = entries.iter().map(|entry| entry.level).max().unwrap_or(Level::Off);
        Listeners {
            source,
            generation,
            level,
            entries,
        }
    }

    pub(crate) fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// Whether these are still the listeners of a source.
    #[inline(always)]
    pub(crate) fn are_current(&self, source: &'static Source) -> bool {
        std::ptr::eq(self.source, source) && self.generation == source.generation()
    }

    /// Calls every active listener that was registered by `generation`; disables those that panic.
    #[inline(always)]
    pub(crate) fn tell(&self, generation: u64, call: impl Fn(&dyn Listener)) {
        for entry in &self.entries {
            if entry.since <= generation && entry.is_active() {
                let listener = &*entry.listener;
                if !survives(|| call(listener)) {
                    disable(self.source, entry);
                }
            }
        }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for entry in self.entries.drain(..) {
            // May be the last owner of a listener that is long unregistered.
            survives(|| drop(entry));
        }
    }
}

/// Runs code of a listener, which must not unwind into our caller; says whether it did not panic.
#[inline(always)]
fn survives(run: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => true,
        Err(panic) => {
            // Dropping what was thrown may throw again. A listener can do this a few times at most.
            std::mem::forget(panic);
            false
        }
    }
}

#[cold]
fn disable(source: &'static Source, entry: &Arc<Entry>) {
    if entry.deactivate() {
        source.counters.listener_panicked();
        source.remove(entry);
    }
}
