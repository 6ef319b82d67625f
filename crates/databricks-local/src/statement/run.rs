//! The run of a statement: the engine's batches become chunks while they stream.
//!
//! Nothing is collected first. At most one chunk is being filled and two are being encoded (on threads where blocking
//! is allowed), so what a run holds is bounded by a few times the size of a chunk, however large the result is.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use databricks_wire::sea::{Disposition, ExecuteStatementRequest, Parameter};
use futures::{FutureExt as _, StreamExt as _};
use tokio::task::JoinHandle;

use super::reading::Reading;
use super::request::{Limits, Plan};
use super::{Chunk, Failure, Outcome, Phase, Statement};
use crate::engine::{EngineSession, Execution, SqlError};
use crate::http::volumes;
use crate::result::depot::{Depot, Stored};
use crate::result::encode::{Encoded, Encoding, encode, plain_bytes};
use crate::state::State;

/// The largest result that `INLINE` can hold, in bytes of its JSON text.
const INLINE_LIMIT: usize = 25 << 20;

/// Up to this much plain Arrow data, a result with the hybrid disposition travels inside the answer, in one piece.
const HYBRID_LIMIT: u64 = 4 << 20;

/// How much plain Arrow data is turned into inline JSON at once.
const INLINE_STEP: usize = 1 << 20;

/// Chunks that are encoded at the same time.
const ENCODERS: usize = 2;

/// Up to this much plain Arrow data is encoded on the spot: handing it to another thread would take longer.
const ON_THE_SPOT: usize = 64 << 10;

/// Where a statement's engine session comes from.
pub(crate) enum Origin {
    /// A session that the client opened.
    Session(Arc<EngineSession>),
    /// None: a fresh one that starts in this catalog and schema.
    Fresh(Option<String>, Option<String>),
}

/// A statement that a client sent, and the address by which it reached the workspace: signed links lead back there.
pub(crate) struct Sent {
    pub(crate) request: ExecuteStatementRequest,
    /// Confs that hold for this statement alone.
    pub(crate) confs: BTreeMap<String, String>,
    pub(crate) base_url: Arc<str>,
}

/// Runs a statement to its end, whatever that is. Ends early, dropping the engine's work, when somebody else ends it.
async fn run(
    state: Arc<State>,
    statement: Arc<Statement>,
    origin: Origin,
    sent: Sent,
    limits: Limits,
    timeout: Option<Duration>,
) {
    let work = AssertUnwindSafe(execute(&state, &statement, origin, sent, limits)).catch_unwind();
    tokio::select! {
        // A cancel or close that is already there must not start the engine.
        biased;
        () = statement.ended() => {}
        limit = elapsed(timeout) => {
            statement.advance(Phase::Failed(Arc::new(Failure::timed_out(limit))));
        }
        result = work => {
            let next = match result {
                Ok(Ok(outcome)) => Phase::Succeeded(Arc::new(outcome)),
                Ok(Err(failure)) => Phase::Failed(Arc::new(failure)),
                Err(_) => Phase::Failed(Arc::new(Failure::internal("the engine panicked"))),
            };
            statement.advance(next);
        }
    }
}

/// Waits until the time is over; for ever when there is no limit.
async fn elapsed(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => {
            tokio::time::sleep(limit).await;
            limit
        }
        None => std::future::pending().await,
    }
}

