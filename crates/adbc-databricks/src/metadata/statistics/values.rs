//! Statistics in Arrow: ADBC's `STATISTICS_SCHEMA`.

use std::sync::Arc;

use adbc_core::schemas;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int16Array, Int64Array, StringArray, UInt64Array, UnionArray,
};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;

use super::{Statistic, Value};
use crate::error::{Error, Result};
use crate::metadata::tree::structs;

/// Statistics, each with the name of its table.
///
/// # Errors
/// `Internal` if the arrays do not fit ADBC's schema, which tests exclude.
pub(super) fn array(all: &[(&str, Statistic)]) -> Result<ArrayRef> {
    let tables = StringArray::from_iter_values(all.iter().map(|(table, _)| table));
    let columns: StringArray = all.iter().map(|(_, one)| one.column.as_deref()).collect();
    let keys = Int16Array::from_iter_values(all.iter().map(|(_, one)| one.key));
    let is_approximate: BooleanArray = all.iter().map(|(_, one)| Some(one.is_approximate)).collect();
    structs(
        &schemas::STATISTICS_SCHEMA,
        vec![
            Arc::new(tables),
            Arc::new(columns),
            Arc::new(keys),
            union(all)?,
            Arc::new(is_approximate),
        ],
    )
}

fn union(all: &[(&str, Statistic)]) -> Result<ArrayRef> {
    const INT64: i8 = 0;
    const FLOAT64: i8 = 2;
    const BINARY: i8 = 3;
    let DataType::Union(fields, _) = &*schemas::STATISTIC_VALUE_SCHEMA else {
        return Err(Error::internal("ADBC's statistics schema has no union"));
    };
    let (mut type_ids, mut offsets) = (Vec::new(), Vec::new());
    let (mut integers, mut floats, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for (_, statistic) in all {
        let (type_id, count) = match &statistic.value {
            Value::Integer(value) => {
                integers.push(*value);
                (INT64, integers.len())
            }
            Value::Float(value) => {
                floats.push(*value);
                (FLOAT64, floats.len())
            }
            Value::Text(text) => {
                texts.push(text.as_bytes());
                (BINARY, texts.len())
            }
        };
        type_ids.push(type_id);
        offsets.push(i32::try_from(count - 1).unwrap_or(i32::MAX));
    }
    let children: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(integers)),
        Arc::new(UInt64Array::from(Vec::<u64>::new())),
        Arc::new(Float64Array::from(floats)),
        Arc::new(BinaryArray::from(texts)),
    ];
    let union = UnionArray::try_new(
        fields.clone(),
        ScalarBuffer::from(type_ids),
        Some(ScalarBuffer::from(offsets)),
        children,
    );
    Ok(Arc::new(union.map_err(Error::unfit)?))
}
