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
    given_up: watch::Sender<bool>,
}

impl Background {
    pub(crate) fn new() -> Self {
        Self {
            running: Arc::new(watch::Sender::new(0)),
            given_up: watch::Sender::new(false),
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

    /// Says that nobody waits any longer for what runs.
    pub(crate) fn give_up(&self) {
        self.given_up.send_replace(true);
    }

    /// Ends when nobody waits any longer: whoever runs then shall let go of what others need to end.
    pub(crate) fn given_up(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut given_up = self.given_up.subscribe();
        async move {
            // An error says that the background itself is gone, and with it whoever could wait.
            let _ = given_up.wait_for(|given_up| *given_up).await;
        }
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
