//! An array as the text of its values, complex ones as JSON.

use std::fmt::Write as _;

use arrow::array::Array;
use arrow::array::cast::AsArray as _;
use arrow::array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalYearMonthType, TimestampMicrosecondType,
};
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Span;
use jiff::civil::Date;

use super::text::{out_of_range, push_decimal, push_float, push_json_string, push_timestamp};

/// Whose text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
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
pub(crate) struct Column<'a> {
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
    pub(crate) fn new(array: &'a dyn Array, style: Style) -> Result<Self, ArrowError> {
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

    pub(crate) fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Nothing) || self.array.is_null(row)
    }

    /// Writes a value that is not NULL.
    pub(crate) fn write(&self, row: usize, out: &mut String) -> Result<(), ArrowError> {
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

fn no_text() -> ArrowError {
    ArrowError::ComputeError("a value has no text form".to_owned())
}
