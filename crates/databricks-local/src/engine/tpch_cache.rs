//! Generated columns that are worth keeping, so that the second query over a small table costs no generation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::tpch::Tpch;

/// What a partition of a table is called here.
pub(crate) type Partition = (Tpch, usize);

/// Whole columns of whole partitions, up to a budget of bytes. Nothing is evicted: when the budget is spent, columns are generated
/// each time they are read.
#[derive(Debug)]
pub(crate) struct ColumnCache {
    budget_bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes kept, and bytes promised to collectors at work.
    reserved_bytes: usize,
    columns: HashMap<(Partition, usize), Arc<Vec<ArrayRef>>>,
}

impl ColumnCache {
    pub(crate) fn new(budget_bytes: usize) -> Self {
        Self {
            budget_bytes,
            state: Mutex::default(),
        }
    }

    /// The batches of these columns, if all of them are kept.
    pub(crate) fn batches(&self, partition: Partition, columns: &[usize]) -> Option<Vec<RecordBatch>> {
        if columns.is_empty() {
            return None;
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: Option<Vec<Arc<Vec<ArrayRef>>>> = columns
            .iter()
            .map(|&column| state.columns.get(&(partition, column)).map(Arc::clone))
            .collect();
        drop(state);
        let kept = kept?;
        let count = kept.first()?.len();
        (0..count)
            .map(|index| batch_of(kept.iter().map(|arrays| Arc::clone(&arrays[index])).collect()))
            .collect()
    }

    /// A collector for the columns of a partition of about `rows` rows, unless they would not fit.
    pub(crate) fn collector(
        self: &Arc<Self>,
        partition: Partition,
        columns: &[usize],
        rows: usize,
    ) -> Option<Collector> {
        /// A guess: sixteen bytes are a decimal, or a string view and no more.
        const BYTES_PER_VALUE: usize = 16;
        if columns.is_empty() {
            return None;
        }
        let reserved_bytes = rows * columns.len() * BYTES_PER_VALUE;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.reserved_bytes + reserved_bytes > self.budget_bytes {
            return None;
        }
        state.reserved_bytes += reserved_bytes;
        Some(Collector {
            cache: Arc::clone(self),
            partition,
            columns: columns.to_vec(),
            arrays: vec![Vec::new(); columns.len()],
            reserved_bytes,
            overflowed: false,
        })
    }
}

fn batch_of(columns: Vec<ArrayRef>) -> Option<RecordBatch> {
    let fields: Vec<Field> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| Field::new(index.to_string(), column.data_type().clone(), true))
        .collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let options = RecordBatchOptions::new().with_row_count(columns.first().map(|column| column.len()));
    RecordBatch::try_new_with_options(schema, columns, &options).ok()
}

/// Gathers the columns of one partition while they are generated. Dropped before the end, it keeps nothing.
pub(crate) struct Collector {
    cache: Arc<ColumnCache>,
    partition: Partition,
    columns: Vec<usize>,
    arrays: Vec<Vec<ArrayRef>>,
    reserved_bytes: usize,
    overflowed: bool,
}

impl Collector {
    pub(crate) fn push(&mut self, batch: &RecordBatch) {
        if self.overflowed {
            return;
        }
        for (arrays, column) in self.arrays.iter_mut().zip(batch.columns()) {
            arrays.push(Arc::clone(column));
        }
        let gathered_bytes = self.gathered_bytes();
        if gathered_bytes > self.reserved_bytes {
            let mut state = self.cache.state.lock().unwrap_or_else(PoisonError::into_inner);
            let more = gathered_bytes - self.reserved_bytes;
            if state.reserved_bytes + more > self.cache.budget_bytes {
                drop(state);
                self.overflowed = true;
                self.arrays.clear();
            } else {
                state.reserved_bytes += more;
                self.reserved_bytes = gathered_bytes;
            }
        }
    }

    /// All batches have passed: keeps the columns.
    pub(crate) fn finish(mut self) {
        if self.overflowed {
            return;
        }
        let gathered_bytes = self.gathered_bytes();
        let mut state = self.cache.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept_bytes = 0;
        for (&column, arrays) in self.columns.iter().zip(std::mem::take(&mut self.arrays)) {
            let bytes: usize = arrays.iter().map(|array| array.get_array_memory_size()).sum();
            // Another scan of the same partition may have been faster.
            if state
                .columns
                .insert((self.partition, column), Arc::new(arrays))
                .is_none()
            {
                kept_bytes += bytes;
            }
        }
        debug_assert!(kept_bytes <= gathered_bytes);
        state.reserved_bytes = (state.reserved_bytes + kept_bytes).saturating_sub(self.reserved_bytes);
        self.reserved_bytes = 0;
    }

    fn gathered_bytes(&self) -> usize {
        self.arrays
            .iter()
            .flatten()
            .map(|array| array.get_array_memory_size())
            .sum()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let mut state = self.cache.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.reserved_bytes = state.reserved_bytes.saturating_sub(self.reserved_bytes);
    }
}
