//! Bound rows to statement parameters.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, ListArray, MapArray, RecordBatch, StructArray};
use arrow_cast::CastOptions;
use arrow_schema::{ArrowError, DataType, Fields, TimeUnit};
use databricks_wire::Sensitive;
use databricks_wire::sea::Parameter;
use jiff::SignedDuration;
use jiff::civil::DateTime;

use crate::ErrorCategory;
use crate::error::{Error, ErrorKind, Result};
use crate::options::BIND_BY_NAME;

/// How bound columns find the markers that they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// `:name`, by their names.
    ByName,
    /// `?`, of which there are so many, in their order.
    ByPlace { markers: usize },
}

const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The parameters of each row: positional in column order, or named as the columns are.
///
/// # Errors
/// `InvalidArgument` for more columns than positional markers, which a server may pass over; of too few it complains itself.
/// `NotImplemented` for a column whose type has no SQL literal; a row's are `InvalidData` for a value that no literal can hold.
pub(crate) fn rows(
    batch: &RecordBatch,
    binding: Binding,
) -> Result<impl Iterator<Item = Result<Vec<Parameter>>> + use<>> {
    let columns = batch.num_columns();
    if let Binding::ByPlace { markers } = binding
        && columns > markers
    {
        return Err(Error::invalid_argument(format!(
            "{columns} columns are bound, and the text has {markers} markers `?`; '{BIND_BY_NAME}' = true binds columns to `:name`"
        )));
    }
    let schema = batch.schema();
    let of_column = |index: usize, error: Error| error.context(format_args!("bound column {}", index + 1));
    let columns = batch.columns().iter().zip(schema.fields()).enumerate();
    let columns = columns.map(|(index, (array, field))| {
        let place = match binding {
            Binding::ByName => (Some(field.name().clone()), None),
            Binding::ByPlace { .. } => (None, u32::try_from(index + 1).ok()),
        };
        Ok((place, Column::new(array).map_err(|error| of_column(index, error))?))
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok((0..batch.num_rows()).map(move |row| {
        let parameters = columns.iter().enumerate().map(|(index, ((name, ordinal), column))| {
            Ok(Parameter {
                name: name.clone(),
                ordinal: *ordinal,
                type_text: Some(column.sql_type.clone()),
                value: column
                    .text(row)
                    .map_err(|error| of_column(index, error))?
                    .map(Sensitive::new),
            })
        });
        parameters.collect()
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
        let array = bring(array, &data_type)?;
        Ok(Self { array, sql_type })
    }

    /// A value as text; `None` for NULL.
    ///
    /// # Errors
    /// `InvalidData` for a day or an instant whose year has no text.
    pub(crate) fn text(&self, row: usize) -> Result<Option<String>> {
        let array = &self.array;
        if array.is_null(row) {
            return Ok(None);
        }
        Ok(match array.data_type() {
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
            DataType::Date32 => {
                let days = array.as_primitive::<Date32Type>().value(row);
                let at = at(SignedDuration::from_hours(24 * i64::from(days)))?;
                Some(at.date().to_string())
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                let at = at(SignedDuration::from_micros(micros))?;
                Some(if zone.is_some() {
                    format!("{at}Z")
                } else {
                    at.to_string()
                })
            }
            // `plain_type` lets nothing else through but nulls.
            _ => None,
        })
    }
}

/// The wall clock in UTC.
fn at(since_epoch: SignedDuration) -> Result<DateTime> {
    EPOCH
        .checked_add(since_epoch)
        .map_err(|_| invalid("a date or a time is not within the years -9999 to 9999"))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, ErrorCategory::InvalidRequest, message)
}

/// An array in another type. What does not fit is an error, never NULL; of nanoseconds the microsecond that they are in is kept,
/// before 1970 and inside lists, structs and maps too.
///
/// # Errors
/// `InvalidData` for a value that the type cannot hold.
pub(crate) fn bring(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if array.data_type() == data_type {
        return Ok(Arc::clone(array));
    }
    if let (DataType::Timestamp(TimeUnit::Nanosecond, _), DataType::Timestamp(TimeUnit::Microsecond, zone)) =
        (array.data_type(), data_type)
    {
        // A cast would round towards 1970.
        let micros = array
            .as_primitive::<TimestampNanosecondType>()
            .unary::<_, TimestampMicrosecondType>(|nanos| nanos.div_euclid(1000));
        return Ok(Arc::new(micros.with_timezone_opt(zone.clone())));
    }
    if let (DataType::Date64, DataType::Date32) = (array.data_type(), data_type) {
        // So would this one.
        let days = array
            .as_primitive::<Date64Type>()
            .try_unary::<_, Date32Type, _>(|millis| i32::try_from(millis.div_euclid(MILLIS_PER_DAY)));
        return Ok(Arc::new(
            days.map_err(|_| invalid("a date is not within the years -9999 to 9999"))?,
        ));
    }
    match array.data_type() {
        DataType::Dictionary(_, values) => return bring(&cast(array, values)?, data_type),
        DataType::RunEndEncoded(_, values) => return bring(&cast(array, values.data_type())?, data_type),
        _ => {}
    }
    match nested(array, data_type) {
        Some(brought) => brought,
        None => cast(array, data_type),
    }
}

/// A list, struct or map whose values are brought one by one; `None` for anything else.
fn nested(array: &ArrayRef, data_type: &DataType) -> Option<Result<ArrayRef>> {
    let unfit = |error: ArrowError| invalid(error.to_string());
    match (array.data_type(), data_type) {
        (
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::FixedSizeList(element, _)
            | DataType::ListView(element)
            | DataType::LargeListView(element),
            DataType::List(wanted),
        ) => {
            let lists = cast(array, &DataType::List(Arc::clone(element)));
            Some(lists.and_then(|lists| {
                let (_, offsets, values, nulls) = lists.as_list::<i32>().clone().into_parts();
                let values = bring(&values, wanted.data_type())?;
                let lists = ListArray::try_new(Arc::clone(wanted), offsets, values, nulls);
                Ok(Arc::new(lists.map_err(unfit)?) as ArrayRef)
            }))
        }
        (DataType::Struct(fields), DataType::Struct(wanted)) if same_names(fields, wanted) => {
            let structs = brought(array.as_struct(), wanted);
            Some(structs.map(|structs| Arc::new(structs) as ArrayRef))
        }
        (DataType::Map(..), DataType::Map(wanted, ordered)) => {
            let DataType::Struct(fields) = wanted.data_type() else {
                return None;
            };
            let (_, offsets, entries, nulls, _) = array.as_map().clone().into_parts();
            Some(brought(&entries, fields).and_then(|entries| {
                let maps = MapArray::try_new(Arc::clone(wanted), offsets, entries, nulls, *ordered);
                Ok(Arc::new(maps.map_err(unfit)?) as ArrayRef)
            }))
        }
        _ => None,
    }
}

/// A struct whose columns are brought to these fields, in their order.
fn brought(structs: &StructArray, fields: &Fields) -> Result<StructArray> {
    let columns = structs.columns().iter().zip(fields);
    let columns = columns.map(|(column, field)| bring(column, field.data_type()));
    StructArray::try_new(
        fields.clone(),
        columns.collect::<Result<_>>()?,
        structs.nulls().cloned(),
    )
    .map_err(|error| invalid(error.to_string()))
}

fn same_names(left: &Fields, right: &Fields) -> bool {
    let names = |fields: &Fields| fields.iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    names(left) == names(right)
}

/// Arrow's own cast, where what does not fit is an error.
fn cast(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    arrow_cast::cast_with_options(array, data_type, &options).map_err(|error| invalid(error.to_string()))
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
        | DataType::Decimal256(precision, scale) => {
            // Databricks knows no negative scale: two digits of hundreds are four digits.
            let digits = i16::from(*precision) - i16::from((*scale).min(0));
            let scale = (*scale).max(0);
            let Some(digits) = u8::try_from(digits).ok().filter(|digits| *digits <= MAX_DIGITS) else {
                return unbindable(data_type);
            };
            Ok((
                DataType::Decimal128(digits, scale),
                format!("DECIMAL({digits},{scale})"),
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
        DataType::RunEndEncoded(_, value) => plain_type(value.data_type()),
        other => unbindable(other),
    }
}

/// The most digits of a DECIMAL. See <https://docs.databricks.com/aws/en/sql/language-manual/data-types/decimal-type>.
const MAX_DIGITS: u8 = 38;

fn unbindable<T>(data_type: &DataType) -> Result<T> {
    let hint = match data_type {
        DataType::Time32(_) | DataType::Time64(_) => "; Databricks has no type for times of day: bind them as text",
        DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) | DataType::Map(..) => {
            "; bind JSON text, and let from_json() in the SQL make the value of it"
        }
        _ => "",
    };
    Err(Error::not_implemented(format!(
        "values of type {data_type} cannot be bound{hint}"
    )))
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
        let binding = Binding::ByPlace { markers: 1 };
        let parameter = rows(&batch, binding).unwrap().next().unwrap().unwrap().remove(0);
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
    fn decimals_keep_their_value_in_another_type() {
        let hundreds = Decimal128Array::from(vec![-99]).with_precision_and_scale(2, -2);
        expect(hundreds.unwrap(), "DECIMAL(4,0)", "-9900");
        let wide = Decimal256Array::from(vec![arrow_buffer::i256::from(150)]).with_precision_and_scale(38, 2);
        expect(wide.unwrap(), "DECIMAL(38,2)", "1.50");
        for (digits, scale) in [(39, 0), (30, -9)] {
            let error = plain_type(&DataType::Decimal256(digits, scale)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotImplemented);
        }
    }

    #[test]
    fn nanoseconds_are_cut_to_the_microsecond_that_they_are_in() {
        for (nanos, expected) in [
            (-1, "1969-12-31T23:59:59.999999"),
            (1999, "1970-01-01T00:00:00.000001"),
            (i64::MIN, "1677-09-21T00:12:43.145224"),
        ] {
            let plain = TimestampNanosecondArray::from(vec![nanos]);
            expect(plain.clone(), "TIMESTAMP_NTZ", expected);
            let coded = DictionaryArray::<Key>::try_new(Int32Array::from(vec![0]), Arc::new(plain)).unwrap();
            expect(coded, "TIMESTAMP_NTZ", expected);
        }
        expect(Date64Array::from(vec![-1]), "DATE", "1969-12-31");
        let plain = TimestampNanosecondArray::from(vec![-1]);
        let runs = RunArray::<Key>::try_new(&Int32Array::from(vec![1]), &plain).unwrap();
        expect(runs, "TIMESTAMP_NTZ", "1969-12-31T23:59:59.999999");
    }

    #[test]
    fn the_last_moment_of_the_last_year_has_a_text() {
        let last = TimestampMicrosecondArray::from(vec![253_402_300_799_999_999]);
        expect(last.clone(), "TIMESTAMP_NTZ", "9999-12-31T23:59:59.999999");
        expect(last.with_timezone("UTC"), "TIMESTAMP", "9999-12-31T23:59:59.999999Z");
        expect(Date32Array::from(vec![-719_162]), "DATE", "0001-01-01");
    }

    #[test]
    fn what_has_no_text_is_an_error_and_never_null() {
        let arrays: [ArrayRef; 4] = [
            Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX])),
            Arc::new(TimestampSecondArray::from(vec![i64::MAX])),
            Arc::new(TimestampMillisecondArray::from(vec![i64::MIN])),
            Arc::new(Date32Array::from(vec![i32::MAX])),
        ];
        for array in arrays {
            let error = Column::new(&array).and_then(|column| column.text(0)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{}", array.data_type());
        }
    }

    #[test]
    fn nulls_have_no_value() {
        assert_eq!(first(Int32Array::from(vec![None])), ("INT".to_owned(), None));
        assert_eq!(first(NullArray::new(1)), ("STRING".to_owned(), None));
    }
}
