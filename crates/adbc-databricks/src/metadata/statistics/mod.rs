//! `get_statistics`: how many rows tables have, how large they are, and what is in their columns.
//!
//! What a warehouse has at hand it says in `DESCRIBE TABLE EXTENDED` ([`stored`]), one statement per table and one per column; it
//! may be old, so it is approximate. Exact numbers are computed ([`computed`]), which reads the tables. Sizes in storage are never
//! exact: files hold more than rows.

mod computed;
mod stored;
mod values;

use std::sync::Arc;

use adbc_core::schemas;
use arrow_array::{ArrayRef, Int16Array, RecordBatch, StringArray};
use arrow_schema::DataType;

use super::ask::{Asker, quoted};
use super::listing::Listing;
use super::objects::Filters;
use super::tree::{Column, list, structs};
use crate::error::{Error, Result};
use crate::types::SqlType;

/// The first key that the specification leaves to drivers.
const SIZE_KEY: i16 = 1024;
/// What the key stands for: bytes of the table's current version in storage.
const SIZE_NAME: &str = "databricks.statistic.table_size_bytes";

/// How many tables one call is about. Each costs the warehouse something, so that a careless call must end.
const MAX_TABLES: usize = 1000;
/// How many columns, for the same reason.
const MAX_COLUMNS: usize = 5000;

/// The types of tables that have rows of their own.
const STORED: [&str; 3] = ["TABLE", "MATERIALIZED_VIEW", "STREAMING_TABLE"];

/// A table to be told about.
struct Subject<'a> {
    place: [&'a String; 3],
    columns: &'a [Column],
}

impl Subject<'_> {
    fn full_name(&self) -> String {
        self.place.map(|name| quoted(name)).join(".")
    }
}

/// One number about a table or a column of it.
struct Statistic {
    /// `None` for the table.
    column: Option<String>,
    key: i16,
    value: Value,
    is_approximate: bool,
}

/// A value. Counts are integers when they are exact and floating point when they are not, as the specification has it; the smallest
/// and the largest value are of the column's kind.
enum Value {
    Integer(i64),
    Float(f64),
    /// Of a type that is no integer and no floating-point number, as SQL writes it.
    Text(String),
}

impl Value {
    /// A value of a column as the server writes it; `None` when it is none of the type.
    fn of_column(sql_type: &SqlType, text: &str) -> Option<Self> {
        Some(match sql_type {
            SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => Self::Integer(text.parse().ok()?),
            SqlType::Float | SqlType::Double => Self::Float(text.parse().ok()?),
            _ => Self::Text(text.to_owned()),
        })
    }
}

fn type_of(column: &Column) -> SqlType {
    SqlType::parse(column.type_text.as_deref().unwrap_or_default())
}

/// Statistics of the tables that the patterns let through, and of their columns. Views have none.
///
/// # Errors
/// The server could not be asked; `InvalidArgument` for more than 1000 tables or 5000 columns; with exact numbers, a table that
/// cannot be read.
///
/// # Blocking
/// For three or four statements to find the tables and columns, then as [`stored::described`] or [`computed::computed`].
pub(crate) fn statistics(
    asker: &Asker<'_>,
    catalog: Option<&str>,
    schema: Option<&str>,
    table: Option<&str>,
    approximate: bool,
) -> Result<RecordBatch> {
    let filters = Filters::new(catalog, schema, table, Some(&STORED), None);
    let mut listing = Listing::new(asker, &filters);
    listing.catalogs()?;
    listing.schemas()?;
    listing.tables()?;
    listing.columns()?;
    let found = &listing.found;
    let mut subjects = Vec::new();
    for catalog in found.values() {
        for schema in catalog.schemas.values() {
            for table in schema.tables.values() {
                subjects.push(Subject {
                    place: [&catalog.name, &schema.name, &table.name],
                    columns: &table.columns,
                });
            }
        }
    }
    let columns = subjects.iter().map(|subject| subject.columns.len()).sum();
    for (count, most, what) in [
        (subjects.len(), MAX_TABLES, "tables"),
        (columns, MAX_COLUMNS, "columns"),
    ] {
        if count > most {
            return Err(Error::invalid_argument(format!(
                "{count} {what} match; statistics are for at most {most} at a time: narrow the filters"
            )));
        }
    }
    let all = match approximate {
        true => stored::described(asker, &subjects)?,
        false => computed::computed(asker, &subjects)?,
    };
    // What was asked in the order of the tree goes back into it in the same order.
    let mut all = subjects.iter().zip(all);
    let mut flat = Vec::new();
    let mut per_schema = Vec::new();
    for schema in found.values().flat_map(|catalog| catalog.schemas.values()) {
        let before = flat.len();
        for (subject, statistics) in all.by_ref().take(schema.tables.len()) {
            flat.extend(
                statistics
                    .into_iter()
                    .map(|statistic| (subject.place[2].as_str(), statistic)),
            );
        }
        per_schema.push(flat.len() - before);
    }
    let names = found.values().flat_map(|catalog| catalog.schemas.values());
    let names: ArrayRef = Arc::new(names.map(|schema| Some(schema.name.as_str())).collect::<StringArray>());
    let lists = list(
        &DataType::new_list(schemas::STATISTICS_SCHEMA.clone(), true),
        per_schema.into_iter(),
        values::array(&flat)?,
    )?;
    let schemas_array = structs(&schemas::STATISTICS_DB_SCHEMA_SCHEMA, vec![names, lists])?;
    let schema = Arc::clone(&schemas::GET_STATISTICS_SCHEMA);
    let lists = list(
        schema.field(1).data_type(),
        found.values().map(|catalog| catalog.schemas.len()),
        schemas_array,
    )?;
    let names = StringArray::from_iter_values(found.values().map(|catalog| catalog.name.as_str()));
    RecordBatch::try_new(schema, vec![Arc::new(names), lists]).map_err(Error::unfit)
}

/// The names of the statistics that the specification does not name.
///
/// # Errors
/// `Internal` if the arrays do not fit ADBC's schema, which a test excludes.
pub(crate) fn names() -> Result<RecordBatch> {
    let schema = Arc::clone(&schemas::GET_STATISTIC_NAMES_SCHEMA);
    let names = StringArray::from_iter_values([SIZE_NAME]);
    RecordBatch::try_new(
        schema,
        vec![Arc::new(names), Arc::new(Int16Array::from(vec![SIZE_KEY]))],
    )
    .map_err(Error::unfit)
}
