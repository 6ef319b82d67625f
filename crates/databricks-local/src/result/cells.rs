//! Cells as text: the `JSON_ARRAY` and `CSV` formats, and what Thrift's clients get of types that they do not read.
//!
//! In the statement API every cell that is not NULL is a string, also numbers and booleans. Complex values are JSON inside
//! the string, and their leaves are strings again. [`Style`] says what is different in Thrift.

use std::fmt::Write as _;

use arrow::array::cast::AsArray as _;
use arrow::array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalYearMonthType, TimestampMicrosecondType,
};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, IntervalUnit, Schema, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use jiff::{Span, Timestamp};

/// Rows as JSON arrays of cells, with or without the brackets of the array around them.
pub(crate) fn json(batches: &[RecordBatch], brackets: bool) -> Result<Vec<u8>, ArrowError> {
    let mut out = String::new();
    let mut text = String::new();
    if brackets {
        out.push('[');
    }
    let mut is_first = true;
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .map(|c| Column::new(c.as_ref(), Style::Statement))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            out.push_str(if is_first { "[" } else { ",[" });
            is_first = false;
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                if column.is_null(row) {
                    out.push_str("null");
                } else {
                    text.clear();
                    column.write(row, &mut text)?;
                    push_json_string(&mut out, &text);
                }
            }
            out.push(']');
        }
    }
    if brackets {
        out.push(']');
    }
    Ok(out.into_bytes())
}

/// Rows as comma-separated values, after the names if there is a schema. NULL is `null`.
pub(crate) fn csv(names: Option<&Schema>, batches: &[RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let mut out = String::new();
    let mut text = String::new();
    if let Some(schema) = names {
        for (place, field) in schema.fields().iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            push_csv(&mut out, field.name());
        }
        out.push_str("\r\n");
    }
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .map(|c| Column::new(c.as_ref(), Style::Statement))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                if column.is_null(row) {
                    out.push_str("null");
                } else {
                    text.clear();
                    column.write(row, &mut text)?;
                    push_csv(&mut out, &text);
                }
            }
            out.push_str("\r\n");
        }
    }
    Ok(out.into_bytes())
}

/// Whose text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// The statement API's: instants are in UTC, and the leaves of complex values are strings.
    Statement,
    /// HiveServer2's: times look as in SQL, instants in their zone; numbers and booleans inside complex values are JSON's.
    Hive,
}

/// How SQL writes times; the zeros at the end are left out then.
const SQL_TIMES: FormatOptions<'static> = FormatOptions::new()
    .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.6f"))
    .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.6f"));

