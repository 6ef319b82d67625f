//! An ADBC (Arrow Database Connectivity) driver for Databricks SQL.
//!
//! ```no_run
//! use adbc_core::sync::{Connection as _, Database as _, Driver as _, Statement as _};
//! use adbc_databricks::Driver;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let uri = "databricks://token:dapi0123@adb-1.azuredatabricks.net/sql/1.0/warehouses/abc123";
//! let database = Driver.new_database_with_opts([("uri".into(), uri.into())])?;
//! let mut connection = database.new_connection()?;
//! let mut statement = connection.new_statement()?;
//! statement.set_sql_query("SELECT 1 AS one")?;
//! for batch in statement.execute()? {
//!     println!("{} rows", batch?.num_rows());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The interface is blocking, as ADBC is; the work is done by an async core on one runtime per process. The driver can be used
//! from inside another tokio runtime, where its calls block the calling thread.
//!
//! Every operation is an activity of [`SOURCE`]: whoever registers an [`activity::Listener`] there sees them all, beside the driver's
//! own telemetry and without changing it.
//!
//! Local traces can also be asked for by options: [`options::TRACES_EXPORTER`]. With the cargo feature `otlp` one of them sends
//! OpenTelemetry spans to a collector, and the OpenTelemetry span that is current where the driver is called is the parent of the
//! driver's activities.
//!
//! [`options`] lists everything that can be set. [`Error`] is what goes wrong, and travels inside the
//! [`ArrowError::ExternalError`](arrow_schema::ArrowError::ExternalError) of a failing reader.

mod auth;
mod cancel;
mod config;
mod connection;
mod database;
pub mod diagnosis;
mod driver;
mod error;
mod executions;
#[doc(hidden)]
pub mod hostile;
mod http;
mod info;
mod ingest;
mod metadata;
mod observe;
pub mod options;
mod parameters;
mod progress;
mod readings;
mod results;
mod runtime;
mod sea;
mod sql;
mod statement;
pub mod telemetry;
mod traces;
mod types;
mod uri;

pub use cancel::CancelHandle;
pub use connection::Connection;
pub use database::Database;
pub use databricks_telemetry::{ErrorCategory, SOURCE};
pub use driver::Driver;
pub use error::{Error, ErrorKind, Result};
pub use readings::Readings;
pub use statement::Statement;
pub use types::types_page_markdown;
