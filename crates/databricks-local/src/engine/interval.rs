//! Intervals: the engine computes with months, days and nanoseconds; a workspace has two kinds, year-month and day-time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DurationMicrosecondArray, IntervalYearMonthArray};
use arrow::datatypes::{DataType, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};

use super::error::{Class, SqlError};
use super::types::strict_cast;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Casts a column to its wire type, intervals included.
///
/// # Errors
/// When a value does not fit: an interval with months has no place among day-time intervals.
pub(crate) fn cast_to_wire(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, SqlError> {
    match (column.data_type(), to) {
        (DataType::Interval(IntervalUnit::MonthDayNano), DataType::Duration(TimeUnit::Microsecond)) => {
            let intervals = column.as_primitive::<IntervalMonthDayNanoType>();
            let micros: DurationMicrosecondArray = intervals.try_unary(|interval| {
                if interval.months != 0 {
                    return Err(mixed());
                }
                day_time_micros(i64::from(interval.days), interval.nanoseconds / 1_000)
            })?;
            Ok(Arc::new(micros))
        }
        (DataType::Interval(IntervalUnit::MonthDayNano), DataType::Interval(IntervalUnit::YearMonth)) => {
            let intervals = column.as_primitive::<IntervalMonthDayNanoType>();
            let months: IntervalYearMonthArray = intervals.try_unary(|interval| {
                if interval.days != 0 || interval.nanoseconds != 0 {
                    return Err(mixed());
                }
                Ok(interval.months)
            })?;
            Ok(Arc::new(months))
        }
        (DataType::Interval(IntervalUnit::DayTime), DataType::Duration(TimeUnit::Microsecond)) => {
            let intervals = column.as_primitive::<IntervalDayTimeType>();
            let micros: DurationMicrosecondArray = intervals.try_unary(|interval| {
                day_time_micros(i64::from(interval.days), i64::from(interval.milliseconds) * 1_000)
            })?;
            Ok(Arc::new(micros))
        }
        _ => strict_cast(column, to),
    }
}

fn day_time_micros(days: i64, micros: i64) -> Result<i64, SqlError> {
    days.checked_mul(MICROS_PER_DAY)
        .and_then(|day_micros| day_micros.checked_add(micros))
        .ok_or_else(|| SqlError::new(Class::ARITHMETIC_OVERFLOW, "An interval is too long for microseconds."))
}

fn mixed() -> SqlError {
    SqlError::new(
        Class::UNSUPPORTED_FEATURE,
        "An interval that mixes months with days or seconds is of no type that a result can have.",
    )
}
