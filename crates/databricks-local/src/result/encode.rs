//! Batches to the bytes of one chunk.

use std::io::{self, Write};

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};

use super::cells;

/// What a chunk is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// An Arrow IPC stream.
    Arrow(Lz4),
    /// A JSON array of rows, each an array of text cells.
    Json,
    /// The same rows with commas only: a piece of a JSON array that others continue.
    JsonRows,
    /// Comma-separated values; the first chunk of a result starts with the names.
    Csv,
}

/// How an Arrow chunk is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lz4 {
    /// Not at all.
    Off,
    /// One frame.
    OneFrame,
    /// Three frames: half of the bytes, none, the rest.
    ThreeFrames,
}

/// The bytes of one chunk.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    /// How many there were before compression.
    pub(crate) plain_len: u64,
}

/// Encodes the batches as one chunk. `is_first` matters to CSV only.
pub(crate) fn encode(
    encoding: Encoding,
    schema: &Schema,
    batches: &[RecordBatch],
    is_first: bool,
) -> Result<Encoded, ArrowError> {
    match encoding {
        Encoding::Arrow(lz4) => arrow_stream(lz4, schema, batches),
        Encoding::Json => Ok(plain(cells::json(batches, true)?)),
        Encoding::JsonRows => Ok(plain(cells::json(batches, false)?)),
        Encoding::Csv => Ok(plain(cells::csv(is_first.then_some(schema), batches)?)),
    }
}

/// The plain Arrow size of a batch: what its rows need, not what their buffers happen to share.
pub(crate) fn plain_bytes(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| {
            column
                .to_data()
                .get_slice_memory_size()
                .unwrap_or_else(|_| column.get_array_memory_size())
        })
        .sum()
}

fn plain(bytes: Vec<u8>) -> Encoded {
    Encoded {
        plain_len: bytes.len() as u64,
        bytes,
    }
}

fn arrow_stream(lz4: Lz4, schema: &Schema, batches: &[RecordBatch]) -> Result<Encoded, ArrowError> {
    let expected: usize = batches.iter().map(plain_bytes).sum();
    match lz4 {
        Lz4::Off => Ok(plain(write_stream(
            Vec::with_capacity(expected + 1024),
            schema,
            batches,
        )?)),
        Lz4::OneFrame => {
            let frame = write_stream(
                Counted::new(frame(Vec::with_capacity(expected / 2 + 1024))),
                schema,
                batches,
            )?;
            Ok(Encoded {
                plain_len: frame.count,
                bytes: frame.inner.finish().map_err(io::Error::from)?,
            })
        }
        Lz4::ThreeFrames => {
            let stream = write_stream(Vec::with_capacity(expected + 1024), schema, batches)?;
            let (first, rest) = stream.split_at(stream.len() / 2);
            let mut bytes = Vec::new();
            for part in [first, &[], rest] {
                let mut encoder = frame(bytes);
                encoder.write_all(part)?;
                bytes = encoder.finish().map_err(io::Error::from)?;
            }
            Ok(Encoded {
                plain_len: stream.len() as u64,
                bytes,
            })
        }
    }
}

fn write_stream<W: Write>(to: W, schema: &Schema, batches: &[RecordBatch]) -> Result<W, ArrowError> {
    let mut writer = StreamWriter::try_new(to, schema)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.into_inner()
}

pub(super) fn frame<W: Write>(to: W) -> FrameEncoder<W> {
    FrameEncoder::with_frame_info(FrameInfo::new().block_size(BlockSize::Max1MB), to)
}

/// Counts what is written through it.
struct Counted<W> {
    inner: W,
    count: u64,
}

impl<W> Counted<W> {
    fn new(inner: W) -> Self {
        Self { inner, count: 0 }
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        // The IPC writer flushes after its end mark; a flush of the frame would only cut a block short.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::Arc;

    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field};
    use lz4_flex::frame::FrameDecoder;

    use super::*;

    fn sample() -> (Schema, Vec<RecordBatch>) {
        let schema = Schema::new(vec![Field::new("a", DataType::Int64, false)]);
        let batch = RecordBatch::try_new(
            Arc::new(schema.clone()),
            vec![Arc::new(Int64Array::from_iter_values(0..1000))],
        )
        .unwrap();
        (schema, vec![batch.slice(0, 400), batch.slice(400, 600)])
    }

    #[test]
    fn every_compression_holds_the_same_stream() {
        let (schema, batches) = sample();
        let plain = encode(Encoding::Arrow(Lz4::Off), &schema, &batches, true).unwrap();
        for lz4 in [Lz4::OneFrame, Lz4::ThreeFrames] {
            let encoded = encode(Encoding::Arrow(lz4), &schema, &batches, true).unwrap();
            assert_eq!(encoded.plain_len, plain.bytes.len() as u64);
            let mut input = encoded.bytes.as_slice();
            let mut output = Vec::new();
            let mut frames = 0;
            while !input.is_empty() {
                FrameDecoder::new(&mut input).read_to_end(&mut output).unwrap();
                frames += 1;
            }
            assert_eq!(output, plain.bytes);
            assert_eq!(frames, if lz4 == Lz4::OneFrame { 1 } else { 3 });
        }
    }

    #[test]
    fn a_slice_counts_only_its_own_rows() {
        let (_, batches) = sample();
        assert_eq!(plain_bytes(&batches[0]), 400 * 8);
    }
}
