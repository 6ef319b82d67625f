//! Any driver of [`adbc_core`] behind the ADBC C interface.
//!
//! Generic over the driver, so that the tests can put one behind it that panics, blocks and fails on purpose.

mod bound;
mod connection;
mod database;
mod driver;
mod error;
mod guard;
mod handle;
mod option;
mod statement;
mod stream;
mod table;

pub use driver::{Exported, ExportedConnection, ExportedStatement, Readings};
pub use table::init;
