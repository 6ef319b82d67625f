//! Chunks into batches, on the caller's thread.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::vec;

use arrow_array::RecordBatch;

use super::budget::Reservation;
use super::join::{Claim, Joiner};
use super::{Chunk, Message};
use crate::error::{Error, Result};

/// Where the reader's chunks come from.
pub(crate) enum Feed {
    /// Everything is here already.
    Ready(vec::IntoIter<Chunk>),
    /// A task on the runtime sends them.
    Live {
        messages: Receiver<Message>,
        /// What came while something else was looked for.
        seen: Option<Message>,
    },
}

impl Feed {
    pub(crate) fn ready(chunks: Vec<Chunk>) -> Self {
        Self::Ready(chunks.into_iter())
    }

    pub(crate) fn ended() -> Self {
        Self::ready(Vec::new())
    }

    pub(super) fn live(messages: Receiver<Message>) -> Self {
        Self::Live { messages, seen: None }
    }

    /// Waits for the next chunk.
    fn next(&mut self) -> Result<Option<Chunk>> {
        match self {
            Self::Ready(chunks) => Ok(chunks.next()),
            Self::Live { messages, seen } => match seen.take().map_or_else(|| messages.recv(), Ok) {
                Ok(Message::Chunk(chunk)) => Ok(Some(chunk)),
                Ok(Message::End) => Ok(None),
                Ok(Message::Failed(error)) => Err(error),
                Err(_) => Err(Error::result_set(
                    "the task that fetched the result ended before the result did",
                )),
            },
        }
    }

    /// Whether the next chunk is here. An error or the end is none.
    fn has_chunk(&mut self) -> bool {
        match self {
            Self::Ready(chunks) => chunks.len() > 0,
            Self::Live { messages, seen } => {
                if seen.is_none() {
                    *seen = messages.try_recv().ok();
                }
                matches!(seen, Some(Message::Chunk(_)))
            }
        }
    }
}

/// The batches of a result in order, none of them empty, joined if that was asked for.
pub(crate) struct Batches {
    feed: Feed,
    first_chunk: u64,
    chunks_taken: u64,
    /// Of the chunk that was taken last.
    chunk: vec::IntoIter<RecordBatch>,
    /// Of the same chunk.
    claim: Claim,
    joiner: Joiner,
    /// Of the chunks that the batch is of which the caller has.
    lent: Vec<Arc<Reservation>>,
}

impl Batches {
    pub(super) fn new(feed: Feed, first_chunk: u64, joiner: Joiner) -> Self {
        Self {
            feed,
            first_chunk,
            chunks_taken: 0,
            chunk: Vec::new().into_iter(),
            claim: None,
            joiner,
            lent: Vec::new(),
        }
    }

    /// No chunks.
    pub(super) fn none() -> Self {
        Self::new(Feed::ended(), 0, Joiner::default())
    }

    /// One chunk of one batch.
    pub(super) fn one(batch: RecordBatch) -> Self {
        let chunk = Chunk {
            index: 0,
            batches: vec![batch],
            reservation: None,
        };
        Self::new(Feed::ready(vec![chunk]), 0, Joiner::default())
    }

    pub(super) fn chunks_taken(&self) -> u64 {
        self.chunks_taken
    }

    /// The next batch; `None` at the end.
    ///
    /// # Errors
    /// What the fetching ended with, or that chunks do not follow one another.
    ///
    /// # Blocking
    /// Until there are rows. While there are some it does not wait for more to join them with.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        // Whoever asks for more is done with what there was.
        self.lent.clear();
        loop {
            if let Some(joined) = self.joiner.pop() {
                self.lent = joined.claims;
                return Ok(Some(joined.batch));
            }
            if let Some(batch) = self.chunk.next() {
                if batch.num_rows() > 0 {
                    self.joiner.push(batch, self.claim.clone());
                }
            } else if self.joiner.is_waiting() && !self.feed.has_chunk() {
                self.joiner.flush();
            } else {
                // Before waiting: the next chunk may wait for this memory.
                self.claim = None;
                match self.feed.next()? {
                    Some(chunk) => self.take(chunk)?,
                    None => return Ok(None),
                }
            }
        }
    }

    fn take(&mut self, chunk: Chunk) -> Result<()> {
        let due = self.first_chunk.saturating_add(self.chunks_taken);
        if chunk.index != due {
            return Err(Error::result_set(format!(
                "chunk {} of the result came where chunk {due} was due",
                chunk.index
            )));
        }
        self.chunks_taken += 1;
        self.claim = chunk.reservation.map(Arc::new);
        self.chunk = chunk.batches.into_iter();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use arrow_array::{ArrayRef, Int64Array};
    use futures::FutureExt as _;

    use super::super::budget::Budget;
    use super::*;

    fn chunk(index: u64, rows: &[i64], reservation: Option<Reservation>) -> Message {
        let batch = |rows: &i64| {
            let column = Arc::new(Int64Array::from_iter_values(0..*rows)) as ArrayRef;
            RecordBatch::try_from_iter([("x", column)]).unwrap()
        };
        Message::Chunk(Chunk {
            index,
            batches: rows.iter().map(batch).collect(),
            reservation,
        })
    }

    fn rows(batch: Result<Option<RecordBatch>>) -> usize {
        batch.unwrap().map_or(0, |batch| batch.num_rows())
    }

    #[test]
    fn chunks_that_are_here_are_joined_and_none_is_waited_for() {
        let (sender, messages) = mpsc::channel();
        let mut batches = Batches::new(Feed::live(messages), 5, Joiner::new(10, usize::MAX));
        sender.send(chunk(5, &[2, 0, 3], None)).unwrap();
        sender.send(chunk(6, &[4, 4], None)).unwrap();
        assert_eq!(rows(batches.next()), 9, "of two chunks");
        assert_eq!(rows(batches.next()), 4, "the rest, although ten are wanted");
        sender.send(chunk(7, &[1], None)).unwrap();
        sender.send(Message::Failed(Error::cancelled())).unwrap();
        assert_eq!(rows(batches.next()), 1, "rows that are here come before the error");
        assert!(batches.next().is_err());
        assert_eq!(batches.chunks_taken(), 3);
    }

    #[test]
    fn a_claim_lasts_until_the_last_of_its_rows_was_read() {
        let budget = Budget::new(3, false);
        let claim = || budget.reserve(1).now_or_never();
        let (sender, messages) = mpsc::channel();
        let mut batches = Batches::new(Feed::live(messages), 0, Joiner::new(5, usize::MAX));
        for index in 0..3 {
            sender.send(chunk(index, &[3, 2, 2], claim())).unwrap();
        }
        sender.send(Message::End).unwrap();
        let mut free = Vec::new();
        while rows(batches.next()) > 0 {
            let claimed: Vec<_> = std::iter::from_fn(claim).collect();
            free.push(claimed.len());
        }
        // 3+2, 2+3 of the next, 2+2, 3+2, 2: what is joined of two chunks holds the claims of both.
        assert_eq!(free, [0, 0, 1, 2, 2]);
    }

    #[test]
    fn a_chunk_that_is_not_due_is_an_error() {
        let (sender, messages) = mpsc::channel();
        let mut batches = Batches::new(Feed::live(messages), 0, Joiner::default());
        sender.send(chunk(1, &[3], None)).unwrap();
        assert!(batches.next().is_err());
    }
}
