//! `get_statistics`: how many rows tables have, and how large they are.
//!
//! What a warehouse has at hand it says in `DESCRIBE TABLE EXTENDED`, one statement per table; it may be old, so it is
//! approximate. Exact row counts are counted, many tables in one statement. Sizes are never exact: files hold more than rows.

use std::sync::Arc;

use adbc_core::constants::ADBC_STATISTIC_ROW_COUNT_KEY;
use adbc_core::schemas;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int16Array, Int64Array, RecordBatch, StringArray,
    UInt64Array, UnionArray, new_null_array,
};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;

use super::ask::{Asker, is_refusal, quoted};
use super::listing::Listing;
use super::objects::Filters;
use super::tree::{list, structs};
use crate::error::{Error, Result};
use crate::observe::Purpose;

/// The first key that the specification leaves to drivers.
const SIZE_KEY: i16 = 1024;
/// What the key stands for: bytes of the table's current version in storage.
const SIZE_NAME: &str = "databricks.statistic.table_size_bytes";

/// How many tables one call describes or counts. Each costs the warehouse something, so that a careless call must end.
const MAX_TABLES: usize = 1000;
/// How many tables are counted by one statement.
const COUNTED_TOGETHER: usize = 50;

/// The types of tables that have rows of their own.
const STORED: [&str; 3] = ["TABLE", "MATERIALIZED_VIEW", "STREAMING_TABLE"];

struct Statistic {
    table: String,
    key: i16,
    value: Value,
}

/// Exact numbers are integers, approximate ones floating point, as the specification has it.
enum Value {
    Exact(i64),
    Approximate(f64),
}

/// Statistics of the tables that the patterns let through. Views have none.
///
/// # Errors
/// The server could not be asked; `InvalidArgument` for more than 1000 tables; with exact counts, a table that cannot be read.
///
/// # Blocking
/// For two or three statements to find the tables, then one per table, or one per 50 tables for exact counts.
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
    let found = &listing.found;
    let mut places = Vec::new();
    for catalog in found.values() {
        for schema in catalog.schemas.values() {
            for table in schema.tables.values() {
                places.push([&catalog.name, &schema.name, &table.name]);
            }
        }
    }
    if places.len() > MAX_TABLES {
        return Err(Error::invalid_argument(format!(
            "{} tables match; statistics are for at most {MAX_TABLES} at a time: narrow the filters",
            places.len()
        )));
    }
    let mut all: Vec<Vec<Statistic>> = if approximate {
        places
            .iter()
            .map(|place| described(asker, place))
            .collect::<Result<_>>()?
    } else {
        counted(asker, &places)?
    };
    // What was asked in the order of the tree goes back into it in the same order.
    all.reverse();
    let mut flat = Vec::new();
    let mut per_schema = Vec::new();
    for schema in found.values().flat_map(|catalog| catalog.schemas.values()) {
        let before = flat.len();
        for _ in &schema.tables {
            flat.extend(all.pop().unwrap_or_default());
        }
        per_schema.push(flat.len() - before);
    }
    let names = found.values().flat_map(|catalog| catalog.schemas.values());
    let names: ArrayRef = Arc::new(names.map(|schema| Some(schema.name.as_str())).collect::<StringArray>());
    let lists = list(
        &DataType::new_list(schemas::STATISTICS_SCHEMA.clone(), true),
        per_schema.into_iter(),
        values(&flat)?,
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

type Place<'a> = [&'a String; 3];

fn full_name(place: &Place<'_>) -> String {
    place.map(|name| quoted(name)).join(".")
}

