//! `JSON_ARRAY` results: rows of text cells into Arrow arrays, of the same types as Arrow results have.

mod interval;
mod nested;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{
    ArrayRef, BinaryArray, DurationMicrosecondArray, IntervalYearMonthArray, NullArray, RecordBatch,
    RecordBatchOptions, StringArray,
};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, IntervalUnit, SchemaRef, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nested::Cell;

use crate::error::{Error, Result};

/// Decodes one chunk.
///
/// # Errors
/// A row has the wrong number of cells, or a cell is not a value of its column's type. The cell is not quoted.
pub(super) fn decode(schema: &SchemaRef, rows: &[Vec<Option<String>>]) -> Result<RecordBatch> {
    let width = schema.fields().len();
    if rows.iter().any(|row| row.len() != width) {
        return Err(Error::result_set(
            "a row of the JSON result has another number of cells than there are columns",
        ));
    }
    let columns = schema.fields().iter().enumerate().map(|(index, field)| {
        let cells = rows.iter().map(|row| row[index].as_deref());
        column(cells, field.data_type()).map_err(|error| error.context(format_args!("column {}", index + 1)))
    });
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect::<Result<_>>()?, &options)
        .map_err(|error| Error::result_set(format!("the JSON result does not fit its schema: {error}")))
}

