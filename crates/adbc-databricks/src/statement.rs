use std::fmt;
use std::iter;
use std::sync::Arc;

use adbc_core::PartitionedResult;
use adbc_core::error::Result;
use adbc_core::options::{OptionStatement, OptionValue};
use adbc_core::sync::Optionable;
use arrow_array::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use databricks_wire::Sensitive;
use databricks_wire::sea::Parameter;

use crate::cancel::CancelHandle;
use crate::error::{Error, Result as DriverResult};
use crate::executions::{Executions, Rows};
use crate::ingest::Ingest;
use crate::metadata::{self, Asker};
use crate::observe::Purpose;
use crate::options::{self, Settings};
use crate::parameters::{self, Binding};
use crate::progress::Progress;
use crate::readings::Readings;
use crate::results::reader::Concatenated;
use crate::sea::execute::Submission;
use crate::sea::partition::Partitioned;
use crate::sea::session::OpenSession;
use crate::sea::statement::{Answer, Outcome, perform, query};
use crate::sql::{self, Kind};

/// A SQL text, its parameters, and its executions.
///
/// Executing it again leaves earlier readers alone: each has a server-side result of its own.
pub struct Statement {
    settings: Settings,
    /// The same, and the progress, for whoever reads them while `self` is busy.
    readings: Readings,
    session: Arc<OpenSession>,
    sql: Option<Sensitive<String>>,
    bound: Option<Bound>,
    /// With [`options::INCREMENTAL`], after all partitions of an execution were given: the empty set that says so.
    no_more: Option<Partitioned>,
    cancel: CancelHandle,
}

enum Bound {
    Batch(RecordBatch),
    Stream(Box<dyn RecordBatchReader + Send>),
}

impl Statement {
    pub(crate) fn new(settings: Settings, session: Arc<OpenSession>) -> Self {
        Self {
            readings: Readings::new(settings.clone()),
            settings,
            session,
            sql: None,
            bound: None,
            no_more: None,
            cancel: CancelHandle::default(),
        }
    }

    /// Executes as [`execute`](adbc_core::sync::Statement::execute) does, and also says how many rows it is about: those that the
    /// statement changed, else those that the result has. `None` when there is no result or the server did not say, and for
    /// several bound rows of a query, which are executed as they are read.
    ///
    /// # Errors
    /// As `execute`.
    ///
    /// # Blocking
    /// As `execute`.
    pub fn execute_counted(&mut self) -> Result<(Box<dyn RecordBatchReader + Send + 'static>, Option<i64>)> {
        Ok(self.run()?)
    }

    /// What can be read of this statement from any thread, also while it executes.
    pub fn readings(&self) -> Readings {
        self.readings.clone()
    }

    fn publish(&self) {
        self.readings.publish(&self.settings);
    }

    /// Begins anew, counting from zero. Readers of earlier executions count on where nobody looks.
    fn begin(&mut self, progress: Progress) -> Arc<Progress> {
        self.no_more = None;
        let progress = Arc::new(progress);
        self.readings.follow(&progress);
        progress
    }

    /// Counts from zero, for one execution or one per bound row.
    fn begin_executions(&mut self) -> Arc<Progress> {
        self.begin(match self.executes_once() {
            true => Progress::default(),
            false => Progress::in_parts(),
        })
    }

    /// Whether it is known to be executed once.
    fn executes_once(&self) -> bool {
        match &self.bound {
            None => true,
            Some(Bound::Batch(batch)) => batch.num_rows() == 1,
            Some(Bound::Stream(_)) => false,
        }
    }

    fn sql(&self) -> DriverResult<&Sensitive<String>> {
        self.sql
            .as_ref()
            .ok_or_else(|| Error::invalid_state("the statement has no SQL text"))
    }

    fn submission(&self) -> DriverResult<Submission> {
        let sql = self.sql()?.clone();
        Ok(Submission::new(sql, &self.settings))
    }

    /// Prepares to execute once without parameters, or once per bound row.
    fn executions(&mut self, purpose: Purpose, submission: Submission) -> Executions {
        let rows = self.take_rows();
        Executions::new(rows, &self.session, &self.settings, submission, purpose, &self.cancel)
    }

    /// The parameters of each execution. A bound batch stays bound; a stream can be read once.
    fn take_rows(&mut self) -> Rows {
        let batches: Box<dyn Iterator<Item = DriverResult<RecordBatch>> + Send> = match self.bound.take() {
            None => return Box::new(iter::once(Ok(Vec::new()))),
            Some(Bound::Batch(batch)) => {
                self.bound = Some(Bound::Batch(batch.clone()));
                Box::new(iter::once(Ok(batch)))
            }
            Some(Bound::Stream(stream)) => Box::new(stream.map(|batch| {
                batch.map_err(|error| Error::invalid_argument(format!("the bound stream failed: {error}")))
            })),
        };
        let binding = self.binding();
        Box::new(batches.flat_map(move |batch| -> Rows {
            match batch.and_then(|batch| parameters::rows(&batch, binding)) {
                Ok(rows) => Box::new(rows),
                Err(error) => Box::new(iter::once(Err(error))),
            }
        }))
    }

