//! Small batches, joined with their neighbours to larger ones.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_select::concat::concat_batches;

use super::budget::Reservation;

/// The claim on the memory budget of the chunk that a batch is of; the batches of one chunk share it.
pub(super) type Claim = Option<Arc<Reservation>>;

/// What a batch takes besides its values.
const BATCH_BYTES: usize = 1 << 10;

/// Joins neighbours as long as they have no more rows together than was asked for.
///
/// So two neighbours that come out have more rows together than that, and a batch that has as many by itself comes out as it
/// went in, without a copy.
#[derive(Default)]
pub(super) struct Joiner {
    /// 0 leaves all batches as they are.
    target_rows: usize,
    /// While rows are joined they are in memory twice.
    max_bytes: usize,
    waiting: Vec<RecordBatch>,
    claims: Vec<Arc<Reservation>>,
    rows: usize,
    bytes: usize,
    ready: VecDeque<Joined>,
}

/// A batch that goes to the caller, and the claims that end when the caller is done with it.
pub(super) struct Joined {
    pub(super) batch: RecordBatch,
    pub(super) claims: Vec<Arc<Reservation>>,
}

impl Joiner {
    pub(super) fn new(target_rows: usize, max_bytes: usize) -> Self {
        Self {
            target_rows,
            max_bytes,
            ..Self::default()
        }
    }

    /// Takes the next batch in.
    pub(super) fn push(&mut self, batch: RecordBatch, claim: Claim) {
        let rows = batch.num_rows();
        let bytes = match rows < self.target_rows {
            true => value_bytes(&batch).saturating_add(BATCH_BYTES),
            false => 0,
        };
        let fits =
            self.rows.saturating_add(rows) <= self.target_rows && self.bytes.saturating_add(bytes) <= self.max_bytes;
        if !fits {
            self.flush();
        }
        self.waiting.push(batch);
        self.rows += rows;
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(claim) = claim
            && !self.claims.last().is_some_and(|last| Arc::ptr_eq(last, &claim))
        {
            self.claims.push(claim);
        }
        if self.rows >= self.target_rows {
            self.flush();
        }
    }

    /// Joins what waits, however little it is.
    pub(super) fn flush(&mut self) {
        let (waiting, claims) = (mem::take(&mut self.waiting), mem::take(&mut self.claims));
        (self.rows, self.bytes) = (0, 0);
        let joined = match waiting.as_slice() {
            [] | [_] => None,
            [first, ..] => match concat_batches(&first.schema(), &waiting) {
                Ok(batch) => Some(Joined {
                    batch,
                    claims: claims.clone(),
                }),
                Err(_) => {
                    // Such as dictionaries with more values together than their keys can count: no later ones will do better.
                    self.target_rows = 0;
                    None
                }
            },
        };
        match joined {
            Some(joined) => self.ready.push_back(joined),
            None => self.ready.extend(waiting.into_iter().map(|batch| Joined {
                batch,
                claims: claims.clone(),
            })),
        }
    }

    /// The next batch for the caller, if there is one already.
    pub(super) fn pop(&mut self) -> Option<Joined> {
        self.ready.pop_front()
    }

