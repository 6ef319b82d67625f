//! Results in partitions: executed here, read anywhere.
//!
//! A partition is a range of a result's chunks. Its descriptor says which, and holds neither rows nor links nor credentials: whoever
//! reads it asks the server for links of its own. So the statement stays open on the server until the server forgets it, and the
//! descriptor is good for as long: results can be fetched for one hour after the statement succeeded
//! (<https://docs.databricks.com/api/workspace/statementexecution>).

use std::ops::ControlFlow;
use std::sync::Arc;

use activity::{Activity, Id};
use arrow_schema::SchemaRef;
use databricks_telemetry::{operations, tags};
use databricks_wire::sea::{ChunkInfo, ColumnInfo, Compression, Format, Manifest, ResultSchema, StatementResponse};
use serde::{Deserialize, Serialize};

use super::run::Run;
use super::session::OpenSession;
use super::statement::{Begun, Outcome, conclude};
use crate::cancel::CancelHandle;
use crate::error::{Error, Result};
use crate::observe::Purpose;
use crate::options::Settings;
use crate::results::reader::ResultReader;
use crate::results::{self, FetchLimits, Opened, Promise, has_data, has_links, inline};
use crate::runtime;

/// The layout of descriptors that this driver writes, and the only one that it reads.
const VERSION: u32 = 1;
/// A result of more chunks has several in a partition.
const MAX_PARTITIONS: u64 = 10_000;
/// All descriptors of a result together, in bytes; a result with many columns has several chunks in a partition.
const MAX_DESCRIPTORS_BYTES: u64 = 64 << 20;
/// No result has more chunks.
const MAX_CHUNK: u64 = u32::MAX as u64;
/// Ids are short; what is longer is none.
const MAX_ID_CHARS: usize = 128;

/// A range of the chunks of a result.
#[derive(Clone, Deserialize, Serialize)]
struct Descriptor {
    #[serde(rename = "databricks_partition")]
    version: u32,
    /// The workspace, by the name under which the executing connection knows it.
    workspace: String,
    statement_id: String,
    first_chunk: u64,
    /// `None`: all from the first on, of a result that only its links lead through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chunks: Option<u64>,
    /// `None` when the server did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    format: Option<Format>,
    compression: Option<Compression>,
    columns: Vec<ColumnInfo>,
}

impl Descriptor {
    /// # Errors
    /// `InvalidArgument` when the bytes are no descriptor, or one of another version.
    fn read(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            databricks_partition: u32,
        }
        let none = |_| Error::invalid_argument("the bytes are no partition of a result of this driver");
        let Versioned { databricks_partition } = serde_json::from_slice(bytes).map_err(none)?;
        if databricks_partition != VERSION {
            return Err(Error::invalid_argument(format!(
                "the partition has version {databricks_partition}, and this driver reads version {VERSION}: read it with the \
                 driver that executed the statement"
            )));
        }
        let read: Self = serde_json::from_slice(bytes).map_err(none)?;
        // It becomes a part of the path that the credentials are sent to.
        let plain = |char: char| char.is_ascii_alphanumeric() || char == '-';
        let is_id = (1..=MAX_ID_CHARS).contains(&read.statement_id.len()) && read.statement_id.chars().all(plain);
        let is_range = read.first_chunk <= MAX_CHUNK && read.chunks.is_none_or(|chunks| chunks <= MAX_CHUNK);
        match is_id && is_range {
            true => Ok(read),
            false => Err(Error::invalid_argument("the partition names no part of a result")),
        }
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|_| Error::internal("a partition could not be written down"))
    }

    /// The manifest of a result that consists of these chunks.
    fn into_manifest(self) -> Manifest {
        let only = self.rows.filter(|_| self.chunks == Some(1)).map(|row_count| ChunkInfo {
            chunk_index: self.first_chunk,
            row_count,
            ..ChunkInfo::default()
        });
        Manifest {
            format: self.format,
            schema: ResultSchema {
                column_count: self.columns.len() as u64,
                columns: self.columns,
            },
            total_chunk_count: self.chunks,
            total_row_count: self.rows,
            chunks: only.map(|chunk| vec![chunk]),
            result_compression: self.compression,
            ..Manifest::default()
        }
    }
}

/// An executed statement whose result stays on the server.
pub(crate) struct Partitioned {
    pub(crate) schema: SchemaRef,
    pub(crate) descriptors: Vec<Vec<u8>>,
    /// Those that the statement changed, else those that the result has, if the server said.
    pub(crate) rows: Option<i64>,
}

