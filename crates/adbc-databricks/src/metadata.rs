//! Questions to the server that the driver asks on its own: current names, schemas of queries and tables.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use databricks_wire::Sensitive;

use crate::cancel::CancelHandle;
use crate::error::{Error, Result};
use crate::observe::Purpose;
use crate::options::{self, Settings};
use crate::types::SqlType;
use crate::sea::execute::Submission;
use crate::sea::session::OpenSession;
use crate::sea::statement::perform;

/// The columns that a query would return.
///
/// # Errors
/// The server's, if the query is wrong.
pub(crate) fn describe(
    session: &Arc<OpenSession>,
    settings: &Settings,
    sql: &str,
    purpose: Purpose,
    cancel: &CancelHandle,
) -> Result<Schema> {
    let rows = ask(session, settings, format!("DESCRIBE QUERY {sql}"), purpose, cancel)?;
    let fields = rows.into_iter().map(|row| {
        let mut cells = row.into_iter().flatten();
        let (Some(name), Some(type_text)) = (cells.next(), cells.next()) else {
            return Err(Error::result_set("the server described a column without name or type"));
        };
        Ok(Field::new(name, SqlType::parse(&type_text).to_arrow(), true))
    });
    Ok(Schema::new(fields.collect::<Result<Vec<_>>>()?))
}

/// The columns of a table, named by catalog, schema and table as far as given.
///
/// # Errors
/// `NotFound` when there is no such table.
pub(crate) fn table_schema(
    session: &Arc<OpenSession>,
    settings: &Settings,
    names: &[Option<&str>],
    cancel: &CancelHandle,
) -> Result<Schema> {
    let name = names
        .iter()
        .flatten()
        .filter(|name| !name.is_empty())
        .map(|name| quoted(name))
        .collect::<Vec<_>>();
    let sql = format!("SELECT * FROM {}", name.join("."));
    describe(session, settings, &sql, Purpose::COLUMNS, cancel)
}

/// The catalog and schema that names start in.
///
/// # Errors
/// The server's.
pub(crate) fn current_namespace(
    session: &Arc<OpenSession>,
    settings: &Settings,
    cancel: &CancelHandle,
) -> Result<(String, String)> {
    let rows = ask(
        session,
        settings,
        "SELECT current_catalog(), current_schema()".to_owned(),
        Purpose::INTERNAL,
        cancel,
    )?;
    let mut cells = rows.into_iter().flatten();
    match (cells.next().flatten(), cells.next().flatten()) {
        (Some(catalog), Some(schema)) => Ok((catalog, schema)),
        _ => Err(Error::result_set(
            "the server did not name the current catalog and schema",
        )),
    }
}

/// Moves the session to a catalog.
///
/// # Errors
/// `NotFound` when there is none of this name.
pub(crate) fn use_catalog(
    session: &Arc<OpenSession>,
    settings: &Settings,
    name: &str,
    cancel: &CancelHandle,
) -> Result<()> {
    ask(
        session,
        settings,
        format!("USE CATALOG {}", quoted(name)),
        Purpose::INTERNAL,
        cancel,
    )
    .map(drop)
}

/// Moves the session to a schema of the current catalog.
///
/// # Errors
/// `NotFound` when there is none of this name.
pub(crate) fn use_schema(
    session: &Arc<OpenSession>,
    settings: &Settings,
    name: &str,
    cancel: &CancelHandle,
) -> Result<()> {
    ask(
        session,
        settings,
        format!("USE SCHEMA {}", quoted(name)),
        Purpose::INTERNAL,
        cancel,
    )
    .map(drop)
}

/// A name in backticks, with those inside doubled.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

type Rows = Vec<Vec<Option<String>>>;

/// Executes a statement of the driver's own and reads its result as text. Such results are small.
fn ask(
    session: &Arc<OpenSession>,
    settings: &Settings,
    sql: String,
    purpose: Purpose,
    cancel: &CancelHandle,
) -> Result<Rows> {
    // How the caller wants its results is nothing to the driver's own questions.
    let submission = Submission::new(
        Sensitive::new(sql),
        &settings.without(&[options::DISPOSITION, options::FORMAT]),
    )
    .without_row_limit();
    let mut rows = Vec::new();
    for batch in perform(session, settings, submission, purpose, cancel)?.open()? {
        read_text(&batch.map_err(Error::out_of)?, &mut rows)?;
    }
    Ok(rows)
}

fn read_text(batch: &RecordBatch, rows: &mut Rows) -> Result<()> {
    let columns = batch
        .columns()
        .iter()
        .map(|column| arrow_cast::cast(column, &DataType::Utf8));
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(Error::out_of)?;
    rows.extend((0..batch.num_rows()).map(|row| {
        let cell = |column: &Arc<dyn Array>| {
            column
                .is_valid(row)
                .then(|| column.as_string::<i32>().value(row).to_owned())
        };
        columns.iter().map(cell).collect()
    }));
    Ok(())
}
