//! From the server's answer to record batches.
//!
//! Whatever way a result comes (inside the answer, as JSON, behind links), a task on the runtime turns it into [`Chunk`]s in
//! order and a [`reader::ResultReader`] on the caller's thread hands out their batches. The reader also keeps the books: a
//! result that ends with rows missing is an error, whoever lost them.

mod batches;
mod budget;
mod cloudfetch;
pub(crate) mod inline;
mod ipc;
mod join;
mod json;
mod lz4;
mod memory;
mod place;
mod plain;
pub(crate) mod reader;
mod shape;
mod texts;
mod transfer;

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use activity::Activity;
use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use databricks_telemetry::{ResultFormat, tags};
use databricks_wire::sea::{ChunkInfo, Compression, Format, Manifest, ResultData, StatementResponse};
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::options::{self, Settings};
use crate::progress::Progress;
use crate::sea::run::Run;
use crate::types::SqlType;
use batches::{Batches, Feed};
use budget::Reservation;
use cloudfetch::stragglers::Rules;
use join::Joiner;
use shape::Shape;

/// How results are fetched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchLimits {
    /// The most at a time.
    pub(crate) parallel_downloads: usize,
    pub(crate) stragglers: Rules,
    pub(crate) memory_budget_bytes: u64,
    pub(crate) expiration_buffer: Duration,
    pub(crate) max_link_refreshes: u32,
    /// Smaller batches are joined up to this many rows.
    pub(crate) batch_rows: usize,
}

impl FetchLimits {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            parallel_downloads: usize::try_from(settings.integer(options::PARALLEL_DOWNLOADS))
                .unwrap_or(1)
                .max(1),
            stragglers: Rules::of(settings),
            memory_budget_bytes: settings.integer(options::MEMORY_BUDGET_BYTES),
            expiration_buffer: settings.seconds(options::LINK_EXPIRATION_BUFFER_S),
            max_link_refreshes: u32::try_from(settings.integer(options::MAX_LINK_REFRESHES)).unwrap_or(u32::MAX),
            batch_rows: usize::try_from(settings.integer(options::BATCH_ROWS)).unwrap_or(usize::MAX),
        }
    }

    fn joiner(&self) -> Joiner {
        // What is joined is in memory twice for a moment: the copy may take this much beyond the budget.
        let max_bytes = self.memory_budget_bytes / 4;
        Joiner::new(self.batch_rows, usize::try_from(max_bytes).unwrap_or(usize::MAX))
    }
}

/// The batches of one chunk, and the claim on the memory budget that ends when they were handed out.
pub(crate) struct Chunk {
    pub(crate) index: u64,
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) reservation: Option<Reservation>,
}

impl Chunk {
    fn rows(&self) -> u64 {
        self.batches.iter().map(|batch| batch.num_rows() as u64).sum()
    }
}

/// What a fetching task sends to the reader, in order. A channel that ends without [`Message::End`] lost something.
pub(crate) enum Message {
    Chunk(Chunk),
    Failed(Error),
    End,
}

/// A result that can be read.
pub(crate) struct Opened {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Batches,
    pub(crate) promise: Promise,
}

impl Opened {
    /// The result of a statement that has none.
    fn empty() -> Self {
        Self {
            schema: Arc::new(Schema::empty()),
            batches: Batches::none(),
            promise: Promise::default(),
        }
    }
}

/// How many chunks and rows the manifest promises.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Promise {
    /// The first chunk; not 0 where a part of a result is read.
    pub(crate) first: u64,
    pub(crate) chunks: Option<u64>,
    /// `None` when a limit cut the result or the server does not say.
    pub(crate) rows: Option<u64>,
}

impl Promise {
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let listed = manifest
            .chunks
            .as_ref()
            .map(|chunks| chunks.len() as u64)
            .filter(|count| *count > 0);
        Self {
            first: 0,
            chunks: manifest.total_chunk_count.or(listed),
            rows: manifest.total_row_count.filter(|_| !manifest.truncated),
        }
    }

    /// The chunk after the last one, if the number of chunks is known.
    pub(crate) fn end(&self) -> Option<u64> {
        self.chunks.map(|chunks| self.first.saturating_add(chunks))
    }
}

