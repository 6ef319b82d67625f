//! Bytes to batches: an Arrow IPC stream, after LZ4 frames where there are any.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::MessageHeader;
use arrow_ipc::reader::StreamDecoder;
use arrow_schema::{ArrowError, SchemaRef};

use super::lz4::Frames;
use super::plain::Plain;
use crate::error::{Error, Result};
use databricks_telemetry::ErrorCategory;

/// Decompresses everything in `compressed`: any number of LZ4 frames.
///
/// # Errors
/// A frame is broken or cut off, or the result would be unreasonably large.
pub(super) fn decompress(compressed: &[u8]) -> Result<Plain> {
    let mut plain = Plain::with_room(compressed.len().saturating_mul(3));
    let mut frames = Frames::default();
    frames.push(compressed, &mut plain)?;
    frames.finish()?;
    Ok(plain)
}

/// An Arrow IPC stream that is read in one or several pieces.
#[derive(Default)]
pub(super) struct IpcStream {
    decoder: StreamDecoder,
}

impl IpcStream {
    pub(super) fn new() -> Self {
        // What is not aligned is copied; everything else stays in the buffer it was decompressed into.
        Self {
            decoder: StreamDecoder::new().with_require_alignment(false),
        }
    }

    /// Reads all of `piece`.
    ///
    /// # Errors
    /// The bytes are no Arrow IPC stream, or go on after its end.
    pub(super) fn read(&mut self, mut piece: Buffer) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while !piece.is_empty() {
            // The decoder checks what arrays hold, but asserts where messages say that their buffers are.
            let decoded = catch_unwind(AssertUnwindSafe(|| self.decoder.decode(&mut piece)));
            match decoded {
                Ok(Ok(Some(batch))) => batches.push(batch),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => return Err(malformed(&error)),
                Err(_) => {
                    self.decoder = StreamDecoder::new();
                    return Err(Error::result_set("a chunk's Arrow data is malformed"));
                }
            }
        }
        Ok(batches)
    }

    /// The schema, once its message was read.
    pub(super) fn schema(&self) -> Option<SchemaRef> {
        self.decoder.schema()
    }

    /// Whether the pieces so far end between two messages.
    pub(super) fn is_between_messages(&mut self) -> bool {
        self.decoder.finish().is_ok()
    }
}

/// Reads a whole stream.
///
/// # Errors
/// It is empty, malformed or cut off.
pub(super) fn read_stream(bytes: Buffer) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let mut stream = IpcStream::new();
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
    if *size == [0xFF; 4] {
        let Some(next) = rest.split_first_chunk::<4>() else {
            return false;
        };
        (size, rest) = next;
    }
    let message = usize::try_from(u32::from_le_bytes(*size))
        .ok()
        .and_then(|size| rest.get(..size));
    message
        .and_then(|message| arrow_ipc::root_as_message(message).ok())
        .is_some_and(|message| message.header_type() == MessageHeader::Schema)
}

/// Cuts `batches` to their first `rows` rows: a file may hold more than its link promises, which is padding.
pub(super) fn truncate(batches: &mut Vec<RecordBatch>, rows: u64) {
    let mut left = usize::try_from(rows).unwrap_or(usize::MAX);
    batches.retain_mut(|batch| {
        if batch.num_rows() > left {
            *batch = batch.slice(0, left);
        }
        left -= batch.num_rows();
        batch.num_rows() > 0
    });
}

fn malformed(error: &ArrowError) -> Error {
    Error::result_set(format!("a chunk's Arrow data cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;
    use arrow_ipc::writer::StreamWriter;
    use lz4_flex::frame::FrameEncoder;
    use proptest::prelude::*;

    use super::*;

    fn stream() -> Vec<u8> {
        let column = Arc::new(Int64Array::from_iter_values(0..100)) as arrow_array::ArrayRef;
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn broken_frames_are_errors() {
        let mut encoder = FrameEncoder::new(Vec::new());
        std::io::Write::write_all(&mut encoder, &[7; 1000]).unwrap();
        let good = encoder.finish().unwrap();
        assert_eq!(decompress(&good).unwrap().filled(), [7; 1000]);
        for cut in [1, 3, 5, 12] {
            assert!(decompress(&good[..cut]).is_err(), "{cut}");
        }
        assert!(decompress(b"no frame at all").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

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
    fn padding_rows_are_cut() {
        let batch = |from: i64, rows: i64| {
            let column = Arc::new(Int64Array::from_iter_values(from..from + rows));
            RecordBatch::try_from_iter([("x", column as arrow_array::ArrayRef)]).unwrap()
        };
        let mut batches = vec![batch(0, 3), batch(3, 3), batch(6, 3)];
        truncate(&mut batches, 4);
        assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [3, 1]);
    }
}