    /// Whether batches wait for more.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// What the values of a batch take, without what else is in the buffers that they share with other batches.
fn value_bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    // What cannot be measured is not copied.
    let bytes = columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or(usize::MAX));
    bytes.fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder, StringDictionaryBuilder};
    use arrow_array::types::Int8Type;
    use arrow_array::{ArrayRef, Int64Array, NullArray, StringArray, StructArray};
    use arrow_schema::{DataType, Field, Schema, SchemaRef};
    use proptest::prelude::*;

    use super::*;

    /// Rows with a column of each kind. The dictionary has `distinct` values, others in each batch if `others` says so.
    fn batch(from: usize, rows: usize, distinct: usize, others: bool) -> RecordBatch {
        let numbers: Vec<_> = (from..from + rows).collect();
        let mut dictionary = StringDictionaryBuilder::<Int8Type>::new();
        let mut lists = ListBuilder::new(Int32Builder::new());
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        for number in &numbers {
            match number % 7 {
                0 => dictionary.append_null(),
                _ => {
                    let of = if others { from } else { 0 };
                    dictionary.append_value(format!("{of}/{}", number % distinct));
                }
            }
            lists.values().append_slice(&vec![*number as i32; number % 3]);
            lists.append(number % 5 != 0);
            maps.keys().append_value(number.to_string());
            maps.values().append_value(*number as i32);
            maps.append(number % 4 != 0).unwrap();
        }
        let texts: ArrayRef = Arc::new(StringArray::from_iter(
            numbers
                .iter()
                .map(|number| (number % 6 != 0).then(|| "é".repeat(number % 9))),
        ));
        let inner = Field::new("t", DataType::Utf8, true);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(
                numbers.iter().map(|number| *number as i64),
            )),
            Arc::clone(&texts),
            Arc::new(dictionary.finish()),
            Arc::new(lists.finish()),
            Arc::new(maps.finish()),
            Arc::new(StructArray::from(vec![(Arc::new(inner), texts)])),
            Arc::new(NullArray::new(rows)),
        ];
        let extension = HashMap::from([("ARROW:extension:name".to_owned(), "geoarrow.wkt".to_owned())]);
        let fields = columns.iter().enumerate().map(|(place, column)| {
            let field = Field::new(place.to_string(), column.data_type().clone(), true);
            match place {
                1 => field.with_metadata(extension.clone()),
                _ => field,
            }
        });
        let about = HashMap::from([("about".to_owned(), "the result".to_owned())]);
        let schema = Schema::new(fields.collect::<Vec<_>>()).with_metadata(about);
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn batches(sizes: &[usize], distinct: usize, others: bool) -> Vec<RecordBatch> {
        let mut from = 1;
        let each = sizes.iter().map(|rows| {
            from += rows;
            batch(from - rows, *rows, distinct, others)
        });
        each.collect()
    }

    fn join(joiner: &mut Joiner, batches: &[RecordBatch]) -> Vec<RecordBatch> {
        for batch in batches {
            joiner.push(batch.clone(), None);
        }
        joiner.flush();
        std::iter::from_fn(|| joiner.pop()).map(|joined| joined.batch).collect()
    }

    fn all(schema: &SchemaRef, batches: &[RecordBatch]) -> RecordBatch {
        concat_batches(schema, batches).unwrap()
    }

    fn is_same(one: &RecordBatch, other: &RecordBatch) -> bool {
        one.columns()
            .iter()
            .zip(other.columns())
            .all(|(one, other)| Arc::ptr_eq(one, other))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn joined_batches_hold_what_a_naive_concatenation_holds(
            sizes in prop::collection::vec(1_usize..40, 1..20),
            target in 0_usize..80,
            max_bytes in prop_oneof![Just(usize::MAX), 0_usize..20_000],
        ) {
            let given = batches(&sizes, 20, false);
            let schema = given[0].schema();
            let found = join(&mut Joiner::new(target, max_bytes), &given);
            prop_assert!(found.iter().all(|batch| batch.schema() == schema));
            prop_assert_eq!(all(&schema, &found), all(&schema, &given));
            for batch in &found {
                let is_as_given = given.iter().any(|given| is_same(given, batch));
                prop_assert!(is_as_given || (batch.num_rows() <= target && value_bytes(batch) <= max_bytes));
            }
            for pair in found.windows(2).filter(|_| max_bytes == usize::MAX) {
                prop_assert!(pair[0].num_rows() + pair[1].num_rows() > target);
            }
        }
    }

    #[test]
    fn what_is_large_enough_is_not_copied() {
        let given = batches(&[3, 50, 2, 2, 49], 20, false);
        let found = join(&mut Joiner::new(49, usize::MAX), &given);
        let rows: Vec<_> = found.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows, [3, 50, 4, 49]);
        assert!(is_same(&found[0], &given[0]) && is_same(&found[1], &given[1]) && is_same(&found[3], &given[4]));
    }

    #[test]
    fn dictionaries_that_do_not_fit_together_stay_apart() {
        let given = batches(&[100; 4], 90, true);
        let found = join(&mut Joiner::new(1000, usize::MAX), &given);
        assert_eq!(found, given, "360 values and 127 keys");
        assert!(concat_batches(&given[0].schema(), &given).is_err());
    }
}
