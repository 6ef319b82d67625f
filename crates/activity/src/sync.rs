//! What threads share, from the standard library; or from loom, which tries all the ways in which threads can meet
//! (`.ci/loom`).

#[cfg(not(loom))]
pub(crate) use self::standard::*;

#[cfg(loom)]
pub(crate) use self::model::*;

#[cfg(not(loom))]
mod standard {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64};
    pub(crate) use std::sync::{Arc, Mutex, MutexGuard, RwLock};
}

#[cfg(loom)]
mod model {
    use std::ops::Deref;
    use std::sync::Arc as Memory;

    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64};
    use loom::sync::atomic::{AtomicUsize, Ordering, fence};
    pub(crate) use loom::sync::{Mutex, MutexGuard, RwLock};
    pub(crate) use loom::thread_local;

    /// As `std::sync::Arc`, of which loom's has no `into_inner`: the count is a number that loom watches.
    pub(crate) struct Arc<T>(Option<Memory<Counted<T>>>);

    struct Counted<T> {
        owners: AtomicUsize,
        value: Box<T>,
    }

    impl<T> Arc<T> {
        pub(crate) fn new(value: T) -> Arc<T> {
            Arc(Some(Memory::new(Counted {
                owners: AtomicUsize::new(1),
                value: Box::new(value),
            })))
        }

        /// The inside, for the last owner alone.
        pub(crate) fn into_inner(mut this: Arc<T>) -> Option<T> {
            this.0.take().and_then(leave)
        }
    }

    /// Gives up a share; has the inside if it was the last.
    fn leave<T>(counted: Memory<Counted<T>>) -> Option<T> {
        if counted.owners.fetch_sub(1, Ordering::Release) != 1 {
            return None;
        }
        fence(Ordering::Acquire);
        // Those that counted down before let go of the memory in the same step of the model.
        let counted = Memory::into_inner(counted).expect("nobody else holds the memory");
        Some(*counted.value)
    }

    impl<T> Clone for Arc<T> {
        fn clone(&self) -> Arc<T> {
            if let Some(counted) = &self.0 {
                counted.owners.fetch_add(1, Ordering::Relaxed);
            }
            Arc(self.0.as_ref().map(Memory::clone))
        }
    }

    impl<T> Deref for Arc<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0.as_ref().expect("owned").value
        }
    }

    impl<T> Drop for Arc<T> {
        fn drop(&mut self) {
            drop(self.0.take().and_then(leave));
        }
    }
}