/// What the server has at hand about a table: `Statistics | 1234 bytes, 56 rows`. A table that may not be described has none.
fn described(asker: &Asker<'_>, place: &Place<'_>) -> Result<Vec<Statistic>> {
    let sql = format!("DESCRIBE TABLE EXTENDED {}", full_name(place));
    let answer = match asker.ask(sql, Vec::new(), Purpose::INTERNAL) {
        Ok(answer) => answer,
        Err(error) if is_refusal(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let [name, text] = [answer.need(&["col_name"])?, answer.need(&["data_type"])?];
    let cell = |row: &[Option<String>], place: usize| row.get(place).cloned().flatten().unwrap_or_default();
    // After the columns, one of which may have this name too.
    let row = answer.rows.iter().rev().find(|row| cell(row, name) == "Statistics");
    let text = row.map(|row| cell(row, text)).unwrap_or_default();
    let parts = text.split(',').filter_map(|part| part.trim().split_once(' '));
    let known = parts.filter_map(|(number, unit)| {
        let key = match unit {
            "bytes" => SIZE_KEY,
            "rows" => ADBC_STATISTIC_ROW_COUNT_KEY,
            _ => return None,
        };
        Some(Statistic {
            table: place[2].clone(),
            key,
            value: Value::Approximate(number.parse().ok()?),
        })
    });
    Ok(known.collect())
}

fn counted(asker: &Asker<'_>, places: &[Place<'_>]) -> Result<Vec<Vec<Statistic>>> {
    let mut all = Vec::with_capacity(places.len());
    for together in places.chunks(COUNTED_TOGETHER) {
        let counts = together.iter().enumerate().map(|(index, place)| {
            let table = full_name(place);
            format!("SELECT {index} AS place, count(*) AS row_count FROM {table}")
        });
        let sql = counts.collect::<Vec<_>>().join(" UNION ALL ");
        let answer = asker.ask(sql, Vec::new(), Purpose::INTERNAL)?;
        let [place, count] = [answer.need(&["place"])?, answer.need(&["row_count"])?];
        let mut counts = vec![None; together.len()];
        for row in &answer.rows {
            let number = |place: usize| row.get(place)?.as_deref()?.parse::<i64>().ok();
            let index = number(place).and_then(|index| usize::try_from(index).ok());
            if let Some(found) = index.and_then(|index| counts.get_mut(index)) {
                *found = number(count);
            }
        }
        for (place, count) in together.iter().zip(counts) {
            let count = count.ok_or_else(|| Error::result_set("the server did not count all tables"))?;
            all.push(vec![Statistic {
                table: place[2].clone(),
                key: ADBC_STATISTIC_ROW_COUNT_KEY,
                value: Value::Exact(count),
            }]);
        }
    }
    Ok(all)
}

fn values(all: &[Statistic]) -> Result<ArrayRef> {
    const INT64: i8 = 0;
    const FLOAT64: i8 = 2;
    let DataType::Union(fields, _) = &*schemas::STATISTIC_VALUE_SCHEMA else {
        return Err(Error::internal("ADBC's statistics schema has no union"));
    };
    let (mut type_ids, mut offsets, mut exact, mut approximate) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for statistic in all {
        let at = match statistic.value {
            Value::Exact(value) => {
                type_ids.push(INT64);
                exact.push(value);
                exact.len()
            }
            Value::Approximate(value) => {
                type_ids.push(FLOAT64);
                approximate.push(value);
                approximate.len()
            }
        };
        offsets.push(i32::try_from(at - 1).unwrap_or(i32::MAX));
    }
    let children: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(exact)),
        Arc::new(UInt64Array::from(Vec::<u64>::new())),
        Arc::new(Float64Array::from(approximate)),
        Arc::new(BinaryArray::from(Vec::<&[u8]>::new())),
    ];
    let union = UnionArray::try_new(
        fields.clone(),
        ScalarBuffer::from(type_ids),
        Some(ScalarBuffer::from(offsets)),
        children,
    );
    let is_approximate = all
        .iter()
        .map(|statistic| Some(matches!(statistic.value, Value::Approximate(_))));
    structs(
        &schemas::STATISTICS_SCHEMA,
        vec![
            Arc::new(StringArray::from_iter_values(
                all.iter().map(|statistic| &statistic.table),
            )),
            // Of the table, not of a column.
            new_null_array(&DataType::Utf8, all.len()),
            Arc::new(Int16Array::from_iter_values(all.iter().map(|statistic| statistic.key))),
            Arc::new(union.map_err(Error::unfit)?) as Arc<dyn Array>,
            Arc::new(is_approximate.collect::<BooleanArray>()),
        ],
    )
}
