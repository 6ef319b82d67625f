//! The columns of texts and bytes of a batch in Arrow's IPC format.
//!
//! `arrow_ipc` checks such a column value by value on a path that can name the first wrong one, which takes a tenth of the time of
//! reading a result. Here the same is checked for the column as a whole, and whatever is not as it should be is left to
//! `arrow_ipc`, which reads the batch again and says what is wrong.

use std::sync::Arc;

use arrow_array::types::{BinaryType, ByteArrayType, Utf8Type};
use arrow_array::{ArrayRef, GenericByteArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_ipc::{Buffer as Place, FieldNode, RecordBatch as Header};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};

/// In wider batches `arrow_ipc` reads all: it looks through the list of the other columns once for each column.
const MAX_COLUMNS: usize = 500;

/// Some columns of a batch, and which the other ones are.
pub(super) struct Texts {
    found: Vec<(usize, ArrayRef)>,
    others: Vec<usize>,
}

impl Texts {
    /// Reads the columns of texts and bytes; they share the memory of `body`. `None` if there are none, and if anything about them is
    /// unusual.
    pub(super) fn find(schema: &Schema, header: Header<'_>, body: &Buffer) -> Option<Self> {
        let (nodes, places) = (header.nodes()?, header.buffers()?);
        if header.compression().is_some() || schema.fields().len() > MAX_COLUMNS {
            return None;
        }
        let (mut found, mut others) = (Vec::new(), Vec::new());
        let (mut node, mut place) = (0, 0);
        for (index, field) in schema.fields().iter().enumerate() {
            let size = Size::of(field.data_type())?;
            if node + size.nodes > nodes.len() || place + size.places > places.len() {
                return None;
            }
            let column = |read: Read| read(nodes.get(node), [0, 1, 2].map(|next| places.get(place + next)), body);
            match field.data_type() {
                DataType::Utf8 => found.push((index, column(read::<Utf8Type>)?)),
                DataType::Binary => found.push((index, column(read::<BinaryType>)?)),
                _ => others.push(index),
            }
            node += size.nodes;
            place += size.places;
        }
        (!found.is_empty()).then_some(Self { found, others })
    }

    /// The columns that are not read yet, in order.
    pub(super) fn others(&self) -> &[usize] {
        &self.others
    }

    /// The whole batch, with the other columns as well.
    ///
    /// # Errors
    /// The columns have different lengths, or nulls where their fields have none.
    pub(super) fn join(self, schema: SchemaRef, others: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let options = RecordBatchOptions::new().with_row_count(Some(others.num_rows()));
        let mut columns = others.into_parts().1;
        // In ascending order, so that each finds its place.
        for (index, column) in self.found {
            columns.insert(index, column);
        }
        RecordBatch::try_new_with_options(schema, columns, &options)
    }
}

type Read = fn(&FieldNode, [&Place; 3], &Buffer) -> Option<ArrayRef>;

fn read<T: ByteArrayType<Offset = i32>>(node: &FieldNode, places: [&Place; 3], body: &Buffer) -> Option<ArrayRef> {
    let rows = usize::try_from(node.length()).ok().filter(|rows| *rows > 0)?;
    let [nulls, offsets, values] = places;
    let nulls = match node.null_count() {
        0 => None,
        count => {
            let bits = slice(body, nulls).filter(|bits| bits.len() >= rows.div_ceil(8))?;
            let nulls = NullBuffer::new(BooleanBuffer::new(bits, 0, rows));
            (nulls.null_count() as i64 == count).then_some(Some(nulls))?
        }
    };
    let offsets = slice(body, offsets).filter(|bytes| bytes.len() / size_of::<i32>() > rows)?;
    if offsets.as_ptr().align_offset(align_of::<i32>()) != 0 {
        return None;
    }
    let offsets = ScalarBuffer::<i32>::new(offsets, 0, rows + 1);
    // Without a way out of the loop, which would keep it from comparing several at once.
    let ascend = offsets
        .windows(2)
        .fold(true, |ascend, pair| ascend & (pair[0] <= pair[1]));
    if offsets[0] < 0 || !ascend {
        return None;
    }
    let array = GenericByteArray::<T>::try_new(OffsetBuffer::new(offsets), slice(body, values)?, nulls);
    Some(Arc::new(array.ok()?))
}

fn slice(body: &Buffer, place: &Place) -> Option<Buffer> {
    let (start, length) = (
        usize::try_from(place.offset()).ok()?,
        usize::try_from(place.length()).ok()?,
    );
    let is_inside = start.checked_add(length).is_some_and(|end| end <= body.len());
    is_inside.then(|| body.slice_with_length(start, length))
}

/// How much of a batch's header describes a column.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    places: usize,
}

impl Size {
    /// `None` where that depends on more than the type.
    fn of(data_type: &DataType) -> Option<Self> {
        let own = |places| Self { nodes: 1, places };
        Some(match data_type {
            DataType::Null => own(0),
            DataType::Utf8 | DataType::Binary | DataType::LargeUtf8 | DataType::LargeBinary => own(3),
            DataType::List(item) | DataType::LargeList(item) | DataType::Map(item, _) => {
                own(2).and(Self::of(item.data_type())?)
            }
            DataType::FixedSizeList(item, _) => own(1).and(Self::of(item.data_type())?),
            DataType::Struct(fields) => fields
                .iter()
                .try_fold(own(1), |size, field| Some(size.and(Self::of(field.data_type())?)))?,
            DataType::Boolean | DataType::FixedSizeBinary(_) | DataType::Dictionary(..) => own(2),
            primitive if primitive.is_primitive() => own(2),
            _ => return None,
        })
    }

