//! How a client reads a result that it fetches in turns, as Thrift's clients do.

use std::ops::Range;
use std::sync::Mutex;

use super::{Chunk, Outcome};
use crate::result::native::Natives;
use crate::state::locked;

/// What is kept of such a client beside its statement.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The session that the statement ends with.
    pub(crate) session_id: String,
    pub(crate) form: Form,
    next_row: Mutex<u64>,
}

/// What the rows of an answer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Arrow batches, or links to files of them.
    Arrow { natives: Natives, lz4: bool },
    /// Thrift's own columns.
    Columns,
}

/// Where an answer shall begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Where the last one ended.
    Next,
    Row(u64),
}

/// How much an answer shall hold at most; at least one row is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// How many chunks may be linked to.
    pub(crate) links: usize,
}

/// A turn: chunks of a result, and the rows in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) chunks: Range<usize>,
    pub(crate) rows: Range<u64>,
}

impl Reading {
    pub(crate) fn new(session_id: String, form: Form) -> Self {
        Self {
            session_id,
            form,
            next_row: Mutex::new(0),
        }
    }

    /// Which types stay Arrow's own.
    pub(crate) fn natives(&self) -> Natives {
        match self.form {
            Form::Arrow { natives, .. } => natives,
            Form::Columns => Natives::default(),
        }
    }

    /// The next turn. It is decided by what is known of the chunks, before any is read: of inline rows a part of one chunk, of links
    /// some whole chunks.
    pub(crate) fn turn(&self, outcome: &Outcome, start: Start, most: Most) -> Turn {
        let mut next_row = locked(&self.next_row);
        let start = match start {
            Start::Next => *next_row,
            Start::Row(row) => row,
        };
        let turn = turn(&outcome.chunks, outcome.is_inline, start, most);
        *next_row = turn.rows.end;
        turn
    }
}

fn turn(chunks: &[Chunk], is_inline: bool, start: u64, most: Most) -> Turn {
    let first = chunks.partition_point(|chunk| chunk.row_offset + chunk.row_count <= start);
    let Some(chunk) = chunks.get(first) else {
        let end = chunks.last().map_or(0, |chunk| chunk.row_offset + chunk.row_count);
        return Turn {
            chunks: first..first,
            rows: end..end,
        };
    };
    if is_inline {
        // The rows that the bytes are enough for, were all rows of a chunk of one size.
        let share = u128::from(most.bytes) * u128::from(chunk.row_count) / u128::from(chunk.byte_count.max(1));
        let rows = most.rows.min(u64::try_from(share).unwrap_or(u64::MAX)).max(1);
        let end = start.saturating_add(rows).min(chunk.row_offset + chunk.row_count);
        return Turn {
            chunks: first..first + 1,
            rows: start..end,
        };
    }
    let (mut last, mut bytes) = (first, 0_u64);
    while let Some(chunk) = chunks.get(last)
        && (last == first || (last - first < most.links && bytes + chunk.byte_count <= most.bytes))
    {
        bytes += chunk.byte_count;
        last += 1;
    }
    let end = chunks[last - 1].row_offset + chunks[last - 1].row_count;
    Turn {
        chunks: first..last,
        rows: chunk.row_offset..end,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::result::depot::Depot;

    /// Three chunks of 10 rows and 100 bytes.
    fn chunks() -> Vec<Chunk> {
        let depot = Arc::new(Depot::new(100).unwrap());
        let chunk = |row_offset| Chunk {
            row_offset,
            row_count: 10,
            byte_count: 100,
            stored: depot.keep(Vec::new()).unwrap(),
        };
        [0, 10, 20].map(chunk).into()
    }

    const ALL: Most = Most {
        rows: u64::MAX,
        bytes: u64::MAX,
        links: 100,
    };

    #[test]
    fn inline_rows_come_from_one_chunk_and_within_the_limits() {
        let of = |start, most| {
            let turn = turn(&chunks(), true, start, most);
            (turn.chunks, turn.rows)
        };
        assert_eq!(of(0, ALL), (0..1, 0..10));
        assert_eq!(of(13, ALL), (1..2, 13..20));
        assert_eq!(of(3, Most { rows: 4, ..ALL }), (0..1, 3..7));
        assert_eq!(of(3, Most { bytes: 50, ..ALL }), (0..1, 3..8));
        assert_eq!(
            of(
                3,
                Most {
                    rows: 0,
                    bytes: 0,
                    ..ALL
                }
            ),
            (0..1, 3..4)
        );
        assert_eq!(of(30, ALL), (3..3, 30..30));
        assert_eq!(of(u64::MAX, ALL), (3..3, 30..30));
    }

    #[test]
    fn links_are_to_whole_chunks() {
        let of = |start, most| {
            let turn = turn(&chunks(), false, start, most);
            (turn.chunks, turn.rows)
        };
        assert_eq!(of(0, ALL), (0..3, 0..30));
        assert_eq!(of(15, Most { bytes: 0, ..ALL }), (1..2, 10..20));
        assert_eq!(of(0, Most { bytes: 250, ..ALL }), (0..2, 0..20));
        assert_eq!(
            of(
                0,
                Most {
                    links: 1,
                    rows: 0,
                    ..ALL
                }
            ),
            (0..1, 0..10)
        );
        assert_eq!(turn(&[], false, 0, ALL), Turn::default());
    }
}