/// Opens the result of a statement that has one.
///
/// Waits for the first chunk, because its Arrow schema is the only complete description of the types (a timestamp's zone is
/// nowhere else).
///
/// `first` is the chunk that the answer begins with, and its manifest counts chunks and rows from there.
///
/// # Errors
/// The first chunk could not be fetched or decoded, or the answer contradicts itself.
pub(crate) async fn open(
    run: Arc<Run>,
    answer: StatementResponse,
    first: u64,
    limits: FetchLimits,
    root: &mut Activity,
) -> Result<Opened> {
    let StatementResponse { manifest, result, .. } = answer;
    let mut data = result.unwrap_or_default();
    let Some(manifest) = manifest else {
        return match has_data(&data) {
            true => Err(Error::result_set("the server sent a result without saying what it is")),
            false => Ok(Opened::empty()),
        };
    };
    let promise = Promise {
        first,
        ..Promise::of(&manifest)
    };
    if let (Some(progress), Some(rows)) = (run.progress(), promise.rows) {
        progress.expect(rows);
    }
    let parent = root.parent_handle();
    // What waits for requests is apart, so that small results, which are here, do not carry its state about.
    if !has_data(&data) && promise.chunks.is_some_and(|chunks| chunks > 0) {
        data = Box::pin(inline::fetch_chunk(&run, first, &parent)).await?;
    }
    let compressed = manifest.result_compression == Some(Compression::Lz4Frame);
    let json = manifest.format == Some(Format::JsonArray) || data.data_array.is_some();
    let format = match (has_links(&data), json) {
        (true, _) => ResultFormat::ExternalLinks,
        (false, true) => ResultFormat::InlineJson,
        (false, false) => ResultFormat::InlineArrow,
    };
    root.set(tags::RESULT_FORMAT, format);
    root.set(tags::RESULT_COMPRESSED, compressed);
    if let Some(chunks) = promise.chunks {
        root.set(tags::RESULT_CHUNK_COUNT, chunks);
    }
    let inline = inline::Inline {
        run: Arc::clone(&run),
        manifest,
        promise,
        compressed,
        json,
        parent,
    };
    let (schema, feed) = if has_links(&data) {
        // The cells of a JSON file are text; only the manifest says what they are.
        let cells = if json {
            Some(Shape::of_manifest(&inline.manifest)?.schema())
        } else {
            None
        };
        let inline::Inline { manifest, parent, .. } = inline;
        let parts = cloudfetch::Parts {
            manifest,
            promise,
            cells,
        };
        live(&run, |sink| {
            cloudfetch::fetch(Arc::clone(&run), parts, data, limits, parent, sink)
        })
        .await?
    } else if !has_data(&data) {
        (inline.empty_shape()?.schema(), Feed::ended())
    } else if let Some((schema, chunk)) = inline.decode_single(&data)? {
        if let Some(progress) = run.progress() {
            progress.add(chunk.rows());
            progress.end_of_result();
        }
        (schema, Feed::ready(vec![chunk]))
    } else {
        live(&run, |sink| inline.fetch(data, limits.memory_budget_bytes, sink)).await?
    };
    Ok(Opened {
        schema,
        batches: Batches::new(feed, first, limits.joiner()),
        promise,
    })
}

pub(crate) fn has_links(data: &ResultData) -> bool {
    data.external_links.as_ref().is_some_and(|links| !links.is_empty())
}

pub(crate) fn has_data(data: &ResultData) -> bool {
    let has_attachment = data
        .attachment
        .as_ref()
        .is_some_and(|attachment| !attachment.is_empty());
    has_attachment || data.data_array.is_some() || has_links(data)
}

/// What the manifest says about a chunk.
fn chunk_info(manifest: &Manifest, index: u64) -> Option<&ChunkInfo> {
    let chunks = manifest.chunks.as_deref()?;
    let usual = usize::try_from(index).ok().and_then(|index| chunks.get(index));
    usual
        .filter(|chunk| chunk.chunk_index == index)
        .or_else(|| chunks.iter().find(|chunk| chunk.chunk_index == index))
}

/// The size of a chunk, if the manifest says.
fn announced_bytes(manifest: &Manifest, index: u64) -> Option<u64> {
    let announced = chunk_info(manifest, index)?.byte_count;
    announced.filter(|bytes| *bytes > 0)
}