    fn binding(&self) -> Binding {
        let text = self.sql.as_ref().map_or("", |sql| sql.expose());
        match self.settings.flag(options::BIND_BY_NAME) {
            Some(true) => Binding::ByName,
            _ => Binding::ByPlace {
                markers: sql::markers(text).into_iter().filter(Option::is_none).count(),
            },
        }
    }

    /// The table that executing puts the bound rows into, if that is what executing does.
    fn ingest_target(&self) -> Option<String> {
        self.settings
            .text(options::INGEST_TABLE)
            .filter(|table| !table.is_empty())
    }

    fn ingest(&mut self, table: &str) -> DriverResult<i64> {
        let progress = self.begin(Progress::default());
        let data: Box<dyn RecordBatchReader + Send> = match self.bound.take() {
            None => {
                return Err(Error::invalid_state(
                    "no rows are bound that could be put into the table",
                ));
            }
            Some(Bound::Batch(batch)) => {
                self.bound = Some(Bound::Batch(batch.clone()));
                progress.expect(batch.num_rows() as u64);
                let schema = batch.schema();
                Box::new(RecordBatchIterator::new(iter::once(Ok(batch)), schema))
            }
            Some(Bound::Stream(stream)) => stream,
        };
        let rows = Ingest::new(&self.session, &self.settings, &self.cancel, &progress, table)?.run(data)?;
        progress.complete();
        Ok(rows)
    }

    fn run(&mut self) -> DriverResult<(Reader, Option<i64>)> {
        let cancel = self.cancel.clone();
        let _calling = cancel.call();
        if let Some(table) = self.ingest_target() {
            let rows = self.ingest(&table)?;
            return Ok((replay(Arc::new(Schema::empty()), Vec::new()), Some(rows)));
        }
        let progress = self.begin_executions();
        let submission = self.submission()?.reporting_to(&progress);
        if self.bound.is_none() {
            let answer = query(&self.session, &self.settings, submission, Purpose::QUERY, &cancel)?;
            return Ok(match answer {
                Answer::Rows(reader) => {
                    let rows = reader.promised_rows();
                    (Box::new(reader), rows)
                }
                Answer::Changed {
                    schema,
                    batches,
                    changed,
                } => {
                    progress.add_changed(changed);
                    progress.complete();
                    (replay(schema, batches), Some(changed))
                }
            });
        }
        let only_one = self.executes_once();
        let mut executions = self.executions(Purpose::QUERY, submission);
        match executions.next().transpose()?.map(Outcome::answer).transpose()? {
            None => Ok((replay(Arc::new(Schema::empty()), Vec::new()), Some(0))),
            Some(Answer::Rows(first)) => {
                let rows = first.promised_rows().filter(|_| only_one);
                let rest = executions.map(|outcome| outcome.and_then(Outcome::open));
                let readers = iter::once(Ok(first)).chain(rest);
                Ok((Box::new(Concatenated::open(Box::new(readers), !only_one)?), rows))
            }
            Some(Answer::Changed {
                schema,
                mut batches,
                mut changed,
            }) => {
                progress.add_changed(changed);
                for outcome in executions {
                    match outcome?.answer()? {
                        Answer::Changed {
                            batches: more,
                            changed: also,
                            ..
                        } => {
                            progress.add_changed(also);
                            batches.extend(more);
                            changed = changed.saturating_add(also);
                        }
                        Answer::Rows(_) => {
                            let message = "the bound rows gave results with different columns";
                            return Err(Error::result_set(message));
                        }
                    }
                }
                Ok((replay(schema, batches), Some(changed)))
            }
        }
    }

    fn schema(&self) -> DriverResult<Schema> {
        let text = self.sql()?.expose();
        let asker = Asker {
            session: &self.session,
            settings: &self.settings,
            cancel: &self.cancel,
        };
        match sql::kind(text) {
            Kind::Query => metadata::describe(&asker, text, self.sample()?, Purpose::INTERNAL),
            Kind::Change(columns) => {
                let count = |name: &&str| Field::new(*name, DataType::Int64, true);
                Ok(Schema::new(columns.iter().map(count).collect::<Vec<_>>()))
            }
            Kind::Listing => {
                let reader = asker.open(text.to_owned(), self.sample()?, Purpose::INTERNAL)?;
                Ok(reader.schema().as_ref().clone())
            }
            Kind::Definition => Ok(Schema::empty()),
            Kind::Other => Err(Error::not_implemented(
                "only executing tells which columns this kind of statement returns",
            )),
        }
    }

