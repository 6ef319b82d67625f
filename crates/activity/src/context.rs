//! Whose work must not be recorded? The exporter's own: while it sends telemetry, starting an activity gives a no-op.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::thread;

/// Suppresses activities on this thread until the guard is dropped. Nests.
///
/// Stays on its thread; for code that hops between threads there is [`suppressed`].
///
/// ```
/// assert!(!activity::is_suppressed());
/// let guard = activity::suppress();
/// assert!(activity::is_suppressed());
/// drop(guard);
/// assert!(!activity::is_suppressed());
/// ```
///
/// The guard cannot be sent to another thread:
///
/// ```compile_fail,E0277
/// fn send(_: impl Send) {}
/// send(activity::suppress());
/// ```
pub fn suppress() -> Suppressed {
    thread::with(|local| local.suppressed.update(|guards| guards.saturating_add(1)));
    Suppressed {
        stays_on_this_thread: PhantomData,
    }
}

/// Whether activities are suppressed on this thread; also true while a thread is being torn down.
pub fn is_suppressed() -> bool {
    thread::with(|local| local.suppressed.get() > 0)
}

/// Keeps activities suppressed on this thread; made by [`suppress`].
#[must_use = "dropping the guard ends the suppression at once"]
pub struct Suppressed {
    stays_on_this_thread: PhantomData<*const ()>,
}

impl Drop for Suppressed {
    fn drop(&mut self) {
        thread::with(|local| local.suppressed.update(|guards| guards.saturating_sub(1)));
    }
}

impl fmt::Debug for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Suppressed")
    }
}

/// Suppresses activities while the future is polled, on whichever thread, and while it is dropped.
///
/// # Cost
/// One allocation.
pub fn suppressed<F: Future>(future: F) -> SuppressedFuture<F> {
    SuppressedFuture {
        future: Some(Box::pin(future)),
    }
}

/// A future that never records; made by [`suppressed`].
#[must_use = "futures do nothing unless polled"]
pub struct SuppressedFuture<F> {
    /// `None` only while being dropped.
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for SuppressedFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _guard = suppress();
        match &mut self.future {
            Some(future) => future.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for SuppressedFuture<F> {
    fn drop(&mut self) {
        let _guard = suppress();
        self.future = None;
    }
}

impl<F> fmt::Debug for SuppressedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SuppressedFuture")
    }
}