async fn execute(
    state: &Arc<State>,
    statement: &Statement,
    origin: Origin,
    sent: Sent,
    limits: Limits,
) -> Result<Outcome, Failure> {
    let slots = state.statements.slots();
    let _slot = slots
        .acquire()
        .await
        .map_err(|_| Failure::internal("the workspace is stopping"))?;
    statement.advance(Phase::Running);

    let session = match origin {
        Origin::Session(session) => session,
        Origin::Fresh(catalog, schema) => {
            state
                .engine
                .session(catalog.as_deref(), schema.as_deref(), &BTreeMap::new())?
        }
    };
    let Sent {
        request,
        confs,
        base_url,
    } = sent;
    let parameters = numbered(request.parameters);
    let execution = session
        .execute_with(request.statement.expose(), &parameters, &confs)
        .await?;
    let execution = match execution.transfer.clone() {
        Some(transfer) => volumes::signed(&state.engine, &state.links, &base_url, &transfer)?,
        None => execution,
    };
    let Execution {
        columns,
        schema,
        mut batches,
        num_modified_rows,
        returns_rows,
        transfer,
    } = execution;

    let shape = statement.shape;
    let encoding = shape.encoding(state.settings.multi_frame_lz4);
    let chunk_bytes = match (encoding, shape.disposition) {
        (Encoding::JsonRows, _) => INLINE_STEP,
        // Fetched in turns: what an answer carries comes from one chunk.
        (_, Disposition::Inline) => state.settings.chunk_bytes.min(HYBRID_LIMIT as usize),
        _ => state.settings.chunk_bytes,
    };
    let natives = statement.reading.as_ref().map(Reading::natives);
    let schema = natives.map_or_else(|| Arc::clone(&schema), |natives| natives.schema(&schema, &columns));
    let mut writer = Writer::new(Arc::clone(&state.depot), encoding, Arc::clone(&schema), chunk_bytes);
    let mut allowance = Allowance::new(limits);
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(SqlError::from)?;
        if !returns_rows || batch.num_rows() == 0 {
            continue;
        }
        if let Some(batch) = allowance.take(batch) {
            let batch = match natives {
                Some(natives) => natives.batch(&batch, &schema).map_err(SqlError::from)?,
                None => batch,
            };
            writer.push(batch).await?;
        }
        if allowance.truncated {
            break;
        }
    }
    // The engine has nothing more to do for this statement while the last chunks are encoded.
    drop(batches);
    let written = writer.finish().await?;

    let is_inline = match shape.disposition {
        Disposition::Inline => true,
        Disposition::ExternalLinks => false,
        Disposition::InlineOrExternalLinks => written.chunks.len() <= 1 && written.plain_bytes <= HYBRID_LIMIT,
    };
    Ok(Outcome {
        columns: if returns_rows { columns } else { Vec::new() },
        schema,
        row_count: written.rows,
        byte_count: written.chunks.iter().map(|chunk| chunk.byte_count).sum(),
        chunks: written.chunks,
        truncated: allowance.truncated,
        num_modified_rows,
        is_inline,
        is_transfer: transfer.is_some(),
    })
}

/// Gives parameters that have neither name nor ordinal the ordinal of their place, and takes empty names for none.
fn numbered(mut parameters: Vec<Parameter>) -> Vec<Parameter> {
    for (ordinal, parameter) in (1..).zip(&mut parameters) {
        parameter.name = parameter.name.take().filter(|name| !name.is_empty());
        if parameter.name.is_none() && parameter.ordinal.is_none() {
            parameter.ordinal = Some(ordinal);
        }
    }
    parameters
}

/// What the client's limits still allow.
struct Allowance {
    left: Limits,
    /// Whether a row was left out.
    truncated: bool,
}

impl Allowance {
    fn new(limits: Limits) -> Self {
        Self {
            left: limits,
            truncated: false,
        }
    }

    /// The rows of `batch` that are allowed, if any.
    fn take(&mut self, batch: RecordBatch) -> Option<RecordBatch> {
        if self.left == Limits::default() {
            return Some(batch);
        }
        let all = batch.num_rows();
        let mut rows = all;
        if let Some(left) = self.left.rows {
            rows = rows.min(usize::try_from(left).unwrap_or(usize::MAX));
        }
        if let Some(left) = self.left.bytes {
            let bytes = plain_bytes(&batch) as u64;
            if bytes > left {
                let share = u128::from(left) * all as u128 / u128::from(bytes);
                rows = rows.min(usize::try_from(share).unwrap_or(usize::MAX));
            }
        }
        self.truncated = rows < all;
        let batch = if rows == all { batch } else { batch.slice(0, rows) };
        if let Some(left) = &mut self.left.rows {
            *left -= rows as u64;
        }
        if let Some(left) = &mut self.left.bytes {
            *left = left.saturating_sub(plain_bytes(&batch) as u64);
        }
        (rows > 0).then_some(batch)
    }
}

