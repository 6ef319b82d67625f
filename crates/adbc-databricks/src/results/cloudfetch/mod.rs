//! Results behind signed links to cloud storage.
//!
//! One task per result claims memory for the files of the chunks and starts their downloads, and gives the chunks their turns to be
//! decoded; both in order. A file that is here before its turn waits as it came, a third of its later size: so many can be on their way,
//! and few are decoded ahead of the reader. A chunk goes to the reader when it and all before it are there. [`links`] gets and renews
//! links, [`gate`] lets as many downloads run as [`pace`] says pay, [`haste`] says whether files come as fast as they are decoded, [`intake`]
//! takes a file in, [`unpack`] makes batches of it, [`download`] makes every further try, [`stragglers`] says which download needs one beside it.

mod beginning;
mod download;
mod gate;
mod haste;
mod intake;
mod links;
mod pace;
pub(crate) mod stragglers;
mod unpack;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use activity::Parent;
use arrow_schema::SchemaRef;
use databricks_wire::sea::{Compression, Manifest, ResultData};
use tokio::sync::SetOnce;
use tokio::task::JoinHandle;

use super::budget::{Budget, Reservation};
use super::plain::Pool;
use super::shape::Shape;
use super::{Chunk, FetchLimits, Promise, Sink, announced_bytes, chunk_info};
use crate::error::{Error, Result};
use crate::sea::run::Run;
use download::{Downloaded, Wanted};
use gate::Gate;
use haste::{Arrival, Haste};
use links::Links;
use stragglers::{MIN_NEIGHBOURS, Stragglers};

/// How many chunks may be started ahead of the reader, per parallel download: those that are running, and as many that are here.
const WINDOW_PER_DOWNLOAD: usize = 2;
/// The chunks that may be decoded beyond one for each processor: the one that is being read and the next. A chunk that waits longer takes
/// a third of the memory as a file.
const CHUNKS_BESIDE_DECODERS: usize = 2;
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
    haste: Haste,
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
        haste: Haste::default(),
        compressed,
        cells,
        max_link_refreshes: limits.max_link_refreshes,
    });
    let processors = thread::available_parallelism().map_or(1, usize::from);
    // Enough for the first of them to be seen as a straggler.
    let most_held = (processors + CHUNKS_BESIDE_DECODERS).max(MIN_NEIGHBOURS + 1);
    let mut started = VecDeque::new();
    let mut index = promise.first;
    let mut shape = None;
    // The index that is known to have a chunk.
    let mut following = None;
    loop {
        let is_starved = give_turns(&context, most_held, &mut started);
        let waiting = started.iter().filter(|task: &&Task| task.claim.is_none()).count();
        let has_room = match context.haste.arrival() {
            Arrival::Slow => !is_starved && started.len() < context.gate.limit().saturating_mul(WINDOW_PER_DOWNLOAD),
            // More than can be decoded soon would only wait, in memory.
            Arrival::Quick => waiting == 0 && context.budget.held_chunks() < most_held,
            Arrival::Unknown => context.budget.held_chunks() + waiting < most_held,
        };
        // Asked only where the answer matters, and once, because it may take a request.
        if following != Some(index)
            && (has_room || started.is_empty())
            && has_chunk(&context.links, promise, index).await?
        {
            following = Some(index);
        }
        let more = following == Some(index);
        if !more && started.is_empty() {
            return Ok(());
        }
        let bytes = claim(&manifest, &context.links, index);
        if more
            && has_room
            && let Some(claim) = context.budget.file(bytes)
        {
            let wanted = Wanted {
                index,
                rows: expected_rows(&manifest, index),
                bytes,
                turn: Arc::default(),
            };
            started.push_back(Task::start(Arc::clone(&context), wanted, claim));
            index += 1;
            continue;
        }
        tokio::select! {
            () = context.budget.changed() => {}
            downloaded = front(&mut started) => {
                let claim = started.pop_front().and_then(|mut task| task.claim.take());
                let chunk = fit(&manifest, &mut shape, downloaded?, claim, &sink)?;
                sink.send(chunk)?;
            }
        }
    }
}

