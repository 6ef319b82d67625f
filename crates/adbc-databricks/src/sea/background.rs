//! Work that goes on after its caller returned: cancels, closes, downloads that are being given up.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
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

/// Work that is done as a part of its owner's task, and goes on by itself if the owner drops it before its end.
pub(crate) struct Lasting<W>(Option<Pin<Box<W>>>)
where
    W: Future<Output: Send> + Send + 'static;

impl<W> Lasting<W>
where
    W: Future<Output: Send> + Send + 'static,
{
    pub(crate) fn new(work: W) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<W> Future for Lasting<W>
where
    W: Future<Output: Send> + Send + 'static,
{
    type Output = W::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<W::Output> {
        // Taken out, so that work which panics does not go on.
        let Some(mut work) = self.0.take() else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<W> Drop for Lasting<W>
where
    W: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            runtime::spawn(async move {
                work.await;
            });
        }
    }
}