/// An array that knows how to write its values.
pub(super) struct Column<'a> {
    array: &'a dyn Array,
    style: Style,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Nothing,
    Text(TextKind),
    SqlTime(ArrayFormatter<'a>),
    List(Box<Column<'a>>),
    Struct(Vec<(&'a str, Column<'a>)>),
    Map(Box<Column<'a>>, Box<Column<'a>>),
    /// A type that a workspace has no text form for; Arrow's own is used.
    Other(ArrayFormatter<'a>),
}

#[derive(Clone, Copy)]
enum TextKind {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Decimal(i8),
    Utf8,
    LargeUtf8,
    Utf8View,
    Binary,
    Date,
    Timestamp,
    TimestampNtz,
    YearMonth,
    DayTime,
}

impl<'a> Column<'a> {
    pub(super) fn new(array: &'a dyn Array, style: Style) -> Result<Self, ArrowError> {
        let text = |kind| Ok(Kind::Text(kind));
        let kind = match array.data_type() {
            DataType::Null => Ok(Kind::Nothing),
            DataType::Boolean => text(TextKind::Boolean),
            DataType::Int8 => text(TextKind::Int8),
            DataType::Int16 => text(TextKind::Int16),
            DataType::Int32 => text(TextKind::Int32),
            DataType::Int64 => text(TextKind::Int64),
            DataType::Float32 => text(TextKind::Float32),
            DataType::Float64 => text(TextKind::Float64),
            DataType::Decimal128(_, scale) => text(TextKind::Decimal(*scale)),
            DataType::Utf8 => text(TextKind::Utf8),
            DataType::LargeUtf8 => text(TextKind::LargeUtf8),
            DataType::Utf8View => text(TextKind::Utf8View),
            DataType::Binary => text(TextKind::Binary),
            DataType::Date32 => text(TextKind::Date),
            DataType::Timestamp(..) if style == Style::Hive => {
                ArrayFormatter::try_new(array, &SQL_TIMES).map(Kind::SqlTime)
            }
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => text(TextKind::Timestamp),
            DataType::Timestamp(TimeUnit::Microsecond, None) => text(TextKind::TimestampNtz),
            DataType::Interval(IntervalUnit::YearMonth) => text(TextKind::YearMonth),
            DataType::Duration(TimeUnit::Microsecond) => text(TextKind::DayTime),
            DataType::List(_) => Column::new(array.as_list::<i32>().values().as_ref(), style)
                .map(Box::new)
                .map(Kind::List),
            DataType::Struct(fields) => fields
                .iter()
                .zip(array.as_struct().columns())
                .map(|(field, column)| Ok((field.name().as_str(), Column::new(column.as_ref(), style)?)))
                .collect::<Result<_, ArrowError>>()
                .map(Kind::Struct),
            DataType::Map(_, _) => {
                let map = array.as_map();
                let keys = Column::new(map.keys().as_ref(), style)?;
                let values = Column::new(map.values().as_ref(), style)?;
                Ok(Kind::Map(Box::new(keys), Box::new(values)))
            }
            _ => ArrayFormatter::try_new(array, &FormatOptions::default()).map(Kind::Other),
        }?;
        Ok(Self { array, style, kind })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Nothing) || self.array.is_null(row)
    }

    /// Writes a value that is not NULL.
    pub(super) fn write(&self, row: usize, out: &mut String) -> Result<(), ArrowError> {
        match &self.kind {
            Kind::Nothing => {}
            Kind::Text(kind) => self.write_text(*kind, row, out)?,
            Kind::SqlTime(formatter) => {
                let text = formatter.value(row).try_to_string()?;
                out.push_str(text.trim_end_matches('0').trim_end_matches('.'));
            }
            Kind::List(values) => {
                let offsets = self.array.as_list::<i32>().value_offsets();
                out.push('[');
                for (place, index) in (offsets[row] as usize..offsets[row + 1] as usize).enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    values.write_json(index, out)?;
                }
                out.push(']');
            }
            Kind::Struct(fields) => {
                out.push('{');
                for (place, (name, column)) in fields.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    push_json_string(out, name);
                    out.push(':');
                    column.write_json(row, out)?;
                }
                out.push('}');
            }
            Kind::Map(keys, values) => {
                let offsets = self.array.as_map().value_offsets();
                out.push('{');
                for (place, index) in (offsets[row] as usize..offsets[row + 1] as usize).enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    let mut key = String::new();
                    keys.write(index, &mut key)?;
                    push_json_string(out, &key);
                    out.push(':');
                    values.write_json(index, out)?;
                }
                out.push('}');
            }
            Kind::Other(formatter) => {
                write!(out, "{}", formatter.value(row)).map_err(|_| no_text())?;
            }
        }
        Ok(())
    }

    /// Writes a value inside a complex one: complex values as they are, NULL as `null`, others as JSON strings, or as JSON's numbers
    /// and booleans where the style has them.
    fn write_json(&self, row: usize, out: &mut String) -> Result<(), ArrowError> {
        if self.is_null(row) {
            out.push_str("null");
            return Ok(());
        }
        match self.kind {
            Kind::List(_) | Kind::Struct(_) | Kind::Map(_, _) => self.write(row, out),
            _ => {
                let mut text = String::new();
                self.write(row, &mut text)?;
                if self.style == Style::Hive && self.is_bare(&text) {
                    out.push_str(&text);
                } else {
                    push_json_string(out, &text);
                }
                Ok(())
            }
        }
    }

    /// Whether JSON takes the text as a number or boolean. It knows no infinity, and nothing that is not a number.
    fn is_bare(&self, text: &str) -> bool {
        match self.kind {
            Kind::Text(TextKind::Float32 | TextKind::Float64) => text.ends_with(|last: char| last.is_ascii_digit()),
            Kind::Text(kind) => matches!(
                kind,
                TextKind::Boolean
                    | TextKind::Int8
                    | TextKind::Int16
                    | TextKind::Int32
                    | TextKind::Int64
                    | TextKind::Decimal(_)
            ),
            _ => false,
        }
    }

    fn write_text(&self, kind: TextKind, row: usize, out: &mut String) -> Result<(), ArrowError> {
        let array = self.array;
        let written = match kind {
            TextKind::Boolean => write!(out, "{}", array.as_boolean().value(row)),
            TextKind::Int8 => write!(out, "{}", array.as_primitive::<Int8Type>().value(row)),
            TextKind::Int16 => write!(out, "{}", array.as_primitive::<Int16Type>().value(row)),
            TextKind::Int32 => write!(out, "{}", array.as_primitive::<Int32Type>().value(row)),
            TextKind::Int64 => write!(out, "{}", array.as_primitive::<Int64Type>().value(row)),
            TextKind::Float32 => {
                let value = array.as_primitive::<Float32Type>().value(row);
                push_float(out, &format!("{value:e}"));
                Ok(())
            }
            TextKind::Float64 => {
                let value = array.as_primitive::<Float64Type>().value(row);
                push_float(out, &format!("{value:e}"));
                Ok(())
            }
            TextKind::Decimal(scale) => {
                push_decimal(out, array.as_primitive::<Decimal128Type>().value(row), scale);
                Ok(())
            }
            TextKind::Utf8 => out.write_str(array.as_string::<i32>().value(row)),
            TextKind::LargeUtf8 => out.write_str(array.as_string::<i64>().value(row)),
            TextKind::Utf8View => out.write_str(array.as_string_view().value(row)),
            TextKind::Binary => {
                STANDARD.encode_string(array.as_binary::<i32>().value(row), out);
                Ok(())
            }
            TextKind::Date => {
                let days = array.as_primitive::<Date32Type>().value(row);
                let date = Date::constant(1970, 1, 1)
                    .checked_add(Span::new().try_days(days).map_err(out_of_range)?)
                    .map_err(out_of_range)?;
                write!(out, "{date}")
            }
            TextKind::Timestamp => {
                push_timestamp(out, array.as_primitive::<TimestampMicrosecondType>().value(row))?;
                out.write_char('Z')
            }
            TextKind::TimestampNtz => {
                push_timestamp(out, array.as_primitive::<TimestampMicrosecondType>().value(row))?;
                Ok(())
            }
            TextKind::YearMonth => {
                let months = array.as_primitive::<IntervalYearMonthType>().value(row);
                let sign = if months < 0 { "-" } else { "" };
                let months = months.unsigned_abs();
                write!(out, "{sign}{}-{}", months / 12, months % 12)
            }
            TextKind::DayTime => {
                let micros = array.as_primitive::<DurationMicrosecondType>().value(row);
                let sign = if micros < 0 { "-" } else { "" };
                let micros = micros.unsigned_abs();
                let seconds = micros / 1_000_000;
                write!(
                    out,
                    "{sign}{} {:02}:{:02}:{:02}.{:09}",
                    seconds / 86_400,
                    seconds / 3600 % 24,
                    seconds / 60 % 60,
                    seconds % 60,
                    micros % 1_000_000 * 1000
                )
            }
        };
        written.map_err(|_| no_text())
    }
}

