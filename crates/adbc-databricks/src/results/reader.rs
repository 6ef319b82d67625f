//! The reader that the caller holds: batches in order, and the books.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use activity::Activity;
use arrow_array::{RecordBatch, RecordBatchOptions, RecordBatchReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use databricks_telemetry::{StatementKind, tags};

use super::batches::Batches;
use super::transfer::Transfer;
use super::{Opened, Promise};
use crate::error::{Error, Result};
use crate::observe;
use crate::sea::run::Run;
use crate::sea::session::OpenSession;

/// The record batches of one execution.
///
/// Owns everything it needs: it works after its statement, connection and database are gone. Reading it to the end closes
/// the statement on the server; dropping it before cancels and closes it. Both happen in the background.
pub(crate) struct ResultReader {
    /// The execution's activity. Dropped before `open`, which may end telemetry.
    root: Activity,
    run: Arc<Run>,
    schema: SchemaRef,
    /// In a place of its own, because a reader is moved on its way to the caller.
    batches: Box<Batches>,
    promise: Promise,
    rows_handed_out: u64,
    /// Since the execution's start, when the caller first asked for a batch.
    first_asked: Option<Duration>,
    done: bool,
    /// Keeps the session open.
    _open: Arc<OpenSession>,
}

impl ResultReader {
    pub(crate) fn new(root: Activity, run: Arc<Run>, opened: Opened, open: Arc<OpenSession>) -> Self {
        let Opened {
            schema,
            batches,
            promise,
        } = opened;
        Self {
            root,
            run,
            schema,
            batches: Box::new(batches),
            promise,
            rows_handed_out: 0,
            first_asked: None,
            done: false,
            _open: open,
        }
    }

    /// How many rows the result has, if there is one, the server said, and all of them will come.
    pub(crate) fn promised_rows(&self) -> Option<i64> {
        let rows = self.promise.rows.filter(|_| !self.schema.fields().is_empty());
        rows.and_then(|rows| i64::try_from(rows).ok())
    }

    /// Carries out the transfer from or to a volume that the result's one row describes. The result is then a row that says so.
    ///
    /// # Errors
    /// The transfer's; `InvalidState` when the local path is not allowed.
    ///
    /// # Blocking
    /// Until the file is where it belongs, or the run is stopped.
    pub(crate) fn transfer(mut self, allowed_paths: Option<&str>) -> Result<Self> {
        self.root.set(tags::STATEMENT_TYPE, StatementKind::Volume);
        let done = self.transferred(allowed_paths);
        self.root.set(tags::OPERATION_LATENCY, self.root.elapsed());
        match done {
            Ok(status) => {
                self.schema = status.schema();
                self.promise = Promise::default();
                *self.batches = Batches::one(status);
                self.rows_handed_out = 0;
                Ok(self)
            }
            Err(error) => {
                let error = error.with_statement_id(self.run.statement_id());
                self.finish(Err(error.clone()));
                Err(error)
            }
        }
    }

    fn transferred(&mut self, allowed_paths: Option<&str>) -> Result<RecordBatch> {
        let row = self
            .advance()?
            .ok_or_else(|| Error::result_set("the server asked for a transfer and did not say of what"))?;
        let transfer = Transfer::read(&row)?;
        self.root.set(tags::VOLUME_OPERATION, transfer.kind());
        transfer.perform(&self.run, allowed_paths, self.root.parent_handle())
    }

    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        self.run.session().check_process()?;
        if let Some(error) = self.run.stopped() {
            return Err(error);
        }
        match self.batches.next()? {
            Some(batch) => {
                self.rows_handed_out += batch.num_rows() as u64;
                Ok(Some(batch))
            }
            None => self.balance().map(|()| None),
        }
    }

    /// Compares what was handed out with what the manifest promised. The last line of defence against lost rows.
    fn balance(&self) -> Result<()> {
        let taken = self.batches.chunks_taken();
        let missing_chunks = self.promise.chunks.filter(|promised| *promised > taken);
        if let Some(promised) = missing_chunks {
            return Err(Error::result_set(format!(
                "the result is incomplete: {} of {promised} chunks are missing",
                promised - taken
            )));
        }
        match self.promise.rows {
            Some(promised) if promised > self.rows_handed_out => Err(Error::result_set(format!(
                "the result is incomplete: {} of {promised} rows are missing",
                promised - self.rows_handed_out
            ))),
            Some(promised) if promised < self.rows_handed_out => Err(Error::result_set(format!(
                "the result has {} rows more than the {promised} that the server announced",
                self.rows_handed_out - promised
            ))),
            _ => Ok(()),
        }
    }

    /// Notes how far the reading went.
    fn settle(&mut self) {
        if let Some(first_asked) = self.first_asked {
            let consumption = self.root.elapsed().saturating_sub(first_asked);
            self.root.set(tags::RESULT_CONSUMPTION_LATENCY, consumption);
        }
        let chunks_taken = self.batches.chunks_taken();
        if chunks_taken > 0 {
            self.root.set(tags::RESULT_CHUNKS_ITERATED, chunks_taken);
        }
        self.root.set(tags::RESULT_ROWS, self.rows_handed_out);
        self.root.set(tags::RETRY_COUNT, self.run.retry_count());
    }

    fn finish(&mut self, outcome: Result<()>) {
        self.done = true;
        self.settle();
        *self.batches = Batches::none();
        match outcome {
            Ok(()) => self.run.complete(),
            Err(error) => {
                observe::fail(&mut self.root, &error);
                self.run.abandon();
            }
        }
        // Complete as soon as the rows are, not when the caller gets round to dropping the reader.
        mem::take(&mut self.root).end();
    }
}

