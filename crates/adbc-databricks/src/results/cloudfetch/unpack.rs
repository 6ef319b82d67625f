//! A file's bytes on their way to batches: held as they came, then decompressed, then decoded.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{Array as _, RecordBatch};
use arrow_schema::SchemaRef;

use crate::error::{Error, Result};
use crate::results::lz4::Frames;
use crate::results::plain::{Content, Plain, Pool};
use crate::results::{ipc, json, shape};

/// How much of what is held is decompressed when a piece arrives: more than arrives, so that it gets less, and little enough not to hold up
/// the other tasks of the runtime.
const CATCH_UP_BYTES: usize = 1 << 20;
/// How much larger than its file a chunk usually is.
const USUAL_COMPRESSION: usize = 3;
/// The largest buffer that is made for a file before it is here. What is larger grows with what arrives.
const MAX_GUESS_BYTES: usize = 64 << 20;

/// One file as far as it is here.
#[derive(Default)]
pub(super) struct Unpacking {
    frames: Option<Frames>,
    /// How many bytes the file has, as far as that is known.
    announced: usize,
    /// What came and had to wait, of which the first bytes are decompressed.
    held: Option<Plain>,
    done: usize,
    /// `None` before the first byte is decompressed.
    plain: Option<Plain>,
    /// The time that went into decompressing.
    pub(super) took: Duration,
}

/// A file's batches.
pub(super) struct Unpacked {
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
    /// What was in memory at most, and what stays there as long as the batches.
    pub(super) peak_bytes: u64,
    pub(super) kept_bytes: u64,
}

impl Unpacking {
    pub(super) fn new(is_compressed: bool, announced: u64) -> Self {
        Self {
            frames: is_compressed.then(Frames::default),
            announced: usize::try_from(announced).unwrap_or(usize::MAX),
            ..Self::default()
        }
    }

    /// Takes the next piece in, which has to wait.
    pub(super) fn hold(&mut self, piece: &[u8], buffers: &Arc<Pool>) {
        let announced = self.announced.min(MAX_GUESS_BYTES);
        let held = self.held.get_or_insert_with(|| buffers.take(Content::File, announced));
        held.extend(piece);
    }

    /// Takes the next piece in, and decompresses it or some of what waits before it. Tells whether nothing waits any more.
    ///
    /// # Errors
    /// The file is broken.
    pub(super) fn unpack(&mut self, piece: &[u8], buffers: &Arc<Pool>) -> Result<bool> {
        if self.held.is_none() {
            self.decompress(piece, buffers)?;
            return Ok(true);
        }
        self.hold(piece, buffers);
        self.catch_up(CATCH_UP_BYTES.max(2 * piece.len()), buffers)?;
        Ok(self.held.is_none())
    }

    /// Checks of a file that is all here what can be seen without decompressing more: whether a second try is worth having.
    ///
    /// # Errors
    /// It is cut off, or something else than a compressed file.
    pub(super) fn check(&self) -> Result<()> {
        match (&self.frames, &self.held) {
            (Some(frames), None) => frames.finish(),
            (Some(_), Some(held)) if self.done == 0 => Frames::check_beginning(held.filled()),
            _ => Ok(()),
        }
    }

    /// Whether a file that is all here, and was checked, is as good as any other try's. What is held may have been cut off.
    pub(super) fn is_as_good_as_any(&self) -> bool {
        match (&self.frames, &self.held) {
            (Some(_), Some(held)) => Frames::is_usual_end(held.filled()),
            _ => true,
        }
    }