/// Lets chunks be decoded in their order, as many as fit. That a chunk is decoded while its file arrives saves a copy and costs, for as long
/// as that takes, the memory of three files: with slow downloads it is better spent on others beside it, except for the one chunk that
/// the reader waits for.
///
/// Tells whether files that are here lack memory to be decoded, and are so many that it should not go to more files: half of what was
/// started. Chunks would otherwise be decoded one by one, each when the reader has let go of the last.
fn give_turns(context: &Context, most_held: usize, started: &mut VecDeque<Task>) -> bool {
    let budget = &context.budget;
    let all = started.len();
    let mut without = started.iter_mut().filter(|task| task.claim.is_none());
    while let Some(task) = without.next() {
        let is_here = task.turn.is_file_here();
        let is_decoded_soon = is_here || context.haste.arrival() == Arrival::Quick;
        let most = if is_decoded_soon { most_held } else { 1 };
        if budget.held_chunks() >= most {
            return false;
        }
        match budget.chunk(task.bytes) {
            Some(claim) => task.decode(claim),
            None => {
                let here = usize::from(is_here) + without.filter(|task| task.turn.is_file_here()).count();
                return is_here && here * 2 >= all;
            }
        }
    }
    false
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

fn fit(
    manifest: &Manifest,
    shape: &mut Option<Shape>,
    downloaded: Downloaded,
    mut claim: Option<Reservation>,
    sink: &Sink,
) -> Result<Chunk> {
    let Downloaded { index, unpacked } = downloaded;
    let shape = match shape {
        Some(shape) => shape,
        None => shape.insert(Shape::of_file(manifest, &unpacked.schema)?),
    };
    sink.announce(&shape.schema());
    let batches = unpacked.batches.into_iter().map(|batch| shape.fit(batch));
    let batches = batches.collect::<Result<_>>()?;
    if let Some(claim) = &mut claim {
        claim.settle(unpacked.peak_bytes, unpacked.kept_bytes);
    }
    Ok(Chunk {
        index,
        batches,
        reservation: claim,
    })
}

async fn front(started: &mut VecDeque<Task>) -> Result<Downloaded> {
    match started.front_mut() {
        Some(task) => (&mut task.running)
            .await
            .map_err(|_| Error::internal("a download ended without an answer"))?,
        None => std::future::pending().await,
    }
}

/// When a chunk is decoded.
#[derive(Debug, Default)]
struct Turn {
    is_file_here: AtomicBool,
    come: SetOnce<()>,
}

impl Turn {
    fn is_file_here(&self) -> bool {
        self.is_file_here.load(Ordering::Acquire)
    }

    fn has_come(&self) -> bool {
        self.come.initialized()
    }

    /// Waits for it with the file, whose claim tells the one who gives turns.
    async fn wait(&self, claim: Option<&mut Reservation>, file_bytes: u64) {
        self.is_file_here.store(true, Ordering::Release);
        if let Some(claim) = claim {
            claim.settle_file(file_bytes);
        }
        self.come.wait().await;
    }
}

/// A chunk that is on its way. Dropping it aborts that.
struct Task {
    running: JoinHandle<Result<Downloaded>>,
    /// As announced.
    bytes: u64,
    turn: Arc<Turn>,
    /// Memory for the decoded chunk, once its turn has come.
    claim: Option<Reservation>,
}

impl Task {
    fn start(context: Arc<Context>, wanted: Wanted, claim: Reservation) -> Self {
        let permit = context.run.session().background().permit();
        let (bytes, turn) = (wanted.bytes, Arc::clone(&wanted.turn));
        let running = tokio::spawn(async move {
            let downloaded = download::chunk(&context, &wanted, claim).await;
            drop((context, permit));
            downloaded
        });
        Self {
            running,
            bytes,
            turn,
            claim: None,
        }
    }

    /// The chunk's turn has come.
    fn decode(&mut self, claim: Reservation) {
        self.claim = Some(claim);
        // It is set nowhere else.
        let _ = self.turn.come.set(());
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Whether all links of an answer can be read.
pub(super) fn accepts(answer: ResultData) -> bool {
    links::accepts(answer)
}
