//! Rows as Thrift's own columns, for clients that read no Arrow: `TColumn`s of values, with a bit for each NULL.

use arrow::array::cast::AsArray as _;
use arrow::array::types::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{ArrowPrimitiveType, DataType, SchemaRef};
use arrow::error::ArrowError;

use super::kind;
use super::write::{Struct, push_bytes};
use crate::result::native::texts;

/// The columns of all batches together.
pub(super) fn of(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<Struct>, ArrowError> {
    let batch = concat_batches(schema, batches)?;
    batch.columns().iter().map(|column| column_of(column)).collect()
}

/// A `TColumn`: the number of its only field says what the values are. What Thrift has no values for are texts.
fn column_of(column: &dyn Array) -> Result<Struct, ArrowError> {
    let (id, values) = match column.data_type() {
        DataType::Boolean => {
            let column = column.as_boolean();
            let bits = (0..column.len()).map(|row| u8::from(column.is_valid(row) && column.value(row)));
            (1, list(kind::BOOL, column.len(), |out| out.extend(bits)))
        }
        DataType::Int8 => (2, numbers::<Int8Type, 1>(kind::BYTE, column, i8::to_be_bytes)),
        DataType::Int16 => (3, numbers::<Int16Type, 2>(kind::I16, column, i16::to_be_bytes)),
        DataType::Int32 => (4, numbers::<Int32Type, 4>(kind::I32, column, i32::to_be_bytes)),
        DataType::Int64 => (5, numbers::<Int64Type, 8>(kind::I64, column, i64::to_be_bytes)),
        DataType::Float32 => (
            6,
            numbers::<Float32Type, 8>(kind::DOUBLE, column, |value| f64::from(value).to_be_bytes()),
        ),
        DataType::Float64 => (6, numbers::<Float64Type, 8>(kind::DOUBLE, column, f64::to_be_bytes)),
        DataType::Binary => {
            let column = column.as_binary::<i32>();
            (8, bytes(column.len(), column.iter()))
        }
        DataType::Utf8 => {
            let column = column.as_string::<i32>();
            (
                7,
                bytes(column.len(), column.iter().map(|text| text.map(str::as_bytes))),
            )
        }
        _ => return column_of(&texts(column)?),
    };
    Ok(Struct::default().structure(id, values.bytes(2, &nulls(column))))
}

fn list(kind: u8, count: usize, write: impl FnOnce(&mut Vec<u8>)) -> Struct {
    Struct::default().list(1, kind, count, write)
}

fn numbers<T: ArrowPrimitiveType, const N: usize>(
    kind: u8,
    column: &dyn Array,
    to_bytes: impl Fn(T::Native) -> [u8; N],
) -> Struct {
    let column = column.as_primitive::<T>();
    list(kind, column.len(), |out| {
        for value in column {
            out.extend_from_slice(&to_bytes(value.unwrap_or_default()));
        }
    })
}

fn bytes<'a>(count: usize, values: impl Iterator<Item = Option<&'a [u8]>>) -> Struct {
    list(kind::STRING, count, |out| {
        for value in values {
            push_bytes(out, value.unwrap_or_default());
        }
    })
}

/// A bit per row, the first of each byte the lowest, up to the last that is set.
fn nulls(column: &dyn Array) -> Vec<u8> {
    let mut bits = Vec::new();
    for row in (0..column.len()).filter(|row| column.is_null(*row)) {
        bits.resize(row / 8 + 1, 0);
        bits[row / 8] |= 1 << (row % 8);
    }
    bits
}

#[cfg(test)]
mod tests {
    use arrow::array::Int16Array;

    use super::*;

    #[test]
    fn nulls_are_bits_and_their_values_nothing() {
        let column = Int16Array::from(vec![Some(1), None, None, None, None, None, None, None, Some(-1), None]);
        let bytes = column_of(&column).unwrap().finish();
        let mut expected = vec![kind::STRUCT, 0, 3, kind::LIST, 0, 1, kind::I16, 0, 0, 0, 10, 0, 1];
        expected.extend([0; 14]);
        expected.extend([
            0xff,
            0xff,
            0,
            0,
            kind::STRING,
            0,
            2,
            0,
            0,
            0,
            2,
            0b1111_1110,
            0b10,
            0,
            0,
        ]);
        assert_eq!(bytes, expected);
    }
}