/// Where a fetching task puts what it finds. Cheap to clone: the task that watches over the fetching has one too.
#[derive(Clone)]
pub(crate) struct Sink {
    chunks: mpsc::Sender<Message>,
    progress: Option<Arc<Progress>>,
    schema: Arc<Mutex<Option<oneshot::Sender<Result<SchemaRef>>>>>,
}

impl Sink {
    /// Announces the schema, once; later calls do nothing.
    pub(crate) fn announce(&self, schema: &SchemaRef) {
        self.answer(Ok(Arc::clone(schema)));
    }

    /// Hands a chunk to the reader. The channel is unbounded: whoever fetches holds a claim on the memory budget.
    ///
    /// # Errors
    /// `Cancelled` when the reader is gone.
    pub(crate) fn send(&self, chunk: Chunk) -> Result<()> {
        if let Some(progress) = &self.progress {
            progress.add(chunk.rows());
        }
        self.chunks.send(Message::Chunk(chunk)).map_err(|_| Error::cancelled())
    }

    fn finish(self, outcome: Result<()>) {
        let last = match outcome {
            Ok(()) => {
                if let Some(progress) = &self.progress {
                    progress.end_of_result();
                }
                Message::End
            }
            Err(error) => {
                self.answer(Err(error.clone()));
                Message::Failed(error)
            }
        };
        // A reader that is gone needs no end.
        let _ = self.chunks.send(last);
    }

    fn answer(&self, schema: Result<SchemaRef>) {
        if let Some(waiting) = self.schema.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The opener may have been cancelled; then nobody wants the schema.
            let _ = waiting.send(schema);
        }
    }
}

/// Starts a fetching task; what it gives waits for the schema of what is fetched.
fn live<F, W>(run: &Arc<Run>, start: F) -> impl Future<Output = Result<(SchemaRef, Feed)>> + use<F, W>
where
    F: FnOnce(Sink) -> W,
    W: Future<Output = Result<()>> + Send + 'static,
{
    let (chunks, received) = mpsc::channel();
    let (schema, announced) = oneshot::channel();
    let sink = Sink {
        chunks,
        progress: run.progress().cloned(),
        schema: Arc::new(Mutex::new(Some(schema))),
    };
    let work = start(sink.clone());
    let watched = Arc::clone(run);
    let permit = run.session().background().permit();
    tokio::spawn(async move {
        let outcome = tokio::select! {
            outcome = work => outcome,
            error = watched.stop_requested() => Err(error),
        };
        let outcome = outcome.map_err(|error| error.with_statement_id(watched.statement_id()));
        // Before the reader hears of the end: whoever closes the session then must not find this task in the way.
        drop(permit);
        sink.finish(outcome);
    });
    async move {
        let schema = announced
            .await
            .unwrap_or_else(|_| Err(Error::result_set("the result ended without a schema")))?;
        Ok((schema, Feed::live(received)))
    }
}

/// Whether a file of a result can be decoded.
pub(crate) fn accepts_file(file: &[u8], is_compressed: bool) -> bool {
    let plain = match is_compressed {
        true => lz4::decompress(file).map(plain::Plain::into_buffer),
        false => Ok(file.into()),
    };
    plain.and_then(ipc::read_stream).is_ok()
}

/// Whether an answer's result can be decoded, as far as it is in the answer.
pub(crate) fn accepts_answer(answer: &StatementResponse) -> bool {
    let (Some(manifest), Some(data)) = (&answer.manifest, &answer.result) else {
        return false;
    };
    inline::accepts(manifest, data)
}

/// Whether a cell of a JSON result is a value of its column's type, as the manifest writes that.
pub(crate) fn accepts_cell(sql_type: &str, text: &str) -> bool {
    let field = Field::new("x", SqlType::parse(sql_type).to_arrow(), true);
    json::decode(&Arc::new(Schema::new(vec![field])), &[vec![Some(text.to_owned())]]).is_ok()
}

/// Whether all links of an answer can be used.
pub(crate) fn accepts_links(answer: ResultData) -> bool {
    cloudfetch::accepts(answer)
}
