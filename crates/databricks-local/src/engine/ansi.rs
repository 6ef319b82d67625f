//! Arithmetic as Databricks does it: small literals are INT, `/` never truncates, overflow and division by zero are errors.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion::common::metadata::{FieldMetadata, ScalarAndMetadata};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_nested::concat::array_concat_udf;
use datafusion::functions_nested::extract::array_element_udf;
use datafusion::functions_nested::map_extract::map_extract_udf;
use datafusion::functions_nested::reverse::array_reverse_udf;
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, ScalarUDF, Union, Values, cast, lit,
};
use datafusion::scalar::ScalarValue;

use super::types::{DatabricksTypes, type_text, wire_type};
use arithmetic::{Arithmetic, Checked, WholeDivide, tried};
use divide::{Divide, Division, divide};

mod arithmetic;
mod divide;
mod planner;

pub(crate) use planner::DatabricksExprs;

/// The functions that a query can name.
pub(crate) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        divide(Division::TryDivide),
        Arc::new(ScalarUDF::new_from_impl(WholeDivide::new())),
        tried(Arithmetic::Add),
        tried(Arithmetic::Subtract),
        tried(Arithmetic::Multiply),
    ]
}

/// Rewrites a plan as it comes from the planner, before the optimizer and its coercions see it.
pub(crate) fn apply(plan: LogicalPlan, ansi: bool, types: &DatabricksTypes) -> Result<LogicalPlan> {
    // The two sides of a recursion must keep the type that they agreed on.
    let narrow = !plan.exists(|plan| Ok(matches!(plan, LogicalPlan::RecursiveQuery(_))))?;
    let rewriter = Rewriter { ansi, narrow, types };
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

/// Puts bound values into the rows of `VALUES`, where a mark would set one row apart from the others. There, a cast to the type that
/// the value has already is the mark.
pub(crate) fn with_bound_rows(plan: LogicalPlan, bound: &[ScalarValue]) -> Result<LogicalPlan> {
    let value = |expr: Expr| {
        let number = match &expr {
            Expr::Placeholder(marker) => marker.id.strip_prefix('$').and_then(|number| number.parse().ok()),
            _ => None,
        };
        let value = number.and_then(|number: usize| bound.get(number.checked_sub(1)?));
        Ok(value.map_or(Transformed::no(expr), |value| {
            Transformed::yes(cast(Expr::Literal(value.clone(), None), value.data_type()))
        }))
    };
    let plan = plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Values(_) => plan.map_expressions(|expr| expr.transform_up(value)),
        plan => Ok(Transformed::no(plan)),
    })?;
    Ok(plan.data)
}

/// The value that [`with_bound_rows`] put here.
fn bound_row(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Cast(Cast { expr, field }) => match expr.as_ref() {
            Expr::Literal(value, None) if value.data_type() == *field.data_type() => Some(expr.as_ref().clone()),
            _ => None,
        },
        _ => None,
    }
}

fn is_bound(metadata: Option<&FieldMetadata>) -> bool {
    metadata.is_some_and(|metadata| metadata.inner().contains_key(BOUND))
}

struct Rewriter<'a> {
    ansi: bool,
    types: &'a DatabricksTypes,
    /// Whether integer literals that fit become INT.
    narrow: bool,
}

