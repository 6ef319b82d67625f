//! One execution as the blocking faces use it.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use activity::Activity;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{RecordBatch, RecordBatchReader as _};
use arrow_schema::{DataType, SchemaRef};
use databricks_telemetry::tags;
use databricks_wire::sea::StatementResponse;
use futures::future::join_all;

use super::execute::{Submission, execute};
use super::run::Run;
use super::session::OpenSession;
use crate::cancel::CancelHandle;
use crate::error::{Error, Result};
use crate::observe::{self, Purpose};
use crate::options::{self, Settings};
use crate::progress::Progress;
use crate::results::reader::ResultReader;
use crate::results::{self, FetchLimits};
use crate::runtime;

/// A statement that the server has executed, before its result is touched.
pub(crate) struct Outcome {
    pub(super) root: Activity,
    pub(super) run: Arc<Run>,
    pub(super) answer: StatementResponse,
    pub(super) limits: FetchLimits,
    /// Where its rows are counted, if anybody asks for them.
    progress: Option<Arc<Progress>>,
    open: Arc<OpenSession>,
    /// The directories that files may be transferred from and to.
    allowed_paths: Option<String>,
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
    Begun::new(open, settings, purpose, cancel)?.submit(submission)
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
    let begun = Begun::new(open, settings, purpose, cancel)?;
    let (counts, reader) = runtime::wait(async move {
        let outcome = begun.submitted(submission).await?;
        let counts = outcome.counts();
        Ok((counts, outcome.opened().await?))
    })?;
    Answer::read(counts, reader)
}

/// Executes statements of the driver's own at the same time and opens their results, each of which may fail by itself. A cancel acts
/// on all of them.
///
/// # Errors
/// `InvalidState` in a forked child.
///
/// # Blocking
/// Until the first chunk of each result is here.
pub(crate) fn query_each(
    open: &Arc<OpenSession>,
    settings: &Settings,
    submissions: Vec<Submission>,
    purpose: Purpose,
    cancel: &CancelHandle,
) -> Result<Vec<Result<ResultReader>>> {
    let begun = submissions.iter().map(|_| Begun::untracked(open, settings, purpose));
    let begun = begun.collect::<Result<Vec<_>>>()?;
    cancel.track(begun.iter().map(Begun::run));
    let executed = begun
        .into_iter()
        .zip(submissions)
        .map(|(begun, submission)| async move { begun.submitted(submission).await?.opened().await });
    let executed: Vec<_> = executed.collect();
    runtime::wait(async move { Ok(join_all(executed).await) })
}

/// An execution before its statement is submitted: a record of its own, and something that a cancel acts on.
pub(crate) struct Begun {
    pub(super) root: Activity,
    pub(super) run: Arc<Run>,
    pub(super) limits: FetchLimits,
    pub(super) open: Arc<OpenSession>,
    allowed_paths: Option<String>,
}

impl Begun {
    /// # Errors
    /// `InvalidState` in a forked child.
    pub(crate) fn new(
        open: &Arc<OpenSession>,
        settings: &Settings,
        purpose: Purpose,
        cancel: &CancelHandle,
    ) -> Result<Self> {
        let begun = Self::untracked(open, settings, purpose)?;
        cancel.track(iter::once(&begun.run));
        Ok(begun)
    }

