//! What the planner is told before it makes expressions of its own.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, DFSchema, TableReference};
use datafusion::error::Result;
use datafusion::functions::core::get_field;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, lit};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::call;
use super::divide::{Division, divide};
use crate::engine::function::element::{self, Asked};

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

    /// `column.field`, the field in any case.
    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        nested_names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let mut expr = Expr::Column(Column::from((qualifier, field)));
        let mut data_type = field.data_type().clone();
        for name in nested_names {
            let name = field_of(&data_type, name);
            if let DataType::Struct(fields) = &data_type
                && let Some(inner) = fields.iter().find(|field| *field.name() == name)
            {
                data_type = inner.data_type().clone();
            }
            expr = call(get_field(), expr, lit(name));
        }
        Ok(PlannerResult::Planned(expr))
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
                let asked = if self.ansi { Asked::Subscript } else { Asked::Get };
                Ok(PlannerResult::Planned(call(element::function(asked), expr.expr, *key)))
            }
            GetFieldAccess::NamedStructField {
                name: ScalarValue::Utf8(Some(name)),
            } => {
                let expr = expr.expr;
                let name = field_of(&expr.get_type(schema)?, &name);
                Ok(PlannerResult::Planned(call(get_field(), expr, lit(name))))
            }
            field_access => Ok(PlannerResult::Original(RawFieldAccessExpr {
                field_access,
                expr: expr.expr,
            })),
        }
    }
}

/// The field's own spelling, which may differ in case from the one that is asked for.
fn field_of(data_type: &DataType, name: &str) -> String {
    let DataType::Struct(fields) = data_type else {
        return name.to_owned();
    };
    let exact = fields.iter().find(|field| field.name() == name);
    let any = || {
        fields
            .iter()
            .find(|field| field.name().to_lowercase() == name.to_lowercase())
    };
    exact.or_else(any).map_or(name, |field| field.name()).to_owned()
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Null | DataType::Utf8 | DataType::Utf8View)
}
