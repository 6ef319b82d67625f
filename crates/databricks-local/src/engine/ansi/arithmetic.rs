//! `+`, `-`, `*` and `DIV` as functions: an overflow is an error, or NULL where it is tried.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Datum, new_null_array};
use arrow::compute::concat;
use arrow::compute::kernels::numeric;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::engine::error::{Class, SqlError};

/// `DIV`: the whole part of a quotient.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct WholeDivide {
    signature: Signature,
}

impl WholeDivide {
    pub(super) fn new() -> Self {
        Self {
            signature: Signature::exact(vec![DataType::Int64, DataType::Int64], Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for WholeDivide {
    fn name(&self) -> &str {
        "div"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = arguments.args.as_slice() else {
            return Err(wrong_number("div", arguments.args.len()).into());
        };
        datafusion::physical_expr_common::datum::apply(left, right, numeric::div)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Arithmetic {
    Add,
    Multiply,
    Subtract,
}

impl Arithmetic {
    pub(super) const fn of(operator: Operator) -> Option<Self> {
        match operator {
            Operator::Plus => Some(Self::Add),
            Operator::Minus => Some(Self::Subtract),
            Operator::Multiply => Some(Self::Multiply),
            _ => None,
        }
    }
}

/// `try_add` and the like: NULL where there is no answer.
pub(super) fn tried(arithmetic: Arithmetic) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Checked {
        arithmetic,
        tried: true,
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

/// Arithmetic that fails where the planner's own would wrap around.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Checked {
    arithmetic: Arithmetic,
    /// Whether what has no answer is NULL.
    tried: bool,
    signature: Signature,
}

impl Checked {
    pub(super) fn new(arithmetic: Arithmetic) -> Self {
        Self {
            arithmetic,
            tried: false,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match (self.arithmetic, self.tried) {
            (Arithmetic::Add, false) => "checked_add",
            (Arithmetic::Multiply, false) => "checked_multiply",
            (Arithmetic::Subtract, false) => "checked_subtract",
            (Arithmetic::Add, true) => "try_add",
            (Arithmetic::Multiply, true) => "try_multiply",
            (Arithmetic::Subtract, true) => "try_subtract",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The wider of the two types; unsigned types, which only the engine's own functions make, are BIGINT.
    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = arguments else {
            return Err(wrong_number(self.name(), arguments.len()).into());
        };
        let wide = match (left, right) {
            (DataType::Int8, DataType::Int8) => DataType::Int8,
            (DataType::Int8 | DataType::Int16, DataType::Int8 | DataType::Int16) => DataType::Int16,
            (
                DataType::Int8 | DataType::Int16 | DataType::Int32,
                DataType::Int8 | DataType::Int16 | DataType::Int32,
            ) => DataType::Int32,
            (left, right) if left.is_integer() && right.is_integer() => DataType::Int64,
            // Only `try_` functions come here with other types. NULL has that of the other.
            (DataType::Null, DataType::Null) => DataType::Int32,
            (DataType::Null, one) | (one, DataType::Null) if one.is_integer() => match one {
                DataType::Int8 | DataType::Int16 | DataType::Int32 => one.clone(),
                _ => DataType::Int64,
            },
            (DataType::Null, one) | (one, DataType::Null) if one.is_numeric() => DataType::Float64,
            (left, right) if left.is_numeric() && right.is_numeric() => DataType::Float64,
            _ => {
                return Err(SqlError::new(
                    Class::DATATYPE_MISMATCH,
                    format!("The function `{}` takes numbers.", self.name()),
                )
                .into());
            }
        };
        Ok(vec![wide.clone(), wide])
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(self.coerce_types(arguments)?.swap_remove(0))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = arguments.args.as_slice() else {
            return Err(wrong_number(self.name(), arguments.args.len()).into());
        };
        let kernel = match self.arithmetic {
            Arithmetic::Add => numeric::add,
            Arithmetic::Multiply => numeric::mul,
            Arithmetic::Subtract => numeric::sub,
        };
        if self.tried {
            return self.row_by_row(&arguments, kernel);
        }
        datafusion::physical_expr_common::datum::apply(left, right, kernel)
    }
}

type Kernel = fn(&dyn Datum, &dyn Datum) -> std::result::Result<ArrayRef, ArrowError>;

impl Checked {
    /// All rows at once, and where that fails one by one, because one row's overflow is no other's.
    fn row_by_row(&self, arguments: &ScalarFunctionArgs, kernel: Kernel) -> Result<ColumnarValue> {
        let scalar = arguments
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [left, right] = columns.as_slice() else {
            return Err(wrong_number(self.name(), columns.len()).into());
        };
        let answer = match kernel(left, right) {
            Ok(answer) => answer,
            Err(_) => {
                let null = new_null_array(arguments.return_type(), 1);
                let row = |row| kernel(&left.slice(row, 1), &right.slice(row, 1)).unwrap_or_else(|_| Arc::clone(&null));
                let rows: Vec<ArrayRef> = (0..left.len()).map(row).collect();
                let rows: Vec<&dyn Array> = rows.iter().map(AsRef::as_ref).collect();
                concat(&rows)?
            }
        };
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?)
        } else {
            ColumnarValue::Array(answer)
        })
    }
}

pub(super) fn wrong_number(function: &str, count: usize) -> SqlError {
    SqlError::new(
        Class::DATATYPE_MISMATCH,
        format!("The function `{function}` takes 2 arguments, not {count}."),
    )
}
