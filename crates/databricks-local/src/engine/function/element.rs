//! Elements of arrays: `a[0]`, `element_at`, `try_element_at`, `get`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use crate::engine::error::{Class, SqlError};

/// How an element is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Asked {
    /// `a[i]`, from 0; there must be one.
    Subscript,
    /// From 1, or from -1 at the end; there must be one.
    ElementAt,
    /// As `ElementAt`; NULL where there is none.
    TryElementAt,
    /// From 0; NULL where there is none.
    Get,
}

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [Asked::ElementAt, Asked::TryElementAt, Asked::Get].map(function).into()
}

pub(crate) fn function(asked: Asked) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Element {
        asked,
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Element {
    asked: Asked,
    signature: Signature,
}

impl ScalarUDFImpl for Element {
    fn name(&self) -> &str {
        match self.asked {
            Asked::Subscript => "subscript",
            // Not `element_at`, which another function has as its second name.
            Asked::ElementAt => "element_of",
            Asked::TryElementAt => "try_element_at",
            Asked::Get => "get",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match arguments {
            [list @ DataType::List(_), _] => Ok(vec![list.clone(), DataType::Int64]),
            [
                DataType::LargeList(element)
                | DataType::FixedSizeList(element, _)
                | DataType::ListView(element)
                | DataType::LargeListView(element),
                _,
            ] => Ok(vec![DataType::List(Arc::clone(element)), DataType::Int64]),
            // An element of NULL is NULL.
            [DataType::Null, _] => {
                let nothing = Field::new_list_field(DataType::Null, true);
                Ok(vec![DataType::List(Arc::new(nothing)), DataType::Int64])
            }
            // A map is asked by another function, as soon as the types of the plan are settled.
            [DataType::Map(..), _] => Ok(arguments.to_vec()),
            _ => Err(self.mismatch().into()),
        }
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [
                DataType::List(element)
                | DataType::LargeList(element)
                | DataType::FixedSizeList(element, _)
                | DataType::ListView(element)
                | DataType::LargeListView(element),
                _,
            ] => Ok(element.data_type().clone()),
            [DataType::Map(entries, _), _] => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => Ok(fields[1].data_type().clone()),
                _ => Err(self.mismatch().into()),
            },
            _ => Err(self.mismatch().into()),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = |argument: &ColumnarValue| matches!(argument, ColumnarValue::Scalar(_));
        let scalar = arguments.args.iter().all(is_scalar);
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [lists, indices] = columns.as_slice() else {
            return Err(self.mismatch().into());
        };
        let elements = self.elements(lists, indices)?;
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&elements, 0)?)
        } else {
            ColumnarValue::Array(elements)
        })
    }
}

impl Element {
    fn elements(&self, lists: &ArrayRef, indices: &ArrayRef) -> Result<ArrayRef> {
        let (lists, indices) = (lists.as_list::<i32>(), indices.as_primitive::<Int64Type>());
        let found = (0..lists.len()).map(|row| {
            if lists.is_null(row) || indices.is_null(row) {
                return Ok(None);
            }
            let length = i64::from(lists.value_length(row));
            let place = self.place(indices.value(row), length)?;
            let start = lists.value_offsets()[row];
            Ok(place.and_then(|place| u64::try_from(i64::from(start) + place).ok()))
        });
        let found: UInt64Array = found.collect::<Result<Vec<Option<u64>>, SqlError>>()?.into();
        Ok(take(lists.values().as_ref(), &found, None)?)
    }

    /// Where in an array of this length the element is, from 0.
    fn place(&self, index: i64, length: i64) -> Result<Option<i64>, SqlError> {
        let place = match self.asked {
            Asked::Subscript | Asked::Get => index,
            Asked::ElementAt | Asked::TryElementAt if index == 0 => {
                return Err(SqlError::new(
                    Class::INVALID_INDEX_OF_ZERO,
                    "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).",
                ));
            }
            Asked::ElementAt | Asked::TryElementAt if index < 0 => length.saturating_add(index),
            Asked::ElementAt | Asked::TryElementAt => index - 1,
        };
        let missing = |class, otherwise| {
            let text = format!(
                "The index {index} is out of bounds. The array has {length} elements. Use `{otherwise}` to tolerate accessing an element at an invalid index and return NULL instead."
            );
            Err(SqlError::new(class, text))
        };
        match self.asked {
            _ if (0..length).contains(&place) => Ok(Some(place)),
            Asked::Subscript => missing(Class::INVALID_ARRAY_INDEX, "get"),
            Asked::ElementAt => missing(Class::INVALID_ARRAY_INDEX_IN_ELEMENT_AT, "try_element_at"),
            Asked::TryElementAt | Asked::Get => Ok(None),
        }
    }

    fn mismatch(&self) -> SqlError {
        SqlError::new(
            Class::DATATYPE_MISMATCH,
            format!("The function `{}` takes an array and an index.", self.name()),
        )
    }
}
