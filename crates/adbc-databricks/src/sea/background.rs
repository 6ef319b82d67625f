//! Work that goes on after its caller returned: cancels, closes, downloads that are being given up.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::runtime;

/// Counts the background work of one connection, so that closing it can wait for the server to have heard everything.
#[derive(Clone, Debug)]
pub(crate) struct Background {
    running: Arc<watch::Sender<usize>>,
}

impl Background {
    pub(crate) fn new() -> Self {
        Self {
            running: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Starts `work`. It should bound itself.
    pub(crate) fn spawn<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let permit = self.permit();
        runtime::spawn(async move {
            work.await;
            drop(permit);
        });
    }

    /// Counts something as running until the permit is dropped.
    pub(crate) fn permit(&self) -> Permit {
        Permit::new(Arc::clone(&self.running))
    }

    /// Waits until nothing runs, or `deadline` passed.
    pub(crate) async fn idle(&self, deadline: Duration) {
        let mut running = self.running.subscribe();
        // Whoever is late is late: closing is best effort.
        let _ = tokio::time::timeout(deadline, running.wait_for(|count| *count == 0)).await;
    }
}

/// Something that runs.
pub(crate) struct Permit(Arc<watch::Sender<usize>>);

impl Permit {
    fn new(running: Arc<watch::Sender<usize>>) -> Self {
        running.send_modify(|count| *count += 1);
        Self(running)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
