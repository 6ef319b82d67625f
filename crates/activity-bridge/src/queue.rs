//! What waits to be written? Lines between the threads that complete activities and the one thread that writes.
//!
//! Bounded in bytes, those being written included. A line that does not fit is refused and counted; the count reaches
//! the writer with the next lines, with a flush or with the end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) struct Queue {
    max_bytes: u64,
    state: Mutex<State>,
    /// Told when the writer has something to do.
    work: Condvar,
    /// Told when the writer has done something.
    progress: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<Vec<u8>>,
    bytes: u64,
    /// Lines that ever got in, and how many of those have been dealt with; of these, how many could not be written.
    accepted: u64,
    settled: u64,
    failed: u64,
    /// Lines that ever were refused, how many of those the writer was told of, and how many somebody wants it to know.
    refused: u64,
    reported: u64,
    report: u64,
    closed: bool,
    finished: bool,
}

/// What the writer takes at once.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) lines: Vec<Vec<u8>>,
    /// Lines that were refused since the last batch.
    pub(crate) refused: u64,
}

/// What has become of all lines so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) written: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
}

impl Queue {
    pub(crate) fn new(max_bytes: u64) -> Queue {
        Queue {
            max_bytes,
            state: Mutex::default(),
            work: Condvar::new(),
            progress: Condvar::new(),
        }
    }

    /// A queue that nobody will ever empty, and that takes nothing.
    pub(crate) fn dead() -> Queue {
        let queue = Queue::new(0);
        queue.finish();
        queue
    }

    /// Puts a line in, or counts it. Never waits for the writer's work.
    pub(crate) fn push(&self, line: Vec<u8>) {
        let mut state = self.lock();
        let bytes = state.bytes.saturating_add(bytes_of(&line));
        if state.closed || bytes > self.max_bytes {
            state.refused += 1;
            return;
        }
        state.bytes = bytes;
        state.accepted += 1;
        state.lines.push(line);
        drop(state);
        self.work.notify_one();
    }

    /// Waits for something to write; `None` when the queue is closed and everything is reported. For the writer.
    pub(crate) fn take(&self) -> Option<Batch> {
        let nothing_to_do =
            |state: &mut State| state.lines.is_empty() && state.report <= state.reported && !state.closed;
        let state = self.work.wait_while(self.lock(), nothing_to_do);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut state.lines);
        let refused = state.refused - state.reported;
        (!lines.is_empty() || refused > 0).then_some(Batch { lines, refused })
    }

    /// A batch has been dealt with, except that `failed` of its lines could not be written. For the writer.
    pub(crate) fn settle(&self, batch: &Batch, failed: u64) {
        let mut state = self.lock();
        state.bytes -= batch.lines.iter().map(|line| bytes_of(line)).sum::<u64>();
        state.settled += count_of(&batch.lines);
        state.failed += failed;
        state.reported += batch.refused;
        drop(state);
        self.progress.notify_all();
    }

    /// The writer is gone.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.finished = true;
        // Only a writer that panicked leaves something behind.
        state.failed += state.accepted - state.settled;
        state.settled = state.accepted;
        state.lines = Vec::new();
        drop(state);
        self.progress.notify_all();
    }

    /// Waits until everything up to now is dealt with; says whether that was so in time.
    pub(crate) fn flush(&self, deadline: Duration) -> bool {
        let mut state = self.lock();
        let (accepted, refused) = (state.accepted, state.refused);
        state.report = refused;
        self.work.notify_one();
        let pending = |state: &mut State| !state.finished && (state.settled < accepted || state.reported < refused);
        let state = wait(&self.progress, state, deadline, pending);
        state.settled >= accepted && state.reported >= refused
    }

    /// Takes nothing more and waits until the writer is gone; says whether that was so in time.
    pub(crate) fn close(&self, deadline: Duration) -> bool {
        let mut state = self.lock();
        state.closed = true;
        self.work.notify_one();
        let state = wait(&self.progress, state, deadline, |state| !state.finished);
        state.finished
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = self.lock();
        Counts {
            written: state.settled - state.failed,
            refused: state.refused,
            failed: state.failed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a>(
    condition: &Condvar,
    state: MutexGuard<'a, State>,
    deadline: Duration,
    pending: impl FnMut(&mut State) -> bool,
) -> MutexGuard<'a, State> {
    let waited = condition.wait_timeout_while(state, deadline, pending);
    waited.unwrap_or_else(PoisonError::into_inner).0
}

fn bytes_of(line: &[u8]) -> u64 {
    u64::try_from(line.len()).unwrap_or(u64::MAX)
}

fn count_of(lines: &[Vec<u8>]) -> u64 {
    u64::try_from(lines.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Vec<u8> {
        vec![b'x'; 10]
    }

    #[test]
    fn what_is_being_written_still_counts() {
        let queue = Queue::new(30);
        (0..5).for_each(|_| queue.push(line()));
        let batch = queue.take().unwrap();
        assert_eq!((batch.lines.len(), batch.refused), (3, 2));
        queue.push(line());
        assert_eq!(queue.counts().refused, 3);
        queue.settle(&batch, 1);
        queue.push(line());
        let batch = queue.take().unwrap();
        assert_eq!((batch.lines.len(), batch.refused), (1, 1));
        queue.settle(&batch, 0);
        let expected = Counts {
            written: 3,
            refused: 3,
            failed: 1,
        };
        assert_eq!(queue.counts(), expected);
    }

    #[test]
    fn a_queue_without_a_writer_keeps_nobody_waiting() {
        let queue = Queue::dead();
        queue.push(line());
        assert!(!queue.flush(Duration::MAX));
        assert!(queue.close(Duration::MAX));
        assert_eq!(queue.counts().refused, 1);
    }

    #[test]
    fn a_closed_queue_hands_out_the_rest() {
        let queue = Queue::new(10);
        queue.push(line());
        queue.push(line());
        assert!(!queue.close(Duration::ZERO));
        let batch = queue.take().unwrap();
        assert_eq!((batch.lines.len(), batch.refused), (1, 1));
        queue.settle(&batch, 0);
        assert!(queue.take().is_none());
    }
}
