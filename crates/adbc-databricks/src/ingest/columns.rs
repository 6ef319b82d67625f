//! The columns of a table that Arrow data is put into.
//!
//! See <https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-datatypes> for the types that a table can have.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};

use crate::error::{Error, ErrorKind, Result};
use crate::metadata::quoted;
use crate::parameters::{bring, plain_type};
use databricks_telemetry::ErrorCategory;

/// How deep types may be nested.
const MAX_DEPTH: usize = 64;

/// The columns, and the Arrow types that their data is brought to before it is sent.
pub(super) struct Columns {
    columns: Vec<Column>,
    schema: SchemaRef,
}

struct Column {
    name: String,
    sql_type: String,
    not_null: bool,
    nested: bool,
}

impl Columns {
    /// # Errors
    /// `NotImplemented` for a type that no table can have, `InvalidArgument` for data without columns or with two of one name;
    /// both name the column.
    pub(super) fn of(schema: &Schema) -> Result<Self> {
        let mut columns: Vec<Column> = Vec::with_capacity(schema.fields().len());
        let mut fields = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let name = field.name();
            let (arrow, sql_type) = column_type(field.data_type(), 0)
                .map_err(|error| error.context(format_args!("column '{name}' cannot be put into a table")))?;
            if columns.iter().any(|there| same(&there.name, name)) {
                return Err(Error::invalid_argument(format!(
                    "the data has two columns '{name}', and names in a table differ by more than case"
                )));
            }
            columns.push(Column {
                name: name.clone(),
                sql_type,
                not_null: !field.is_nullable(),
                nested: arrow.is_nested(),
            });
            fields.push(Field::new(name, arrow, true));
        }
        if columns.is_empty() {
            return Err(Error::invalid_argument("data without columns makes no table"));
        }
        Ok(Self {
            columns,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    /// The schema of what [`Columns::fit`] gives.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// A batch in the types that are sent.
    ///
    /// # Errors
    /// `InvalidArgument` when the batch has other columns than the data announced; `InvalidData` for a value that does not fit.
    pub(super) fn fit(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        if batch.num_columns() != self.columns.len() {
            return Err(Error::invalid_argument(format!(
                "a batch has {} columns, {} were announced",
                batch.num_columns(),
                self.columns.len()
            )));
        }
        let arrays = batch.columns().iter().zip(self.schema.fields()).map(|(array, field)| {
            bring(array, field.data_type())
                .map_err(|error| error.context(format_args!("column '{}' cannot be put into a table", field.name())))
        });
        let arrays: Vec<ArrayRef> = arrays.collect::<Result<_>>()?;
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map_err(|error| Error::invalid_argument(format!("a batch is not what was announced: {error}")))
    }

    /// `` (`a` BIGINT NOT NULL, `b` STRING) ``
    pub(super) fn definitions(&self) -> String {
        let definition = |column: &Column| {
            let not_null = if column.not_null { " NOT NULL" } else { "" };
            format!("{} {}{not_null}", quoted(&column.name), column.sql_type)
        };
        format!("({})", join(self.columns.iter().map(definition)))
    }

    /// `` `a`, `b` ``
    pub(super) fn names(&self) -> String {
        join(self.columns.iter().map(|column| quoted(&column.name)))
    }

    /// The columns of staged files as those of the table: `` CAST(`a` AS BIGINT) AS `a`, … ``. Nested types are the files' own.
    pub(super) fn casts(&self) -> String {
        join(self.columns.iter().map(|column| {
            let name = quoted(&column.name);
            match column.nested {
                true => name,
                false => format!("CAST({name} AS {}) AS {name}", column.sql_type),
            }
        }))
    }

    /// The columns of literals, which are all text, as those of the table: `` CAST(c0 AS BIGINT) AS `a`, unhex(c1) AS `b`, … ``.
    pub(super) fn casts_of_text(&self) -> String {
        join(self.columns.iter().enumerate().map(|(index, column)| {
            let name = quoted(&column.name);
            match column.sql_type.as_str() {
                "BINARY" => format!("unhex(c{index}) AS {name}"),
                sql_type => format!("CAST(c{index} AS {sql_type}) AS {name}"),
            }
        }))
    }

    /// The columns that must not hold NULL, quoted.
    pub(super) fn not_null(&self) -> impl Iterator<Item = String> {
        self.columns
            .iter()
            .filter(|column| column.not_null)
            .map(|column| quoted(&column.name))
    }

    /// The first column of a type that has no literal.
    pub(super) fn first_nested(&self) -> Option<&str> {
        self.columns
            .iter()
            .find(|column| column.nested)
            .map(|column| column.name.as_str())
    }

    /// Checks that a table can take the data. What is left to the server is whether each value fits.
    ///
    /// # Errors
    /// `AlreadyExists`, as ADBC has it, when the table lacks a column or has one of a different kind.
    pub(super) fn check_against(&self, table: &Schema) -> Result<()> {
        for (column, field) in self.columns.iter().zip(self.schema.fields()) {
            let there = table.fields().iter().find(|there| same(there.name(), &column.name));
            let Some(there) = there else {
                return Err(mismatch(format!("the table has no column '{}'", column.name)));
            };
            if family(there.data_type()) != family(field.data_type()) {
                return Err(mismatch(format!(
                    "column '{}' of the table is {}, the data is {}",
                    column.name,
                    there.data_type(),
                    field.data_type()
                )));
            }
        }
        Ok(())
    }
}

fn mismatch(message: String) -> Error {
    Error::new(ErrorKind::AlreadyExists, ErrorCategory::InvalidRequest, message)
}

fn same(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// Types of different families never go into one another without being asked to.
#[derive(PartialEq, Eq)]
enum Family {
    Boolean,
    Number,
    Text,
    Binary,
    Date,
    Timestamp,
    List,
    Struct,
    Map,
    Other,
}

fn family(data_type: &DataType) -> Family {
    match data_type {
        DataType::Boolean => Family::Boolean,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Family::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Family::Binary,
        DataType::Date32 => Family::Date,
        DataType::Timestamp(..) => Family::Timestamp,
        DataType::List(_) | DataType::LargeList(_) => Family::List,
        DataType::Struct(_) => Family::Struct,
        DataType::Map(..) => Family::Map,
        number if number.is_numeric() => Family::Number,
        _ => Family::Other,
    }
}

/// The Arrow type that data is sent in, and the SQL type of its column.
fn column_type(data_type: &DataType, depth: usize) -> Result<(DataType, String)> {
    if depth > MAX_DEPTH {
        return Err(Error::not_implemented(format!("types nested deeper than {MAX_DEPTH}")));
    }
    let inner = |field: &FieldRef| column_type(field.data_type(), depth + 1);
    match data_type {
        // No table keeps a column without a type; NULL is as good as text.
        DataType::Null => Ok((DataType::Utf8, "STRING".to_owned())),
        DataType::Dictionary(_, values) => column_type(values, depth + 1),
        DataType::RunEndEncoded(_, values) => inner(values),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::FixedSizeList(element, _)
        | DataType::ListView(element)
        | DataType::LargeListView(element) => {
            let (arrow, sql) = inner(element)?;
            let element = Field::new("element", arrow, true);
            Ok((DataType::List(Arc::new(element)), format!("ARRAY<{sql}>")))
        }
        DataType::Struct(fields) if !fields.is_empty() => {
            let (mut arrow, mut sql) = (Vec::new(), Vec::new());
            for field in fields {
                let (inner_arrow, inner_sql) = inner(field)?;
                sql.push(format!("{}: {inner_sql}", quoted(field.name())));
                arrow.push(Field::new(field.name(), inner_arrow, true));
            }
            Ok((
                DataType::Struct(Fields::from(arrow)),
                format!("STRUCT<{}>", sql.join(", ")),
            ))
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(Error::not_implemented("a map without keys and values"));
            };
            let [key, value] = fields.as_ref() else {
                return Err(Error::not_implemented("a map without keys and values"));
            };
            let ((key_arrow, key_sql), (value_arrow, value_sql)) = (inner(key)?, inner(value)?);
            let fields = Fields::from(vec![
                Field::new("key", key_arrow, false),
                Field::new("value", value_arrow, true),
            ]);
            let entries = Field::new("entries", DataType::Struct(fields), false);
            Ok((
                DataType::Map(Arc::new(entries), false),
                format!("MAP<{key_sql}, {value_sql}>"),
            ))
        }
        flat => plain_type(flat)
            .map_err(|_| Error::not_implemented(format!("Databricks has no column type for Arrow's {flat}"))),
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::{IntervalUnit, TimeUnit};

    use super::*;

    fn sql(data_type: DataType) -> Result<String> {
        let columns = Columns::of(&Schema::new(vec![Field::new("a`b", data_type, false)]))?;
        Ok(columns.definitions())
    }

    #[test]
    fn every_arrow_type_has_its_column_type() {
        let list = |inner| DataType::List(Arc::new(Field::new("item", inner, true)));
        for (arrow, expected) in [
            (DataType::Null, "STRING"),
            (DataType::UInt8, "SMALLINT"),
            (DataType::UInt64, "DECIMAL(20,0)"),
            (DataType::Float16, "FLOAT"),
            (DataType::Decimal256(38, 2), "DECIMAL(38,2)"),
            (DataType::Decimal128(5, -1), "DECIMAL(6,0)"),
            (DataType::LargeUtf8, "STRING"),
            (DataType::FixedSizeBinary(4), "BINARY"),
            (DataType::Date64, "DATE"),
            (DataType::Timestamp(TimeUnit::Nanosecond, None), "TIMESTAMP_NTZ"),
            (
                DataType::Timestamp(TimeUnit::Second, Some("+02:00".into())),
                "TIMESTAMP",
            ),
            (
                DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8View)),
                "STRING",
            ),
            (list(list(DataType::Int32)), "ARRAY<ARRAY<INT>>"),
            (
                DataType::Struct(vec![Field::new("x", list(DataType::Boolean), true)].into()),
                "STRUCT<`x`: ARRAY<BOOLEAN>>",
            ),
        ] {
            assert_eq!(sql(arrow).unwrap(), format!("(`a``b` {expected} NOT NULL)"));
        }
    }

    #[test]
    fn what_no_table_can_hold_names_the_column() {
        for arrow in [
            DataType::Time64(TimeUnit::Nanosecond),
            DataType::Duration(TimeUnit::Second),
            DataType::Interval(IntervalUnit::MonthDayNano),
            DataType::Decimal256(39, 0),
            DataType::Decimal128(38, -1),
            DataType::Struct(Fields::empty()),
        ] {
            let error = sql(arrow).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotImplemented);
            assert!(error.message().contains("column 'a`b'"), "{error}");
        }
        let twice = Schema::new(vec![
            Field::new("a", DataType::Int8, true),
            Field::new("A", DataType::Int8, true),
        ]);
        assert_eq!(Columns::of(&twice).err().unwrap().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn a_table_is_checked_by_name_and_kind() {
        let data = Columns::of(&Schema::new(vec![Field::new("A", DataType::Int8, true)])).unwrap();
        let table = |name, data_type| Schema::new(vec![Field::new(name, data_type, true)]);
        assert!(data.check_against(&table("a", DataType::Int64)).is_ok());
        for wrong in [table("b", DataType::Int8), table("a", DataType::Utf8)] {
            assert_eq!(data.check_against(&wrong).unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
    }
}
