//! One execution as the blocking faces use it.

use std::sync::Arc;

use activity::Activity;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
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
    let open = Arc::clone(open);
    let trace = observe::trace_parent(settings);
    let mut root = observe::statement(open.session().lease(), purpose, trace);
    root.set_text(tags::DB_STATEMENT, || submission.sql().to_owned());
    let run = Run::new(Arc::clone(open.session()), root.context().or(trace));
    cancel.track(&run);
    let limits = FetchLimits::new(settings);
    runtime::wait(async move {
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
    })
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
        let Self {
            mut root,
            run,
            answer,
            limits,
            open,
        } = self;
        runtime::wait(async move {
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
        })
    }

    /// How many rows the statement changed: what the status says, else the sum of the result's `num_affected_rows`.
    ///
    /// # Errors
    /// As [`Outcome::open`].
    pub(crate) fn affected_rows(mut self) -> Result<Option<i64>> {
        let columns = self
            .answer
            .manifest
            .as_ref()
            .map(|manifest| manifest.schema.columns.as_slice());
        let place = columns
            .unwrap_or_default()
            .iter()
            .position(|column| column.name == "num_affected_rows");
        let (None, Some(index)) = (self.answer.status.num_modified_rows, place) else {
            conclude(&mut self.root, &self.run, None);
            self.run.complete();
            return Ok(self.answer.status.num_modified_rows);
        };
        let mut total = 0_i64;
        for batch in self.open()? {
            let batch = batch.map_err(Error::out_of)?;
            let counts = arrow_cast::cast(batch.column(index), &DataType::Int64)
                .map_err(|_| Error::result_set("the server's row counts are not numbers"))?;
            total = counts
                .as_primitive::<Int64Type>()
                .iter()
                .flatten()
                .fold(total, i64::saturating_add);
        }
        Ok(Some(total))
    }
}