    /// Decompresses as much of what is held.
    fn catch_up(&mut self, bytes: usize, buffers: &Arc<Pool>) -> Result<()> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let end = held.filled().len().min(self.done.saturating_add(bytes));
        self.decompress(&held.filled()[self.done..end], buffers)?;
        if end < held.filled().len() {
            self.done = end;
            self.held = Some(held);
        }
        Ok(())
    }

    fn decompress(&mut self, piece: &[u8], buffers: &Arc<Pool>) -> Result<()> {
        let began = Instant::now();
        let growth = if self.frames.is_some() { USUAL_COMPRESSION } else { 1 };
        let guess = self.announced.saturating_mul(growth).min(MAX_GUESS_BYTES);
        let plain = self.plain.get_or_insert_with(|| buffers.take(Content::Chunk, guess));
        match &mut self.frames {
            Some(frames) => frames.push(piece, plain)?,
            None => plain.extend(piece),
        }
        self.took += began.elapsed();
        Ok(())
    }

    /// Decompresses the rest and decodes all: an Arrow stream, or rows of JSON if it is said what their cells are. `rows` is what was promised.
    ///
    /// # Errors
    /// The file is broken, or has fewer rows.
    pub(super) fn finish(
        mut self,
        buffers: &Arc<Pool>,
        cells: Option<&SchemaRef>,
        index: u64,
        rows: Option<u64>,
    ) -> Result<Unpacked> {
        if self.frames.is_none() && self.plain.is_none() {
            // What is not compressed stays where it is.
            self.plain = self.held.take();
        }
        self.catch_up(usize::MAX, buffers)?;
        if let Some(frames) = &self.frames {
            frames.finish()?;
        }
        let plain = self.plain.unwrap_or_default();
        let plain_bytes = plain.filled().len() as u64;
        let mut copied = 0;
        let (schema, mut batches) = match cells {
            Some(schema) => (Arc::clone(schema), vec![json::decode_file(schema, plain.filled())?]),
            None => {
                let buffer = plain.into_buffer();
                let place = buffer.as_slice().as_ptr_range();
                let (schema, batches) = ipc::read_stream(buffer)?;
                copied = bytes_outside(&batches, &place);
                (schema, batches)
            }
        };
        if let Some(promised) = rows {
            let found: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
            if found < promised {
                return Err(Error::result_set(format!(
                    "the result is incomplete: chunk {index} has {found} of {promised} rows, {} rows are missing",
                    promised - found
                )));
            }
            shape::truncate(&mut batches, promised);
        }
        let (peak_bytes, kept_bytes) = match cells {
            // Batches are parts of what was decompressed, except those that were made of JSON.
            None => {
                let all = plain_bytes.saturating_add(copied);
                (all, all)
            }
            Some(_) => {
                let kept = batches.iter().map(|batch| batch.get_array_memory_size() as u64).sum();
                (plain_bytes.saturating_add(kept), kept)
            }
        };
        Ok(Unpacked {
            schema,
            batches,
            peak_bytes,
            kept_bytes,
        })
    }
}
/// The bytes of buffers that do not lie in `place`: of what had to be copied, because it was not aligned there or compressed in itself.
fn bytes_outside(batches: &[RecordBatch], place: &Range<*const u8>) -> u64 {
    let columns = batches.iter().flat_map(RecordBatch::columns);
    let mut parts: Vec<_> = columns.map(|column| column.to_data()).collect();
    let mut bytes = 0_u64;
    while let Some(data) = parts.pop() {
        let nulls = data.nulls().map(|nulls| nulls.buffer());
        let own = data.buffers().iter().chain(nulls);
        let outside = own.filter(|buffer| !place.contains(&buffer.as_ptr()));
        bytes = outside.fold(bytes, |bytes, buffer| bytes.saturating_add(buffer.len() as u64));
        parts.extend(data.child_data().iter().cloned());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Decimal128Array, ListArray, types::Int64Type};
    use arrow_buffer::Buffer;

    use super::*;

    #[test]
    fn what_arrow_had_to_copy_counts_beside_the_file() {
        const ROWS: usize = 1000;
        let decimals = Arc::new(Decimal128Array::from(vec![1_i128; ROWS])) as ArrayRef;
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>((0..ROWS).map(|_| Some([Some(1), None])));
        let batch = RecordBatch::try_from_iter([("d", decimals), ("l", Arc::new(lists) as ArrayRef)]).unwrap();
        let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        let stream = writer.into_inner().unwrap();
        // Decimals want to lie at multiples of 16, everything else is content with 8.
        for (at, copied) in [(0, 0), (8, 16 * ROWS as u64)] {
            let mut memory = vec![0; at];
            memory.extend(&stream);
            let buffer = Buffer::from(memory).slice(at);
            let lies_at = buffer.as_ptr() as usize;
            assert!(
                (lies_at - at).is_multiple_of(16),
                "memory begins where large numbers may"
            );
            let place = buffer.as_slice().as_ptr_range();
            let (_, batches) = ipc::read_stream(buffer).unwrap();
            assert_eq!(batches, std::slice::from_ref(&batch));
            assert_eq!(bytes_outside(&batches, &place), copied, "at {at}");
        }
    }
}
