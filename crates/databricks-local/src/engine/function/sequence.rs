//! The step of `sequence`: towards its end where none is written, and an error where it leads away from it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, IntervalMonthDayNanoArray};
use arrow::compute::kernels::cmp::lt;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::engine::error::{Class, SqlError};

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(SequenceStep {
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

/// `sequence_step(start, stop[, step])`, which `sequence` is rewritten to call.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SequenceStep {
    signature: Signature,
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

impl ScalarUDFImpl for SequenceStep {
    fn name(&self) -> &str {
        "sequence_step"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let is_time = |given: &DataType| matches!(given, DataType::Date32 | DataType::Timestamp(..));
        let is_count = |given: &DataType| given.is_integer() || given.is_null();
        match arguments {
            counts if counts.iter().all(is_count) => Ok(vec![DataType::Int64; counts.len()]),
            [start, stop, DataType::Interval(_)] if is_time(start) && is_time(stop) => {
                Ok(vec![start.clone(), stop.clone(), INTERVAL])
            }
            [start, stop] if is_time(start) && is_time(stop) => Ok(vec![start.clone(), start.clone()]),
            _ => Err(SqlError::new(
                Class::DATATYPE_MISMATCH,
                "The function `sequence` takes two integers, or two dates or times and an interval.",
            )
            .into()),
        }
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(match arguments.first() {
            Some(DataType::Int64) => DataType::Int64,
            _ => INTERVAL,
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        match columns.as_slice() {
            [_, _, step] if step.as_primitive_opt::<IntervalMonthDayNanoType>().is_some() => {
                Ok(ColumnarValue::Array(Arc::clone(step)))
            }
            [start, stop] if start.as_primitive_opt::<Int64Type>().is_none() => {
                Ok(ColumnarValue::Array(Arc::new(days(start, stop)?)))
            }
            [start, stop, step @ ..] => Ok(ColumnarValue::Array(Arc::new(steps(start, stop, step.first())?))),
            _ => Err(SqlError::new(
                Class::DATATYPE_MISMATCH,
                "The function `sequence` takes 2 or 3 arguments.",
            )
            .into()),
        }
    }
}

/// One day, which is the step of dates and times.
fn days(start: &ArrayRef, stop: &ArrayRef) -> Result<IntervalMonthDayNanoArray> {
    let back = lt(stop, start)?;
    let day = |back: Option<bool>| back.map(|back| IntervalMonthDayNano::new(0, if back { -1 } else { 1 }, 0));
    Ok(back.iter().map(day).collect())
}

fn steps(start: &ArrayRef, stop: &ArrayRef, step: Option<&ArrayRef>) -> Result<Int64Array, SqlError> {
    let (start, stop) = (start.as_primitive::<Int64Type>(), stop.as_primitive::<Int64Type>());
    let step = step.map(|step| step.as_primitive::<Int64Type>());
    let rows = (0..start.len()).map(|row| {
        if start.is_null(row) || stop.is_null(row) || step.is_some_and(|step| step.is_null(row)) {
            return Ok(None);
        }
        let (start, stop) = (start.value(row), stop.value(row));
        let towards = if stop < start { -1 } else { 1 };
        match step.map_or(towards, |step| step.value(row)) {
            // One element, whatever the step.
            _ if start == stop => Ok(Some(1)),
            step if step.signum() == towards => Ok(Some(step)),
            step => Err(SqlError::new(
                Class::INVALID_PARAMETER_VALUE,
                format!("Illegal sequence boundaries: {start} to {stop} by {step}."),
            )),
        }
    });
    rows.collect()
}