impl Outcome {
    /// Leaves the result on the server and says where its parts are; with `whole` it is one part.
    ///
    /// # Errors
    /// The first chunk, which alone knows the types, cannot be fetched or decoded; `NotImplemented` for volume operations;
    /// `Cancelled`. The statement is then closed.
    ///
    /// # Blocking
    /// Until the first chunk is here.
    pub(crate) fn partitions(self, whole: bool) -> Result<Partitioned> {
        runtime::wait(self.divided(whole))
    }

    async fn divided(mut self, whole: bool) -> Result<Partitioned> {
        let partitioned = match self.transfer() {
            None => {
                let run = Arc::clone(&self.run);
                tokio::select! {
                    partitioned = self.partitioned(whole) => partitioned,
                    error = run.stop_requested() => Err(error),
                }
            }
            Some(_) => Err(Error::not_implemented(
                "the result of PUT, GET and REMOVE has no partitions: execute the statement as a query",
            )),
        };
        let partitioned = partitioned.map_err(|error| error.with_statement_id(self.run.statement_id()));
        match &partitioned {
            Ok(partitioned) if partitioned.descriptors.is_empty() => self.run.complete(),
            Ok(_) => {
                self.run.leave_alone();
                // Ends what still fetches.
                self.run.abandon();
            }
            Err(_) => self.run.abandon(),
        }
        conclude(&mut self.root, &self.run, partitioned.as_ref().err());
        partitioned
    }

    async fn partitioned(&mut self, whole: bool) -> Result<Partitioned> {
        let answer = std::mem::take(&mut self.answer);
        let data = answer.result.as_ref();
        let Some(manifest) = answer.manifest.clone() else {
            let opened = results::open(Arc::clone(&self.run), answer, 0, self.limits, &mut self.root).await?;
            return Ok(Partitioned {
                schema: opened.schema,
                descriptors: Vec::new(),
                rows: None,
            });
        };
        let promise = Promise::of(&manifest);
        let is_linked = data.is_some_and(has_links);
        let has_rows = data.is_some_and(has_data) || promise.chunks.is_some_and(|chunks| chunks > 0);
        if has_rows && self.run.is_left_alone() {
            return Err(Error::result_set(
                "the server closed the statement with its answer, so its result cannot be read from elsewhere",
            ));
        }
        // Chunks inside answers may continue one another.
        let descriptors = match (has_rows, whole || !is_linked) {
            (false, _) => Vec::new(),
            (true, true) => vec![self.descriptor(&manifest, promise).to_bytes()?],
            (true, false) => self.descriptors(&manifest, promise)?,
        };
        let rows = match (answer.status.num_modified_rows, counts_rows(&manifest)) {
            (Some(changed), _) => Some(changed),
            (None, true) => None,
            (None, false) => promise.rows.and_then(|rows| i64::try_from(rows).ok()),
        };
        let first_only = match is_linked {
            true => only_first(answer),
            false => answer,
        };
        let opened = results::open(Arc::clone(&self.run), first_only, 0, self.limits, &mut self.root).await?;
        if let Some(chunks) = promise.chunks {
            self.root.set(tags::RESULT_CHUNK_COUNT, chunks);
        }
        Ok(Partitioned {
            schema: opened.schema,
            descriptors,
            rows,
        })
    }

    /// The whole result.
    fn descriptor(&self, manifest: &Manifest, promise: Promise) -> Descriptor {
        Descriptor {
            version: VERSION,
            workspace: self.run.client().endpoint().workspace(),
            statement_id: self.run.statement_id().to_owned(),
            first_chunk: 0,
            chunks: promise.chunks,
            rows: promise.rows,
            format: manifest.format,
            compression: manifest.result_compression,
            columns: manifest.schema.columns.clone(),
        }
    }

    /// Ranges of chunks: of one chunk each, unless there were too many.
    fn descriptors(&self, manifest: &Manifest, promise: Promise) -> Result<Vec<Vec<u8>>> {
        let mut descriptor = self.descriptor(manifest, promise);
        let whole = descriptor.to_bytes()?;
        let Some(chunks) = promise.chunks else {
            return Ok(vec![whole]);
        };
        let fitting = (MAX_DESCRIPTORS_BYTES / whole.len().max(1) as u64).clamp(1, MAX_PARTITIONS);
        let per_partition = chunks.div_ceil(fitting).max(1);
        let mut written = Vec::new();
        let mut first = 0;
        while first < chunks {
            let count = per_partition.min(chunks - first);
            descriptor.first_chunk = first;
            descriptor.chunks = Some(count);
            descriptor.rows = match count == chunks {
                true => promise.rows,
                false => rows_of(manifest, first, count),
            };
            written.push(descriptor.to_bytes()?);
            first += count;
        }
        Ok(written)
    }
}

