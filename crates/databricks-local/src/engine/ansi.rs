//! Arithmetic as Databricks does it: small literals are INT, `/` never truncates, overflow and division by zero are errors.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder, Float64Builder};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, DecimalType, Float64Type, i256};
use arrow::error::ArrowError;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_nested::extract::array_element_udf;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, GetFieldAccess, LogicalPlan, LogicalPlanBuilder, Operator,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Union, Values, Volatility, lit,
};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::error::{Class, SqlError};

/// The functions that a query can name.
pub(crate) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        divide(Division::TryDivide),
        Arc::new(ScalarUDF::new_from_impl(WholeDivide::new())),
    ]
}

/// Rewrites a plan as it comes from the planner, before the optimizer and its coercions see it.
pub(crate) fn apply(plan: LogicalPlan, ansi: bool) -> Result<LogicalPlan> {
    // The two sides of a recursion must keep the type that they agreed on.
    let narrow = !plan.exists(|plan| Ok(matches!(plan, LogicalPlan::RecursiveQuery(_))))?;
    let rewriter = Rewriter { ansi, narrow };
    Ok(plan.transform_up_with_subqueries(|plan| rewriter.plan(plan))?.data)
}

struct Rewriter {
    ansi: bool,
    /// Whether integer literals that fit become INT.
    narrow: bool,
}

impl Rewriter {
    fn plan(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        match plan {
            // A limit is BIGINT and nothing else.
            LogicalPlan::Limit(_) => Ok(Transformed::no(plan)),
            // A union remembers the types that its inputs had.
            LogicalPlan::Union(union) => Ok(Transformed::yes(LogicalPlan::Union(Union::try_new_with_loose_types(
                union.inputs,
            )?))),
            LogicalPlan::Values(values) if self.narrow => narrowed_values(values),
            plan => {
                let schema = merge_schema(&plan.inputs());
                let names = NamePreserver::new(&plan);
                let plan = plan.map_expressions(|expr| {
                    let name = names.save(&expr);
                    let expr = expr.transform_up(|expr| self.expr(expr, &schema))?;
                    Ok(expr.update_data(|expr| name.restore(expr)))
                })?;
                // Even a plan without a literal of its own may stand on one whose types have changed.
                plan.map_data(LogicalPlan::recompute_schema)
            }
        }
    }

    fn expr(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        match expr {
            Expr::Literal(ScalarValue::Int64(Some(_)), _) if self.narrow => {
                Ok(narrowed(&expr).map_or_else(|| Transformed::no(expr), Transformed::yes))
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) if func.inner().is::<Divide>() => {
                match <[Expr; 2]>::try_from(args) {
                    Ok([left, right]) => {
                        let (left, right) = exact_literals(left, right, schema)?;
                        Ok(Transformed::yes(call(func, left, right)))
                    }
                    Err(args) => Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }))),
                }
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let Some(arithmetic) = Arithmetic::of(op) else {
                    return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
                };
                let (left, right) = exact_literals(*left, *right, schema)?;
                if self.ansi && left.get_type(schema)?.is_integer() && right.get_type(schema)?.is_integer() {
                    return Ok(Transformed::yes(call(
                        Arc::new(ScalarUDF::new_from_impl(Checked::new(arithmetic))),
                        left,
                        right,
                    )));
                }
                Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr {
                    left: Box::new(left),
                    op,
                    right: Box::new(right),
                })))
            }
            expr => Ok(Transformed::no(expr)),
        }
    }
}

/// Values keep the types of their schema unless all of a column's literals can change with it; markers have types already.
fn narrowed_values(values: Values) -> Result<Transformed<LogicalPlan>> {
    let all_literals = values
        .values
        .iter()
        .flatten()
        .all(|expr| matches!(expr, Expr::Literal(..) | Expr::Placeholder(_)));
    if !all_literals {
        return Ok(Transformed::no(LogicalPlan::Values(values)));
    }
    let mut rows = values.values;
    for column in 0..values.schema.fields().len() {
        if rows.iter().all(|row| narrowed(&row[column]).is_some()) {
            for row in &mut rows {
                if let Some(narrow) = narrowed(&row[column]) {
                    row[column] = narrow;
                }
            }
        }
    }
    Ok(Transformed::yes(LogicalPlanBuilder::values(rows)?.build()?))
}

fn call(function: Arc<ScalarUDF>, left: Expr, right: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![left, right]))
}