    /// One that no cancel acts on yet.
    fn untracked(open: &Arc<OpenSession>, settings: &Settings, purpose: Purpose) -> Result<Self> {
        open.session().check_process()?;
        let trace = observe::trace_parent(settings);
        let root = observe::statement(open.session().lease(), purpose, trace);
        let run = Run::new(Arc::clone(open.session()), root.context().or(trace));
        Ok(Self {
            root,
            run,
            limits: FetchLimits::new(settings),
            open: Arc::clone(open),
            allowed_paths: settings.text(options::ALLOWED_LOCAL_PATHS),
        })
    }

    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.run
    }

    pub(crate) fn root(&mut self) -> &mut Activity {
        &mut self.root
    }

    /// Ends an execution that never came to its statement.
    pub(crate) fn fail(mut self, error: &Error) {
        self.run.abandon();
        conclude(&mut self.root, &self.run, Some(error));
    }

    /// Executes the statement and waits for the server.
    ///
    /// # Errors
    /// As [`execute`].
    ///
    /// # Blocking
    /// As [`perform`].
    pub(crate) fn submit(self, submission: Submission) -> Result<Outcome> {
        runtime::wait(self.submitted(submission))
    }

    async fn submitted(self, submission: Submission) -> Result<Outcome> {
        let Self {
            mut root,
            run,
            limits,
            open,
            allowed_paths,
        } = self;
        root.set_text(tags::DB_STATEMENT, || submission.sql().to_owned());
        let progress = submission.progress();
        let before = root.elapsed();
        match execute(&run, submission, &root.parent_handle()).await {
            Ok(answer) => {
                root.set(tags::RESULT_READY_LATENCY, root.elapsed().saturating_sub(before));
                Ok(Outcome {
                    root,
                    run,
                    answer,
                    limits,
                    progress,
                    open,
                    allowed_paths,
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

/// Executes a statement that clears away what another one left, whatever a cancel says. Goes on in the background if it takes
/// longer than `patience`.
///
/// # Errors
/// As [`execute`]; `Timeout` when it goes on.
///
/// # Blocking
/// At most for `patience`.
pub(crate) fn clear_away(open: &Arc<OpenSession>, submission: Submission, patience: Duration) -> Result<()> {
    let session = Arc::clone(open.session());
    let permit = session.background().permit();
    let work = async move {
        let mut root = observe::statement(session.lease(), Purpose::INTERNAL, None);
        root.set_text(tags::DB_STATEMENT, || submission.sql().to_owned());
        let run = Run::new(Arc::clone(&session), root.context());
        let answer = execute(&run, submission, &root.parent_handle()).await;
        match &answer {
            Ok(_) => {
                root.set(tags::RESULT_READY_LATENCY, root.elapsed());
                run.complete();
            }
            Err(_) => run.abandon(),
        }
        conclude(&mut root, &run, answer.as_ref().err());
        drop((root, run, permit));
        answer.map(drop)
    };
    runtime::wait(async move {
        match tokio::time::timeout(patience, tokio::spawn(work)).await {
            Ok(ended) => ended.unwrap_or_else(|_| Err(Error::internal("the clearing away ended without an answer"))),
            Err(_) => Err(Error::not_heard()),
        }
    })
}

/// Notes what a call took and how it ended, as the call returns.
pub(super) fn conclude(root: &mut Activity, run: &Run, error: Option<&Error>) {
    root.set(tags::OPERATION_LATENCY, root.elapsed());
    root.set(tags::RETRY_COUNT, run.retry_count());
    if let Some(session) = run.moved_to() {
        root.set(tags::SESSION_ID, session);
    }
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
        let transfer = self.transfer();
        transferred(transfer, runtime::wait(self.opened())?)
    }

    /// Whether the result is a transfer from or to a volume that is left to the client, and what is allowed then.
    pub(super) fn transfer(&self) -> Option<AllowedPaths> {
        let manifest = self.answer.manifest.as_ref();
        let is_transfer = manifest.is_some_and(|manifest| manifest.is_volume_operation == Some(true));
        is_transfer.then(|| self.allowed_paths.clone())
    }

    async fn opened(self) -> Result<ResultReader> {
        let tells_changes = self.counts().tell_changes();
        let Self {
            mut root,
            run,
            answer,
            limits,
            progress,
            open,
            allowed_paths: _,
        } = self;
        // What counts of a change is how many rows it says, not the one that says so.
        if let Some(progress) = progress.filter(|_| !tells_changes) {
            run.report_to(progress);
        }
        let opened = tokio::select! {
            opened = results::open(Arc::clone(&run), answer, 0, limits, &mut root) => opened,
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
        Answer::read(counts, runtime::wait(self.opened())?)
    }

    fn counts(&self) -> Counts {
        // A statement that changes rows answers with one row or none. A query may have a column of this name, and many rows.
        let manifest = self.answer.manifest.as_ref();
        Counts {
            transfer: self.transfer(),
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
        if self.transfer().is_some() {
            self.open()?
                .try_for_each(|batch| batch.map(drop))
                .map_err(Error::out_of)?;
            return Ok(None);
        }
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
    transfer: Option<AllowedPaths>,
    told: Option<i64>,
    /// The column of the result that counts them.
    place: Option<usize>,
    is_brief: bool,
}

impl Counts {
    /// Whether the result is nothing but these numbers.
    fn tell_changes(&self) -> bool {
        self.is_brief && (self.told.is_some() || self.place.is_some())
    }
}

impl Answer {
    fn read(counts: Counts, reader: ResultReader) -> Result<Self> {
        let is_change = counts.tell_changes();
        let Counts {
            transfer, told, place, ..
        } = counts;
        let reader = transferred(transfer, reader)?;
        if !is_change {
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

/// The local directories that files may be transferred from and to, as the option has them.
type AllowedPaths = Option<String>;

fn transferred(transfer: Option<AllowedPaths>, reader: ResultReader) -> Result<ResultReader> {
    match transfer {
        Some(allowed_paths) => reader.transfer(allowed_paths.as_deref()),
        None => Ok(reader),
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
