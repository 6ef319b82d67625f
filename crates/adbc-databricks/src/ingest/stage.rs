//! Rows as Parquet files in a volume, until a statement has put them into a table.
//!
//! The caller's thread encodes, tasks upload. See <https://docs.databricks.com/api/workspace/files> for the Files API.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use activity::{ByteCount, Parent, SpanContext};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use databricks_telemetry::{operations, tags};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::http::Call;
use crate::observe;
use crate::runtime;
use crate::sea::run::Run;
use crate::sea::session::Session;

/// So many rows are encoded between two looks at the size of the file.
const STEP_ROWS: usize = 8192;
/// How long the end of an ingest waits for its files to be removed; then that goes on in the background.
const CLEARING_PATIENCE: Duration = Duration::from_secs(10);
/// How long the removal of staged files waits for uploads that nobody needs any more.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(30);
/// What stays as it is in a path.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~');

/// A directory of a volume that is being filled. Whatever happens, its files are removed when it is dropped.
pub(super) struct Stage {
    run: Arc<Run>,
    /// `None` once the execution's record must not wait for uploads any more.
    parent: Option<Parent>,
    directory: String,
    schema: SchemaRef,
    file_bytes: usize,
    writer: Option<ArrowWriter<Vec<u8>>>,
    slots: Arc<Semaphore>,
    parallel_uploads: u32,
    deadline: Option<tokio::time::Instant>,
    timeout: Duration,
    uploads: Vec<JoinHandle<Result<()>>>,
    /// How many files were begun to be uploaded.
    files: usize,
}

/// How files are staged.
pub(super) struct Plan {
    pub(super) volume: String,
    pub(super) file_bytes: usize,
    pub(super) parallel_uploads: u32,
    /// How long the statement may take, staging included; zero for ever.
    pub(super) timeout: Duration,
}

impl Stage {
    /// Makes a directory of its own in the volume.
    ///
    /// # Errors
    /// `InvalidArgument` for a path that is no volume's; that the directory cannot be made.
    ///
    /// # Blocking
    /// One request.
    pub(super) fn open(run: &Arc<Run>, parent: Parent, plan: Plan, schema: SchemaRef) -> Result<Self> {
        let volume = plan.volume.trim_end_matches('/');
        let names: Vec<&str> = volume
            .strip_prefix("/Volumes/")
            .unwrap_or_default()
            .split('/')
            .collect();
        if names.len() < 3 || names.iter().any(|name| matches!(*name, "" | "." | "..")) {
            return Err(Error::invalid_argument(format!(
                "option '{}' must be /Volumes/CATALOG/SCHEMA/VOLUME, or a directory in a volume",
                crate::options::INGEST_VOLUME
            )));
        }
        let stage = Self {
            run: Arc::clone(run),
            parent: Some(parent),
            directory: format!("{volume}/adbc-ingest-{}", uuid::Uuid::new_v4().simple()),
            schema,
            file_bytes: plan.file_bytes,
            writer: None,
            slots: Arc::new(Semaphore::new(plan.parallel_uploads as usize)),
            parallel_uploads: plan.parallel_uploads,
            deadline: (!plan.timeout.is_zero()).then(|| runtime::deadline(plan.timeout)),
            timeout: plan.timeout,
            uploads: Vec::new(),
            files: 0,
        };
        let (task_run, path) = (Arc::clone(run), directory_path(&stage.directory));
        stage
            .wait(async move {
                let call = Call::harmless(&Method::PUT, &path).traced(task_run.trace());
                let client = task_run.client();
                client
                    .send_bytes(call, Bytes::new(), &task_run.retries, task_run.stop_requested())
                    .await
            })
            .map_err(|error| error.context("the rows cannot be staged in the volume"))?;
        Ok(stage)
    }

    pub(super) fn directory(&self) -> &str {
        &self.directory
    }

