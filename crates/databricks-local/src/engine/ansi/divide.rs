//! `/`: never whole, rounded as Spark rounds, and an error or NULL where there is no quotient.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder, Float64Builder};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, DecimalType, Float64Type, i256};
use arrow::error::ArrowError;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use super::arithmetic::wrong_number;
use crate::engine::error::{Class, SqlError};

/// Which of the two divisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Division {
    /// Division by zero is an error.
    Divide,
    /// Division by zero is NULL.
    TryDivide,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Divide {
    division: Division,
    signature: Signature,
}

pub(super) fn divide(division: Division) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Divide {
        division,
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

impl ScalarUDFImpl for Divide {
    fn name(&self) -> &str {
        match self.division {
            Division::Divide => "divide",
            Division::TryDivide => "try_divide",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Two decimals (or a decimal and an integer) stay decimal, everything else becomes DOUBLE.
    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = arguments else {
            return Err(wrong_number("divide", arguments.len()).into());
        };
        let is_decimal = |data_type: &DataType| matches!(data_type, DataType::Decimal128(..));
        if (is_decimal(left) || is_decimal(right))
            && let (Some(left), Some(right)) = (as_decimal(left), as_decimal(right))
        {
            return Ok(vec![left, right]);
        }
        Ok(vec![DataType::Float64; 2])
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [
                DataType::Decimal128(left_precision, left_scale),
                DataType::Decimal128(right_precision, right_scale),
            ] => Ok(quotient_type(
                (*left_precision, *left_scale),
                (*right_precision, *right_scale),
            )),
            _ => Ok(DataType::Float64),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = arguments
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let to = arguments.return_type().clone();
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [left, right] = columns.as_slice() else {
            return Err(wrong_number("divide", columns.len()).into());
        };
        let quotients = match to {
            DataType::Decimal128(precision, scale) => self.decimals(left, right, precision, scale)?,
            _ => self.doubles(left, right)?,
        };
        scalar_or_array(quotients, scalar)
    }
}

impl Divide {
    fn by_zero(&self) -> std::result::Result<(), ArrowError> {
        match self.division {
            Division::Divide => Err(ArrowError::DivideByZero),
            Division::TryDivide => Ok(()),
        }
    }

    fn doubles(&self, left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
        let mut quotients = Float64Builder::with_capacity(left.len());
        for (left, right) in left
            .as_primitive::<Float64Type>()
            .iter()
            .zip(right.as_primitive::<Float64Type>())
        {
            match (left, right) {
                (Some(_), Some(0.0)) => {
                    self.by_zero()?;
                    quotients.append_null();
                }
                (Some(left), Some(right)) => quotients.append_value(left / right),
                _ => quotients.append_null(),
            }
        }
        Ok(Arc::new(quotients.finish()))
    }

    fn decimals(&self, left: &ArrayRef, right: &ArrayRef, precision: u8, scale: i8) -> Result<ArrayRef> {
        let (left, right) = (
            left.as_primitive::<Decimal128Type>(),
            right.as_primitive::<Decimal128Type>(),
        );
        // left / 10^ls / (right / 10^rs), in units of 10^-scale.
        let shift = i32::from(scale) - i32::from(left.scale()) + i32::from(right.scale());
        let factor = i256::from_i128(10)
            .checked_pow(shift.unsigned_abs())
            .ok_or_else(too_large)?;
        let (numerator_factor, divisor_factor) = if shift < 0 {
            (i256::ONE, factor)
        } else {
            (factor, i256::ONE)
        };
        let mut quotients = Decimal128Builder::with_capacity(left.len()).with_precision_and_scale(precision, scale)?;
        for (left, right) in left.iter().zip(right) {
            match (left, right) {
                (Some(_), Some(0)) => {
                    self.by_zero()?;
                    quotients.append_null();
                }
                (Some(left), Some(right)) => {
                    let quotient = rounded_quotient(left, numerator_factor, right, divisor_factor)
                        .filter(|&quotient| Decimal128Type::is_valid_decimal_precision(quotient, precision))
                        .ok_or_else(too_large)?;
                    quotients.append_value(quotient);
                }
                _ => quotients.append_null(),
            }
        }
        Ok(Arc::new(quotients.finish()))
    }
}

/// `left * left_factor / (right * right_factor)`, half away from zero.
fn rounded_quotient(left: i128, left_factor: i256, right: i128, right_factor: i256) -> Option<i128> {
    let right = i256::from_i128(right).checked_mul(right_factor)?;
    let numerator = i256::from_i128(left).checked_mul(left_factor)?;
    let quotient = numerator.checked_div(right)?;
    let twice = numerator
        .checked_rem(right)?
        .wrapping_abs()
        .checked_mul(i256::from_i128(2))?;
    let away = if twice >= right.wrapping_abs() {
        if (numerator < i256::ZERO) == (right < i256::ZERO) {
            i256::ONE
        } else {
            i256::MINUS_ONE
        }
    } else {
        i256::ZERO
    };
    quotient.checked_add(away)?.to_i128()
}

/// Spark's rule for the type of a quotient, digits after the point given up first when 38 do not suffice.
fn quotient_type((left_precision, left_scale): (u8, i8), (right_precision, right_scale): (u8, i8)) -> DataType {
    const MIN_SCALE: i32 = 6;
    let scale = MIN_SCALE.max(i32::from(left_scale) + i32::from(right_precision) + 1);
    let whole_digits = i32::from(left_precision) - i32::from(left_scale) + i32::from(right_scale);
    let max = i32::from(DECIMAL128_MAX_PRECISION);
    let (precision, scale) = if whole_digits + scale <= max {
        (whole_digits + scale, scale)
    } else {
        (max, (max - whole_digits).max(scale.min(MIN_SCALE)))
    };
    DataType::Decimal128(precision as u8, scale as i8)
}

/// The decimal type that holds all integers of a type.
fn as_decimal(data_type: &DataType) -> Option<DataType> {
    let precision = match data_type {
        DataType::Decimal128(..) => return Some(data_type.clone()),
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::Int64 | DataType::UInt64 => 20,
        _ => return None,
    };
    Some(DataType::Decimal128(precision, 0))
}

fn too_large() -> SqlError {
    SqlError::new(Class::ARITHMETIC_OVERFLOW, "A decimal has more digits than its type.")
}

fn scalar_or_array(array: ArrayRef, scalar: bool) -> Result<ColumnarValue> {
    if scalar {
        Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
    } else {
        Ok(ColumnarValue::Array(array))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        let factor = i256::from_i128(10);
        let one = i256::ONE;
        assert_eq!(rounded_quotient(1, factor, 4, one), Some(3));
        assert_eq!(rounded_quotient(-1, factor, 4, one), Some(-3));
        assert_eq!(rounded_quotient(1, factor, 3, one), Some(3));
        assert_eq!(rounded_quotient(2, factor, -3, one), Some(-7));
        assert_eq!(rounded_quotient(25, one, 1, factor), Some(3));
        assert_eq!(rounded_quotient(i128::MAX, i256::MAX, 1, one), None);
    }

    #[test]
    fn quotient_types_are_those_of_spark() {
        assert_eq!(quotient_type((10, 2), (5, 1)), DataType::Decimal128(17, 8));
        assert_eq!(quotient_type((18, 2), (18, 2)), DataType::Decimal128(38, 20));
        assert_eq!(quotient_type((38, 10), (38, 10)), DataType::Decimal128(38, 6));
    }
}
