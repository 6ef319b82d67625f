//! Bytes to batches: LZ4 frames, then an Arrow IPC stream.

use std::io::Read;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::MessageHeader;
use arrow_ipc::reader::StreamDecoder;
use arrow_schema::{ArrowError, SchemaRef};
use lz4_flex::frame::FrameDecoder;

use crate::error::{Error, Result};
use databricks_telemetry::ErrorCategory;

/// The most that one chunk may grow to. Chunks are about 20 MiB.
const MAX_PLAIN_BYTES: u64 = 4 << 30;

/// Frames that a decoder must skip: magic `0x184D2A50` to `0x184D2A5F`, a length, that many bytes.
const SKIPPABLE_MAGIC: u32 = 0x184D_2A50;

/// Decompresses everything in `compressed`, which is let go of then: any number of LZ4 frames, empty ones among them.
///
/// Files of the real service are several frames in a row. A decoder that stops at the first end mark loses rows.
///
/// # Errors
/// A frame is broken or cut off, or the result would be unreasonably large.
pub(super) fn decompress(compressed: Vec<u8>) -> Result<Vec<u8>> {
    let mut input = compressed.as_slice();
    let mut plain = Vec::with_capacity(input.len().saturating_mul(3));
    while !input.is_empty() {
        if let Some(rest) = skip_padding(input)? {
            input = rest;
            continue;
        }
        let before = input.len();
        let room = MAX_PLAIN_BYTES.saturating_sub(plain.len() as u64);
        let mut frame = FrameDecoder::new(&mut input).take(room + 1);
        let read = frame
            .read_to_end(&mut plain)
            .map_err(|error| broken(&error.to_string()))?;
        if read as u64 > room {
            return Err(broken("it is unreasonably large"));
        }
        if input.len() == before {
            return Err(broken("it makes no progress"));
        }
    }
    Ok(plain)
}

/// The input after a skippable frame or a superfluous end mark, if it begins with one.
fn skip_padding(input: &[u8]) -> Result<Option<&[u8]>> {
    let Some((head, rest)) = input.split_first_chunk::<4>() else {
        return Err(broken("it is cut off"));
    };
    match u32::from_le_bytes(*head) {
        0 => Ok(Some(rest)),
        magic if magic & !0xF == SKIPPABLE_MAGIC => {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| broken("it is cut off"))?;
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            rest.get(length..).map(Some).ok_or_else(|| broken("it is cut off"))
        }
        _ => Ok(None),
    }
}

fn broken(reason: &str) -> Error {
    Error::result_set(format!("a chunk's LZ4 data cannot be decompressed: {reason}"))
        .with_category(ErrorCategory::DecompressionError)
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
    pub(super) fn read(&mut self, piece: Vec<u8>) -> Result<Vec<RecordBatch>> {
        let mut buffer = Buffer::from_vec(piece);
        let mut batches = Vec::new();
        while !buffer.is_empty() {
            match self.decoder.decode(&mut buffer) {
                Ok(Some(batch)) => batches.push(batch),
                Ok(None) => {}
                Err(error) => return Err(malformed(&error)),
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
pub(super) fn read_stream(bytes: Vec<u8>) -> Result<(SchemaRef, Vec<RecordBatch>)> {
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
    use std::io::Write;
    use std::sync::Arc;

    use arrow_array::Int64Array;
    use lz4_flex::frame::FrameEncoder;

    use super::*;

    fn frame(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = FrameEncoder::new(Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_frame_is_read_and_empty_ones_do_not_end_the_input() {
        let mut input = frame(b"one ");
        input.extend(frame(b""));
        input.extend(frame(b"two"));
        input.extend([0; 8]);
        input.extend([0x50, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 9, 9]);
        input.extend(frame(b"!"));
        assert_eq!(decompress(input).unwrap(), b"one two!");
        assert_eq!(decompress(Vec::new()).unwrap(), b"");
    }

    #[test]
    fn broken_frames_are_errors() {
        let good = frame(&[7; 1000]);
        for cut in [1, 3, 5, 12] {
            assert!(decompress(good[..cut].to_vec()).is_err(), "{cut}");
        }
        assert!(decompress(b"no frame at all".to_vec()).is_err());
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
