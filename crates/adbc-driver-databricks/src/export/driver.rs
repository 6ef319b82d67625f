//! What the C interface asks of a driver beyond the traits of `adbc_core`.

use adbc_core::error::Result;
use adbc_core::sync::{Connection, Database, Driver, Statement};
use arrow_array::RecordBatchReader;

/// A driver that can be exported.
pub trait Exported:
    Driver<DatabaseType: Send + Sync + Database<ConnectionType: ExportedConnection>> + Default + 'static
{
}

impl<D> Exported for D where
    D: Driver<DatabaseType: Send + Sync + Database<ConnectionType: ExportedConnection>> + Default + 'static
{
}

/// A connection that several threads use at the same time.
pub trait ExportedConnection: Connection<StatementType: ExportedStatement> + Send + Sync {
    /// A new statement. `adbc_core` wants the connection for itself here, and would make it wait for a running `get_objects`.
    ///
    /// # Errors
    /// The driver's.
    fn statement(&self) -> Result<Self::StatementType>;
}

/// A statement whose options can be read while it executes.
pub trait ExportedStatement: Statement + Send {
    /// What can be read of it from any thread.
    type Readings: Readings;

    /// Its readings, for the whole of its life.
    fn readings(&self) -> Self::Readings;

    /// Executes it, and says how many rows the result has or the statement changed, if that is known.
    ///
    /// # Errors
    /// The driver's.
    fn execute_counted(&mut self) -> Result<(Box<dyn RecordBatchReader + Send + 'static>, Option<i64>)>;
}

/// Options of a statement, read while it executes.
pub trait Readings: Send + Sync + 'static {
    /// An option's value as text.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such option.
    fn text(&self, key: &str) -> Result<String>;

    /// An option's value as a whole number.
    ///
    /// # Errors
    /// As [`Readings::text`].
    fn integer(&self, key: &str) -> Result<i64>;

    /// An option's value as a number.
    ///
    /// # Errors
    /// As [`Readings::text`].
    fn double(&self, key: &str) -> Result<f64>;
}

impl ExportedConnection for adbc_databricks::Connection {
    fn statement(&self) -> Result<adbc_databricks::Statement> {
        Self::statement(self)
    }
}

impl ExportedStatement for adbc_databricks::Statement {
    type Readings = adbc_databricks::Readings;

    fn readings(&self) -> adbc_databricks::Readings {
        Self::readings(self)
    }

    fn execute_counted(&mut self) -> Result<(Box<dyn RecordBatchReader + Send + 'static>, Option<i64>)> {
        Self::execute_counted(self)
    }
}

impl Readings for adbc_databricks::Readings {
    fn text(&self, key: &str) -> Result<String> {
        Self::text(self, key)
    }

    fn integer(&self, key: &str) -> Result<i64> {
        Self::integer(self, key)
    }

    fn double(&self, key: &str) -> Result<f64> {
        Self::double(self, key)
    }
}

/// The types of a driver's objects, shortly.
pub(super) type DatabaseOf<D> = <D as Driver>::DatabaseType;
pub(super) type ConnectionOf<D> = <DatabaseOf<D> as Database>::ConnectionType;
pub(super) type StatementOf<D> = <ConnectionOf<D> as Connection>::StatementType;