/// An integer literal as INT, or NULL as it is, or nothing.
fn narrowed(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), metadata) => {
            let value = i32::try_from(*value).ok()?;
            Some(Expr::Literal(ScalarValue::Int32(Some(value)), metadata.clone()))
        }
        Expr::Literal(value, _) if value.data_type() == DataType::Null => Some(expr.clone()),
        _ => None,
    }
}

/// An integer literal beside a decimal is a decimal of as many digits as it has.
fn exact_literals(left: Expr, right: Expr, schema: &DFSchema) -> Result<(Expr, Expr)> {
    let is_decimal =
        |expr: &Expr| Ok::<bool, DataFusionError>(matches!(expr.get_type(schema)?, DataType::Decimal128(..)));
    match (is_decimal(&left)?, is_decimal(&right)?) {
        (true, false) => {
            let right = exact_literal(right);
            Ok((left, right))
        }
        (false, true) => Ok((exact_literal(left), right)),
        _ => Ok((left, right)),
    }
}

fn exact_literal(expr: Expr) -> Expr {
    let value = match &expr {
        Expr::Literal(ScalarValue::Int32(Some(value)), _) => i64::from(*value),
        Expr::Literal(ScalarValue::Int64(Some(value)), _) => *value,
        _ => return expr,
    };
    let digits = value.unsigned_abs().checked_ilog10().map_or(1, |log| log as u8 + 1);
    Expr::Literal(ScalarValue::Decimal128(Some(i128::from(value)), digits, 0), None)
}

/// Plans `/`, which the planner would judge by operand types of its own, and subscripts, which it counts from 1.
#[derive(Debug)]
pub(crate) struct DatabricksExprs {
    pub(crate) ansi: bool,
}

impl ExprPlanner for DatabricksExprs {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::Divide
            || !is_number(&expr.left.get_type(schema)?)
            || !is_number(&expr.right.get_type(schema)?)
        {
            return Ok(PlannerResult::Original(expr));
        }
        let division = if self.ansi {
            Division::Divide
        } else {
            Division::TryDivide
        };
        Ok(PlannerResult::Planned(call(divide(division), expr.left, expr.right)))
    }

    fn plan_field_access(
        &self,
        expr: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let is_list = matches!(
            expr.expr.get_type(schema)?,
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)
        );
        match expr.field_access {
            GetFieldAccess::ListIndex { key } if is_list => {
                let index = Expr::BinaryExpr(BinaryExpr::new(key, Operator::Plus, Box::new(lit(1_i64))));
                Ok(PlannerResult::Planned(call(array_element_udf(), expr.expr, index)))
            }
            field_access => Ok(PlannerResult::Original(RawFieldAccessExpr {
                field_access,
                expr: expr.expr,
            })),
        }
    }
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Null | DataType::Utf8 | DataType::Utf8View)
}

/// Which of the two divisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Division {
    /// Division by zero is an error.
    Divide,
    /// Division by zero is NULL.
    TryDivide,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Divide {
    division: Division,
    signature: Signature,
}

fn divide(division: Division) -> Arc<ScalarUDF> {
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

fn wrong_number(function: &str, count: usize) -> SqlError {
    SqlError::new(
        Class::DATATYPE_MISMATCH,
        format!("The function `{function}` takes 2 arguments, not {count}."),
    )
}

fn scalar_or_array(array: ArrayRef, scalar: bool) -> Result<ColumnarValue> {
    if scalar {
        Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
    } else {
        Ok(ColumnarValue::Array(array))
    }
}

/// `DIV`: the whole part of a quotient.
#[derive(Debug, PartialEq, Eq, Hash)]
struct WholeDivide {
    signature: Signature,
}

impl WholeDivide {
    fn new() -> Self {
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
enum Arithmetic {
    Add,
    Multiply,
    Subtract,
}

impl Arithmetic {
    const fn of(operator: Operator) -> Option<Self> {
        match operator {
            Operator::Plus => Some(Self::Add),
            Operator::Minus => Some(Self::Subtract),
            Operator::Multiply => Some(Self::Multiply),
            _ => None,
        }
    }
}

/// Integer arithmetic that fails where the planner's own would wrap around.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    arithmetic: Arithmetic,
    signature: Signature,
}

impl Checked {
    fn new(arithmetic: Arithmetic) -> Self {
        Self {
            arithmetic,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.arithmetic {
            Arithmetic::Add => "checked_add",
            Arithmetic::Multiply => "checked_multiply",
            Arithmetic::Subtract => "checked_subtract",
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
            _ => DataType::Int64,
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
        datafusion::physical_expr_common::datum::apply(left, right, kernel)
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