impl Rewriter<'_> {
    fn plan(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        match plan {
            // A limit is BIGINT and nothing else.
            LogicalPlan::Limit(_) => Ok(Transformed::no(plan)),
            // A union remembers the types that its inputs had.
            LogicalPlan::Union(union) => Ok(Transformed::yes(LogicalPlan::Union(Union::try_new_with_loose_types(
                union.inputs,
            )?))),
            LogicalPlan::Values(values) => self.values(values),
            LogicalPlan::Window(window) => {
                let window = self.expressions(LogicalPlan::Window(window))?;
                window.transform_data(|window| Ok(Transformed::yes(with_int_ranks(window)?)))
            }
            plan => self.expressions(plan),
        }
    }

    /// Rows with the types that their values have here. Where all of them are literals, a column narrows as a whole or not at all.
    fn values(&self, values: Values) -> Result<Transformed<LogicalPlan>> {
        let mut exprs = values.values.iter().flatten();
        if exprs.all(|expr| matches!(expr, Expr::Literal(..)) || bound_row(expr).is_some()) {
            return narrowed_values(values, self.narrow);
        }
        let nothing = DFSchema::empty();
        let rewritten = |expr: Expr| match (bound_row(&expr), coerced_null(&expr)) {
            (Some(value), _) | (None, Some(value)) => Ok(value),
            (None, None) => Ok(expr.transform_up(|expr| self.expr(expr, &nothing))?.data),
        };
        let rows = values
            .values
            .into_iter()
            .map(|row| row.into_iter().map(rewritten).collect());
        let rows = rows.collect::<Result<Vec<_>>>()?;
        Ok(Transformed::yes(LogicalPlanBuilder::values(rows)?.build()?))
    }

    fn expressions(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let schema = merge_schema(&plan.inputs());
        let names = NamePreserver::new(&plan);
        let plan = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| self.expr(expr, &schema))?;
            // The variables of a lambda take the types that its array has now.
            let expr = if expr.transformed
                && expr
                    .data
                    .exists(|expr| Ok(matches!(expr, Expr::HigherOrderFunction(_))))?
            {
                expr.transform_data(|expr| expr.resolve_lambda_variables(&schema))?
            } else {
                expr
            };
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?;
        // Even a plan without a literal of its own may stand on one whose types have changed.
        plan.map_data(LogicalPlan::recompute_schema)
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
                if op == Operator::Minus
                    && left.get_type(schema)? == DataType::Date32
                    && right.get_type(schema)? == DataType::Date32
                {
                    // Between dates there is an interval of days, not a number.
                    let midnight = |date| Box::new(cast(date, DataType::Timestamp(TimeUnit::Microsecond, None)));
                    let (left, right) = (midnight(left), midnight(right));
                    return Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right })));
                }
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
            Expr::Cast(Cast { expr, field }) => seconds_cast(*expr, field, schema),
            Expr::ScalarFunction(function) => self.function(function, schema),
            expr => Ok(Transformed::no(expr)),
        }
    }

    /// Functions that are others for other types of arguments.
    fn function(&self, function: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
        const SEVERAL: [&str; 5] = ["concat", "element_of", "reverse", "try_element_at", "typeof"];
        if function.args.is_empty() || !SEVERAL.contains(&function.func.name()) {
            return Ok(Transformed::no(Expr::ScalarFunction(function)));
        }
        let ScalarFunction { func, args } = function;
        let first = args[0].get_type(schema)?;
        let other = |func, args| Expr::ScalarFunction(ScalarFunction::new_udf(func, args));
        let expr = match (func.name(), &first) {
            ("typeof", _) => {
                let wire = wire_type(&first, &self.types.time_zone);
                lit(type_text(&wire).to_lowercase())
            }
            ("element_of" | "try_element_at", DataType::Map(..)) => {
                let values = other(map_extract_udf(), args);
                other(array_element_udf(), vec![values, lit(1_i64)])
            }
            ("concat", DataType::List(_)) => other(array_concat_udf(), args),
            ("reverse", DataType::List(_)) => other(array_reverse_udf(), args),
            _ => return Ok(Transformed::no(other(func, args))),
        };
        Ok(Transformed::yes(expr))
    }
}

/// A number that becomes a time, or the reverse, counts seconds; the planner's casts would count the type's own units.
fn seconds_cast(expr: Expr, field: FieldRef, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let from = expr.get_type(schema)?;
    let (expr, zone) = match (&from, field.data_type()) {
        (from, DataType::Timestamp(_, zone)) if from.is_integer() => (cast(expr, DataType::Int64), zone.clone()),
        (DataType::Timestamp(_, zone), to) if to.is_integer() => (expr, zone.clone()),
        _ => {
            let expr = Box::new(expr);
            return Ok(Transformed::no(Expr::Cast(Cast { expr, field })));
        }
    };
    let expr = Box::new(cast(expr, DataType::Timestamp(TimeUnit::Second, zone)));
    Ok(Transformed::yes(Expr::Cast(Cast { expr, field })))
}

/// Numbers of rows are INT.
fn with_int_ranks(window: LogicalPlan) -> Result<LogicalPlan> {
    let is_rank = |data_type: &DataType| *data_type == DataType::UInt64;
    if !window.schema().fields().iter().any(|field| is_rank(field.data_type())) {
        return Ok(window);
    }
    let columns: Vec<Expr> = window
        .schema()
        .iter()
        .map(|(qualifier, field)| {
            let column = Expr::Column(Column::from((qualifier, field)));
            if is_rank(field.data_type()) {
                cast(column, DataType::Int32).alias_qualified(qualifier.cloned(), field.name())
            } else {
                column
            }
        })
        .collect();
    LogicalPlanBuilder::from(window).project(columns)?.build()
}

/// Literals keep the types of their schema unless all of a column can change with it.
fn narrowed_values(values: Values, narrow: bool) -> Result<Transformed<LogicalPlan>> {
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
        if let Some(value) = bound_row(expr) {
            *expr = value;
        }
    }
    Ok(Transformed::yes(LogicalPlanBuilder::values(rows)?.build()?))
}

fn call(function: Arc<ScalarUDF>, left: Expr, right: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![left, right]))
}

/// The NULL that the planner made a BIGINT, because of the numbers in its column, before they became INT.
fn coerced_null(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Literal(ScalarValue::Int64(None), metadata) if !is_bound(metadata.as_ref()) => {
            Some(Expr::Literal(ScalarValue::Null, metadata.clone()))
        }
        _ => None,
    }
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
        _ => coerced_null(expr),
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
