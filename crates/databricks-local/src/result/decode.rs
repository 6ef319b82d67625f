//! The batches of a chunk, and their messages: what a client gets that takes batches rather than files.

use std::io::{self, Cursor, Read as _, Write as _};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use lz4_flex::frame::FrameDecoder;

use super::encode::frame;

/// A record batch as an IPC message, without the schema's message before it.
pub(crate) struct BatchMessage {
    pub(crate) rows: usize,
    pub(crate) bytes: Vec<u8>,
}

/// The rows `from..to` of an Arrow chunk.
///
/// # Errors
/// When it is none.
pub(crate) fn rows(chunk: &[u8], lz4: bool, from: usize, to: usize) -> Result<Vec<RecordBatch>, ArrowError> {
    let plain = if lz4 { Some(decompressed(chunk)?) } else { None };
    let mut wanted = Vec::new();
    let mut at = 0;
    for batch in StreamReader::try_new(Cursor::new(plain.as_deref().unwrap_or(chunk)), None)? {
        let batch = batch?;
        let (start, end) = (from.max(at), to.min(at + batch.num_rows()));
        if start < end {
            wanted.push(batch.slice(start - at, end - start));
        }
        at += batch.num_rows();
        if at >= to {
            break;
        }
    }
    Ok(wanted)
}

/// All frames, one after the other.
fn decompressed(mut bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    while !bytes.is_empty() {
        FrameDecoder::new(&mut bytes).read_to_end(&mut plain)?;
    }
    Ok(plain)
}

/// The schema as an IPC message.
pub(crate) fn schema_message(schema: &Schema) -> Result<Vec<u8>, ArrowError> {
    Ok(StreamWriter::try_new(Vec::new(), schema)?.get_ref().clone())
}

/// Each batch as an IPC message, in a frame of its own when `lz4`.
pub(crate) fn batch_messages(
    schema: &Schema,
    batches: &[RecordBatch],
    lz4: bool,
) -> Result<Vec<BatchMessage>, ArrowError> {
    // The writer begins with the message of the schema; what it writes after that is one message per batch.
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    let mut messages = Vec::with_capacity(batches.len());
    for batch in batches {
        writer.get_mut().clear();
        writer.write(batch)?;
        let bytes = match lz4 {
            true => {
                let mut encoder = frame(Vec::new());
                encoder.write_all(writer.get_ref())?;
                encoder.finish().map_err(io::Error::from)?
            }
            false => std::mem::take(writer.get_mut()),
        };
        messages.push(BatchMessage {
            rows: batch.num_rows(),
            bytes,
        });
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;
    use arrow::array::cast::AsArray as _;
    use arrow::array::types::Int64Type;
    use arrow::datatypes::{DataType, Field};

    use super::super::encode::{Encoding, Lz4, encode};
    use super::*;

    fn batch(rows: std::ops::Range<i64>) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
        RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from_iter_values(rows))]).unwrap()
    }

    fn values(batches: &[RecordBatch]) -> Vec<i64> {
        let columns = batches.iter().map(|batch| batch.column(0).as_primitive::<Int64Type>());
        columns.flat_map(|column| column.values().to_vec()).collect()
    }

    #[test]
    fn any_rows_can_be_taken_of_any_chunk() {
        let batches = [batch(0..4), batch(4..10)];
        for lz4 in [Lz4::Off, Lz4::OneFrame, Lz4::ThreeFrames] {
            let chunk = encode(Encoding::Arrow(lz4), &batches[0].schema(), &batches, true).unwrap();
            for (from, to) in [(0, 10), (3, 5), (4, 10), (9, 10), (0, 4)] {
                let found = rows(&chunk.bytes, lz4 != Lz4::Off, from, to).unwrap();
                assert_eq!(values(&found), (from as i64..to as i64).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn the_messages_make_a_stream_again() {
        let batches = [batch(0..4), batch(4..10)];
        let schema = batches[0].schema();
        for lz4 in [false, true] {
            let mut stream = schema_message(&schema).unwrap();
            for message in batch_messages(&schema, &batches, lz4).unwrap() {
                match lz4 {
                    true => stream.extend(decompressed(&message.bytes).unwrap()),
                    false => stream.extend(message.bytes),
                }
            }
            assert_eq!(
                values(&rows(&stream, false, 0, 10).unwrap()),
                (0..10).collect::<Vec<_>>()
            );
        }
    }
}
