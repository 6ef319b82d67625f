use std::fmt;
use std::sync::Arc;

use adbc_core::PartitionedResult;
use adbc_core::error::Result;
use adbc_core::options::{OptionStatement, OptionValue};
use adbc_core::sync::Optionable;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::Schema;
use databricks_wire::Sensitive;
use databricks_wire::sea::Parameter;

use crate::cancel::CancelHandle;
use crate::error::{Error, Result as DriverResult};
use crate::metadata;
use crate::observe::Purpose;
use crate::options::{self, Settings};
use crate::parameters;
use crate::results::reader::Concatenated;
use crate::sea::execute::Submission;
use crate::sea::session::OpenSession;
use crate::sea::statement::{Outcome, perform};

/// A SQL text, its parameters, and its executions.
///
/// Executing it again leaves earlier readers alone: each has a server-side result of its own.
pub struct Statement {
    settings: Settings,
    session: Arc<OpenSession>,
    sql: Option<Sensitive<String>>,
    bound: Option<Bound>,
    cancel: CancelHandle,
}

enum Bound {
    Batch(RecordBatch),
    Stream(Box<dyn RecordBatchReader + Send>),
}

impl Statement {
    pub(crate) fn new(settings: Settings, session: Arc<OpenSession>) -> Self {
        Self {
            settings,
            session,
            sql: None,
            bound: None,
            cancel: CancelHandle::default(),
        }
    }

    fn sql(&self) -> DriverResult<&Sensitive<String>> {
        self.sql
            .as_ref()
            .ok_or_else(|| Error::invalid_state("the statement has no SQL text"))
    }

    fn submission(&self) -> DriverResult<Submission> {
        Ok(Submission::new(self.sql()?.clone(), &self.settings))
    }

    /// Executes once without parameters, or once per bound row.
    fn each(&mut self, purpose: Purpose, mut take: impl FnMut(Outcome) -> DriverResult<()>) -> DriverResult<()> {
        let submission = self.submission()?;
        let by_name = self.settings.flag(options::BIND_BY_NAME).unwrap_or_default();
        let cancel = self.cancel.clone();
        let _calling = cancel.call();
        let mut once = |this: &Self, parameters: Vec<Parameter>| {
            let submission = submission.clone().with_parameters(parameters);
            take(perform(
                &this.session,
                &this.settings,
                submission,
                purpose,
                &this.cancel,
            )?)
        };
        match self.bound.take() {
            None => once(self, Vec::new()),
            Some(Bound::Batch(batch)) => {
                let outcome =
                    parameters::rows(&batch, by_name).and_then(|mut rows| rows.try_for_each(|row| once(self, row)));
                self.bound = Some(Bound::Batch(batch));
                outcome
            }
            Some(Bound::Stream(stream)) => {
                for batch in stream {
                    let batch =
                        batch.map_err(|error| Error::invalid_argument(format!("the bound stream failed: {error}")))?;
                    parameters::rows(&batch, by_name)?.try_for_each(|row| once(self, row))?;
                }
                Ok(())
            }
        }
    }

    fn run(&mut self) -> DriverResult<Box<dyn RecordBatchReader + Send>> {
        let mut readers = Vec::new();
        self.each(Purpose::QUERY, |outcome| {
            readers.push(outcome.open()?);
            Ok(())
        })?;
        if readers.len() == 1
            && let Some(reader) = readers.pop()
        {
            return Ok(Box::new(reader));
        }
        Ok(Box::new(Concatenated::new(readers)?))
    }

    fn update(&mut self) -> DriverResult<Option<i64>> {
        let mut total: Option<i64> = None;
        self.each(Purpose::UPDATE, |outcome| {
            if let Some(rows) = outcome.affected_rows()? {
                total = Some(total.unwrap_or(0).saturating_add(rows));
            }
            Ok(())
        })?;
        Ok(total)
    }
}

impl adbc_core::sync::Statement for Statement {
    fn bind(&mut self, batch: RecordBatch) -> Result<()> {
        self.bound = Some(Bound::Batch(batch));
        Ok(())
    }

    fn bind_stream(&mut self, reader: Box<dyn RecordBatchReader + Send>) -> Result<()> {
        self.bound = Some(Bound::Stream(reader));
        Ok(())
    }

    /// Executes the statement, once per bound row, and returns the concatenated results.
    ///
    /// # Errors
    /// `INVALID_STATE` without a SQL text; the server's failure with its SQLSTATE; `CANCELLED`; `TIMEOUT`.
    ///
    /// # Blocking
    /// Until the first chunk of each result is here.
    fn execute(&mut self) -> Result<Box<dyn RecordBatchReader + Send + 'static>> {
        Ok(self.run()?)
    }

    /// Executes the statement, once per bound row, and returns how many rows were changed, if the server says.
    fn execute_update(&mut self) -> Result<Option<i64>> {
        Ok(self.update()?)
    }

    /// Asks the server (`DESCRIBE QUERY`) for the columns that executing would give.
    fn execute_schema(&mut self) -> Result<Schema> {
        let sql = self.sql()?.clone();
        let _calling = self.cancel.call();
        Ok(metadata::describe(
            &self.session,
            &self.settings,
            sql.expose(),
            Purpose::INTERNAL,
            &self.cancel,
        )?)
    }

    fn execute_partitions(&mut self) -> Result<PartitionedResult> {
        Err(Error::not_implemented("partitioned execution is not supported").into())
    }

    fn get_parameter_schema(&self) -> Result<Schema> {
        self.sql()?;
        Err(Error::not_implemented("the types of parameters are not known before they are bound").into())
    }

    /// Checks that there is a SQL text. Makes no request: the server prepares nothing.
    fn prepare(&mut self) -> Result<()> {
        self.sql()?;
        Ok(())
    }

    fn set_sql_query(&mut self, query: impl AsRef<str>) -> Result<()> {
        self.sql = Some(Sensitive::new(query.as_ref().to_owned()));
        self.bound = None;
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
        Ok(())
    }

    fn get_option_string(&self, key: OptionStatement) -> Result<String> {
        Ok(self.settings.read_text(key.as_ref())?)
    }

    fn get_option_bytes(&self, key: OptionStatement) -> Result<Vec<u8>> {
        Ok(self.settings.read_text(key.as_ref())?.into_bytes())
    }

    fn get_option_int(&self, key: OptionStatement) -> Result<i64> {
        Ok(self.settings.read_integer(key.as_ref())?)
    }

    fn get_option_double(&self, key: OptionStatement) -> Result<f64> {
        Ok(self.settings.read_double(key.as_ref())?)
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
