//! Functions of columns to a column that need nothing but their arguments.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use crate::engine::error::{Class, SqlError};

/// A function: its arguments are cast to their types before it is called.
pub(super) struct Plain {
    pub(super) name: &'static str,
    /// All arguments; the last ones may be left out.
    pub(super) arguments: &'static [DataType],
    pub(super) required: usize,
    pub(super) returns: fn() -> DataType,
    /// Columns of one length to a column of that length.
    pub(super) call: fn(&[ArrayRef]) -> Result<ArrayRef, SqlError>,
}

pub(super) fn udf(plain: Plain) -> Arc<ScalarUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(PlainFunction { plain, signature }))
}

/// The texts of an argument.
///
/// # Errors
/// `DATATYPE_MISMATCH` when it is missing.
pub(super) fn texts(columns: &[ArrayRef], at: usize) -> Result<&StringArray, SqlError> {
    column(columns, at).map(|column| column.as_string::<i32>())
}

/// # Errors
/// `DATATYPE_MISMATCH` when it is missing.
pub(super) fn ints(columns: &[ArrayRef], at: usize) -> Result<&Int32Array, SqlError> {
    column(columns, at).map(|column| column.as_primitive::<Int32Type>())
}

fn column(columns: &[ArrayRef], at: usize) -> Result<&ArrayRef, SqlError> {
    columns
        .get(at)
        .ok_or_else(|| SqlError::new(Class::DATATYPE_MISMATCH, "An argument is missing."))
}

/// The value in a row, unless it is NULL.
pub(super) fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

struct PlainFunction {
    plain: Plain,
    signature: Signature,
}

impl ScalarUDFImpl for PlainFunction {
    fn name(&self) -> &str {
        self.plain.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let Plain {
            name,
            arguments,
            required,
            ..
        } = self.plain;
        if !(required..=arguments.len()).contains(&given.len()) {
            let text = format!(
                "The function `{name}` takes {required} to {} arguments, not {}.",
                arguments.len(),
                given.len()
            );
            return Err(SqlError::new(Class::DATATYPE_MISMATCH, text).into());
        }
        Ok(arguments[..given.len()].to_vec())
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok((self.plain.returns)())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = |argument: &ColumnarValue| matches!(argument, ColumnarValue::Scalar(_));
        let scalar = arguments.args.iter().all(is_scalar);
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let answer = (self.plain.call)(&columns)?;
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?)
        } else {
            ColumnarValue::Array(answer)
        })
    }
}

/// No two functions have one name.
impl PartialEq for PlainFunction {
    fn eq(&self, other: &Self) -> bool {
        self.plain.name == other.plain.name
    }
}

impl Eq for PlainFunction {}

impl Hash for PlainFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.plain.name.hash(state);
    }
}

impl fmt::Debug for PlainFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainFunction")
            .field("name", &self.plain.name)
            .finish_non_exhaustive()
    }
}