/// Decodes the file of one chunk: an array of rows, each an array of text cells.
///
/// # Errors
/// The file is something else; and those of [`decode`].
pub(super) fn decode_file(schema: &SchemaRef, bytes: &[u8]) -> Result<RecordBatch> {
    // The parser's own message may quote what it stumbled over.
    let rows: Vec<Vec<Option<String>>> = serde_json::from_slice(bytes).map_err(|error| {
        Error::result_set(format!(
            "a chunk's JSON data cannot be read (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    decode(schema, &rows)
}

fn column<'a>(cells: impl Iterator<Item = Option<&'a str>>, data_type: &DataType) -> Result<ArrayRef> {
    match data_type {
        DataType::Utf8 => Ok(Arc::new(cells.collect::<StringArray>())),
        DataType::Null => Ok(Arc::new(NullArray::new(cells.count()))),
        DataType::Binary => {
            let bytes = cells.map(|cell| cell.map(|cell| STANDARD.decode(cell)).transpose());
            let bytes = bytes.collect::<Result<Vec<_>, _>>().map_err(|_| mismatch(data_type))?;
            Ok(Arc::new(bytes.iter().map(Option::as_deref).collect::<BinaryArray>()))
        }
        // The cells say their offset themselves (`Z`); the zone is only how they are shown.
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => {
            let instants = parse(
                cells,
                data_type,
                &DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
            )?;
            Ok(Arc::new(
                instants
                    .as_primitive::<TimestampMicrosecondType>()
                    .clone()
                    .with_timezone(Arc::clone(zone)),
            ))
        }
        DataType::Interval(IntervalUnit::YearMonth) => {
            let months = all(cells, data_type, interval::year_month)?;
            Ok(Arc::new(IntervalYearMonthArray::from(months)))
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            let micros = all(cells, data_type, interval::day_time)?;
            Ok(Arc::new(DurationMicrosecondArray::from(micros)))
        }
        DataType::List(_) | DataType::Struct(_) | DataType::Map(..) => {
            let cells: Vec<_> = cells.map(|cell| cell.map(|text| Cell::Text(text.into()))).collect();
            nested::array(&cells, data_type)
        }
        _ => parse(cells, data_type, data_type),
    }
}

fn all<'a, T>(
    cells: impl Iterator<Item = Option<&'a str>>,
    data_type: &DataType,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<Option<T>>> {
    let values = cells.map(|cell| {
        cell.map(|text| read(text).ok_or_else(|| mismatch(data_type)))
            .transpose()
    });
    values.collect()
}

fn parse<'a>(cells: impl Iterator<Item = Option<&'a str>>, named: &DataType, parsed: &DataType) -> Result<ArrayRef> {
    let text: StringArray = cells.collect();
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    // The cast's own message quotes the cell.
    cast_with_options(&text, parsed, &options).map_err(|_| mismatch(named))
}

fn mismatch(data_type: &DataType) -> Error {
    Error::result_set(format!("a cell of the JSON result is not a value of type {data_type}"))
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_cast::display::array_value_to_string;
    use arrow_schema::{Field, Schema};

    use super::*;
    use crate::types::SqlType;

    fn cell(sql_type: &str, text: &str) -> Result<String> {
        let data_type = SqlType::parse(sql_type).to_arrow();
        let schema = Arc::new(Schema::new(vec![Field::new("x", data_type, true)]));
        let batch = decode(&schema, &[vec![Some(text.to_owned())], vec![None]])?;
        assert!(batch.column(0).is_null(1) || sql_type == "VOID");
        Ok(array_value_to_string(batch.column(0), 0).unwrap())
    }

    #[test]
    fn every_flat_type_has_its_text_form() {
        for (sql_type, text, expected) in [
            ("BOOLEAN", "true", "true"),
            ("TINYINT", "-7", "-7"),
            ("BIGINT", "9223372036854775807", "9223372036854775807"),
            ("DOUBLE", "NaN", "NaN"),
            ("DOUBLE", "-Infinity", "-inf"),
            ("DECIMAL(10,4)", "3.1400", "3.1400"),
            ("STRING", "x", "x"),
            ("BINARY", "AQL/", "0102ff"),
            ("DATE", "2026-11-21", "2026-11-21"),
            (
                "TIMESTAMP_NTZ",
                "2026-08-06T12:34:56.123456",
                "2026-08-06T12:34:56.123456",
            ),
            ("INTERVAL YEAR TO MONTH", "2-6", "2 years 6 mons"),
            ("INTERVAL DAY TO SECOND", "0 00:00:01.500000000", "PT1.5S"),
            ("ARRAY<INT>", "[1,2]", "[1, 2]"),
            ("ARRAY<INT>", r#"["1",null]"#, "[1, ]"),
            ("MAP<INT, STRING>", r#"{"2":"b","1":null}"#, "{2: b, 1: }"),
            ("MAP<INT, STRING>", r#"[{"key":"2","value":"b"}]"#, "{2: b}"),
            (
                "STRUCT<a: DECIMAL(38,10), b: ARRAY<STRUCT<c: DATE>>, d: VARIANT>",
                r#"{"d":{"x":[1]},"a":1234567890123456789012345678.0123456789,"b":[{"c":"2026-11-21"},null]}"#,
                r#"{a: 1234567890123456789012345678.0123456789, b: [{c: 2026-11-21}, ], d: {"x":[1]}}"#,
            ),
            ("STRUCT<>", "{}", "{}"),
            ("VARIANT", r#"{"a":1}"#, r#"{"a":1}"#),
            ("GEOMETRY(ANY)", "SRID=4326;POINT(1 2)", "SRID=4326;POINT(1 2)"),
        ] {
            assert_eq!(cell(sql_type, text).unwrap(), expected, "{sql_type}");
        }
    }

    #[test]
    fn an_instant_keeps_its_instant_whatever_its_offset() {
        let schema = Arc::new(Schema::new(vec![Field::new("x", SqlType::Timestamp.to_arrow(), true)]));
        let cells = ["1970-01-01T00:00:01.5Z", "1970-01-01T02:00:01.5+02:00"];
        let rows: Vec<_> = cells.iter().map(|cell| vec![Some((*cell).to_owned())]).collect();
        let batch = decode(&schema, &rows).unwrap();
        assert_eq!(
            batch.column(0).as_primitive::<TimestampMicrosecondType>().values(),
            &[1_500_000, 1_500_000]
        );
    }

    #[test]
    fn a_cell_of_the_wrong_type_is_an_error_that_does_not_quote_it() {
        for sql_type in [
            "INT",
            "ARRAY<INT>",
            "INTERVAL MONTH",
            "STRUCT<a: INT>",
            "MAP<INT, INT>",
            "BINARY",
        ] {
            for text in ["canary!", r#"["canary!"]"#, r#"{"a":"canary!"}"#, r#"{"1":"canary!"}"#] {
                if let Err(error) = cell(sql_type, text) {
                    assert!(!error.message().contains("canary"), "{sql_type} {error}");
                } else {
                    assert_eq!((sql_type, text), ("STRUCT<a: INT>", r#"{"1":"canary!"}"#));
                }
            }
        }
    }
}
