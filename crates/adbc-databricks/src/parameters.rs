//! Bound rows to statement parameters.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use databricks_wire::Sensitive;
use databricks_wire::sea::Parameter;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::{Error, ErrorKind, Result};

/// The parameters of each row: positional in column order, or named as the columns are.
///
/// # Errors
/// `NotImplemented` for a column whose type has no SQL literal.
pub(crate) fn rows(batch: &RecordBatch, by_name: bool) -> Result<impl Iterator<Item = Vec<Parameter>> + use<>> {
    let schema = batch.schema();
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .enumerate()
        .map(|(index, (array, field))| {
            let place = match by_name {
                true => (Some(field.name().clone()), None),
                false => (None, u32::try_from(index + 1).ok()),
            };
            let column =
                Column::new(array).map_err(|error| error.context(format_args!("bound column {}", index + 1)))?;
            Ok((place, column))
        });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok((0..batch.num_rows()).map(move |row| {
        let parameter = |((name, ordinal), column): &((Option<String>, Option<u32>), Column)| Parameter {
            name: name.clone(),
            ordinal: *ordinal,
            type_text: Some(column.sql_type.clone()),
            value: column.text(row).map(Sensitive::new),
        };
        columns.iter().map(parameter).collect()
    }))
}

/// A column in one of the few types that have a text form, and that type's SQL name.
pub(crate) struct Column {
    array: ArrayRef,
    sql_type: String,
}

impl Column {
    /// # Errors
    /// `NotImplemented` for a type without text form; `InvalidData` for values that their type cannot hold.
    pub(crate) fn new(array: &ArrayRef) -> Result<Self> {
        let (data_type, sql_type) = plain_type(array.data_type())?;
        let array = if *array.data_type() == data_type {
            Arc::clone(array)
        } else {
            arrow_cast::cast(array, &data_type).map_err(|error| {
                Error::new(
                    ErrorKind::InvalidData,
                    crate::ErrorCategory::InvalidRequest,
                    error.to_string(),
                )
            })?
        };
        Ok(Self { array, sql_type })
    }

    /// A value as text; `None` for NULL.
    pub(crate) fn text(&self, row: usize) -> Option<String> {
        let array = &self.array;
        if array.is_null(row) {
            return None;
        }
        match array.data_type() {
            DataType::Boolean => Some(array.as_boolean().value(row).to_string()),
            DataType::Int8 => Some(array.as_primitive::<Int8Type>().value(row).to_string()),
            DataType::Int16 => Some(array.as_primitive::<Int16Type>().value(row).to_string()),
            DataType::Int32 => Some(array.as_primitive::<Int32Type>().value(row).to_string()),
            DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row).to_string()),
            DataType::Float32 => Some(float(array.as_primitive::<Float32Type>().value(row).into(), |_| {
                array.as_primitive::<Float32Type>().value(row).to_string()
            })),
            DataType::Float64 => Some(float(array.as_primitive::<Float64Type>().value(row), |value| {
                value.to_string()
            })),
            DataType::Decimal128(..) => Some(array.as_primitive::<Decimal128Type>().value_as_string(row)),
            DataType::Utf8 => Some(array.as_string::<i32>().value(row).to_owned()),
            DataType::Binary => Some(hex(array.as_binary::<i32>().value(row))),
            DataType::Date32 => array
                .as_primitive::<Date32Type>()
                .value_as_date(row)
                .map(|date| date.to_string()),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                let at = Timestamp::from_microsecond(micros).ok()?;
                let text = TimeZone::UTC.to_datetime(at).to_string();
                Some(if zone.is_some() { format!("{text}Z") } else { text })
            }
            // `plain_type` lets nothing else through but nulls.
            _ => None,
        }
    }
}