/// A JSON string with its quotes.
fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        // Only ASCII is escaped, so `at` is a character boundary.
        out.push_str(&text[from..at]);
        from = at + 1;
        if escape.is_empty() {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[from..]);
    out.push('"');
}

fn push_csv(out: &mut String, text: &str) {
    if !text.contains([',', '"', '\n', '\r']) {
        out.push_str(text);
        return;
    }
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

/// A float as the JVM writes it, from Rust's shortest scientific form: `1.0`, `1.5E10`, `NaN`, `-Infinity`.
fn push_float(out: &mut String, scientific: &str) {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        out.push_str(match scientific {
            "inf" => "Infinity",
            "-inf" => "-Infinity",
            other => other,
        });
        return;
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    out.push_str(sign);
    match exponent {
        // Plain notation from 10^-3 up to below 10^7, as `Double.toString` has it.
        0..=6 => {
            let whole = exponent as usize + 1;
            if digits.len() <= whole {
                out.push_str(&digits);
                out.extend(std::iter::repeat_n('0', whole - digits.len()));
                out.push_str(".0");
            } else {
                out.push_str(&digits[..whole]);
                out.push('.');
                out.push_str(&digits[whole..]);
            }
        }
        -3..=-1 => {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', exponent.unsigned_abs() as usize - 1));
            out.push_str(&digits);
        }
        _ => {
            out.push_str(&digits[..1]);
            out.push('.');
            out.push_str(if digits.len() > 1 { &digits[1..] } else { "0" });
            out.push('E');
            // Writing to a `String` cannot fail.
            let _ = write!(out, "{exponent}");
        }
    }
}

fn push_decimal(out: &mut String, value: i128, scale: i8) {
    if value < 0 {
        out.push('-');
    }
    let digits = value.unsigned_abs().to_string();
    let Ok(scale) = usize::try_from(scale) else {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', usize::from(scale.unsigned_abs())));
        return;
    };
    if scale == 0 {
        out.push_str(&digits);
    } else if digits.len() > scale {
        out.push_str(&digits[..digits.len() - scale]);
        out.push('.');
        out.push_str(&digits[digits.len() - scale..]);
    } else {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', scale - digits.len()));
        out.push_str(&digits);
    }
}

/// Date and time with milliseconds, or with microseconds if there are any.
fn push_timestamp(out: &mut String, micros: i64) -> Result<(), ArrowError> {
    let time = Timestamp::from_microsecond(micros).map_err(out_of_range)?;
    let text = if micros % 1000 == 0 {
        format!("{time:.3}")
    } else {
        format!("{time:.6}")
    };
    out.push_str(text.trim_end_matches('Z'));
    Ok(())
}

fn out_of_range(error: jiff::Error) -> ArrowError {
    ArrowError::ComputeError(format!("a date or time is out of range: {error}"))
}

fn no_text() -> ArrowError {
    ArrowError::ComputeError("a value has no text form".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::builder::{Int64Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow::array::*;
    use arrow::datatypes::{Field, Fields};

    use super::*;

    fn rendered(array: ArrayRef) -> serde_json::Value {
        let schema = Arc::new(Schema::new(vec![Field::new("a", array.data_type().clone(), true)]));
        let batch = RecordBatch::try_new(schema, vec![array]).unwrap();
        let rows: Vec<Vec<serde_json::Value>> = serde_json::from_slice(&json(&[batch], true).unwrap()).unwrap();
        rows.into_iter().flatten().collect()
    }

    #[test]
    fn floats_look_as_on_the_jvm() {
        let values = [
            1.0,
            -0.5,
            1e7,
            1234567.0,
            0.001,
            0.0001,
            1.5e300,
            0.0,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            -f64::INFINITY,
        ];
        assert_eq!(
            rendered(Arc::new(Float64Array::from_iter_values(values))),
            serde_json::json!([
                "1.0",
                "-0.5",
                "1.0E7",
                "1234567.0",
                "0.001",
                "1.0E-4",
                "1.5E300",
                "0.0",
                "-0.0",
                "NaN",
                "Infinity",
                "-Infinity"
            ])
        );
        assert_eq!(
            rendered(Arc::new(Float32Array::from_iter_values([0.1]))),
            serde_json::json!(["0.1"])
        );
    }

    #[test]
    fn scalars_are_strings_and_nulls_are_null() {
        let decimal = Decimal128Array::from(vec![Some(31400), Some(-5), None])
            .with_precision_and_scale(10, 4)
            .unwrap();
        assert_eq!(
            rendered(Arc::new(decimal)),
            serde_json::json!(["3.1400", "-0.0005", null])
        );
        assert_eq!(
            rendered(Arc::new(BooleanArray::from(vec![true]))),
            serde_json::json!(["true"])
        );
        assert_eq!(
            rendered(Arc::new(Int64Array::from(vec![i64::MIN]))),
            serde_json::json!(["-9223372036854775808"])
        );
        assert_eq!(
            rendered(Arc::new(BinaryArray::from_vec(vec![b"\x00\xff"]))),
            serde_json::json!(["AP8="])
        );
        assert_eq!(rendered(Arc::new(NullArray::new(1))), serde_json::json!([null]));
        assert_eq!(
            rendered(Arc::new(StringArray::from(vec!["a\"\\\n\u{1}é"]))),
            serde_json::json!(["a\"\\\n\u{1}é"])
        );
    }

    #[test]
    fn dates_and_times_are_iso() {
        assert_eq!(
            rendered(Arc::new(Date32Array::from(vec![0, -719_162, 20_671]))),
            serde_json::json!(["1970-01-01", "0001-01-01", "2026-08-06"])
        );
        let at = 1_786_019_696_000_000;
        let zoned = TimestampMicrosecondArray::from(vec![at, at + 1]).with_timezone("UTC");
        assert_eq!(
            rendered(Arc::new(zoned)),
            serde_json::json!(["2026-08-06T12:34:56.000Z", "2026-08-06T12:34:56.000001Z"])
        );
        assert_eq!(
            rendered(Arc::new(TimestampMicrosecondArray::from(vec![at]))),
            serde_json::json!(["2026-08-06T12:34:56.000"])
        );
        assert_eq!(
            rendered(Arc::new(IntervalYearMonthArray::from(vec![30, -1]))),
            serde_json::json!(["2-6", "-0-1"])
        );
        assert_eq!(
            rendered(Arc::new(DurationMicrosecondArray::from(vec![304_215_000_000]))),
            serde_json::json!(["3 12:30:15.000000000"])
        );
    }

    #[test]
    fn complex_values_are_json_with_string_leaves() {
        let mut list = ListBuilder::new(Int64Builder::new());
        list.append_value([Some(1), None]);
        list.append_value([Some(2)]);
        let list: ArrayRef = Arc::new(list.finish());
        assert_eq!(rendered(Arc::clone(&list).slice(1, 1)), serde_json::json!([r#"["2"]"#]));
        assert_eq!(
            rendered(Arc::clone(&list)),
            serde_json::json!([r#"["1",null]"#, r#"["2"]"#])
        );

        let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        map.keys().append_value("k\"");
        map.values().append_value(7);
        map.append(true).unwrap();
        assert_eq!(rendered(Arc::new(map.finish())), serde_json::json!([r#"{"k\"":"7"}"#]));

        let fields = Fields::from(vec![
            Field::new("l", list.data_type().clone(), true),
            Field::new("b", DataType::Boolean, true),
        ]);
        let structs = StructArray::new(
            fields,
            vec![list, Arc::new(BooleanArray::from(vec![None, Some(true)]))],
            None,
        );
        assert_eq!(
            rendered(Arc::new(structs)),
            serde_json::json!([r#"{"l":["1",null],"b":null}"#, r#"{"l":["2"],"b":"true"}"#])
        );
    }

    #[test]
    fn csv_quotes_what_it_must() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("a,b", DataType::Utf8, true),
            Field::new("c", DataType::Int64, true),
        ]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![Some("x\"y"), None])),
            Arc::new(Int64Array::from(vec![1, 2])),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        assert_eq!(
            String::from_utf8(csv(Some(&schema), &[batch]).unwrap()).unwrap(),
            "\"a,b\",c\r\n\"x\"\"y\",1\r\nnull,2\r\n"
        );
    }
}