    /// Parameters to describe the statement with: the first bound row, or NULL for each marker.
    fn sample(&self) -> DriverResult<Vec<Parameter>> {
        if let Some(Bound::Batch(batch)) = &self.bound
            && batch.num_rows() > 0
        {
            let first = parameters::rows(&batch.slice(0, 1), self.binding())?.next();
            return Ok(first.transpose()?.unwrap_or_default());
        }
        let mut ordinal = 0;
        let null = |name: Option<&str>| {
            ordinal += u32::from(name.is_none());
            Parameter {
                name: name.map(str::to_owned),
                ordinal: name.is_none().then_some(ordinal),
                type_text: None,
                value: None,
            }
        };
        Ok(sql::markers(self.sql()?.expose()).into_iter().map(null).collect())
    }

    fn partitions(&mut self) -> DriverResult<Partitioned> {
        if let Some(end) = self.no_more.take() {
            return Ok(end);
        }
        let cancel = self.cancel.clone();
        let _calling = cancel.call();
        if self.ingest_target().is_some() {
            return Err(Error::invalid_state(
                "bulk ingest has no result that could be read in parts",
            ));
        }
        let progress = self.begin(Progress::default());
        let submission = self.submission()?.behind_links();
        let text = self.sql()?.expose();
        let whole = sql::kind(text) != Kind::Query || sql::is_sorted(text);
        let mut rows = self.take_rows();
        let parameters = rows.next().transpose()?;
        if rows.next().transpose()?.is_some() {
            return Err(Error::not_implemented(
                "a statement with several bound rows has no partitions: bind one row, or execute it as a query",
            ));
        }
        let Some(parameters) = parameters else {
            return Ok(Partitioned {
                schema: Arc::new(Schema::empty()),
                descriptors: Vec::new(),
                rows: Some(0),
            });
        };
        let submission = submission.with_parameters(parameters);
        let result = perform(&self.session, &self.settings, submission, Purpose::QUERY, &cancel)?.partitions(whole)?;
        // The server has them all, and none of them comes by way of this statement.
        progress.add_changed(result.rows.unwrap_or_default());
        progress.complete();
        let is_incremental = self.settings.flag(options::INCREMENTAL).unwrap_or_default();
        if is_incremental && !result.descriptors.is_empty() {
            self.no_more = Some(Partitioned {
                schema: Arc::clone(&result.schema),
                descriptors: Vec::new(),
                rows: result.rows,
            });
        }
        Ok(result)
    }

    fn update(&mut self) -> DriverResult<Option<i64>> {
        let cancel = self.cancel.clone();
        let _calling = cancel.call();
        if let Some(table) = self.ingest_target() {
            return self.ingest(&table).map(Some);
        }
        let mut total: Option<i64> = None;
        let progress = self.begin_executions();
        let submission = self.submission()?.reporting_to(&progress);
        for outcome in self.executions(Purpose::UPDATE, submission) {
            if let Some(rows) = outcome?.affected_rows()? {
                progress.add_changed(rows);
                total = Some(total.unwrap_or(0).saturating_add(rows));
            }
        }
        Ok(total)
    }
}

type Reader = Box<dyn RecordBatchReader + Send>;

/// A result that was read already.
fn replay(schema: SchemaRef, batches: Vec<RecordBatch>) -> Reader {
    Box::new(RecordBatchIterator::new(batches.into_iter().map(Ok), schema))
}

impl adbc_core::sync::Statement for Statement {
    fn bind(&mut self, batch: RecordBatch) -> Result<()> {
        self.bound = Some(Bound::Batch(batch));
        self.no_more = None;
        Ok(())
    }

    fn bind_stream(&mut self, reader: Box<dyn RecordBatchReader + Send>) -> Result<()> {
        self.bound = Some(Bound::Stream(reader));
        self.no_more = None;
        Ok(())
    }