    fn and(self, other: Self) -> Self {
        Self {
            nodes: self.nodes + other.nodes,
            places: self.places + other.places,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow_array::types::Int32Type;
    use arrow_array::{BinaryArray, BooleanArray, Int64Array, NullArray, StringArray, StructArray};
    use arrow_ipc::reader::RecordBatchDecoder;
    use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
    use arrow_ipc::{MetadataVersion, root_as_message};
    use arrow_schema::Field;
    use proptest::prelude::*;

    use super::*;

    /// The header and the body of a batch as they are sent.
    fn encode(batch: &RecordBatch) -> (Vec<u8>, Vec<u8>) {
        let mut tracker = DictionaryTracker::new(false);
        let (_, encoded) = IpcDataGenerator::default()
            .encode(
                batch,
                &mut tracker,
                &IpcWriteOptions::default(),
                &mut Default::default(),
            )
            .unwrap();
        (encoded.ipc_message, encoded.arrow_data)
    }

    /// What is read here, and what `arrow_ipc` reads.
    fn read_both(
        schema: &SchemaRef,
        header: &[u8],
        body: &Buffer,
    ) -> (Option<RecordBatch>, Result<RecordBatch, ArrowError>) {
        let header = root_as_message(header).unwrap().header_as_record_batch().unwrap();
        let none = HashMap::new();
        let decoder =
            || RecordBatchDecoder::try_new(body, header, Arc::clone(schema), &none, &MetadataVersion::V5).unwrap();
        let here = Texts::find(schema, header, body).map(|texts| {
            let others = decoder().with_projection(Some(texts.others())).read_record_batch();
            texts.join(Arc::clone(schema), others.unwrap()).unwrap()
        });
        (here, decoder().read_record_batch())
    }

    fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .enumerate()
                .map(|(index, column)| (index.to_string(), column, true)),
        )
        .unwrap()
    }

    #[test]
    fn texts_are_found_between_columns_of_every_layout() {
        let mut lists = ListBuilder::new(Int32Builder::new());
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        for number in 0..2 {
            lists.append_value([Some(number), None]);
            maps.keys().append_value("key");
            maps.values().append_value(number);
            maps.append(true).unwrap();
        }
        let inner = Arc::new(StringArray::from(vec!["in", "side"])) as ArrayRef;
        let structs = StructArray::from(vec![(Arc::new(Field::new("x", DataType::Utf8, true)), inner)]);
        let fixed = arrow_array::FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)]), None], 1);
        let text = |one: &str| Arc::new(StringArray::from(vec![Some(one), None])) as ArrayRef;
        let batch = batch(vec![
            text("first"),
            Arc::new(Int64Array::from(vec![1, 2])),
            Arc::new(NullArray::new(2)),
            text("after nulls"),
            Arc::new(lists.finish()),
            Arc::new(maps.finish()),
            text("after lists"),
            Arc::new(structs),
            Arc::new(BooleanArray::from(vec![true, false])),
            Arc::new(BinaryArray::from_vec(vec![b"\xFF", b""])),
            Arc::new(fixed),
            text("last"),
        ]);
        let (header, body) = encode(&batch);
        let (here, there) = read_both(&batch.schema(), &header, &body.into());
        assert_eq!(here.as_ref(), Some(&batch));
        assert_eq!(here, there.ok());
    }

    #[test]
    fn a_batch_without_texts_is_left_alone() {
        let batch = batch(vec![Arc::new(Int64Array::from(vec![1]))]);
        let (header, body) = encode(&batch);
        let message = root_as_message(&header).unwrap();
        let header = message.header_as_record_batch().unwrap();
        assert!(Texts::find(&batch.schema(), header, &body.into()).is_none());
    }

    fn values() -> impl Strategy<Value = Vec<Option<String>>> {
        prop::collection::vec(prop::option::weighted(0.8, "[a-zäß€😀]{0,6}"), 0..20)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// Damage that is not accepted here may be accepted there, never the other way round.
        #[test]
        fn what_is_read_here_is_what_arrow_reads(
            texts in values(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            shift in 0..9_usize,
        ) {
            let numbers = Int64Array::from_iter_values(0..texts.len() as i64);
            let batch = batch(vec![Arc::new(StringArray::from(texts)), Arc::new(numbers)]);
            let (header, mut body) = encode(&batch);
            let is_whole = damage.is_empty();
            for (place, byte) in damage {
                if !body.is_empty() {
                    let place = place.index(body.len());
                    body[place] = byte;
                }
            }
            let mut shifted = vec![0; shift];
            shifted.extend(&body);
            let body = Buffer::from_vec(shifted).slice(shift);
            let (here, there) = read_both(&batch.schema(), &header, &body);
            if is_whole && shift % 8 == 0 {
                prop_assert_eq!(here.is_some(), batch.num_rows() > 0);
            }
            if let Some(here) = here {
                prop_assert_eq!(here, there.unwrap());
            }
        }
    }
}
