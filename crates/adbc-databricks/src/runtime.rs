//! The one tokio runtime of the process, and how a blocking caller waits for it.
//!
//! The caller's thread never polls a future of the driver: work is spawned here and the caller waits on a std channel. So a
//! native caller inside a tokio runtime of its own does not panic, and a reader works after its connection is gone.
//!
//! The runtime is keyed by process id: worker threads do not survive `fork`, so a child that found its parent's runtime would
//! wait for ever.

use std::future::Future;
use std::process;
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::error::{Error, Result};

/// How many processes may follow one another by `fork` without `exec`, each using the driver.
const GENERATIONS: usize = 16;

/// One slot per generation, taken in order and never emptied. Reading takes no lock, so a fork in the middle of a call
/// leaves nothing locked behind in the child.
static SLOTS: [OnceLock<Slot>; GENERATIONS] = [const { OnceLock::new() }; GENERATIONS];

struct Slot {
    pid: u32,
    runtime: Result<Runtime>,
}

/// This process's runtime, started on first use.
///
/// # Errors
/// The operating system refused the threads, or more than 16 generations of forked processes used the driver.
pub(crate) fn current() -> Result<&'static Runtime> {
    let pid = process::id();
    for slot in &SLOTS {
        let slot = slot.get_or_init(|| Slot { pid, runtime: start() });
        if slot.pid == pid {
            return slot.runtime.as_ref().map_err(Clone::clone);
        }
    }
    Err(Error::internal(format!(
        "the driver was used in more than {GENERATIONS} generations of forked processes"
    )))
}

fn start() -> Result<Runtime> {
    // Two at least, so that one busy decoder does not stop the polls and cancels of everybody else.
    let workers = thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("adbc-databricks")
        .enable_all()
        .build()
        .map_err(|error| Error::internal(format!("the driver's runtime could not be started: {error}")))
}

/// Runs `work` on the runtime and waits for its answer on this thread.
///
/// # Blocking
/// Until `work` ends; `work` bounds itself.
pub(crate) fn wait<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let (answer, answered) = mpsc::sync_channel(1);
    // In a place of its own: on the way into a task it would be copied several times, and an execution has kilobytes of state.
    let work = Box::pin(work);
    current()?.spawn(async move {
        // The caller waits for exactly this message; it cannot have gone away.
        let _ = answer.send(work.await);
    });
    answered.recv().unwrap_or_else(|_| {
        Err(Error::internal(
            "the driver's task ended without an answer (it panicked)",
        ))
    })
}

/// Work of up to this many bytes is done where it comes up: handing it to another thread would take longer.
const SMALL_BYTES: usize = 256 << 10;

/// Does computing work of a task, which must run on the runtime, without holding up the tasks beside it.
pub(crate) fn compute<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes <= SMALL_BYTES {
        work()
    } else {
        tokio::task::block_in_place(work)
    }
}

/// The longest time that a clock can be asked to wait for: a day in a distant year would overflow it.
const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// The moment that comes after `wait`; 30 years from now for everything longer.
pub(crate) fn deadline(wait: Duration) -> Instant {
    Instant::now() + wait.min(FOR_EVER)
}

/// Runs `work` on the runtime and forgets it. Work that finds no runtime is dropped.
pub(crate) fn spawn<F>(work: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    if let Ok(runtime) = current() {
        runtime.spawn(work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_inside_a_foreign_runtime_does_not_panic() {
        let answer = wait(async {
            tokio::task::yield_now().await;
            Ok(7)
        });
        assert_eq!(answer.unwrap(), 7);
    }

    #[test]
    fn no_wait_is_too_long_for_the_clock() {
        assert!(deadline(Duration::MAX) > Instant::now());
    }

    #[test]
    fn a_panicking_task_is_an_error_for_its_caller() {
        let answer: Result<()> = wait(async { std::panic::resume_unwind(Box::new("quiet")) });
        assert!(answer.is_err());
    }
}
