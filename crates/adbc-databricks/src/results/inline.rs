//! Results inside the answers: Arrow attachments and JSON rows, in one chunk or several.

use std::sync::Arc;

use activity::{Activity, Parent};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_schema::SchemaRef;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use databricks_telemetry::{operations, tags};
use databricks_wire::sea::{self, Compression, Manifest, ResultData};
use reqwest::Method;

use super::budget::Budget;
use super::ipc::{self, IpcStream};
use super::shape::{self, Shape};
use super::{Chunk, Promise, Sink, announced_bytes, json, lz4};
use crate::error::{Error, Result};
use crate::http::Call;
use crate::observe;
use crate::runtime;
use crate::sea::run::Run;

/// Asks for one chunk of a result.
pub(super) async fn fetch_chunk(run: &Run, index: u64, parent: &Parent) -> Result<ResultData> {
    request_chunk(run, index, parent.child(&operations::RESULTS_FETCH)).await
}

/// Asks for one chunk of a result, or for the links to it, as the activity `child`.
pub(crate) async fn request_chunk(run: &Run, index: u64, mut child: Activity) -> Result<ResultData> {
    child.set(tags::CHUNK_INDEX, index as i64);
    let path = sea::chunk_path(run.statement_id(), index);
    let call = Call::harmless(&Method::GET, &path).traced(child.context().or(run.trace()));
    let answer = run.client().call(call, None::<&()>, &run.retries).await;
    observe::end(child, &answer);
    answer
}

/// An inline result.
pub(super) struct Inline {
    pub(super) run: Arc<Run>,
    pub(super) manifest: Manifest,
    pub(super) promise: Promise,
    pub(super) compressed: bool,
    pub(super) json: bool,
    pub(super) parent: Parent,
}

impl Inline {
    /// Decodes a result that is wholly in the first answer; `None` when there is more to fetch.
    ///
    /// # Errors
    /// The attachment or the rows cannot be decoded.
    pub(super) fn decode_single(&self, data: &ResultData) -> Result<Option<(SchemaRef, Chunk)>> {
        let first = self.promise.first;
        if next_index(data, first, self.promise).is_some() {
            return Ok(None);
        }
        let mut decoder = Decoder::new(self.compressed, self.json);
        let decoded = self.decode(&mut decoder, first, data)?;
        let shape = decoder.finish()?;
        let chunk = Chunk {
            index: first,
            batches: decoded.batches,
            // There is nothing that it could leave too little memory for.
            reservation: None,
        };
        Ok(Some((shape.schema(), chunk)))
    }

    /// The shape of a result without rows: the Arrow schema where the server sends one, else what the SQL types say.
    ///
    /// # Errors
    /// The manifest contradicts itself.
    pub(super) fn empty_shape(&self) -> Result<Shape> {
        let sent = self.manifest.arrow_schema.as_deref().filter(|_| !self.json);
        let schema = sent.and_then(|sent| {
            let mut stream = IpcStream::default();
            stream.read(STANDARD.decode(sent).ok()?.into()).ok()?;
            stream.schema()
        });
        match schema {
            Some(schema) => Shape::of_file(&self.manifest, &schema),
            None => Shape::of_manifest(&self.manifest),
        }
    }

    /// Fetches and decodes the chunks of a result one after another, as far ahead of the reader as the memory budget goes.
    ///
    /// # Errors
    /// A chunk could not be fetched or decoded, or the chunks do not follow one another.
    pub(super) async fn fetch(self, mut data: ResultData, memory_budget_bytes: u64, sink: Sink) -> Result<()> {
        let budget = Budget::new(memory_budget_bytes, self.compressed);
        let mut decoder = Decoder::new(self.compressed, self.json);
        let mut index = self.promise.first;
        // Here already, and the first always fits.
        let mut reservation = budget.reserve(self.announced_bytes(index, &data)).await;
        loop {
            let next = next_index(&data, index, self.promise).map(|next| (next, self.announced_bytes(next, &data)));
            let ahead = async {
                let Some((next, bytes)) = next else { return Ok(None) };
                let reservation = budget.reserve(bytes).await;
                let data = fetch_chunk(&self.run, next, &self.parent).await?;
                Ok(Some((next, data, reservation)))
            };
            // Sends before the next chunk is here: that one may have to wait until the reader is done with this one.
            let (this, decoder, sink) = (&self, &mut decoder, &sink);
            let here = async move {
                let decoded = this.decode(decoder, index, &data)?;
                drop(data);
                reservation.settle(decoded.peak_bytes, decoded.kept_bytes);
                if let Some(shape) = &decoder.shape {
                    sink.announce(&shape.schema());
                }
                sink.send(Chunk {
                    index,
                    batches: decoded.batches,
                    reservation: Some(reservation),
                })
            };
            // The next chunk is on its way while this one is decoded.
            let (following, ()) = futures::try_join!(ahead, here)?;
            let Some((next, fetched, claimed)) = following else {
                break;
            };
            if next != index + 1 {
                return Err(Error::result_set(format!(
                    "the server leads from chunk {index} of the result to chunk {next}"
                )));
            }
            (index, data, reservation) = (next, fetched, claimed);
        }
        let shape = decoder.finish()?;
        sink.announce(&shape.schema());
        Ok(())
    }

    /// The size of a chunk: what the manifest says, else that of a chunk which is here.
    fn announced_bytes(&self, index: u64, known: &ResultData) -> u64 {
        announced_bytes(&self.manifest, index).unwrap_or_else(|| text_bytes(known))
    }