    /// Adds rows; waits when enough files are on their way.
    ///
    /// # Errors
    /// That a file cannot be uploaded; `Cancelled`; `Timeout`.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        for from in (0..batch.num_rows()).step_by(STEP_ROWS) {
            let rows = batch.slice(from, STEP_ROWS.min(batch.num_rows() - from));
            let writer = match &mut self.writer {
                Some(writer) => writer,
                None => {
                    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
                    let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&self.schema), Some(properties));
                    self.writer.insert(writer.map_err(unwritable)?)
                }
            };
            writer.write(&rows).map_err(unwritable)?;
            if writer.bytes_written() + writer.in_progress_size() >= self.file_bytes {
                self.ship()?;
            }
            if let Some(stopped) = self.run.stopped() {
                return Err(stopped);
            }
        }
        Ok(())
    }

    /// Sends the last file and waits until all are there.
    ///
    /// # Errors
    /// As [`Stage::push`].
    pub(super) fn finish(&mut self) -> Result<()> {
        self.ship()?;
        let uploads = std::mem::take(&mut self.uploads);
        let outcome = self.wait(async move {
            for upload in uploads {
                upload.await.unwrap_or_else(|_| Err(lost()))?;
            }
            Ok(())
        });
        self.parent = None;
        outcome
    }

    fn ship(&mut self) -> Result<()> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        let bytes = Bytes::from(writer.into_inner().map_err(unwritable)?);
        let slots = Arc::clone(&self.slots);
        let slot = self.wait(async move { slots.acquire_owned().await.map_err(|_| lost()) })?;
        // One that failed ends all, before more is sent.
        while let Some(at) = self.uploads.iter().position(JoinHandle::is_finished) {
            let upload = self.uploads.swap_remove(at);
            self.wait(async move { upload.await.unwrap_or_else(|_| Err(lost())) })?;
        }
        let Some(parent) = self.parent.clone() else {
            return Err(lost());
        };
        let path = file_path(&self.directory, self.files);
        self.files += 1;
        let run = Arc::clone(&self.run);
        let permit = run.session().background().permit();
        self.uploads.push(runtime::current()?.spawn(async move {
            let mut child = parent.child(&operations::VOLUME_PUT);
            child.set(tags::VOLUME_BYTES, ByteCount(bytes.len() as u64));
            let call = Call::harmless(&Method::PUT, &path).traced(child.context().or(run.trace()));
            let sent = run
                .client()
                .send_bytes(call, bytes, &run.retries, run.stop_requested())
                .await;
            let sent = sent.map_err(|error| error.context("a staged file could not be uploaded"));
            observe::end(child, &sent);
            drop((parent, permit, slot));
            sent
        }));
        Ok(())
    }

    /// Waits for work unless the execution is stopped or its time is up.
    fn wait<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let (run, deadline, timeout) = (Arc::clone(&self.run), self.deadline, self.timeout);
        runtime::wait(async move {
            let overdue = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                error = run.stop_requested() => Err(error),
                () = overdue => {
                    run.time_out(timeout);
                    Err(run.stopped().unwrap_or_else(Error::cancelled))
                }
                done = work => done,
            }
        })
    }

    /// Removes the files, waiting a while for it.
    pub(super) fn clear(mut self) {
        let Some(work) = self.clearing() else { return };
        // What could be said of it would be said of an ingest that has ended, well or not.
        let _ = runtime::wait(async move {
            let _ = tokio::time::timeout(CLEARING_PATIENCE, tokio::spawn(work)).await;
            Ok(())
        });
    }

    fn clearing(&mut self) -> Option<impl Future<Output = ()> + Send + 'static + use<>> {
        self.writer = None;
        self.parent = None;
        let session = Arc::clone(self.run.session());
        if self.directory.is_empty() || session.is_inherited() {
            return None;
        }
        let (directory, files) = (std::mem::take(&mut self.directory), self.files);
        let (slots, all) = (Arc::clone(&self.slots), self.parallel_uploads);
        let permit = session.background().permit();
        let trace = self.run.trace();
        Some(async move {
            // A file that is still on its way would come after its own removal. Whoever uploads has a slot.
            let _ = tokio::time::timeout(UPLOAD_PATIENCE, slots.acquire_many(all)).await;
            for file in 0..files {
                remove(&session, &file_path(&directory, file), trace).await;
            }
            remove(&session, &directory_path(&directory), trace).await;
            drop(permit);
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(work) = self.clearing() {
            runtime::spawn(work);
        }
    }
}

/// An activity of its own, in the trace of the ingest: whose record must not wait for it.
async fn remove(session: &Session, path: &str, trace: Option<SpanContext>) {
    let root = session.lease().root(&operations::VOLUME_REMOVE, trace);
    let call = Call::harmless(&Method::DELETE, path).traced(root.context().or(trace));
    let removed = session
        .client()
        .send_bytes(call, Bytes::new(), &AtomicU32::new(0), std::future::pending())
        .await;
    observe::end(root, &removed);
}

fn file_path(directory: &str, file: usize) -> String {
    format!(
        "/api/2.0/fs/files{}/{file:05}.parquet?overwrite=true",
        encoded(directory)
    )
}

fn directory_path(directory: &str) -> String {
    format!("/api/2.0/fs/directories{}", encoded(directory))
}

fn encoded(path: &str) -> String {
    utf8_percent_encode(path, IN_PATH).to_string()
}

fn unwritable(error: parquet::errors::ParquetError) -> Error {
    Error::new(
        ErrorKind::InvalidData,
        databricks_telemetry::ErrorCategory::InvalidRequest,
        format!("the rows cannot be written as Parquet: {error}"),
    )
}

fn lost() -> Error {
    Error::internal("an upload ended without an answer")
}