/// Fills chunks, encodes and keeps them.
struct Writer {
    depot: Arc<Depot>,
    encoding: Encoding,
    schema: SchemaRef,
    chunk_bytes: usize,
    filling: Vec<RecordBatch>,
    filling_bytes: usize,
    encoding_now: VecDeque<Job>,
    started: usize,
    /// The text of an inline result so far, without the last bracket.
    inline: Vec<u8>,
    written: Written,
}

#[derive(Default)]
struct Written {
    chunks: Vec<Chunk>,
    rows: u64,
    /// Plain Arrow data.
    plain_bytes: u64,
}

/// A chunk that is being encoded, or was on the spot.
enum Job {
    Elsewhere(JoinHandle<Result<Finished, Failure>>),
    Done(Result<Finished, Failure>),
}

/// A chunk that an encoder has finished.
struct Finished {
    rows: u64,
    plain_len: u64,
    body: Body,
}

enum Body {
    /// A whole chunk, kept.
    Kept(Stored),
    /// A piece of the inline text.
    Piece(Vec<u8>),
}

impl Writer {
    fn new(depot: Arc<Depot>, encoding: Encoding, schema: SchemaRef, chunk_bytes: usize) -> Self {
        Self {
            depot,
            encoding,
            schema,
            chunk_bytes,
            filling: Vec::new(),
            filling_bytes: 0,
            encoding_now: VecDeque::new(),
            started: 0,
            inline: Vec::new(),
            written: Written::default(),
        }
    }

    /// Adds a batch, in pieces when it is larger than a chunk.
    async fn push(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        let bytes = plain_bytes(&batch);
        let rows = batch.num_rows();
        if bytes <= self.chunk_bytes {
            return self.add(batch, bytes).await;
        }
        let step = (rows as u128 * self.chunk_bytes as u128 / bytes as u128).max(1);
        let step = usize::try_from(step).unwrap_or(rows);
        let mut from = 0;
        while from < rows {
            let piece = batch.slice(from, step.min(rows - from));
            from += piece.num_rows();
            let bytes = plain_bytes(&piece);
            self.add(piece, bytes).await?;
        }
        Ok(())
    }

    async fn add(&mut self, batch: RecordBatch, bytes: usize) -> Result<(), Failure> {
        if !self.filling.is_empty() && self.filling_bytes + bytes > self.chunk_bytes {
            self.start_encoding().await?;
        }
        self.filling_bytes += bytes;
        self.filling.push(batch);
        Ok(())
    }

    async fn start_encoding(&mut self) -> Result<(), Failure> {
        if self.encoding_now.len() == ENCODERS {
            self.take_finished().await?;
        }
        let batches = std::mem::take(&mut self.filling);
        let bytes = std::mem::take(&mut self.filling_bytes);
        self.written.plain_bytes += bytes as u64;
        let is_first = self.started == 0;
        self.started += 1;
        let (encoding, schema, depot) = (self.encoding, Arc::clone(&self.schema), Arc::clone(&self.depot));
        let work = move || finished(encoding, &schema, batches, is_first, &depot);
        self.encoding_now.push_back(if bytes <= ON_THE_SPOT {
            Job::Done(work())
        } else {
            Job::Elsewhere(tokio::task::spawn_blocking(work))
        });
        Ok(())
    }

    /// Waits for the oldest encoder; chunks are taken in the order in which they were filled.
    async fn take_finished(&mut self) -> Result<(), Failure> {
        let Some(oldest) = self.encoding_now.pop_front() else {
            return Ok(());
        };
        let finished = match oldest {
            Job::Done(finished) => finished?,
            Job::Elsewhere(encoder) => encoder
                .await
                .map_err(|_| Failure::internal("an encoder ended early"))??,
        };
        match finished.body {
            Body::Kept(stored) => self.written.chunks.push(Chunk {
                row_offset: self.written.rows,
                row_count: finished.rows,
                byte_count: finished.plain_len,
                stored,
            }),
            Body::Piece(text) => {
                self.inline.push(if self.inline.is_empty() { b'[' } else { b',' });
                self.inline.extend_from_slice(&text);
                if self.inline.len() >= INLINE_LIMIT {
                    return Err(inline_limit_exceeded());
                }
            }
        }
        self.written.rows += finished.rows;
        Ok(())
    }