    fn decode(&self, decoder: &mut Decoder, index: u64, data: &ResultData) -> Result<Decoded> {
        let mut child = self.parent.child(&operations::RESULTS_DECODE);
        child.set(tags::CHUNK_INDEX, index as i64);
        // Rows of text are a guess; it only decides where the work is done.
        let bytes = data.attachment.as_ref().map_or(0, String::len) + 64 * data.data_array.as_ref().map_or(0, Vec::len);
        let decoded = runtime::compute(bytes, || decoder.decode(&self.manifest, data));
        child.set(tags::RESULT_DECODE_TIME, child.elapsed());
        observe::end(child, &decoded);
        decoded
    }
}

/// The chunk after `index`: the one the server leads to, else the next that the manifest promises.
fn next_index(data: &ResultData, index: u64, promise: Promise) -> Option<u64> {
    data.next_chunk_index
        .or_else(|| promise.end().filter(|end| *end > index + 1).map(|_| index + 1))
}

/// What the cells or the attachment of a chunk take.
fn text_bytes(data: &ResultData) -> u64 {
    let attachment = data.attachment.as_ref().map_or(0, String::len);
    let cells = data.data_array.iter().flatten().flatten();
    let cells = cells.map(|cell| size_of_val(cell) + cell.as_ref().map_or(0, String::len));
    (attachment + cells.sum::<usize>()) as u64
}

/// A chunk's batches, and what they cost.
struct Decoded {
    batches: Vec<RecordBatch>,
    /// With the answer that they were decoded from.
    peak_bytes: u64,
    kept_bytes: u64,
}

/// Decodes consecutive chunks. Each is a stream of its own, or the next piece of one stream.
struct Decoder {
    compressed: bool,
    json: bool,
    stream: Option<IpcStream>,
    /// What was read of a batch that goes on in the next chunk. Nobody waits for this memory: the chunk that completes the batch
    /// could otherwise wait for it for ever.
    unfinished_bytes: u64,
    shape: Option<Shape>,
}

impl Decoder {
    fn new(compressed: bool, json: bool) -> Self {
        Self {
            compressed,
            json,
            stream: None,
            unfinished_bytes: 0,
            shape: None,
        }
    }

    fn decode(&mut self, manifest: &Manifest, data: &ResultData) -> Result<Decoded> {
        if self.json {
            let shape = match &self.shape {
                Some(shape) => shape,
                None => self.shape.insert(Shape::of_manifest(manifest)?),
            };
            let rows = data.data_array.as_deref().unwrap_or_default();
            let batch = shape.fit(json::decode(&shape.schema(), rows)?)?;
            let kept_bytes = batch.get_array_memory_size() as u64;
            return Ok(Decoded {
                batches: vec![batch],
                peak_bytes: kept_bytes + text_bytes(data),
                kept_bytes,
            });
        }
        let attachment = data
            .attachment
            .as_deref()
            .ok_or_else(|| Error::result_set("a chunk of an inline result has neither an attachment nor rows"))?;
        self.attachment(manifest, attachment, data.row_count)
    }

    fn attachment(&mut self, manifest: &Manifest, attachment: &str, row_count: Option<u64>) -> Result<Decoded> {
        let bytes = STANDARD
            .decode(attachment)
            .map_err(|_| Error::result_set("an attachment of the result is not base64"))?;
        let sent_bytes = (attachment.len() + bytes.len()) as u64;
        let bytes: Buffer = if self.compressed {
            lz4::decompress(&bytes)?.into_buffer()
        } else {
            bytes.into()
        };
        let plain_bytes = bytes.len() as u64;
        let starts = self
            .stream
            .as_ref()
            .is_none_or(|stream| stream.is_between_messages() && ipc::begins_with_schema(&bytes));
        let stream = if starts {
            self.stream.insert(IpcStream::default())
        } else {
            self.stream.get_or_insert_default()
        };
        let mut batches = stream.read(bytes)?;
        let is_whole = starts && stream.is_between_messages();
        if let (None, Some(schema)) = (&self.shape, stream.schema()) {
            self.shape = Some(Shape::of_file(manifest, &schema)?);
        }
        // A chunk that is a stream of its own may be padded; in a split stream rows do not keep to the chunks.
        if let Some(rows) = row_count.filter(|rows| is_whole && *rows > 0) {
            shape::truncate(&mut batches, rows);
        }
        if let Some(shape) = &self.shape {
            batches = batches
                .into_iter()
                .map(|batch| shape.fit(batch))
                .collect::<Result<_>>()?;
        }
        self.unfinished_bytes += plain_bytes;
        let kept_bytes = match batches.is_empty() {
            true => 0,
            false => std::mem::take(&mut self.unfinished_bytes),
        };
        Ok(Decoded {
            batches,
            peak_bytes: sent_bytes + plain_bytes,
            kept_bytes,
        })
    }

    fn finish(self) -> Result<Shape> {
        if self.stream.as_ref().is_some_and(|stream| !stream.is_between_messages()) {
            return Err(Error::result_set("the Arrow data of the result is cut off"));
        }
        self.shape
            .ok_or_else(|| Error::result_set("the result holds no Arrow data"))
    }
}

/// Whether a result that is in one answer can be decoded.
pub(super) fn accepts(manifest: &Manifest, data: &ResultData) -> bool {
    let compressed = manifest.result_compression == Some(Compression::Lz4Frame);
    let mut decoder = Decoder::new(compressed, data.data_array.is_some());
    decoder.decode(manifest, data).and_then(|_| decoder.finish()).is_ok()
}
