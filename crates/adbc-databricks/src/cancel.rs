//! What a cancel acts on.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use adbc_core::error::Result;

use crate::error::{Error, Result as DriverResult};
use crate::sea::run::Run;

/// Cancels whatever its statement or connection is doing: waiting for the server, or having its result read.
///
/// Works from any thread at any moment. The caller that waits is answered at once with status `CANCELLED`; the server is told
/// in the background, as soon as it has said which statement it is.
#[derive(Clone, Default)]
pub struct CancelHandle {
    state: Arc<Mutex<State>>,
}

/// What is being done.
enum Target {
    /// One execution, or several at the same time.
    Runs(Vec<Weak<Run>>),
    /// Executions one after the other, with a handle of their own.
    Series(Weak<Mutex<State>>),
    /// Calls that overlap, each with a handle of its own. Some may have ended.
    Calls(Vec<CancelHandle>),
}

impl Default for Target {
    fn default() -> Self {
        Self::Runs(Vec::new())
    }
}

#[derive(Default)]
struct State {
    target: Target,
    /// Between the start of a call and its return there is something to cancel even when no run is known.
    calling: bool,
    cancelled: bool,
}

impl CancelHandle {
    /// Marks the beginning of a call; the guard marks its end.
    pub(crate) fn call(&self) -> Calling {
        let mut state = self.lock();
        state.calling = true;
        state.cancelled = false;
        Calling(self.clone())
    }

    /// Makes these runs what a cancel acts on. A cancel that came since the call began is carried out now.
    pub(crate) fn track<'a>(&self, runs: impl Iterator<Item = &'a Arc<Run>> + Clone) {
        let mut state = self.lock();
        state.target = Target::Runs(runs.clone().map(Arc::downgrade).collect());
        if state.cancelled {
            for run in runs {
                // A new run cannot have ended yet.
                let _ = run.cancel();
            }
        }
    }

    /// Begins executions that may go on after the call has returned, and makes them what a cancel acts on. The guard marks
    /// their end; between two of them a cancel is remembered by the handle that is returned.
    pub(crate) fn series(&self) -> (Self, Calling) {
        let series = Self::default();
        let calling = series.call();
        let mut state = self.lock();
        state.target = Target::Series(Arc::downgrade(&series.state));
        if state.cancelled {
            // What has just begun can be cancelled.
            let _ = series.cancel();
        }
        drop(state);
        (series, calling)
    }

    /// Marks the beginning of a call that others may overlap, on an object that several threads use. A cancel acts on all of them, and
    /// on what they left to be read; the handle that is returned is the one call's.
    pub(crate) fn overlapping(&self) -> (Self, Calling) {
        let call = Self::default();
        let calling = call.call();
        let mut state = self.lock();
        let mut calls = match mem::take(&mut state.target) {
            Target::Calls(calls) => calls,
            Target::Runs(_) | Target::Series(_) => Vec::new(),
        };
        calls.retain(Self::is_in_progress);
        calls.push(call.clone());
        state.target = Target::Calls(calls);
        (call, calling)
    }

    /// Whether a call has not returned, or its result is still being read.
    fn is_in_progress(&self) -> bool {
        let state = self.lock();
        let is_read = match &state.target {
            Target::Runs(runs) => runs.iter().filter_map(Weak::upgrade).any(|run| !run.has_ended()),
            Target::Series(_) | Target::Calls(_) => false,
        };
        state.calling || is_read
    }

    /// # Errors
    /// `Cancelled` when a cancel came since the call began.
    pub(crate) fn check(&self) -> DriverResult<()> {
        if self.lock().cancelled {
            return Err(Error::cancelled());
        }
        Ok(())
    }

    fn cancel(&self) -> DriverResult<()> {
        let mut state = self.lock();
        let outcome = match &state.target {
            // One that can be cancelled is enough.
            Target::Runs(runs) => runs
                .iter()
                .filter_map(Weak::upgrade)
                .map(|run| run.cancel())
                .reduce(DriverResult::or),
            // Locks are taken from the object's handle to a call's or a series', never the other way.
            Target::Series(series) => series.upgrade().map(|state| Self { state }.cancel()),
            Target::Calls(calls) => calls.iter().map(Self::cancel).reduce(DriverResult::or),
        };
        if state.calling {
            // The run of an earlier row may have ended; the next one will see the flag.
            state.cancelled = true;
            return Ok(());
        }
        outcome.unwrap_or_else(|| Err(Error::invalid_state("nothing is running that could be cancelled")))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl adbc_core::sync::CancelHandle for CancelHandle {
    /// # Errors
    /// `INVALID_STATE` when nothing is running.
    fn try_cancel(&self) -> Result<()> {
        Ok(self.cancel()?)
    }
}

impl fmt::Debug for CancelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelHandle").finish_non_exhaustive()
    }
}

/// The time between the start of a call and its return.
pub(crate) struct Calling(CancelHandle);

impl Drop for Calling {
    fn drop(&mut self) {
        self.0.lock().calling = false;
    }
}
