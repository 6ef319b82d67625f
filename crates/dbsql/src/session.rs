//! A connection of this command, and rows read through it.

use adbc_core::options::{OptionConnection, OptionDatabase, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, Optionable as _, Statement as _};
use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;

use crate::failure::Failure;
use crate::target::Target;

/// One open connection.
pub(crate) struct Session {
    pub(crate) connection: adbc_databricks::Connection,
}

impl Session {
    /// Connects with telemetry as the user set it, and with further options.
    pub(crate) fn open(target: &Target, further: Vec<(OptionDatabase, OptionValue)>) -> Result<Self, Failure> {
        let mut options = target.options();
        options.extend(further);
        let database = adbc_databricks::Driver.new_database_with_opts(options)?;
        Ok(Self {
            connection: database.new_connection()?,
        })
    }

    /// Connects with telemetry and traces refused: for the commands that read the inbox, so that looking adds nothing to what is
    /// looked at.
    pub(crate) fn open_unobserved(target: &Target) -> Result<Self, Failure> {
        let refusal = |key, value: &str| (OptionDatabase::from(key), OptionValue::String(value.to_owned()));
        let telemetry = refusal("adbc.databricks.telemetry.enabled", "false");
        let traces = refusal(adbc_databricks::options::TRACES_EXPORTER, "none");
        Self::open(target, vec![telemetry, traces])
    }

    /// The session's id as the workspace gave it; `None` when the workspace has no sessions.
    pub(crate) fn id(&self) -> Option<String> {
        self.connection
            .get_option_string(OptionConnection::from("databricks.session_id"))
            .ok()
    }

    /// All rows of a small result.
    pub(crate) fn rows(&mut self, sql: &str) -> Result<Vec<RecordBatch>, Failure> {
        let mut statement = self.connection.new_statement()?;
        statement.set_sql_query(sql)?;
        Ok(statement.execute()?.collect::<Result<Vec<_>, _>>()?)
    }
}

/// A cell of a column, or `None` for NULL.
pub(crate) fn text(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let array = batch.column_by_name(column)?.as_string_opt::<i32>()?;
    array.is_valid(row).then(|| array.value(row).to_owned())
}

/// A BIGINT cell of a column, or `None` for NULL.
pub(crate) fn integer(batch: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let array = batch.column_by_name(column)?.as_primitive_opt::<Int64Type>()?;
    array.is_valid(row).then(|| array.value(row))
}
