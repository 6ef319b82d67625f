//! Ctrl-C: the first one cancels the statement on the workspace, the second one leaves at once. Before there is a statement, the
//! first one leaves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use adbc_core::sync::CancelHandle;

use crate::failure::Failure;

/// What Ctrl-C does while it lives.
#[derive(Clone, Default)]
pub(crate) struct Interrupt {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    interrupted: AtomicBool,
    cancel: Mutex<Option<Box<dyn CancelHandle>>>,
}

impl Interrupt {
    /// Starts to listen for Ctrl-C.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let interrupt = Self::default();
        let state = Arc::clone(&interrupt.state);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new()
            .name("dbsql-interrupt".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    while tokio::signal::ctrl_c().await.is_ok() {
                        if state.interrupted.swap(true, Ordering::SeqCst) || !state.cancel() {
                            std::process::exit(130);
                        }
                    }
                });
            })?;
        Ok(interrupt)
    }

    /// Says what to cancel. If Ctrl-C came before, it is cancelled now.
    pub(crate) fn cancels(&self, handle: Box<dyn CancelHandle>) {
        if let Ok(mut slot) = self.state.cancel.lock() {
            *slot = Some(handle);
        }
        if self.is_set() {
            self.state.cancel();
        }
    }

    /// There is nothing to cancel any more.
    pub(crate) fn forget(&self) {
        if let Ok(mut slot) = self.state.cancel.lock() {
            *slot = None;
        }
    }

    /// Does what Ctrl-C does to the statement. Whether there is one.
    pub(crate) fn cancel(&self) -> bool {
        self.state.cancel()
    }

    /// Whether Ctrl-C came.
    pub(crate) fn is_set(&self) -> bool {
        self.state.interrupted.load(Ordering::SeqCst)
    }
}

impl State {
    /// Whether there was something that could be cancelled.
    fn cancel(&self) -> bool {
        let Ok(slot) = self.cancel.lock() else { return false };
        let Some(handle) = slot.as_ref() else { return false };
        // Nothing left to cancel is fine: the statement may have ended a moment ago.
        let _ = handle.try_cancel();
        true
    }
}
