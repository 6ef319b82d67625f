//! What does a thread keep for itself? Its source of ids, the listeners it saw last, memory to reuse, and whether its
//! work is recorded. With these, starting and ending an activity shares nothing with other threads: no lock, no atomic
//! write, no allocation.
//!
//! One variable holds all, because in a shared library finding a thread's variable is a function call.

use std::cell::Cell;
use std::sync::Arc;

use crate::id::Generator;
use crate::listener::Listeners;
use crate::live::Live;
use crate::source::Source;

pub(crate) struct Local {
    pub(crate) generator: Generator,
    /// How many guards suppress activities on this thread.
    pub(crate) suppressed: Cell<u32>,
    /// The listeners that this thread saw last, by source. A place is empty while its list is in use: a listener that
    /// starts activities finds nothing and takes the source's lock.
    listeners: [Cell<Option<Arc<Listeners>>>; PLACES],
    /// Free memory of activities, as a list.
    free: Cell<Option<Box<Live>>>,
    free_count: Cell<u8>,
}

/// The number of sources for which a thread remembers the listeners; a program rarely has more than one.
const PLACES: usize = 4;

/// As deep as a thread nests activities, normally.
const MAX_FREE: u8 = 8;

#[cfg(not(loom))]
thread_local! {
    static LOCAL: Local = const { Local::new() };
}

#[cfg(loom)]
crate::sync::thread_local! {
    static LOCAL: Local = Local::new();
}

/// Runs with what this thread keeps. While the thread is being torn down, with something fresh, and suppressed: what
/// had started before still ends, but nothing new starts.
#[inline(always)]
pub(crate) fn with<R>(run: impl FnOnce(&Local) -> R) -> R {
    match LOCAL.try_with(|_| ()) {
        Ok(()) => LOCAL.with(run),
        Err(_) => {
            let fresh = Local::new();
            fresh.suppressed.set(1);
            run(&fresh)
        }
    }
}

impl Local {
    const fn new() -> Local {
        Local {
            generator: Generator::new(),
            suppressed: Cell::new(0),
            listeners: [const { Cell::new(None) }; PLACES],
            free: Cell::new(None),
            free_count: Cell::new(0),
        }
    }

    /// The current listeners of a source: those seen last if they are up to date, else a fresh list.
    #[inline(always)]
    pub(crate) fn take_listeners(&self, source: &'static Source) -> Arc<Listeners> {
        match self.listeners[place(source)].take() {
            Some(seen) if seen.are_current(source) => seen,
            _ => source.listeners(),
        }
    }

    /// Gives the list back for the next time.
    #[inline(always)]
    pub(crate) fn keep_listeners(&self, source: &'static Source, listeners: Arc<Listeners>) {
        self.listeners[place(source)].set(Some(listeners));
    }

    pub(crate) fn forget_listeners(&self, source: &'static Source) {
        self.listeners[place(source)].set(None);
    }

    #[inline(always)]
    pub(crate) fn take_free(&self) -> Option<Box<Live>> {
        let mut live = self.free.take()?;
        self.free.set(live.next.take());
        self.free_count.set(self.free_count.get().saturating_sub(1));
        Some(live)
    }

    #[inline(always)]
    pub(crate) fn put_free(&self, mut live: Box<Live>) {
        if self.free_count.get() < MAX_FREE {
            live.next = self.free.take();
            self.free.set(Some(live));
            self.free_count.set(self.free_count.get() + 1);
        }
    }
}

#[inline(always)]
fn place(source: &'static Source) -> usize {
    std::ptr::from_ref(source).addr() / align_of::<Source>() % PLACES
}
