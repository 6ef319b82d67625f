//! One execution as the blocking faces use it.

use std::sync::Arc;

use activity::Activity;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{RecordBatch, RecordBatchReader as _};
use arrow_schema::{DataType, SchemaRef};
use databricks_telemetry::tags;
use databricks_wire::sea::StatementResponse;

use super::execute::{Submission, execute};
use super::run::Run;
use super::session::OpenSession;
use crate::cancel::CancelHandle;
use crate::error::{Error, Result};
use crate::observe::{self, Purpose};
use crate::options::Settings;
use crate::results::reader::ResultReader;
use crate::results::{self, FetchLimits};
use crate::runtime;

/// A statement that the server has executed, before its result is touched.
pub(crate) struct Outcome {
    root: Activity,
    run: Arc<Run>,
    answer: StatementResponse,
    limits: FetchLimits,
    open: Arc<OpenSession>,
}

/// Executes a statement and waits for the server.
///
/// # Errors
/// As [`execute`].
///
/// # Blocking
/// Until the server has the result, the run is cancelled, or its time is up.
pub(crate) fn perform(
    open: &Arc<OpenSession>,
    settings: &Settings,
    submission: Submission,
    purpose: Purpose,
    cancel: &CancelHandle,
) -> Result<Outcome> {
    open.session().check_process()?;
    runtime::wait(begin(open, settings, submission, purpose, cancel))
}

/// Executes a statement and opens its result, with one wait for both.
///
/// # Errors
/// As [`execute`] and [`Outcome::answer`].
///
/// # Blocking
/// Until the first chunk of the result is here.
pub(crate) fn query(
    open: &Arc<OpenSession>,
    settings: &Settings,
    submission: Submission,
    purpose: Purpose,
    cancel: &CancelHandle,
) -> Result<Answer> {
    open.session().check_process()?;
    let executed = begin(open, settings, submission, purpose, cancel);
    let (counts, reader) = runtime::wait(async move {
        let outcome = executed.await?;
        let counts = outcome.counts();
        Ok((counts, outcome.opened().await?))
    })?;
    Answer::read(counts, reader)
}

/// The execution, which is cancelled by `cancel` from now on.
fn begin(
    open: &Arc<OpenSession>,
    settings: &Settings,
    submission: Submission,
    purpose: Purpose,
    cancel: &CancelHandle,
) -> impl Future<Output = Result<Outcome>> + Send + use<> {
    let open = Arc::clone(open);
    let trace = observe::trace_parent(settings);
    let mut root = observe::statement(open.session().lease(), purpose, trace);
    root.set_text(tags::DB_STATEMENT, || submission.sql().to_owned());
    let run = Run::new(Arc::clone(open.session()), root.context().or(trace));
    cancel.track(&run);
    let limits = FetchLimits::new(settings);
    async move {
        match execute(&run, submission, &root.parent_handle()).await {
            Ok(answer) => {
                root.set(tags::RESULT_READY_LATENCY, root.elapsed());
                Ok(Outcome {
                    root,
                    run,
                    answer,
                    limits,
                    open,
                })
            }
            Err(error) => {
                run.abandon();
                conclude(&mut root, &run, Some(&error));
                Err(error)
            }
        }
    }
}

/// Notes what a call took and how it ended, as the call returns.
fn conclude(root: &mut Activity, run: &Run, error: Option<&Error>) {
    root.set(tags::OPERATION_LATENCY, root.elapsed());
    root.set(tags::RETRY_COUNT, run.retry_count());
    if let Some(error) = error {
        observe::fail(root, error);
    }
}

impl Outcome {
    /// Opens the result.
    ///
    /// # Errors
    /// The first chunk cannot be fetched or decoded; `Cancelled`.
    ///
    /// # Blocking
    /// Until the first chunk is here.
    pub(crate) fn open(self) -> Result<ResultReader> {
        runtime::wait(self.opened())
    }

    async fn opened(self) -> Result<ResultReader> {
        let Self {
            mut root,
            run,
            answer,
            limits,
            open,
        } = self;
        let opened = tokio::select! {
            opened = results::open(Arc::clone(&run), answer, limits, &mut root) => opened,
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

    /// Opens the result, and reads it too if it only says how many rows the statement changed.
    ///
    /// # Errors
    /// As [`Outcome::open`], or the counts cannot be read.
    ///
    /// # Blocking
    /// As [`Outcome::open`].
    pub(crate) fn answer(self) -> Result<Answer> {
        let counts = self.counts();
        Answer::read(counts, self.open()?)
    }

    fn counts(&self) -> Counts {
        // A statement that changes rows answers with one row or none. A query may have a column of this name, and many rows.
        let manifest = self.answer.manifest.as_ref();
        Counts {
            told: self.answer.status.num_modified_rows,
            place: self.place_of_counts(),
            is_brief: manifest.is_none_or(|manifest| manifest.total_row_count.is_some_and(|rows| rows <= 1)),
        }
    }

    /// How many rows the statement changed: what the status says, else the sum of the result's `num_affected_rows`.
    ///
    /// # Errors
    /// As [`Outcome::open`].
    pub(crate) fn affected_rows(mut self) -> Result<Option<i64>> {
        let (None, Some(index)) = (self.answer.status.num_modified_rows, self.place_of_counts()) else {
            conclude(&mut self.root, &self.run, None);
            self.run.complete();
            return Ok(self.answer.status.num_modified_rows);
        };
        let mut total = 0_i64;
        for batch in self.open()? {
            total = total.saturating_add(sum(&[batch.map_err(Error::out_of)?], index)?);
        }
        Ok(Some(total))
    }

    /// Which column of the result counts changed rows.
    fn place_of_counts(&self) -> Option<usize> {
        let manifest = self.answer.manifest.as_ref()?;
        let mut columns = manifest.schema.columns.iter();
        columns.position(|column| column.name == "num_affected_rows")
    }
}

/// What an executed statement gave.
pub(crate) enum Answer {
    /// Rows to read.
    Rows(ResultReader),
    /// The numbers of rows that it changed, read already.
    Changed {
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
        /// How many in all.
        changed: i64,
    },
}

/// What the server's answer says about changed rows, before its result is read.
struct Counts {
    told: Option<i64>,
    /// The column of the result that counts them.
    place: Option<usize>,
    is_brief: bool,
}

impl Answer {
    fn read(counts: Counts, reader: ResultReader) -> Result<Self> {
        let Counts { told, place, is_brief } = counts;
        if !is_brief || (told.is_none() && place.is_none()) {
            return Ok(Self::Rows(reader));
        }
        let schema = reader.schema();
        let batches = reader.collect::<Result<Vec<_>, _>>().map_err(Error::out_of)?;
        let changed = match (told, place) {
            (Some(told), _) => told,
            (None, Some(index)) => sum(&batches, index)?,
            (None, None) => 0,
        };
        Ok(Self::Changed {
            schema,
            batches,
            changed,
        })
    }
}

fn sum(batches: &[RecordBatch], index: usize) -> Result<i64> {
    let mut total = 0_i64;
    for batch in batches {
        let counts = arrow_cast::cast(batch.column(index), &DataType::Int64)
            .map_err(|_| Error::result_set("the server's row counts are not numbers"))?;
        total = counts
            .as_primitive::<Int64Type>()
            .iter()
            .flatten()
            .fold(total, i64::saturating_add);
    }
    Ok(total)
}
