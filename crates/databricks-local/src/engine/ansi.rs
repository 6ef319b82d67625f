//! Arithmetic as Databricks does it: small literals are INT, `/` never truncates, overflow and division by zero are errors.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::compute::kernels::numeric;
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::metadata::{FieldMetadata, ScalarAndMetadata};
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
use divide::{Divide, Division, divide};

mod divide;

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

/// The mark of a literal that was bound to a marker: it has its type already.
///
/// It is taken off when types are settled, so that it shows in no schema.
pub(crate) fn bound(value: ScalarValue) -> ScalarAndMetadata {
    let mark = BTreeMap::from([(BOUND.to_owned(), String::new())]);
    ScalarAndMetadata::new(value, Some(FieldMetadata::new(mark)))
}

const BOUND: &str = "bound";

fn is_bound(metadata: Option<&FieldMetadata>) -> bool {
    metadata.is_some_and(|metadata| metadata.inner().contains_key(BOUND))
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
            LogicalPlan::Values(values) => narrowed_values(values, self.narrow),
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
            Expr::Literal(value, metadata) if is_bound(metadata.as_ref()) => {
                Ok(Transformed::yes(Expr::Literal(value, None)))
            }
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

/// Values keep the types of their schema unless all of a column's literals can change with it.
fn narrowed_values(values: Values, narrow: bool) -> Result<Transformed<LogicalPlan>> {
    let all_literals = values
        .values
        .iter()
        .flatten()
        .all(|expr| matches!(expr, Expr::Literal(..)));
    if !all_literals {
        return Ok(Transformed::no(LogicalPlan::Values(values)));
    }
    let mut rows = values.values;
    for column in 0..values.schema.fields().len() {
        if narrow && rows.iter().all(|row| narrowed(&row[column]).is_some()) {
            for row in &mut rows {
                if let Some(narrow) = narrowed(&row[column]) {
                    row[column] = narrow;
                }
            }
        }
    }
    for expr in rows.iter_mut().flatten() {
        if let Expr::Literal(_, metadata) = expr
            && is_bound(metadata.as_ref())
        {
            *metadata = None;
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
        Expr::Literal(_, metadata) if is_bound(metadata.as_ref()) => None,
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

fn wrong_number(function: &str, count: usize) -> SqlError {
    SqlError::new(
        Class::DATATYPE_MISMATCH,
        format!("The function `{function}` takes 2 arguments, not {count}."),
    )
}