/// Whether the result is not about its own rows but about those that the statement changed.
fn counts_rows(manifest: &Manifest) -> bool {
    let mut columns = manifest.schema.columns.iter();
    columns.any(|column| column.name == "num_affected_rows")
}

/// How many rows these chunks have, if the server said so of each.
fn rows_of(manifest: &Manifest, first: u64, count: u64) -> Option<u64> {
    let listed = manifest.chunks.as_deref().filter(|_| !manifest.truncated)?;
    let (first, count) = (usize::try_from(first).ok()?, usize::try_from(count).ok()?);
    let range = listed.get(first..first.checked_add(count)?)?;
    let total = range.iter().enumerate().try_fold(0_u64, |total, (place, chunk)| {
        let is_told = chunk.chunk_index == (first + place) as u64 && chunk.row_count > 0;
        match is_told.then(|| total.checked_add(chunk.row_count)).flatten() {
            Some(total) => ControlFlow::Continue(total),
            None => ControlFlow::Break(()),
        }
    });
    total.continue_value()
}

/// The answer without what follows its first chunk.
fn only_first(mut answer: StatementResponse) -> StatementResponse {
    if let Some(manifest) = &mut answer.manifest {
        manifest.total_chunk_count = Some(1);
        manifest.total_row_count = None;
    }
    answer
}

/// Opens a partition, which another connection or process may have executed for.
///
/// # Errors
/// `InvalidArgument` when the bytes are no descriptor, or name another workspace; the server's refusal, when it has forgotten
/// the result or does not show it to this user.
///
/// # Blocking
/// Until the first chunk of the partition is here.
pub(crate) fn read(
    open: &Arc<OpenSession>,
    settings: &Settings,
    partition: &[u8],
    cancel: &CancelHandle,
) -> Result<ResultReader> {
    let descriptor = Descriptor::read(partition)?;
    if descriptor.workspace != open.session().client().endpoint().workspace() {
        return Err(Error::invalid_argument(
            "the partition belongs to a result of another workspace than this connection's, or one of another name",
        ));
    }
    let begun = Begun::new(open, settings, Purpose::PARTITION, cancel)?;
    runtime::wait(begun.read(descriptor))
}

impl Begun {
    async fn read(self, descriptor: Descriptor) -> Result<ResultReader> {
        let Self {
            mut root,
            run,
            limits,
            open,
            ..
        } = self;
        // Others read the same statement.
        run.leave_alone();
        run.identify(&descriptor.statement_id);
        if let Ok(id) = Id::new(&descriptor.statement_id) {
            root.set(tags::STATEMENT_ID, id);
        }
        let opened = tokio::select! {
            opened = opened(&run, descriptor, limits, &mut root) => opened,
            error = run.stop_requested() => Err(error),
        };
        match opened {
            Ok(opened) => {
                conclude(&mut root, &run, None);
                Ok(ResultReader::new(root, run, opened, open))
            }
            Err(error) => {
                let error = error.with_statement_id(run.statement_id());
                run.abandon();
                conclude(&mut root, &run, Some(&error));
                Err(error)
            }
        }
    }
}

async fn opened(run: &Arc<Run>, descriptor: Descriptor, limits: FetchLimits, root: &mut Activity) -> Result<Opened> {
    let first = descriptor.first_chunk;
    let child = root.parent_handle().child(&operations::CLOUDFETCH_LINKS);
    let data = inline::request_chunk(run, first, child).await.map_err(|error| {
        error.context("the partition could not be read (a result stays on the server for one hour, and with one user)")
    })?;
    let answer = StatementResponse {
        statement_id: descriptor.statement_id.clone(),
        manifest: Some(descriptor.into_manifest()),
        result: Some(data),
        ..StatementResponse::default()
    };
    results::open(Arc::clone(run), answer, first, limits, root).await
}

/// Whether the bytes are a partition's descriptor.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    Descriptor::read(bytes).is_ok_and(|descriptor| descriptor.to_bytes().is_ok())
}
