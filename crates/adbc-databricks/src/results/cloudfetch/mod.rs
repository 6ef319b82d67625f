//! Results behind signed links to cloud storage.
//!
//! One task per result claims memory for the chunks in order and starts their downloads; a chunk goes to the reader when it
//! and all before it are there. [`links`] gets and renews links, [`gate`] lets as many downloads run as [`pace`] says pay,
//! [`intake`] takes a file in, [`download`] turns a link into batches and makes every further try, [`stragglers`] says which
//! download needs one beside it.

mod download;
mod gate;
mod intake;
mod links;
mod pace;
pub(crate) mod stragglers;

use std::collections::VecDeque;
use std::sync::Arc;

use activity::Parent;
use arrow_schema::SchemaRef;
use databricks_wire::sea::{Compression, Manifest, ResultData};
use tokio::task::JoinHandle;

use super::budget::{Budget, Reservation};
use super::plain::Pool;
use super::shape::Shape;
use super::{Chunk, FetchLimits, Promise, Sink, announced_bytes, chunk_info};
use crate::error::{Error, Result};
use crate::sea::run::Run;
use download::Downloaded;
use gate::Gate;
use links::Links;
use stragglers::Stragglers;

/// How many chunks may be started ahead of the reader, per parallel download.
const WINDOW_PER_DOWNLOAD: usize = 4;
/// What is claimed for a chunk of unknown size.
const USUAL_CHUNK_BYTES: u64 = 20 << 20;

/// What the downloads of one result share.
struct Context {
    /// Before the run: the execution's record completes before the session's last holder can go.
    parent: Parent,
    run: Arc<Run>,
    links: Links,
    gate: Gate,
    stragglers: Stragglers,
    budget: Arc<Budget>,
    buffers: Arc<Pool>,
    compressed: bool,
    /// What the files' cells are, when they are rows of JSON and not Arrow streams.
    cells: Option<SchemaRef>,
    max_link_refreshes: u32,
}

/// What is to be fetched.
pub(super) struct Parts {
    pub(super) manifest: Manifest,
    pub(super) promise: Promise,
    /// What the files' cells are, when they are rows of JSON and not Arrow streams.
    pub(super) cells: Option<SchemaRef>,
}

/// Fetches all promised chunks and hands them to `sink` in order.
///
/// # Errors
/// A chunk could not be fetched or decoded, whatever was tried.
///
/// # Cancellation
/// Dropping the future aborts the downloads.
pub(super) async fn fetch(
    run: Arc<Run>,
    parts: Parts,
    first: ResultData,
    limits: FetchLimits,
    parent: Parent,
    sink: Sink,
) -> Result<()> {
    let Parts {
        manifest,
        promise,
        cells,
    } = parts;
    let compressed = manifest.result_compression == Some(Compression::Lz4Frame);
    let context = Arc::new(Context {
        links: Links::new(Arc::clone(&run), first, limits.expiration_buffer, parent.clone()),
        parent,
        run,
        gate: Gate::new(limits.parallel_downloads),
        stragglers: Stragglers::new(limits.stragglers),
        budget: Budget::new(limits.memory_budget_bytes, compressed),
        buffers: Pool::new(usize::try_from(limits.memory_budget_bytes).unwrap_or(usize::MAX)),
        compressed,
        cells,
        max_link_refreshes: limits.max_link_refreshes,
    });
    let mut started = VecDeque::new();
    let mut index = promise.first;
    let mut shape = None;
    loop {
        let window = context.gate.limit().saturating_mul(WINDOW_PER_DOWNLOAD);
        let more = started.len() < window && has_chunk(&context.links, promise, index).await?;
        if !more && started.is_empty() {
            return Ok(());
        }
        tokio::select! {
            reservation = context.budget.reserve(claim(&manifest, &context.links, index)), if more => {
                let rows = expected_rows(&manifest, index);
                started.push_back(Task::start(Arc::clone(&context), index, rows, reservation));
                index += 1;
            }
            downloaded = front(&mut started) => {
                started.pop_front();
                let chunk = fit(&manifest, &mut shape, downloaded?, &sink)?;
                sink.send(chunk)?;
            }
        }
    }
}

async fn has_chunk(links: &Links, promise: Promise, index: u64) -> Result<bool> {
    match promise.end() {
        Some(end) => Ok(index < end),
        // Without a count the links themselves lead on.
        None if index == promise.first => Ok(true),
        None => links.leads_beyond(index - 1).await,
    }
}

fn claim(manifest: &Manifest, links: &Links, index: u64) -> u64 {
    announced_bytes(manifest, index)
        .or_else(|| links.byte_count(index).filter(|bytes| *bytes > 0))
        .unwrap_or(USUAL_CHUNK_BYTES)
}

fn expected_rows(manifest: &Manifest, index: u64) -> Option<u64> {
    chunk_info(manifest, index)
        .map(|chunk| chunk.row_count)
        .filter(|rows| *rows > 0)
}

fn fit(manifest: &Manifest, shape: &mut Option<Shape>, downloaded: Downloaded, sink: &Sink) -> Result<Chunk> {
    let shape = match shape {
        Some(shape) => shape,
        None => shape.insert(Shape::of_file(manifest, &downloaded.schema)?),
    };
    sink.announce(&shape.schema());
    let batches = downloaded
        .batches
        .into_iter()
        .map(|batch| shape.fit(batch))
        .collect::<Result<_>>()?;
    Ok(Chunk {
        index: downloaded.index,
        batches,
        reservation: Some(downloaded.reservation),
    })
}

async fn front(started: &mut VecDeque<Task>) -> Result<Downloaded> {
    match started.front_mut() {
        Some(task) => (&mut task.0)
            .await
            .map_err(|_| Error::internal("a download ended without an answer"))?,
        None => std::future::pending().await,
    }
}

/// A running download. Dropping it aborts it.
struct Task(JoinHandle<Result<Downloaded>>);

impl Task {
    fn start(context: Arc<Context>, index: u64, rows: Option<u64>, reservation: Reservation) -> Self {
        let permit = context.run.session().background().permit();
        Self(tokio::spawn(async move {
            let downloaded = download::chunk(&context, index, rows, reservation).await;
            drop((context, permit));
            downloaded
        }))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether all links of an answer can be read.
pub(super) fn accepts(answer: ResultData) -> bool {
    links::accepts(answer)
}
