//! When is everything over? Completion by ownership.
//!
//! An activity with children shares a record with them: the activity itself, each child and each
//! [`Parent`](crate::Parent) handle own it together. `Arc::into_inner` gives the inside to exactly one of them, the
//! last to let go, whichever thread that is; it completes the record, and rolls it up into the record of the parent, of
//! which it was a part-owner in turn. No map, no id, no timeout; nothing can complete twice or be forgotten.

use std::sync::PoisonError;
use std::time::Instant;

use crate::live::Live;
use crate::record::{Core, Record};
use crate::slots::{Completed, Slots};
use crate::sync::{Arc, Mutex, MutexGuard};
use crate::thread;

/// The record of an activity that has, or had, children or handles.
pub(crate) struct Shared {
    core: Core,
    progress: Mutex<Progress>,
}

struct Progress {
    /// The merged values of the children that have completed; `None` as long as there are none.
    rolled_up: Option<Box<Slots>>,
    /// The activity itself, once it has ended.
    ended: Option<Box<Live>>,
}

impl Progress {
    fn rolled_up(&mut self) -> &mut Slots {
        self.rolled_up.get_or_insert_with(|| Box::new(Slots::new()))
    }
}

impl Shared {
    pub(crate) fn new(core: Core) -> Shared {
        core.source.counters.record_opened();
        let progress = Progress {
            rolled_up: None,
            ended: None,
        };
        Shared {
            core,
            progress: Mutex::new(progress),
        }
    }

    pub(crate) fn end(&self, ended: Box<Live>) {
        self.lock().ended = Some(ended);
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the listeners and rolls up into the parent, which is handed back to be let go.
    fn complete(self, now: Instant) -> Owner {
        let Progress { rolled_up, ended } = self.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.core.source.counters.record_completed();
        // The activity itself is one of the owners until it has ended.
        let Some(mut live) = ended else { return Owner::NOBODY };

        if let Some(rolled_up) = &rolled_up {
            // This way round, because few tags roll up and an activity sets many.
            let tags = self.core.source.tags();
            live.slots.merge(rolled_up, Completed::Earlier, tags, u64::MAX);
        }
        thread::with(|local| {
            let record = Record {
                live: &live,
                completed: now.max(live.ended),
            };
            let listeners = local.take_listeners(self.core.source);
            listeners.tell(self.core.generation, |listener| listener.completed(&record));
            local.keep_listeners(self.core.source, listeners);
            live.parent.roll_up(&live.slots);
            let parent = std::mem::take(&mut live.parent);
            live.recycle(local);
            parent
        })
    }
}

/// A part-owner of a record, or of nothing. The last one to go completes the record.
#[derive(Default)]
pub(crate) struct Owner(Option<Arc<Shared>>);

impl Owner {
    pub(crate) const NOBODY: Owner = Owner(None);

    pub(crate) fn of(shared: Arc<Shared>) -> Owner {
        Owner(Some(shared))
    }

    /// Lets go at a moment that the caller has just read from the clock.
    ///
    /// Climbs from child to parent in a loop, so that the depth of a tree costs no stack.
    pub(crate) fn release(mut self, now: Instant) {
        while let Some(shared) = self.0.take().and_then(Arc::into_inner) {
            self.0 = shared.complete(now).0.take();
        }
    }

    pub(crate) fn roll_up(&self, child: &Slots) {
        if let Some(shared) = &self.0 {
            let tags = shared.core.source.tags();
            if child.present() & tags.rolls_up() != 0 {
                let mask = tags.rolls_up();
                shared.lock().rolled_up().merge(child, Completed::Later, tags, mask);
            }
        }
    }

    pub(crate) fn with_rolled_up(&self, change: impl FnOnce(&mut Slots)) {
        if let Some(shared) = &self.0 {
            change(shared.lock().rolled_up());
        }
    }

    pub(crate) fn core(&self) -> Option<&Core> {
        self.0.as_ref().map(|shared| &shared.core)
    }

    pub(crate) fn is_nobody(&self) -> bool {
        self.0.is_none()
    }
}

impl Clone for Owner {
    fn clone(&self) -> Owner {
        Owner(self.0.as_ref().map(Arc::clone))
    }
}

impl Drop for Owner {
    #[inline]
    fn drop(&mut self) {
        // Only the last one needs the time.
        if let Some(shared) = self.0.take().and_then(Arc::into_inner) {
            let now = shared.core.source.now();
            shared.complete(now).release(now);
        }
    }
}