    async fn finish(mut self) -> Result<Written, Failure> {
        if !self.filling.is_empty() {
            self.start_encoding().await?;
        }
        while !self.encoding_now.is_empty() {
            self.take_finished().await?;
        }
        if !self.inline.is_empty() {
            let mut text = std::mem::take(&mut self.inline);
            text.push(b']');
            let byte_count = text.len() as u64;
            let depot = Arc::clone(&self.depot);
            let stored = if text.len() <= ON_THE_SPOT {
                keep(&depot, text)?
            } else {
                tokio::task::spawn_blocking(move || keep(&depot, text))
                    .await
                    .map_err(|_| Failure::internal("an encoder ended early"))??
            };
            self.written.chunks.push(Chunk {
                row_offset: 0,
                row_count: self.written.rows,
                byte_count,
                stored,
            });
        }
        Ok(self.written)
    }
}

/// Encodes a chunk and keeps it.
fn finished(
    encoding: Encoding,
    schema: &Schema,
    batches: Vec<RecordBatch>,
    is_first: bool,
    depot: &Arc<Depot>,
) -> Result<Finished, Failure> {
    let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    let Encoded { bytes, plain_len } = encode(encoding, schema, &batches, is_first).map_err(SqlError::from)?;
    drop(batches);
    let body = match encoding {
        Encoding::JsonRows => Body::Piece(bytes),
        _ => Body::Kept(keep(depot, bytes)?),
    };
    Ok(Finished { rows, plain_len, body })
}

fn keep(depot: &Arc<Depot>, bytes: Vec<u8>) -> Result<Stored, Failure> {
    depot
        .keep(bytes)
        .map_err(|error| Failure::internal(&format!("a chunk could not be kept: {error}")))
}

fn inline_limit_exceeded() -> Failure {
    Failure {
        error_code: "BAD_REQUEST",
        sql_state: "54000".to_owned(),
        message: format!(
            "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most \
             {INLINE_LIMIT} bytes. Please execute the statement with disposition=EXTERNAL_LINKS if you want to \
             download the full result. SQLSTATE: 54000"
        ),
    }
}

/// Starts the statement of a checked request on the query threads, and returns at once.
pub(crate) fn start(state: &Arc<State>, statement: &Arc<Statement>, origin: Origin, sent: Sent, plan: &Plan) {
    let (state, statement) = (Arc::clone(state), Arc::clone(statement));
    let run = run(Arc::clone(&state), statement, origin, sent, plan.limits, plan.timeout);
    state.queries.spawn(run);
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
        RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from_iter_values(0..rows))]).unwrap()
    }

    fn taken(limits: Limits, batches: &[i64]) -> (usize, bool) {
        let mut allowance = Allowance::new(limits);
        let mut rows = 0;
        for size in batches {
            rows += allowance.take(batch(*size)).map_or(0, |batch| batch.num_rows());
            if allowance.truncated {
                break;
            }
        }
        (rows, allowance.truncated)
    }

    #[test]
    fn a_limit_truncates_only_when_a_row_is_left_out() {
        let rows = |rows| Limits {
            rows: Some(rows),
            bytes: None,
        };
        assert_eq!(taken(rows(10), &[4, 6]), (10, false));
        assert_eq!(taken(rows(10), &[4, 6, 1]), (10, true));
        assert_eq!(taken(rows(5), &[4, 6]), (5, true));
        let bytes = |bytes| Limits {
            rows: None,
            bytes: Some(bytes),
        };
        assert_eq!(taken(bytes(80), &[10]), (10, false));
        assert_eq!(taken(bytes(79), &[10]), (9, true));
        assert_eq!(taken(bytes(7), &[10]), (0, true));
        assert_eq!(taken(Limits::default(), &[10, 10]), (20, false));
    }
}
