//! Arrow IPC streams, read message by message where they lie.
//!
//! Messages are decoded by the `arrow_ipc` crate, except for the texts of a batch, which [`texts`](super::texts) reads. The
//! format is the public "Arrow Columnar Format", its section on encapsulated messages.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::convert::{MessageBuffer, fb_to_schema};
use arrow_ipc::reader::{RecordBatchDecoder, read_dictionary};
use arrow_ipc::{Endianness, Message, MessageHeader};
use arrow_schema::{ArrowError, SchemaRef};
use databricks_telemetry::ErrorCategory;

use super::texts::Texts;
use crate::error::{Error, Result};

/// Stands before the length of a message's metadata, in all but the oldest streams.
const CONTINUATION: [u8; 4] = [0xFF; 4];

/// A stream that comes in one or several pieces.
#[derive(Debug, Default)]
pub(super) struct IpcStream {
    expected: Expected,
    /// The beginning of what is expected, when a piece ended in the middle of it.
    partial: Vec<u8>,
    schema: Option<SchemaRef>,
    dictionaries: HashMap<i64, ArrayRef>,
}

/// What comes next in the input.
#[derive(Clone, Debug, Default)]
enum Expected {
    /// A message: the mark of continuation, or the length of the metadata at once.
    #[default]
    Message,
    Length,
    Metadata(usize),
    Body(MessageBuffer),
    /// Nothing: there was an end mark.
    End,
}

impl IpcStream {
    /// Reads all of `piece`. What is whole in it stays where it is; the batches share its memory.
    ///
    /// # Errors
    /// The bytes are no Arrow IPC stream, or go on after its end. Nothing more can be read from the stream then.
    pub(super) fn read(&mut self, mut piece: Buffer) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(whole) = self.take(&mut piece)? {
            // What arrays hold is checked, but where messages say that their buffers are is asserted.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.advance(whole)));
            match outcome.unwrap_or_else(|_| Err(Error::result_set("a chunk's Arrow data is malformed"))) {
                Ok(batch) => batches.extend(batch),
                Err(error) => {
                    self.expected = Expected::End;
                    return Err(error);
                }
            }
        }
        Ok(batches)
    }

    /// The schema, once its message was read.
    pub(super) fn schema(&self) -> Option<SchemaRef> {
        self.schema.clone()
    }

    /// Whether the pieces so far end between two messages.
    pub(super) fn is_between_messages(&self) -> bool {
        matches!(self.expected, Expected::Message | Expected::End) && self.partial.is_empty()
    }

    /// What is expected, if `piece` has it or completes it.
    fn take(&mut self, piece: &mut Buffer) -> Result<Option<Buffer>> {
        let wanted = match &self.expected {
            Expected::Message | Expected::Length => 4,
            Expected::Metadata(bytes) => *bytes,
            Expected::Body(message) => body_bytes(message)?,
            Expected::End if piece.is_empty() => return Ok(None),
            Expected::End => return Err(Error::result_set("a chunk's Arrow data goes on after its end")),
        };
        if self.partial.is_empty() && piece.len() >= wanted {
            let whole = piece.slice_with_length(0, wanted);
            piece.advance(wanted);
            return Ok(Some(whole));
        }
        let more = piece.len().min(wanted - self.partial.len());
        self.partial.extend_from_slice(&piece[..more]);
        piece.advance(more);
        let is_whole = self.partial.len() == wanted;
        Ok(is_whole.then(|| Buffer::from_vec(std::mem::take(&mut self.partial))))
    }

    /// Reads what was expected, which may complete a batch.
    fn advance(&mut self, bytes: Buffer) -> Result<Option<RecordBatch>> {
        let mut batch = None;
        self.expected = match std::mem::take(&mut self.expected) {
            Expected::Message if bytes.as_slice() == CONTINUATION => Expected::Length,
            Expected::Message | Expected::Length => match length(&bytes) {
                0 => Expected::End,
                length => Expected::Metadata(length),
            },
            Expected::Metadata(_) => Expected::Body(MessageBuffer::try_new(bytes).map_err(|error| malformed(&error))?),
            Expected::Body(message) => {
                batch = self
                    .message(message.as_ref(), &bytes)
                    .map_err(|error| malformed(&error))?;
                Expected::Message
            }
            Expected::End => Expected::End,
        };
        Ok(batch)
    }

    fn message(&mut self, message: Message<'_>, body: &Buffer) -> Result<Option<RecordBatch>, ArrowError> {
        let schema = || {
            self.schema
                .clone()
                .ok_or_else(|| inconsistent("no schema comes before it"))
        };
        let lacks_header = || inconsistent("it has no header");
        let version = message.version();
        match message.header_type() {
            MessageHeader::Schema if self.schema.is_some() => Err(inconsistent("it has two schemas")),
            MessageHeader::Schema => {
                let schema = message.header_as_schema().ok_or_else(lacks_header)?;
                if schema.endianness() != Endianness::Little {
                    return Err(inconsistent("its numbers are big-endian"));
                }
                self.schema = Some(Arc::new(fb_to_schema(schema)));
                Ok(None)
            }
            MessageHeader::DictionaryBatch => {
                let dictionary = message.header_as_dictionary_batch().ok_or_else(lacks_header)?;
                let schema = schema()?;
                read_dictionary(body, dictionary, &schema, &mut self.dictionaries, &version)?;
                Ok(None)
            }
            MessageHeader::RecordBatch => {
                let header = message.header_as_record_batch().ok_or_else(lacks_header)?;
                let schema = schema()?;
                let texts = Texts::find(&schema, header, body);
                let decoder =
                    RecordBatchDecoder::try_new(body, header, Arc::clone(&schema), &self.dictionaries, &version)?;
                // What is not aligned is copied; everything else stays where it is.
                match texts {
                    None => decoder.read_record_batch(),
                    Some(texts) => {
                        let others = decoder.with_projection(Some(texts.others())).read_record_batch()?;
                        texts.join(schema, others)
                    }
                }
                .map(Some)
            }
            MessageHeader::NONE => Ok(None),
            other => Err(inconsistent(&format!("a message is a {other:?}"))),
        }
    }
}