impl Iterator for ResultReader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.first_asked.is_none() {
            self.first_asked = Some(self.root.elapsed());
        }
        match self.advance() {
            Ok(Some(batch)) => Some(Ok(batch)),
            Ok(None) => {
                self.finish(Ok(()));
                None
            }
            Err(error) => {
                let error = error.with_statement_id(self.run.statement_id());
                self.finish(Err(error.clone()));
                Some(Err(error.into()))
            }
        }
    }
}

impl RecordBatchReader for ResultReader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Drop for ResultReader {
    fn drop(&mut self) {
        if !self.done {
            self.settle();
            // Stopped, and not asked for a batch since: nobody has been told yet.
            if let Some(error) = self.run.stopped() {
                observe::fail(&mut self.root, &error);
            }
            self.run.abandon();
        }
    }
}

impl fmt::Debug for ResultReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultReader")
            .field("run", &self.run)
            .field("promise", &self.promise)
            .field("rows_handed_out", &self.rows_handed_out)
            .finish_non_exhaustive()
    }
}

/// Executes the statement for one bound row after the other, each when it is asked for.
pub(crate) type Executions = Box<dyn Iterator<Item = Result<ResultReader>> + Send>;

/// Several results as one, for a statement that is executed once per bound row.
///
/// A row is executed when the result of the row before it has been read to its end, so one result is open at a time. After an
/// error no further row is executed.
pub(crate) struct Concatenated {
    schema: SchemaRef,
    current: Option<ResultReader>,
    /// `None` once there is nothing more to execute.
    rest: Option<Executions>,
}

impl Concatenated {
    /// Executes the first row, whose columns are everybody's. Without rows the result is empty.
    ///
    /// Whether a column may hold nulls depends on the values that are bound, so with `several` rows every column may.
    ///
    /// # Errors
    /// The first row's.
    ///
    /// # Blocking
    /// Until the first chunk of the first row's result is here.
    pub(crate) fn open(mut executions: Executions, several: bool) -> Result<Self> {
        let current = executions.next().transpose()?;
        let schema = match &current {
            None => Arc::new(Schema::empty()),
            Some(first) if several => nullable(&first.schema),
            Some(first) => Arc::clone(&first.schema),
        };
        Ok(Self {
            schema,
            rest: current.is_some().then_some(executions),
            current,
        })
    }

    /// Executes the next row, if there is one.
    fn execute_next(&mut self) -> Result<Option<ResultReader>> {
        let Some(mut reader) = self.rest.as_mut().and_then(Iterator::next).transpose()? else {
            return Ok(None);
        };
        if !same_columns(&reader.schema, &self.schema) {
            let error = Error::result_set("the bound rows gave results with different columns")
                .with_statement_id(reader.run.statement_id());
            reader.finish(Err(error.clone()));
            return Err(error);
        }
        Ok(Some(reader))
    }

    /// The batch with everybody's columns; its own differ in what they may hold at most.
    fn fit(&self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let (_, columns, _) = batch.into_parts();
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }

    fn end(&mut self) {
        self.current = None;
        self.rest = None;
    }
}

impl Iterator for Concatenated {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let item = self.current.as_mut()?.next();
            if let Some(item) = item {
                let item = item.and_then(|batch| self.fit(batch));
                if item.is_err() {
                    self.end();
                }
                return Some(item);
            }
            // The old result is let go before there is a new one.
            self.current = None;
            match self.execute_next() {
                Ok(Some(reader)) => self.current = Some(reader),
                Ok(None) => self.end(),
                Err(error) => {
                    self.end();
                    return Some(Err(error.into()));
                }
            }
        }
    }
}

impl RecordBatchReader for Concatenated {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields: Vec<_> = fields.map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn same_columns(one: &Schema, other: &Schema) -> bool {
    let (one, other) = (one.fields(), other.fields());
    let mut pairs = one.iter().zip(other);
    one.len() == other.len() && pairs.all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type())
}