/// The type that a column is brought to, and its SQL name. Unsigned integers go to the next wider signed type.
pub(crate) fn plain_type(data_type: &DataType) -> Result<(DataType, String)> {
    let plain = |data_type: DataType, name: &str| Ok((data_type, name.to_owned()));
    match data_type {
        // A null has no type of its own; STRING casts to whatever the marker needs.
        DataType::Null => plain(DataType::Null, "STRING"),
        DataType::Boolean => plain(DataType::Boolean, "BOOLEAN"),
        DataType::Int8 => plain(DataType::Int8, "TINYINT"),
        DataType::Int16 | DataType::UInt8 => plain(DataType::Int16, "SMALLINT"),
        DataType::Int32 | DataType::UInt16 => plain(DataType::Int32, "INT"),
        DataType::Int64 | DataType::UInt32 => plain(DataType::Int64, "BIGINT"),
        DataType::UInt64 => plain(DataType::Decimal128(20, 0), "DECIMAL(20,0)"),
        DataType::Float16 | DataType::Float32 => plain(DataType::Float32, "FLOAT"),
        DataType::Float64 => plain(DataType::Float64, "DOUBLE"),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
            if *scale >= 0 =>
        {
            Ok((
                DataType::Decimal128(*precision, *scale),
                format!("DECIMAL({precision},{scale})"),
            ))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => plain(DataType::Utf8, "STRING"),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            plain(DataType::Binary, "BINARY")
        }
        DataType::Date32 | DataType::Date64 => plain(DataType::Date32, "DATE"),
        DataType::Timestamp(_, None) => plain(DataType::Timestamp(TimeUnit::Microsecond, None), "TIMESTAMP_NTZ"),
        DataType::Timestamp(_, Some(_)) => plain(
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            "TIMESTAMP",
        ),
        DataType::Dictionary(_, value) => plain_type(value),
        other => Err(Error::not_implemented(format!(
            "values of type {other} cannot be bound"
        ))),
    }
}

fn float(value: f64, finite: impl Fn(f64) -> String) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        value => finite(value),
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)])
        .collect()
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int32Type as Key;
    use arrow_array::*;

    use super::*;

    fn first(array: impl Array + 'static) -> (String, Option<String>) {
        let batch = RecordBatch::try_from_iter_with_nullable([("p", Arc::new(array) as ArrayRef, true)]).unwrap();
        let parameter = rows(&batch, false).unwrap().next().unwrap().remove(0);
        assert_eq!((parameter.name, parameter.ordinal), (None, Some(1)));
        (
            parameter.type_text.unwrap(),
            parameter.value.map(Sensitive::into_exposed),
        )
    }

    fn expect(array: impl Array + 'static, sql_type: &str, value: &str) {
        assert_eq!(first(array), (sql_type.to_owned(), Some(value.to_owned())));
    }

    #[test]
    fn every_bindable_type_has_its_sql_name_and_text() {
        expect(BooleanArray::from(vec![true]), "BOOLEAN", "true");
        expect(Int8Array::from(vec![-1]), "TINYINT", "-1");
        expect(UInt8Array::from(vec![255]), "SMALLINT", "255");
        expect(UInt16Array::from(vec![65_535]), "INT", "65535");
        expect(UInt32Array::from(vec![u32::MAX]), "BIGINT", "4294967295");
        expect(
            UInt64Array::from(vec![u64::MAX]),
            "DECIMAL(20,0)",
            "18446744073709551615",
        );
        expect(Float32Array::from(vec![0.1]), "FLOAT", "0.1");
        expect(Float64Array::from(vec![f64::NEG_INFINITY]), "DOUBLE", "-Infinity");
        expect(
            Decimal128Array::from(vec![-31_400])
                .with_precision_and_scale(10, 4)
                .unwrap(),
            "DECIMAL(10,4)",
            "-3.1400",
        );
        expect(LargeStringArray::from(vec!["it's"]), "STRING", "it's");
        expect(BinaryArray::from(vec![&[0, 171][..]]), "BINARY", "00AB");
        expect(Date32Array::from(vec![20_778]), "DATE", "2026-11-21");
        expect(
            TimestampSecondArray::from(vec![1]),
            "TIMESTAMP_NTZ",
            "1970-01-01T00:00:01",
        );
        expect(
            TimestampMicrosecondArray::from(vec![1_500_000]).with_timezone("+02:00"),
            "TIMESTAMP",
            "1970-01-01T00:00:01.5Z",
        );
        let dictionary: DictionaryArray<Key> = vec!["a", "b"].into_iter().collect();
        expect(dictionary, "STRING", "a");
    }

    #[test]
    fn nulls_have_no_value() {
        assert_eq!(first(Int32Array::from(vec![None])), ("INT".to_owned(), None));
        assert_eq!(first(NullArray::new(1)), ("STRING".to_owned(), None));
    }
}