fn length(bytes: &[u8]) -> usize {
    let bytes = bytes.first_chunk().copied().unwrap_or_default();
    usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
}

fn body_bytes(message: &MessageBuffer) -> Result<usize> {
    usize::try_from(message.as_ref().bodyLength())
        .map_err(|_| malformed(&inconsistent("a message is shorter than nothing")))
}

/// Reads a whole stream.
///
/// # Errors
/// It is empty, malformed or cut off.
pub(super) fn read_stream(bytes: Buffer) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let mut stream = IpcStream::default();
    let batches = stream.read(bytes)?;
    if !stream.is_between_messages() {
        return Err(Error::result_set("a chunk's Arrow data is cut off"));
    }
    let schema = stream.schema().ok_or_else(|| {
        Error::result_set("a chunk holds no Arrow data").with_category(ErrorCategory::ArrowSchemaParsingError)
    })?;
    Ok((schema, batches))
}

/// Whether these bytes begin a stream of their own rather than go on with an earlier one.
pub(super) fn begins_with_schema(bytes: &[u8]) -> bool {
    let Some((mut size, mut rest)) = bytes.split_first_chunk::<4>() else {
        return false;
    };
    if *size == CONTINUATION {
        let Some(next) = rest.split_first_chunk::<4>() else {
            return false;
        };
        (size, rest) = next;
    }
    rest.get(..length(size))
        .and_then(|message| arrow_ipc::root_as_message(message).ok())
        .is_some_and(|message| message.header_type() == MessageHeader::Schema)
}

fn inconsistent(reason: &str) -> ArrowError {
    ArrowError::IpcError(reason.to_owned())
}

fn malformed(error: &ArrowError) -> Error {
    Error::result_set(format!("a chunk's Arrow data cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int32Type;
    use arrow_array::{DictionaryArray, Int64Array, StringArray};
    use arrow_ipc::writer::StreamWriter;
    use proptest::prelude::*;

    use super::*;

    fn batch(from: i64) -> RecordBatch {
        let numbers = Arc::new(Int64Array::from_iter_values(from..from + 100)) as ArrayRef;
        let texts = Arc::new(StringArray::from_iter_values(
            (from..from + 100).map(|number| format!("ä{number}")),
        )) as ArrayRef;
        let words = (from..from + 100).map(|number| ["one", "two"][number as usize % 2]);
        let words = Arc::new(DictionaryArray::<Int32Type>::from_iter(words)) as ArrayRef;
        RecordBatch::try_from_iter([("number", numbers), ("text", texts), ("word", words)]).unwrap()
    }

    fn stream() -> Vec<u8> {
        let mut writer = StreamWriter::try_new(Vec::new(), &batch(0).schema()).unwrap();
        for from in [0, 100] {
            writer.write(&batch(from)).unwrap();
        }
        writer.into_inner().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_stream_is_read_however_it_is_cut(
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            is_ended in any::<bool>(),
        ) {
            let whole = stream();
            let end = if is_ended { whole.len() } else { whole.len() - 8 };
            let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(end + 1)).collect();
            places.extend([0, end]);
            places.sort_unstable();
            let (mut stream, mut batches) = (IpcStream::default(), Vec::new());
            for pair in places.windows(2) {
                batches.extend(stream.read(Buffer::from_slice_ref(&whole[pair[0]..pair[1]])).unwrap());
            }
            prop_assert_eq!(batches, [batch(0), batch(100)]);
            prop_assert!(stream.is_between_messages());
            prop_assert_eq!(stream.schema(), Some(batch(0).schema()));
            prop_assert_eq!(stream.read(vec![0_u8; 4].into()).is_err(), is_ended);
        }

        #[test]
        fn a_damaged_stream_is_at_most_an_error(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = stream();
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(cut.index(2 * bytes.len()) + 1);
            let _ = begins_with_schema(&bytes);
            let _ = read_stream(Buffer::from_vec(bytes));
        }
    }

    #[test]
    fn what_lies_whole_in_its_piece_is_not_copied() {
        let bytes = Buffer::from_vec(stream());
        let places = bytes.as_ptr() as usize..bytes.as_ptr() as usize + bytes.len();
        let (_, batches) = read_stream(bytes).unwrap();
        for column in [0, 1] {
            let data = batches[1].column(column).to_data();
            assert!(
                data.buffers()
                    .iter()
                    .all(|buffer| places.contains(&(buffer.as_ptr() as usize)))
            );
        }
    }
}