    /// Executes the statement, once per bound row, and returns the concatenated results.
    ///
    /// A statement that changes rows is executed for all bound rows now. Of a query only the first bound row is executed now; each
    /// further one is when the reader has come to the end of the result before it, and not at all if the reader is dropped
    /// earlier; its failure is the reader's.
    ///
    /// # Errors
    /// `INVALID_STATE` without a SQL text; the server's failure with its SQLSTATE; `CANCELLED`; `TIMEOUT`.
    ///
    /// # Blocking
    /// Until the first chunk of the first result is here.
    fn execute(&mut self) -> Result<Box<dyn RecordBatchReader + Send + 'static>> {
        Ok(self.execute_counted()?.0)
    }

    /// Executes the statement, once per bound row, and returns how many rows were changed in all, if the server says.
    fn execute_update(&mut self) -> Result<Option<i64>> {
        Ok(self.update()?)
    }

    /// The columns that executing would give. Nothing is executed that changes anything.
    ///
    /// Of a query the server is asked (`DESCRIBE QUERY`), with the first bound row, or NULL for markers without one. What
    /// `INSERT`, `UPDATE`, `DELETE` and `MERGE` report is documented; definitions report nothing. `SHOW`, `DESCRIBE` and
    /// `EXPLAIN` change nothing, so they are executed.
    ///
    /// # Errors
    /// `INVALID_STATE` without a SQL text; `NOT_IMPLEMENTED` for statements of which only executing tells; the server's.
    fn execute_schema(&mut self) -> Result<Schema> {
        let _calling = self.cancel.call();
        Ok(self.schema()?)
    }

    /// Executes the statement and leaves its result on the server, to be read in parts by
    /// [`read_partition`](adbc_core::sync::Connection::read_partition): in any order, on any connection to the workspace of the
    /// same user, in any process.
    ///
    /// A partition is a chunk of the result (several, of a result of more than 10,000 chunks). A query with an `ORDER BY` of its
    /// own is one partition, since partitions have no order; so is every statement that is no query. The result always comes
    /// behind links, whatever `databricks.result.disposition` says.
    ///
    /// With `adbc.statement.exec.incremental` the next call returns no partitions, which says that there are no more of this
    /// execution, and the call after that executes again. So does the next call when anything was set or bound, or the statement
    /// executed otherwise, in between.
    ///
    /// The statement is never closed: the server keeps the result for one hour after the statement succeeded.
    ///
    /// # Errors
    /// As [`execute`](adbc_core::sync::Statement::execute); `NOT_IMPLEMENTED` for several bound rows, and for volume operations;
    /// `INVALID_STATE` for bulk ingest, which has no result.
    ///
    /// # Blocking
    /// Until the first chunk of the result is here: only it knows the types of the columns.
    fn execute_partitions(&mut self) -> Result<PartitionedResult> {
        let partitioned = self.partitions()?;
        Ok(PartitionedResult {
            partitions: partitioned.descriptors,
            schema: partitioned.schema.as_ref().clone(),
            rows_affected: partitioned.rows.unwrap_or(-1),
        })
    }

    /// The parameter markers: `?` each by itself, without a name; `:name` once, where it first stands.
    ///
    /// The server does not say which types they take, so they have the null type. Makes no request.
    ///
    /// # Errors
    /// `INVALID_STATE` without a SQL text.
    fn get_parameter_schema(&self) -> Result<Schema> {
        let markers = sql::markers(self.sql()?.expose());
        let field = |name: Option<&str>| Field::new(name.unwrap_or_default(), DataType::Null, true);
        Ok(Schema::new(markers.into_iter().map(field).collect::<Vec<_>>()))
    }

    /// Checks that there is a SQL text. Makes no request: the server prepares nothing.
    fn prepare(&mut self) -> Result<()> {
        self.sql()?;
        Ok(())
    }

    fn set_sql_query(&mut self, query: impl AsRef<str>) -> Result<()> {
        self.sql = Some(Sensitive::new(query.as_ref().to_owned()));
        self.bound = None;
        self.no_more = None;
        self.settings.unset(options::INGEST_TABLE);
        self.publish();
        Ok(())
    }

    fn set_substrait_plan(&mut self, _plan: impl AsRef<[u8]>) -> Result<()> {
        Err(Error::not_implemented("Substrait plans are not supported").into())
    }

    fn get_cancel_handle(&self) -> Box<dyn adbc_core::sync::CancelHandle> {
        Box::new(self.cancel.clone())
    }
}

impl Optionable for Statement {
    type Option = OptionStatement;

    fn set_option(&mut self, key: OptionStatement, value: OptionValue) -> Result<()> {
        self.settings.set(key.as_ref(), &value)?;
        self.publish();
        if self.ingest_target().is_some() && key == OptionStatement::TargetTable {
            self.sql = None;
        }
        // Whatever is executed next may be executed otherwise.
        self.no_more = None;
        Ok(())
    }

    fn get_option_string(&self, key: OptionStatement) -> Result<String> {
        self.readings.text(key.as_ref())
    }

    fn get_option_bytes(&self, key: OptionStatement) -> Result<Vec<u8>> {
        Ok(self.readings.text(key.as_ref())?.into_bytes())
    }

    fn get_option_int(&self, key: OptionStatement) -> Result<i64> {
        self.readings.integer(key.as_ref())
    }

    fn get_option_double(&self, key: OptionStatement) -> Result<f64> {
        self.readings.double(key.as_ref())
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("session", self.session.session())
            .field("settings", &self.settings)
            .field("sql", &self.sql)
            .finish_non_exhaustive()
    }
}
